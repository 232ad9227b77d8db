"""The frozen ResNet-18 (He et al. 2015) up to its penultimate layer, from weights under torchvision's names.

Batch norm is affine in inference, so it is folded into the convolution before it. Bilinear resizing is separable: each
of the two axes of an image is multiplied by an interpolation matrix. Everything is computed in float32 with
full-precision products, whatever JAX's default dtype.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt8

from lidjax.features.weights import STAGES

INPUT_SIZE = 224  # pixels along each side, as in training on ImageNet
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's colours, as in training
EPSILON = 1e-5  # added to the variance by batch norm: PyTorch's default
PREPROCESSING = (
    f"bilinear to {INPUT_SIZE}x{INPUT_SIZE} with half-pixel centres, in float32 from uint8/255; "
    f"mean {MEAN}, std {STD}; batch norm folded into the convolutions"
)


class Convolution(NamedTuple):
    """A convolution with the batch norm after it folded in."""

    kernel: Float[Array, "h w i o"]
    """Kernel (height, width, in, out), float32."""
    bias: Float[Array, " o"]
    """Bias (out,), float32."""


Parameters = dict[str, Convolution]
"""Convolutions by the name of their weight in torchvision, such as "layer1.0.conv1"."""


def fold_batch_norm(tensors: dict[str, np.ndarray]) -> Parameters:
    """Parameters of the backbone: each convolution with the batch norm after it folded in.

    Weights that were folded before they were saved have running means of 0 and running variances of 1 throughout. They
    are taken as they are: batch norm would add its ε = 1e-5 to variances that were never estimated.

    Args:
        tensors: tensors of a ResNet-18 by torchvision's names, as in `Weights.tensors`.

    Returns:
        A dictionary of `Convolution` by the name of the convolution, in float32, as `extract_features` takes it.

    References:
        Ioffe and Szegedy, "Batch normalization" (2015), Sec. 3.1 (inference).

    Example:
        >>> import numpy as np
        >>> from lidjax.features import fold_batch_norm
        >>> norm = {"weight": [4.0], "bias": [1.0], "running_mean": [0.5], "running_var": [2.0]}
        >>> tensors = {f"bn1.{name}": np.array(value) for name, value in norm.items()}
        >>> layer = fold_batch_norm(tensors | {"conv1.weight": np.ones((1, 3, 7, 7))})["conv1"]
        >>> layer.kernel.shape, round(float(layer.kernel[0, 0, 0, 0]), 4), round(float(layer.bias[0]), 4)
        ((7, 7, 3, 1), 2.8284, -0.4142)
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
    """Penultimate features of a batch of images: resized, normalised, convolved and averaged over positions."""
    x = preprocess(images)
    x = jax.nn.relu(_convolve(x, parameters["conv1"], stride=2))
    x = _max_pool(x)
    for stage in range(1, len(STAGES) + 1):
        for block in (0, 1):
            stride = 2 if stage > 1 and block == 0 else 1
            x = _block(x, parameters, f"layer{stage}.{block}", stride)
    return jnp.mean(x, axis=(1, 2))


def preprocess(images: UInt8[Array, "b h w 3"]) -> Float[Array, "b 224 224 3"]:
    """Images resized to the backbone's input and normalised as in its training."""
    _, height, width, _ = images.shape
    x = images.astype(jnp.float32) / 255
    x = jnp.einsum("ph,bhwc,qw->bpqc", _bilinear(height), x, _bilinear(width), precision="highest")
    mean, std = (jnp.asarray(a, jnp.float32)[None, None, None, :] for a in (MEAN, STD))
    return (x - mean) / std


def _bilinear(size: int) -> Float[Array, "p h"]:
    """Interpolation weights from `size` samples to INPUT_SIZE: pixel centres at half-integers, edges repeated."""
    position = (np.arange(INPUT_SIZE) + 0.5) * size / INPUT_SIZE - 0.5
    position = np.clip(position, 0, size - 1)
    distance = np.abs(position[:, None] - np.arange(size)[None, :])
    return jnp.asarray(np.maximum(1 - distance, 0), jnp.float32)


def _block(
    x: Float[Array, "b h w i"], parameters: Parameters, name: str, stride: int
) -> Float[Array, "b p q o"]:
    """A basic block: two 3 x 3 convolutions beside the identity, or a strided 1 x 1 convolution."""
    y = jax.nn.relu(_convolve(x, parameters[f"{name}.conv1"], stride))
    y = _convolve(y, parameters[f"{name}.conv2"], 1)
    shortcut = parameters.get(f"{name}.downsample.0")
    return jax.nn.relu(y + (x if shortcut is None else _convolve(x, shortcut, stride)))


def _convolve(x: Float[Array, "b h w i"], layer: Convolution, stride: int) -> Float[Array, "b p q o"]:
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


def _max_pool(x: Float[Array, "b h w c"]) -> Float[Array, "b p q c"]:
    """Maximum over patches of 3 x 3, stride 2, padded by 1."""
    patch, strides, padding = (1, 3, 3, 1), (1, 2, 2, 1), ((0, 0), (1, 1), (1, 1), (0, 0))
    return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, patch, strides, padding)
