"""Feature files: an `.npz` with `features` (m, d), `mean` (m,) and `variance` (m,), read without pickle.

Those made by `lidjax features` also hold the `label` and `id` of each row and, as JSON text, the `provenance`.
"""

import hashlib
import json
import os
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lidjax.errors import InputError


class FeatureSet(NamedTuple):
    """Real instances: `features` (m, d), and the mean and variance (m,) of each one's target."""

    features: np.ndarray
    mean: np.ndarray
    variance: np.ndarray
    sha256: str
    provenance: str = ""
    """JSON of what the file was made from; empty for one made elsewhere."""


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
            provenance = str(archive["provenance"]) if "provenance" in archive.files else ""
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
    return FeatureSet(
        *(arrays[name].astype(np.float64) for name in arrays), sha256=digest, provenance=provenance
    )


def shuffle_features(data: FeatureSet, seed: int) -> FeatureSet:
    """The same with the features of each instance given to another: what they know is gone, their spectrum stays."""
    rows = np.random.default_rng(seed).permutation(len(data.features))
    return data._replace(features=data.features[rows])


def write_features(path: str | Path, provenance: dict[str, Any], **arrays: np.ndarray) -> None:
    """Write a feature file, whole or not at all: `features` (m, d), `mean` and `variance` (m,), and more of m rows."""
    path = Path(path).expanduser()
    _check(path, {name: arrays[name] for name in ("features", "mean", "variance")})
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with partial.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays, provenance=np.array(json.dumps(provenance)))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def check_writable(path: Path) -> None:
    """Raises InputError where a feature file cannot be written, before the work of making one."""
    if path.suffix != ".npz":
        raise InputError(f"{path}: a feature file is an .npz")
    if path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise InputError(f"{path}: cannot be written: {path.parent} must be a folder that you may write to")


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
