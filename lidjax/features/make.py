"""From CIFAR-10H and the weights of a ResNet-18 to a feature file, in one call."""

import time
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from lidjax.features.cifar10h import NAME, TFDS_SPLIT, read_cifar10h
from lidjax.features.extract import DEFAULT_BATCH, extract_features
from lidjax.features.feature_file import check_writable, write_features
from lidjax.features.resnet18 import PREPROCESSING, fold_batch_norm
from lidjax.features.weights import read_weights
from lidjax.progress import Progress, no_progress


class MadeFeatures(NamedTuple):
    """What a feature file was made of, and how long its features took."""

    images: int
    """Number of images m."""
    unanimous: float
    """Fraction of them whose human labels all agree, v = 0."""
    mean_variance: float
    """Mean of the label variance v, in squared class numbers."""
    seconds: float
    """Seconds that the extraction of the features took, compilation included."""
    images_per_second: float
    """Images in each of these seconds."""
    provenance: dict[str, Any]
    """The provenance in the file: data set, weights, backbone, preprocessing, and versions."""


def make_cifar10h_features(
    path: str | Path,
    *,
    data_dir: str | Path | None = None,
    weights: str | Path | None = None,
    batch: int = DEFAULT_BATCH,
    progress: Progress = no_progress,
) -> MadeFeatures:
    """Make the feature file of CIFAR-10H: its images through a frozen ResNet-18, with their human labels.

    The Python form of `lidjax features cifar10h`; it needs the extra `cifar10h`. The file holds the features
    (m, 512) in float32, `mean` and `variance` of the human labels, `label` and `id` of each image, and the provenance.

    Args:
        path: the file to write, which must end in `.npz`.
        data_dir: folder of the data set, as in `read_cifar10h`; None to find or download it.
        weights: safetensors file of the weights, as in `read_weights`; None to download it.
        batch: images a device at a time, at least 1.
        progress: shows how far the work is, as in `read_cifar10h` and `extract_features`.

    Returns:
        A `MadeFeatures`; `read_features(path)` reads the file.

    Raises:
        InputError: if the file cannot be written (checked first), or if the weights or the data set are refused.

    References:
        Sec. 5.1.

    Example:
        >>> import lidjax
        >>> from lidjax.features import make_cifar10h_features
        >>> try:
        ...     make_cifar10h_features("features.csv")
        ... except lidjax.InputError as error:
        ...     print(error)
        features.csv: a feature file is an .npz
    """
    from lidjax import __version__  # here, because the package imports this module before it has a version

    path = Path(path).expanduser()
    check_writable(path)
    backbone = read_weights(weights)
    labels = read_cifar10h(data_dir, progress=progress)
    start = time.perf_counter()
    features = extract_features(
        fold_batch_norm(backbone.tensors), labels.images, batch=batch, progress=progress
    )
    seconds = time.perf_counter() - start
    provenance = {
        "data": {
            "name": NAME,
            "version": labels.version,
            "split": TFDS_SPLIT,
            "images": len(labels.images),
        },
        "weights": {"source": backbone.source, "sha256": backbone.sha256},
        "backbone": "ResNet-18, average pool before the classifier",
        "preprocessing": PREPROCESSING,
        "made_by": {
            "lidjax": __version__,
            "jax": jax.__version__,
            "device": jax.devices()[0].device_kind,
            "devices": jax.device_count(),
        },
    }
    write_features(
        path,
        provenance,
        features=features,
        mean=labels.mean,
        variance=labels.variance,
        label=labels.label,
        id=labels.ids,
    )
    return MadeFeatures(
        images=len(features),
        unanimous=float(np.mean(labels.variance == 0)),
        mean_variance=float(np.mean(labels.variance)),
        seconds=seconds,
        images_per_second=len(features) / seconds,
        provenance=provenance,
    )
