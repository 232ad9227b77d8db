"""CIFAR-10H: the CIFAR-10 test images with the labels that some 50 people gave each, read without TensorFlow.

The data set is `cifar10_h` 1.0.0 of TensorFlow Datasets (TFDS), split `test`, stored as array_record. TFDS shuffles the
records that it writes; here they are sorted by `id`, which is the order of the CIFAR-10 test set.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lidjax.errors import InputError
from lidjax.features.extras import INSTALL, first_line
from lidjax.progress import Progress, no_progress

NAME, VERSION, TFDS_SPLIT = "cifar10_h", "1.0.0", "test"
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
IMAGE_SHAPE = (32, 32, 3)
FIELDS = ("id", "image", "label", "soft_label")
MIN_AGREEMENT = 0.9
"""Below it the labels are taken to be in another order than the images: a heuristic. The most frequent human label is
the CIFAR-10 label for 99 % of the images, and would be for 10 % by chance."""
SUM_TOLERANCE = 1e-4  # by how much ten float32 probabilities may miss a sum of 1


class HumanLabels(NamedTuple):
    """Images with the distribution of the class labels that people gave them, in the order of the CIFAR-10 test set."""

    images: np.ndarray
    """Images (m, 32, 32, 3), uint8, red, green and blue last."""
    probabilities: np.ndarray
    """Share of people who chose each of the ten classes, (m, 10), float64; each row sums to 1."""
    label: np.ndarray
    """The CIFAR-10 label (m,), from 0 to 9: an index into `CLASSES`."""
    ids: np.ndarray
    """Names of the images (m,), such as "test_00042"."""
    version: str
    """Version of the data set, "1.0.0"."""

    @property
    def mean(self) -> np.ndarray:
        """Mean target m_i (m,): the mean of the class number over the people, from 0 to 9."""
        return self.probabilities @ np.arange(10.0)

    @property
    def variance(self) -> np.ndarray:
        """Label variance v_i (m,): the variance of the class number, 0 where everybody agrees and at most 81/4."""
        distance = np.arange(10.0) - self.mean[:, None]
        return np.sum(self.probabilities * distance**2, axis=1)


def read_cifar10h(data_dir: str | Path | None = None, *, progress: Progress = no_progress) -> HumanLabels:
    """Read CIFAR-10H and check that it is the expected data set.

    Needs the extra `cifar10h`. Without a folder the data set comes from TFDS by its name: it is downloaded and prepared
    the first time, which also needs TensorFlow and pandas. Reading a prepared data set needs neither.

    Args:
        data_dir: a TFDS folder, which holds `cifar10_h/1.0.0`, or one of these two folders; None for the data set that
            TFDS finds or downloads.
        progress: shows how far the reading is; called as `progress("images", records)`, it yields the records.

    Returns:
        The images and their `HumanLabels`, 10,000 of them in the published data set.

    Raises:
        InputError: for another data set, version, split, storage format or order of labels, for records that cannot be
            read, and if a package is missing.

    References:
        Peterson, Battleday, Griffiths and Russakovsky, "Human uncertainty makes classification more robust" (2019);
        used in Sec. 5.1.

    Example:
        >>> import lidjax
        >>> from lidjax.features import read_cifar10h
        >>> try:
        ...     read_cifar10h("no_such_folder")
        ... except lidjax.InputError as error:
        ...     print(error)
        no_such_folder: no cifar10_h/1.0.0 of TensorFlow Datasets below this folder
    """
    folder = None if data_dir is None else _prepared_folder(Path(data_dir).expanduser())
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise InputError(
            f"CIFAR-10H is read by tensorflow-datasets, which cannot be imported ({error}): {INSTALL}"
        ) from None
    builder = _builder_by_name(tfds) if folder is None else _builder_of_folder(tfds, folder)
    folder = Path(builder.data_path)
    records = _open_records(builder, folder)
    rows: list[tuple[Any, ...]] = []
    try:
        for record in progress("images", records):
            rows.append(tuple(record[name] for name in FIELDS))
    except (RuntimeError, ValueError, IndexError, OSError) as error:
        raise InputError(f"{folder}: record {len(rows)} cannot be read: {error}") from None
    rows.sort(key=lambda row: row[0])
    ids, images, label, probabilities = zip(*rows, strict=True)
    return check_labels(
        HumanLabels(
            images=_stack_images(folder, ids, images),
            probabilities=np.asarray(probabilities, np.float64),
            label=np.asarray(label),
            ids=np.asarray([name.decode() for name in ids]),
            version=str(builder.info.version),
        ),
        folder,
    )


def check_labels(data: HumanLabels, source: str | Path) -> HumanLabels:
    """The same data with each distribution summing to 1 exactly.

    Raises InputError, naming the `source`, where an image is not of the test set or appears twice, where the human
    labels of one are not a distribution, and where the labels are not in the order of the images.
    """
    is_test = np.char.startswith(data.ids, f"{TFDS_SPLIT}_")
    if not is_test.all():
        raise InputError(
            f"{source}: holds {str(data.ids[~is_test][0])!r}; only the {TFDS_SPLIT} images have human labels"
        )
    if len(set(data.ids.tolist())) != len(data.ids):
        raise InputError(f"{source}: an image is there twice")
    probabilities = data.probabilities
    total = probabilities.sum(axis=1)
    bad = ~((abs(total - 1) <= SUM_TOLERANCE) & (probabilities >= 0).all(axis=1))
    if bad.any():
        row = int(np.argmax(bad))
        raise InputError(
            f"{source}: the human labels of {data.ids[row]} are {probabilities[row].tolist()} with sum "
            f"{total[row]:g}; a distribution is not negative and sums to 1 (images like this: {bad.sum()})"
        )
    top = probabilities.max(axis=1)
    agreement = float(np.mean(probabilities[np.arange(len(top)), data.label] == top))
    if agreement <= MIN_AGREEMENT:
        raise InputError(
            f"{source}: the most frequent human label is the CIFAR-10 label for {agreement:.1%} of the images, and "
            f"more than {MIN_AGREEMENT:.0%} is expected; the labels are in another order than the images"
        )
    return data._replace(probabilities=probabilities / total[:, None])


def _prepared_folder(data_dir: Path) -> Path:
    """The folder of the data set at or below `data_dir`."""
    for folder in (data_dir / NAME / VERSION, data_dir / VERSION, data_dir):
        if (folder / "dataset_info.json").is_file():
            return folder
    versions = sorted(p.parent.name for p in (data_dir / NAME).glob("*/dataset_info.json"))
    raise InputError(
        f"{data_dir}: no {NAME}/{VERSION} of TensorFlow Datasets below this folder"
        + (f"; it has version {', '.join(versions)}" if versions else "")
    )


# TFDS has no types: its module and its builders are `Any` below.


def _builder_of_folder(tfds: Any, folder: Path) -> Any:
    """The TFDS builder of a prepared data set; raises InputError unless it is CIFAR-10H."""
    try:
        found = json.loads((folder / "dataset_info.json").read_text(encoding="utf-8"))
        builder = tfds.builder_from_directory(folder)
    except Exception as error:  # TFDS raises many kinds of error for a broken folder
        raise InputError(f"{folder}: not a folder of TensorFlow Datasets: {error}") from None
    if (found.get("name"), found.get("version")) != (NAME, VERSION):
        raise InputError(
            f"{folder}: holds {found.get('name')} {found.get('version')}; it must be {NAME} {VERSION}"
        )
    return builder


def _builder_by_name(tfds: Any) -> Any:
    """The TFDS builder of the public data set, which is downloaded and prepared the first time."""
    try:
        builder = tfds.builder(f"{NAME}:{VERSION}", file_format="array_record")
        builder.download_and_prepare()
    except Exception as error:  # no network, no TensorFlow, no disk space: TFDS has no common base class
        raise InputError(
            f"{NAME} {VERSION} cannot be downloaded and prepared ({type(error).__name__}: {first_line(error)}). "
            "The first time, TensorFlow Datasets needs the network and `pip install tensorflow pandas`. Reading a "
            "prepared data set needs neither: give its folder with --data-dir, or from Python as data_dir"
        ) from None
    return builder


def _open_records(builder: Any, folder: Path) -> Any:
    """The records of the data set, a sequence; raises InputError where they are not those of CIFAR-10H."""
    if TFDS_SPLIT not in builder.info.splits:
        raise InputError(
            f"{folder}: no split {TFDS_SPLIT!r}; it has {', '.join(builder.info.splits) or 'none'}"
        )
    features = builder.info.features
    missing = [name for name in FIELDS if name not in features]
    if missing:
        raise InputError(f"{folder}: no feature {', '.join(missing)}; it has {', '.join(features)}")
    for name, shape in (("image", IMAGE_SHAPE), ("soft_label", (len(CLASSES),))):
        if features[name].shape != shape:
            raise InputError(f"{folder}: {name} has shape {features[name].shape}; it must be {shape}")
    try:
        records = builder.as_data_source(split=TFDS_SPLIT)
    except NotImplementedError:
        raise InputError(
            f"{folder}: stored as {builder.info.file_format.value}; only array_record is read without TensorFlow"
        ) from None
    except Exception as error:  # again no common base class
        raise InputError(f"{folder}: the records cannot be opened: {error}") from None
    if not len(records):
        raise InputError(f"{folder}: split {TFDS_SPLIT!r} is empty")
    return records


def _stack_images(folder: Path, ids: tuple[bytes, ...], images: tuple[np.ndarray, ...]) -> np.ndarray:
    for name, image in zip(ids, images, strict=True):
        if image.shape != IMAGE_SHAPE:
            raise InputError(
                f"{folder}: image {name.decode()} has shape {image.shape}; it must be {IMAGE_SHAPE}"
            )
    return np.stack(images)
