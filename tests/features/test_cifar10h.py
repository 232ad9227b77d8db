"""CIFAR-10H through TFDS, on a made-up data set in its format: what is read, and what is refused."""

import json
import subprocess
import sys

import numpy as np
import pytest
from helpers.made_up_tfds import PEOPLE, made_up_rows, write_tfds

from lidjax.errors import InputError
from lidjax.features import read_cifar10h
from lidjax.features.cifar10h import check_labels

pytest.importorskip("tensorflow_datasets", reason="the extra cifar10h is not installed")


@pytest.fixture(scope="module")
def rows():
    return made_up_rows(30)


@pytest.fixture(scope="module")
def folder(rows, tmp_path_factory):
    return write_tfds(tmp_path_factory.mktemp("tfds"), rows)


def test_images_come_back_in_the_order_of_the_test_set_with_their_labels(folder, rows):
    data = read_cifar10h(folder)
    assert data.ids.tolist() == [row["id"] for row in rows]
    np.testing.assert_array_equal(data.images, np.stack([row["image"] for row in rows]))
    np.testing.assert_array_equal(data.label, [row["label"] for row in rows])
    assert data.version == "1.0.0"


def test_mean_and_variance_are_those_of_the_peoples_answers(folder, rows):
    data = read_cifar10h(folder)
    answers = np.array([row["human_labels"] for row in rows])
    assert answers.shape == (30, PEOPLE)
    np.testing.assert_allclose(data.mean, answers.mean(axis=1), rtol=1e-6)  # soft labels are float32
    np.testing.assert_allclose(data.variance, answers.var(axis=1), rtol=1e-5, atol=1e-30)
    np.testing.assert_array_equal(data.variance == 0, np.arange(30) % 3 == 0)  # exactly 0 where all agree


def test_the_folder_of_the_version_will_do(folder):
    for inner in (folder / "cifar10_h", folder / "cifar10_h" / "1.0.0"):
        assert len(read_cifar10h(inner).images) == 30


def test_importing_loads_no_optional_package_and_reading_no_tensorflow(folder):
    code = f"""
import sys
import lidjax.features
optional = {{"PIL", "array_record", "huggingface_hub", "safetensors", "tensorflow_datasets"}}
slow = {{"matplotlib", "scipy.stats", "xarray"}}
print(sorted((optional | slow) & set(sys.modules)))
lidjax.features.read_cifar10h({str(folder)!r})
print("tensorflow" in sys.modules)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split("\n")[:2] == ["[]", "False"]


def renamed(row):
    return row | {"id": row["id"].replace("test", "train")}


def other_distribution(row):
    return row | {"soft_label": row["soft_label"] * np.float32(1.1)}


def with_label_of_another(rows):
    return [row | {"soft_label": rows[i - 1]["soft_label"]} for i, row in enumerate(rows)]


@pytest.mark.parametrize(
    ("change", "how", "words"),
    [
        (None, {"version": "2.0.0"}, "no cifar10_h/1.0.0 .* it has version 2.0.0"),
        (None, {"name": "cifar10"}, "no cifar10_h/1.0.0 of TensorFlow Datasets"),
        (None, {"split": "train"}, "no split 'test'; it has train"),
        (lambda rows: list(map(renamed, rows)), {}, "holds 'train_00000'; only the test images"),
        (lambda rows: [*rows, rows[3]], {}, "an image is there twice"),
        (lambda rows: [*rows[:-1], other_distribution(rows[-1])], {}, r"test_00011 .* sum 1\.1"),
        (with_label_of_another, {}, "the labels are in another order than the images"),
        (lambda rows: [r | {"image": r["image"][:16]} for r in rows], {"image_shape": (16, 32, 3)},
         r"image has shape \(16, 32, 3\); it must be \(32, 32, 3\)"),
    ],
)  # fmt: skip
def test_what_is_not_cifar10h_is_refused(rows, tmp_path, change, how, words):
    some = rows[:12] if change is None else change(rows[:12])
    with pytest.raises(InputError, match=words):
        read_cifar10h(write_tfds(tmp_path, some, **how))


def test_an_image_of_another_size_than_declared_is_refused(rows, tmp_path):
    changed = [*rows[:5], rows[5] | {"image": rows[5]["image"][:16]}]
    with pytest.raises(InputError, match=r"image test_00005 has shape \(16, 32, 3\)|cannot be read"):
        read_cifar10h(write_tfds(tmp_path, changed))


def test_a_folder_whose_manifest_says_otherwise_is_refused(rows, tmp_path):
    write_tfds(tmp_path, rows[:3])
    info = tmp_path / "cifar10_h" / "1.0.0" / "dataset_info.json"
    table = json.loads(info.read_text())
    info.write_text(json.dumps(table | {"name": "cifar10"}))
    with pytest.raises(InputError, match=r"holds cifar10 1\.0\.0"):
        read_cifar10h(tmp_path)
    info.write_text("{")
    with pytest.raises(InputError, match="not a folder of TensorFlow Datasets"):
        read_cifar10h(tmp_path)


def test_a_truncated_shard_is_refused(rows, tmp_path):
    write_tfds(tmp_path, rows)
    (shard,) = (tmp_path / "cifar10_h" / "1.0.0").glob("*.array_record*")
    shard.write_bytes(shard.read_bytes()[:20_000])
    with pytest.raises(InputError, match=r"cannot be (opened|read)"):
        read_cifar10h(tmp_path)
    shard.unlink()
    with pytest.raises(InputError, match=r"cannot be (opened|read)"):
        read_cifar10h(tmp_path)


def test_the_real_data_are_as_published(real_data):
    folder = real_data / "cifar10h"
    if not folder.exists():
        pytest.skip(f"CIFAR-10H is not at {folder} (CC BY-NC-SA: not part of this project)")
    data = read_cifar10h(folder / "tfds")
    counts = np.load(folder / "cifar10h_counts.npy")
    np.testing.assert_allclose(
        data.probabilities, counts / counts.sum(axis=1, keepdims=True), rtol=1e-6, atol=1e-7
    )
    agreement = np.mean(data.probabilities.argmax(axis=1) == data.label)
    assert len(data.images) == 10_000
    assert 0.99 < agreement < 0.995
    assert np.sum(data.variance == 0) == 4393
    shuffled = data._replace(probabilities=np.roll(data.probabilities, 1, axis=0))
    with pytest.raises(InputError, match="in another order"):
        check_labels(shuffled, "here")


def test_by_name_a_prepared_set_is_read_and_a_failure_says_what_tfds_wants(folder, monkeypatch):
    import tensorflow_datasets as tfds

    found = tfds.builder_from_directory(folder / "cifar10_h" / "1.0.0")
    monkeypatch.setattr(found, "download_and_prepare", lambda: None)  # it is there
    asked = []
    monkeypatch.setattr(tfds, "builder", lambda name, **options: asked.append(name) or found)
    assert len(read_cifar10h().images) == 30
    assert asked == ["cifar10_h:1.0.0"]

    def fails(name, **options):
        raise ModuleNotFoundError("No module named 'tensorflow'")

    monkeypatch.setattr(tfds, "builder", fails)
    with pytest.raises(InputError, match=r"`pip install tensorflow pandas`.* --data-dir"):
        read_cifar10h()


def test_without_the_extra_the_error_names_it(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(InputError, match=r"pip install 'lidjax\[cifar10h\]'"):
        read_cifar10h(folder)
