"""ResNet-18: weights read and refused by name, features against PyTorch's, batches and devices."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.formula_weights import formula_images, formula_weights

from lidjax.errors import InputError
from lidjax.features import extract_features, fold_batch_norm, read_cifar10h, read_weights
from lidjax.features.resnet18 import EPSILON, preprocess
from lidjax.features.weights import expected_shapes

safetensors_numpy = pytest.importorskip("safetensors.numpy", reason="the extra cifar10h is not installed")

PINNED = json.loads((Path(__file__).parent / "resnet18_activation.json").read_text())
CLOSE = 1e-5  # of the largest activation; 2.6e-6 measured, on made-up and on real weights


@pytest.fixture(scope="module")
def features():
    """Of five images in batches of two: the last is filled up."""
    return extract_features(fold_batch_norm(formula_weights()), formula_images(5), batch=2)


def test_features_are_those_of_pytorch(features):
    expected = np.array(PINNED["features"])
    np.testing.assert_allclose(
        features[:2, :: PINNED["every"]], expected, atol=CLOSE * expected.max(), rtol=0
    )
    assert features.dtype == np.float32
    assert features.shape == (5, 512)


@pytest.mark.parametrize("name", ["layer3.0.downsample.1.running_mean", "layer1.1.bn2.running_var"])
def test_the_comparison_sees_a_tensor_that_is_a_tenth_larger(features, name):
    tensors = formula_weights()
    tensors[name] = tensors[name] * np.float32(1.1)
    other = extract_features(fold_batch_norm(tensors), formula_images(2), batch=2)
    assert abs(other - features[:2]).max() > 100 * CLOSE * abs(features).max()


def test_batches_do_not_change_features(features):
    one = extract_features(fold_batch_norm(formula_weights()), formula_images(5)[3:], batch=2)
    np.testing.assert_allclose(one, features[3:], atol=CLOSE * features.max(), rtol=0)


def test_resizing_is_bilinear_between_pixel_centres():
    """Against the definition, one output pixel at a time."""
    image = formula_images(1)
    resized = np.asarray(preprocess(jnp.asarray(image)))[0]
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    for row, column in ((0, 0), (3, 220), (100, 57), (223, 223)):
        position = np.clip((np.array([row, column]) + 0.5) / 7 - 0.5, 0, 31)
        low = np.minimum(position.astype(int), 30)
        (a, b), (y, x) = position - low, low
        value = sum(
            weight * image[0, y + dy, x + dx] / 255
            for dy, dx, weight in (
                (0, 0, (1 - a) * (1 - b)),
                (0, 1, (1 - a) * b),
                (1, 0, a * (1 - b)),
                (1, 1, a * b),
            )
        )
        np.testing.assert_allclose(resized[row, column], (value - mean) / std, atol=2e-6)


def test_weights_that_come_folded_get_no_epsilon():
    tensors = formula_weights()
    for name, tensor in tensors.items():
        if "running_" in name:
            tensors[name] = np.full_like(tensor, float(name.endswith("var")))
    layer = fold_batch_norm(tensors)["conv1"]
    plain = (tensors["conv1.weight"] * tensors["bn1.weight"][:, None, None, None]).transpose(2, 3, 1, 0)
    np.testing.assert_allclose(layer.kernel, plain, rtol=2e-7)
    tensors["bn1.running_mean"] = np.full(64, 1e-3, np.float32)  # then somebody did estimate them
    np.testing.assert_allclose(
        fold_batch_norm(tensors)["conv1"].kernel, plain / np.sqrt(1 + EPSILON), rtol=2e-7
    )


def test_two_devices_give_the_features_of_one(features, tmp_path):
    """Three images a device and five in all: uneven. In another process, for devices are counted at start."""
    code = """
