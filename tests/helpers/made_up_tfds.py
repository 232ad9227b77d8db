"""A small made-up data set in the format of TFDS `cifar10_h` 1.0.0: random images, and people who mostly agree."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from lidjax.features.cifar10h import CLASSES

PEOPLE = 50


def made_up_rows(count: int, *, seed: int = 0) -> list[dict[str, Any]]:
    """Examples in test order; every third image is unanimous."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for index in range(count):
        label = int(rng.integers(10))
        wrong = 0 if index % 3 == 0 else int(rng.integers(1, 20))
        human = np.where(np.arange(PEOPLE) < wrong, (label + 1) % 10, label)
        rows.append(
            {
                "id": f"test_{index:05d}",
                "image": rng.integers(0, 256, (32, 32, 3), dtype=np.uint8),
                "label": label,
                "soft_label": np.bincount(human, minlength=10).astype(np.float32) / PEOPLE,
                "human_labels": human.tolist(),
                "trial_indices": [],
                "annotator_ids": [],
                "reaction_times": [],
            }
        )
    return rows


def write_tfds(
    data_dir: Path,
    rows: list[dict[str, Any]],
    *,
    name: str = "cifar10_h",
    version: str = "1.0.0",
    split: str = "test",
    image_shape: tuple[int, ...] = (32, 32, 3),
) -> Path:
    """Write the rows as TFDS would, shuffled, in one shard; returns `data_dir`."""
    import tensorflow_datasets as tfds  # not at the top: the extra may be missing
    from array_record.python.array_record_module import ArrayRecordWriter

    label = tfds.features.ClassLabel(names=CLASSES)
    many = tfds.features.Sequence
    features = tfds.features.FeaturesDict(
        {
            "id": tfds.features.Text(),
            "image": tfds.features.Image(shape=image_shape),
            "label": label,
            "soft_label": tfds.features.Tensor(shape=(10,), dtype=np.float32),
            "human_labels": many(tfds.features.ClassLabel(num_classes=10)),
            "trial_indices": many(tfds.features.Scalar(dtype=np.int32)),
            "annotator_ids": many(tfds.features.Scalar(dtype=np.int32)),
            "reaction_times": many(tfds.features.Scalar(dtype=np.float32)),
        }
    )
    folder = data_dir / name / version
    folder.mkdir(parents=True)
    features.save_config(str(folder))
    file = folder / f"{name}-{split}.array_record-00000-of-00001"
    writer = ArrayRecordWriter(str(file), "group_size:1")
    for index in np.random.default_rng(1).permutation(len(rows)):
        row = rows[index] | {"image": _png(rows[index]["image"])}  # TFDS would encode it with TensorFlow
        writer.write(features.serialize_example(features.encode_example(row)))
    writer.close()
    shard = {"name": split, "numBytes": str(file.stat().st_size), "shardLengths": [str(len(rows))]}
    shard["filepathTemplate"] = "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"
    info = {"name": name, "version": version, "fileFormat": "array_record", "splits": [shard]}
    (folder / "dataset_info.json").write_text(json.dumps(info))
    return data_dir


def _png(image: np.ndarray) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image).save(file, "png")
    return file.getvalue()
