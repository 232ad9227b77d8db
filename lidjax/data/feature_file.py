"""Feature files: an `.npz` with `features` (m, d), `mean` (m,) and `variance` (m,), read without pickle."""

import hashlib
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lidjax.errors import InputError


class FeatureSet(NamedTuple):
    """Real instances: `features` (m, d), and the mean and variance (m,) of each one's target."""

    features: np.ndarray
    mean: np.ndarray
    variance: np.ndarray
    sha256: str


def read_features(path: str | Path) -> FeatureSet:
    """Read and check a feature file; raises InputError naming the array and what is wrong with it."""
    path = Path(path).expanduser()
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        archive = np.load(path, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise InputError(f"{path}: a single array, not an .npz of features, mean and variance")
        with archive:
            missing = {"features", "mean", "variance"} - set(archive.files)
            if missing:
                raise InputError(
                    f"{path}: no array named {', '.join(sorted(missing))}; an .npz with features (m, d), "
                    f"mean (m,) and variance (m,) is wanted, this one holds {', '.join(archive.files)}"
                )
            arrays = {name: archive[name] for name in ("features", "mean", "variance")}
    except FileNotFoundError:
        raise InputError(f"{path}: no such feature file") from None
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        reason = "pickled arrays are refused" if "pickle" in str(error).lower() else str(error)
        raise InputError(f"{path}: not a readable .npz: {reason}") from None
    except (OSError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: not a readable .npz: {error}") from None
    _check(path, arrays)
    return FeatureSet(*(arrays[name].astype(np.float64) for name in arrays), sha256=digest)


def _check(path: Path, arrays: dict[str, np.ndarray]) -> None:
    features = arrays["features"]
    if features.ndim != 2 or 0 in features.shape:
        raise InputError(f"{path}: features has shape {features.shape}, (m, d) is wanted")
    for name in ("mean", "variance"):
        if arrays[name].shape != features.shape[:1]:
            raise InputError(
                f"{path}: {name} has shape {arrays[name].shape}, ({len(features)},) is wanted to go with "
                f"features {features.shape}"
            )
    for name, array in arrays.items():
        if array.dtype.kind not in "fiu":
            raise InputError(f"{path}: {name} holds {array.dtype}, real numbers are wanted")
        bad = ~np.isfinite(array)
        if bad.any():
            where = tuple(int(i) for i in np.argwhere(bad)[0])
            raise InputError(
                f"{path}: {name}{list(where)} is {array[where]}; {bad.sum()} entries are not finite"
            )
    if (arrays["variance"] < 0).any():
        row = int(np.argmin(arrays["variance"]))
        raise InputError(f"{path}: variance[{row}] = {arrays['variance'][row]} is negative")