import sys, numpy as np
from helpers.formula_weights import formula_images, formula_weights
from lidjax.features import extract_features, fold_batch_norm
import jax
assert jax.device_count() == 2
np.save(sys.argv[1], extract_features(fold_batch_norm(formula_weights()), formula_images(5), batch=3))
"""
    flags = os.environ.get("XLA_FLAGS", "")
    flags += " --xla_force_host_platform_device_count=2 --xla_cpu_multi_thread_eigen=false"
    tests = str(Path(__file__).parents[1])
    path = os.pathsep.join([tests, str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"XLA_FLAGS": flags, "PYTHONPATH": path}
    out = tmp_path / "two.npy"
    subprocess.run([sys.executable, "-c", code, str(out)], env=environment, check=True, timeout=120)
    np.testing.assert_allclose(np.load(out), features, atol=CLOSE * features.max(), rtol=0)


def test_float64_mode_does_not_change_the_backbone(features):
    assert jax.config.jax_enable_x64  # what the features above were computed under
    with jax.enable_x64(False):
        single = extract_features(fold_batch_norm(formula_weights()), formula_images(2), batch=2)
    np.testing.assert_allclose(single, features[:2], atol=CLOSE * features.max(), rtol=0)


def save(path, **changes):
    tensors = {**formula_weights(), **changes}
    safetensors_numpy.save_file({k: v for k, v in tensors.items() if v is not None}, path)
    return path


def test_weights_are_read_as_they_are_and_the_classifier_is_left(tmp_path):
    extra = {"fc.weight": np.ones((1000, 512), np.float32), "bn1.num_batches_tracked": np.array(7)}
    half = {"conv1.weight": formula_weights()["conv1.weight"].astype(np.float16)}
    weights = read_weights(save(tmp_path / "w.safetensors", **extra, **half))
    assert set(weights.tensors) == set(expected_shapes())
    np.testing.assert_array_equal(weights.tensors["conv1.weight"], half["conv1.weight"])
    assert len(weights.sha256) == 64


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"layer2.0.downsample.0.weight": None},
            "no tensor layer2.0.downsample.0.weight; .* torchvision's names",
        ),
        ({"layer5.0.conv1.weight": np.ones(3)}, "unknown tensor layer5.0.conv1.weight"),
        (
            {"conv1.weight": np.ones((64, 3, 3, 3))},
            r"conv1.weight has shape \(64, 3, 3, 3\); in a ResNet-18 it has",
        ),
        ({"bn1.bias": np.full(64, np.nan)}, "bn1.bias .* finite"),
        ({"bn1.bias": np.ones(64, np.int32)}, "bn1.bias .int32. must hold finite real numbers"),
        ({"bn1.running_var": np.full(64, -1.0)}, "bn1.running_var has negative entries"),
    ],
)
def test_other_weights_are_refused_by_name(tmp_path, changes, words):
    with pytest.raises(InputError, match=words):
        read_weights(save(tmp_path / "w.safetensors", **changes))


def test_files_that_are_not_safetensors_are_refused(tmp_path):
    (tmp_path / "w.pth").write_bytes(b"\x80\x04pickled")
    with pytest.raises(InputError, match=r"pickled weights .* are refused"):
        read_weights(tmp_path / "w.pth")
    with pytest.raises(InputError, match="no such file"):
        read_weights(tmp_path / "none.safetensors")
    with pytest.raises(InputError, match="cannot be read"):
        read_weights(tmp_path)


def test_real_weights_give_the_stored_features(real_data):
    """48 images; the stored ones were rounded to float16."""
    folder = real_data / "cifar10h"
    if not folder.exists():
        pytest.skip(f"CIFAR-10H is not at {folder} (CC BY-NC-SA: not part of this project)")
    stored = np.load(folder / "features_resnet18_quantised.npz")["features"][:48]
    weights = read_weights(folder / "resnet18_quantised.safetensors")
    images = read_cifar10h(folder / "tfds").images[:48]
    computed = extract_features(fold_batch_norm(weights.tensors), images, batch=16)
    half_step = np.abs(stored) * 2**-11 + 1e-4
    assert (np.abs(computed - stored) <= half_step).all()
