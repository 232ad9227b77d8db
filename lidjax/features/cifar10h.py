"""CIFAR-10H: CIFAR-10 test images with the labels some 50 people gave each, read through TFDS without TensorFlow.

`cifar10_h` 1.0.0 of TensorFlow Datasets, split `test`, written as array_record. TFDS shuffles what it writes: records
are put back into the order of their `id`, that of the CIFAR-10 test set.
"""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lidjax.errors import InputError

NAME, VERSION, SPLIT = "cifar10_h", "1.0.0", "test"
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
IMAGE_SHAPE = (32, 32, 3)
FIELDS = ("id", "image", "label", "soft_label")
LEAST_AGREEMENT = 0.9  # people agree with the label for 99 % of the images; chance would be 10 %
SUM_TOLERANCE = 1e-4  # of ten float32 numbers that are read as a distribution

EXTRA = "pip install 'lidjax[cifar10h]'"

Track = Callable[[Iterable[Any], int, str], Iterable[Any]]
"""`track(items, total, words)` yields the items and shows how far it is."""


class HumanLabels(NamedTuple):
    """`images` (m, 32, 32, 3) of uint8, `probabilities` (m, 10) of the human labels, `label` (m,), `ids` (m,)."""

    images: np.ndarray
    probabilities: np.ndarray
    label: np.ndarray
    ids: np.ndarray
    version: str

    @property
    def mean(self) -> np.ndarray:
        """m_i, the mean of the class number over the people."""
        return self.probabilities @ np.arange(10.0)

    @property
    def variance(self) -> np.ndarray:
        """v_i, its variance: 0 where everybody agrees, at most 81/4."""
        distance = np.arange(10.0) - self.mean[:, None]
        return np.sum(self.probabilities * distance**2, axis=1)


def read_cifar10h(
    data_dir: str | Path | None = None, *, track: Track = lambda items, total, words: items
) -> HumanLabels:
    """Read and check the data set; raises InputError for another data set, version, split or order of labels.

    `data_dir` is a TFDS folder (it holds `cifar10_h/1.0.0`, or is that folder). Without one, the data set comes from
    TFDS by name, which downloads it, and needs TensorFlow and pandas for the one time that it is prepared.
    """
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise InputError(f"CIFAR-10H is read by tensorflow-datasets ({error}): {EXTRA}") from None
    builder = _by_name(tfds) if data_dir is None else _from_folder(tfds, Path(data_dir).expanduser())
    folder = Path(builder.data_path)
    source = _open_split(builder, folder)
    rows = []
    try:
        for row in track(source, len(source), "images"):
            rows.append(tuple(row[name] for name in FIELDS))
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


def check_labels(data: HumanLabels, where: Any) -> HumanLabels:
    """The same with each distribution summing to 1 exactly; raises InputError where one is far from it or the labels
    are not those of the images."""
    split = np.char.startswith(data.ids, f"{SPLIT}_")
    if not split.all():
        raise InputError(
            f"{where}: holds {str(data.ids[~split][0])!r}; only the {SPLIT} images have human labels"
        )
    if len(set(data.ids.tolist())) != len(data.ids):
        raise InputError(f"{where}: an image stands there twice")
    probabilities = data.probabilities
    total = probabilities.sum(axis=1)
    bad = ~((abs(total - 1) <= SUM_TOLERANCE) & (probabilities >= 0).all(axis=1))
    if bad.any():
        row = int(np.argmax(bad))
        raise InputError(
            f"{where}: the human labels of {data.ids[row]} are {probabilities[row].tolist()} with sum {total[row]:g}; "
            f"a distribution is not negative and sums to 1 ({bad.sum()} images)"
        )
    top = probabilities.max(axis=1)
    agreement = float(np.mean(probabilities[np.arange(len(top)), data.label] == top))
    if agreement <= LEAST_AGREEMENT:
        raise InputError(
            f"{where}: the most frequent human label is the CIFAR-10 label for {agreement:.1%} of the images, where "
            f"over {LEAST_AGREEMENT:.0%} is expected: the labels are in another order than the images"
        )
    return data._replace(probabilities=probabilities / total[:, None])


def _from_folder(tfds: Any, data_dir: Path) -> Any:
    """The builder of the prepared data set below a folder."""
    for folder in (data_dir / NAME / VERSION, data_dir / VERSION, data_dir):
        if (folder / "dataset_info.json").is_file():
            break
    else:
        versions = sorted(p.parent.name for p in (data_dir / NAME).glob("*/dataset_info.json"))
        raise InputError(
            f"{data_dir}: no {NAME}/{VERSION} of TensorFlow Datasets below this folder"
            + (f"; it has version {', '.join(versions)}" if versions else "")
        )
    try:
        found = json.loads((folder / "dataset_info.json").read_text(encoding="utf-8"))
        builder = tfds.builder_from_directory(folder)
    except Exception as error:  # TFDS raises many kinds for a broken folder
        raise InputError(f"{folder}: not a folder of TensorFlow Datasets: {error}") from None
    if (found.get("name"), found.get("version")) != (NAME, VERSION):
        raise InputError(
            f"{folder}: holds {found.get('name')} {found.get('version')}, {NAME} {VERSION} is wanted"
        )
    return builder


def _by_name(tfds: Any) -> Any:
    """The builder of the public data set, downloaded and prepared the first time."""
    try:
        builder = tfds.builder(f"{NAME}:{VERSION}", file_format="array_record")
        builder.download_and_prepare()
    except Exception as error:  # no network, no TensorFlow, no disk: TFDS has no common kind
        raise InputError(
            f"{NAME} {VERSION} cannot be downloaded and prepared ({type(error).__name__}: {first_line(error)}). "
            "TensorFlow Datasets needs the network for it, and once `pip install tensorflow pandas`; reading needs "
            "neither: give a prepared folder with --data-dir"
        ) from None
    return builder


def first_line(error: Exception) -> str:
    return (str(error).splitlines() or ["no reason given"])[0]


def _open_split(builder: Any, folder: Path) -> Any:
    """The records of the split; raises InputError where they are not those of CIFAR-10H."""
    if SPLIT not in builder.info.splits:
        raise InputError(f"{folder}: no split {SPLIT!r}; it has {', '.join(builder.info.splits) or 'none'}")
    features = builder.info.features
    missing = [name for name in FIELDS if name not in features]
    if missing:
        raise InputError(f"{folder}: no feature {', '.join(missing)}; it has {', '.join(features)}")
    for name, shape in (("image", IMAGE_SHAPE), ("soft_label", (len(CLASSES),))):
        if features[name].shape != shape:
            raise InputError(f"{folder}: {name} has shape {features[name].shape}, {shape} is wanted")
    try:
        source = builder.as_data_source(split=SPLIT)
    except NotImplementedError:
        raise InputError(
            f"{folder}: written as {builder.info.file_format.value}; only array_record is read without TensorFlow"
        ) from None
    except Exception as error:
        raise InputError(f"{folder}: the records cannot be opened: {error}") from None
    if not len(source):
        raise InputError(f"{folder}: split {SPLIT!r} is empty")
    return source


def _stack_images(folder: Path, ids: tuple[bytes, ...], images: tuple[np.ndarray, ...]) -> np.ndarray:
    for name, image in zip(ids, images, strict=True):
        if image.shape != IMAGE_SHAPE:
            raise InputError(
                f"{folder}: image {name.decode()} has shape {image.shape}, {IMAGE_SHAPE} is wanted"
            )
    return np.stack(images)
