"""Feature files: an `.npz` with `features` (m, d), `mean` (m,) and `variance` (m,), read without pickle.

A file made by `lidjax features cifar10h` also holds the `label` and `id` of each row and, as JSON text, the
`provenance`.
"""

import hashlib
import json
import os
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lidjax.errors import InputError

_REQUIRED = ("features", "mean", "variance")


class FeatureSet(NamedTuple):
    """Real instances, as read from a feature file: features, and the mean and variance of each target."""

    features: np.ndarray
    """Features z (m, d), float64."""
    mean: np.ndarray
    """Mean target (m,), float64, in the units of the labels."""
    variance: np.ndarray
    """Label variance (m,), float64, ≥ 0, in the squared units of the labels."""
    sha256: str
    """SHA-256 of the file, in hexadecimal; a store is tied to its feature file by it."""
    provenance: str = ""
    """JSON of what the file was made from; empty if the file does not say."""


def read_features(path: str | Path) -> FeatureSet:
    """Read and check a feature file.

    The file is an `.npz`, as `numpy.savez` writes it, with three arrays of real and finite numbers: `features` (m, d),
    `mean` (m,) and `variance` (m,), the last not negative. Other arrays in it are ignored. Pickled arrays are refused.

    Args:
        path: the file; `~` is expanded.

    Returns:
        A `FeatureSet` of the three arrays in float64, with the SHA-256 of the file and its provenance.

    Raises:
        InputError: if the file is absent or is not such an `.npz`; the message names the array and what is wrong.

    References:
        Sec. 5.1: features of a frozen backbone, with the mean and variance of human labels.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> import numpy as np
        >>> from lidjax.features import read_features
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "instances.npz"
        ...     np.savez(path, features=np.ones((3, 2)), mean=np.arange(3.0), variance=np.zeros(3))
        ...     data = read_features(path)
        >>> data.features.shape, data.mean.tolist(), len(data.sha256)
        ((3, 2), [0.0, 1.0, 2.0], 64)
    """
    path = Path(path).expanduser()
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        archive = np.load(path, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise InputError(f"{path}: a single array, not an .npz of features, mean and variance")
        with archive:
            missing = set(_REQUIRED) - set(archive.files)
            if missing:
                raise InputError(
                    f"{path}: no array named {', '.join(sorted(missing))}; an .npz with features (m, d), "
                    f"mean (m,) and variance (m,) is needed, and this one holds {', '.join(archive.files)}"
                )
            arrays = {name: archive[name] for name in _REQUIRED}
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
    _check_arrays(path, arrays)
    features, mean, variance = (arrays[name].astype(np.float64) for name in _REQUIRED)
    return FeatureSet(features, mean, variance, sha256=digest, provenance=provenance)


def shuffle_features(data: FeatureSet, seed: int) -> FeatureSet:
    """The same instances with their features permuted among them.

    A control: the spectrum of the features and the law of the labels stay, and what the features say about the labels
    is gone. A sweep with `features.pairing = "shuffled"` uses it, with its root key as the seed.

    Args:
        data: the instances.
        seed: seed of the permutation, an integer ≥ 0.

    Returns:
        A `FeatureSet` with the rows of `features` permuted. Its other fields are those of `data`, the SHA-256 included.

    References:
        Derived for this project, as a control for Sec. 5.

    Example:
        >>> import numpy as np
        >>> from lidjax.features import FeatureSet, shuffle_features
        >>> data = FeatureSet(np.arange(6.0)[:, None], np.arange(6.0), np.zeros(6), sha256="")
        >>> shuffled = shuffle_features(data, seed=0)
        >>> sorted(shuffled.features.ravel().tolist())
        [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
        >>> bool((shuffled.features == data.features).all())
        False
    """
    rows = np.random.default_rng(seed).permutation(len(data.features))
    return data._replace(features=data.features[rows])


def write_features(
    path: str | Path,
    provenance: dict[str, Any],
    *,
    features: np.ndarray,
    mean: np.ndarray,
    variance: np.ndarray,
    **columns: np.ndarray,
) -> None:
    """Write a feature file, atomically: after an interruption the old file is still there, or none.

    Args:
        path: the file, which must end in `.npz`; an existing one is replaced.
        provenance: what the features were made from, as JSON-ready data.
        features: features z (m, d), real and finite.
        mean: mean target (m,), real and finite.
        variance: label variance (m,), finite and ≥ 0.
        **columns: more arrays of m rows, such as `id`; they are stored and not read back by `read_features`.

    Raises:
        InputError: if the path cannot be written, or if an array has the wrong shape or values.

    References:
        The format is this project's own.

    Example:
        >>> import json, tempfile
        >>> from pathlib import Path
        >>> import numpy as np
        >>> from lidjax.features import read_features, write_features
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "instances.npz"
        ...     write_features(
        ...         path, {"source": "ones"}, features=np.ones((3, 2)), mean=np.zeros(3), variance=np.ones(3)
        ...     )
        ...     data = read_features(path)
        >>> json.loads(data.provenance)
        {'source': 'ones'}
    """
    path = Path(path).expanduser()
    check_writable(path)
    arrays = {"features": features, "mean": mean, "variance": variance}
    _check_arrays(path, arrays)
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with partial.open("wb") as file:
            np.savez(
                file, allow_pickle=False, **arrays, **columns, provenance=np.array(json.dumps(provenance))
            )
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def check_writable(path: Path) -> None:
    """Raise InputError where a feature file cannot be written; called before the work of making one."""
    if path.suffix != ".npz":
        raise InputError(f"{path}: a feature file is an .npz")
    if path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise InputError(
            f"{path}: cannot be written; {path.parent} must be a folder that you have permission to write to"
        )


def _check_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    features = arrays["features"]
    if features.ndim != 2 or 0 in features.shape:
        raise InputError(f"{path}: features has shape {features.shape}; it must be (m, d)")
    for name in ("mean", "variance"):
        if arrays[name].shape != features.shape[:1]:
            raise InputError(
                f"{path}: {name} has shape {arrays[name].shape}; it must be ({len(features)},), as features has "
                f"shape {features.shape}"
            )
    for name, array in arrays.items():
        if array.dtype.kind not in "fiu":
            raise InputError(f"{path}: {name} has dtype {array.dtype}; it must hold real numbers")
        bad = ~np.isfinite(array)
        if bad.any():
            first = tuple(int(i) for i in np.argwhere(bad)[0])
            raise InputError(
                f"{path}: {name}{list(first)} is {array[first]}; entries that are not finite: {bad.sum()}"
            )
    if (arrays["variance"] < 0).any():
        row = int(np.argmin(arrays["variance"]))
        raise InputError(
            f"{path}: variance[{row}] is {arrays['variance'][row]}; a variance must not be negative"
        )
