"""The frozen ResNet-18 (He et al. 2015) up to its penultimate layer, from weights under torchvision's names.

Batch norm in inference is affine, so it is folded into the convolution before it. Images are resized by the two
interpolation matrices of a separable filter, and everything is float32 with full-precision products, whatever JAX's
default dtype.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt8

from lidjax.features.weights import STAGES

INPUT_SIZE = 224
MEAN, STD = (
    (0.485, 0.456, 0.406),
    (0.229, 0.224, 0.225),
)  # of ImageNet, the values the weights were trained with
EPSILON = 1e-5  # of batch norm, PyTorch's default
PREPROCESSING = (
    f"bilinear to {INPUT_SIZE}x{INPUT_SIZE} with half-pixel centres, in float32 from uint8/255; "
    f"mean {MEAN}, std {STD}; batch norm folded into the convolutions"
)


class Convolution(NamedTuple):
    """A convolution with the batch norm after it: `kernel` (height, width, in, out) and `bias` (out,)."""

    kernel: Float[Array, "h w i o"]
    bias: Float[Array, " o"]


Parameters = dict[str, Convolution]


def fold_batch_norm(tensors: dict[str, np.ndarray]) -> Parameters:
    """Parameters of `resnet18_features` from a state dict, by the name of the convolution.

    Weights that come folded (every running mean 0 and variance 1) are taken as they are: there is no ε to add to a
    variance that nobody estimated.
    """
    statistics = [x for name, x in tensors.items() if ".running_" in name]
    folded = all((x == 0).all() or (x == 1).all() for x in statistics)

    def fold(convolution: str, norm: str) -> Convolution:
        weight, shift, mean, variance = (
            tensors[f"{norm}.{name}"].astype(np.float64)
            for name in ("weight", "bias", "running_mean", "running_var")
        )
        gain = weight / np.sqrt(variance + (0.0 if folded else EPSILON))
        kernel = tensors[f"{convolution}.weight"].astype(np.float64) * gain[:, None, None, None]
        return Convolution(
            jnp.asarray(kernel.transpose(2, 3, 1, 0), jnp.float32),
            jnp.asarray(shift - mean * gain, jnp.float32),
        )

    pairs = {name.removesuffix(".weight") for name, x in tensors.items() if x.ndim == 4}
    return {
        name: fold(name, name.replace("conv", "bn").replace("downsample.0", "downsample.1"))
        for name in sorted(pairs)
    }


def resnet18_features(parameters: Parameters, images: UInt8[Array, "b h w 3"]) -> Float[Array, "b 512"]:
    """Penultimate features of a batch of images: resized, normalised, convolved, averaged over positions."""
    x = preprocess(images)
    x = jax.nn.relu(_convolve(x, parameters["conv1"], stride=2))
    x = _max_pool(x)
    for stage in range(1, len(STAGES) + 1):
        for block in (0, 1):
            stride = 2 if stage > 1 and block == 0 else 1
            x = _block(x, parameters, f"layer{stage}.{block}", stride)
    return jnp.mean(x, axis=(1, 2))


def preprocess(images: UInt8[Array, "b h w 3"]) -> Float[Array, "b 224 224 3"]:
    """Resized to the backbone's input and normalised as ImageNet was."""
    _, height, width, _ = images.shape
    x = images.astype(jnp.float32) / 255
    x = jnp.einsum("ph,bhwc,qw->bpqc", _bilinear(height), x, _bilinear(width), precision="highest")
    mean, std = (jnp.asarray(a, jnp.float32)[None, None, None, :] for a in (MEAN, STD))
    return (x - mean) / std


def _bilinear(size: int) -> Float[Array, "p h"]:
    """Interpolation weights from `size` samples to INPUT_SIZE: pixel centres at half-integers, edges repeated."""
    place = (np.arange(INPUT_SIZE) + 0.5) * size / INPUT_SIZE - 0.5
    place = np.clip(place, 0, size - 1)
    distance = np.abs(place[:, None] - np.arange(size)[None, :])
    return jnp.asarray(np.maximum(1 - distance, 0), jnp.float32)


def _block(x, parameters: Parameters, name: str, stride: int):
    """A basic block: two 3 x 3 convolutions beside the identity, or a strided 1 x 1 convolution."""
    y = jax.nn.relu(_convolve(x, parameters[f"{name}.conv1"], stride))
    y = _convolve(y, parameters[f"{name}.conv2"], 1)
    shortcut = parameters.get(f"{name}.downsample.0")
    return jax.nn.relu(y + (x if shortcut is None else _convolve(x, shortcut, stride)))


def _convolve(x, layer: Convolution, stride: int):
    margin = layer.kernel.shape[0] // 2
    y = jax.lax.conv_general_dilated(
        x,
        layer.kernel,
        window_strides=(stride, stride),
        padding=((margin, margin), (margin, margin)),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        precision="highest",
    )
    return y + layer.bias[None, None, None, :]


def _max_pool(x):
    """3 x 3, stride 2, padded by 1."""
    window, strides, padding = (1, 3, 3, 1), (1, 2, 2, 1), ((0, 0), (1, 1), (1, 1), (0, 0))
    return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, window, strides, padding)
