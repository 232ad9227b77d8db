"""A ResNet-18 whose weights are given by a formula, so that a stored activation needs no stored weights."""

import numpy as np

from lidjax.features.weights import expected_shapes


def formula_weights() -> dict[str, np.ndarray]:
    """Tensors under torchvision's names, float32, each of the size that keeps activations of order 1."""
    tensors: dict[str, np.ndarray] = {}
    for index, (name, shape) in enumerate(expected_shapes().items()):
        wave = np.sin(np.arange(np.prod(shape)) * 1.7 + index).reshape(shape)
        if name.endswith("running_var"):
            value = 1 + 0.5 * wave
        elif len(shape) == 4:
            value = wave * np.sqrt(4 / np.prod(shape[1:]))
        elif name.endswith("weight"):
            value = 1 + 0.2 * wave
        else:
            value = 0.3 * wave
        tensors[name] = value.astype(np.float32)
    return tensors


def formula_images(count: int = 2) -> np.ndarray:
    """Coloured waves, uint8 of (count, 32, 32, 3)."""
    i, y, x, c = np.ogrid[:count, :32, :32, :3]
    return (127.5 + 127 * np.sin(0.3 * x + 0.2 * y * (1 + c) + 2 * i)).astype(np.uint8)
