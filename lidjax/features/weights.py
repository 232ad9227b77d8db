"""Weights of an ImageNet ResNet-18 under torchvision's names, from a safetensors file and never from a pickle."""

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lidjax.errors import InputError
from lidjax.features.extras import INSTALL, first_line

HUB = "timm/resnet18.tv_in1k"
STAGES = (64, 128, 256, 512)  # channels of the four stages


class Weights(NamedTuple):
    """Weights of a ResNet-18 without its classifier, and where they come from."""

    tensors: dict[str, np.ndarray]
    """Tensors by torchvision's names, in the dtype of the file; kernels are (out, in, height, width)."""
    sha256: str
    """SHA-256 of the file, in hexadecimal."""
    source: str
    """The path as it was given, or the name of the repository on the Hugging Face hub."""


def expected_shapes() -> dict[str, tuple[int, ...]]:
    """Names and shapes of the tensors that the backbone uses."""
    shapes: dict[str, tuple[int, ...]] = {}

    def add(convolution: str, norm: str, outputs: int, inputs: int, size: int) -> None:
        shapes[f"{convolution}.weight"] = (outputs, inputs, size, size)
        for name in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{norm}.{name}"] = (outputs,)

    add("conv1", "bn1", STAGES[0], 3, 7)
    inputs = STAGES[0]
    for stage, outputs in enumerate(STAGES, start=1):
        for block in (0, 1):
            prefix = f"layer{stage}.{block}"
            add(f"{prefix}.conv1", f"{prefix}.bn1", outputs, inputs, 3)
            add(f"{prefix}.conv2", f"{prefix}.bn2", outputs, outputs, 3)
            if inputs != outputs:
                add(f"{prefix}.downsample.0", f"{prefix}.downsample.1", outputs, inputs, 1)
            inputs = outputs
    return shapes


def read_weights(path: str | Path | None = None) -> Weights:
    """Read the weights of a ResNet-18 and check their names, shapes and values.

    Needs the extra `cifar10h`. The classifier (`fc.weight`, `fc.bias`) and the counters `*.num_batches_tracked` may be
    in the file and are ignored.

    Args:
        path: a safetensors file with torchvision's names; None to download `timm/resnet18.tv_in1k` from the Hugging
            Face hub.

    Returns:
        The `Weights` in the dtype of the file. `fold_batch_norm` makes the backbone's parameters of them.

    Raises:
        InputError: if the file is absent, is not in the safetensors format or cannot be downloaded, if a tensor is
            missing, unknown or of another shape, and if a package is missing.

    References:
        He, Zhang, Ren and Sun, "Deep residual learning for image recognition" (2015); the paper's Sec. 5.1 uses such a
        network trained on ImageNet.

    Example:
        >>> import lidjax
        >>> from lidjax.features import read_weights
        >>> try:
        ...     read_weights("no_such_file.safetensors")
        ... except lidjax.InputError as error:
        ...     print(error)
        no_such_file.safetensors: no such file of weights
    """
    source = str(path or HUB)
    if path is not None and not Path(path).expanduser().exists():
        raise InputError(f"{source}: no such file of weights")
    try:
        import safetensors
    except ImportError as error:
        raise InputError(
            f"weights are read by safetensors, which cannot be imported ({error}): {INSTALL}"
        ) from None
    path = _download() if path is None else Path(path).expanduser()
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        with safetensors.safe_open(path, framework="numpy") as file:
            names = set(file.keys())
            _check_names(source, names)
            tensors = {name: file.get_tensor(name) for name in expected_shapes()}
    except OSError as error:
        raise InputError(f"{source}: cannot be read: {error.strerror or error}") from None
    except safetensors.SafetensorError as error:
        raise InputError(
            f"{source}: not a safetensors file ({error}); pickled weights (.pth, .pt, .bin) are refused"
        ) from None
    for name, shape in expected_shapes().items():
        tensor = tensors[name]
        if tensor.shape != shape:
            raise InputError(f"{source}: {name} has shape {tensor.shape}; in a ResNet-18 it has {shape}")
        if tensor.dtype.kind != "f" or not np.isfinite(tensor).all():
            raise InputError(f"{source}: {name} ({tensor.dtype}) must hold finite real numbers")
        if name.endswith("running_var") and (tensor < 0).any():
            raise InputError(f"{source}: {name} has negative entries; a variance must not be negative")
    return Weights(tensors, digest, source)


def _check_names(source: str, names: set[str]) -> None:
    expected = set(expected_shapes())
    ignored = {name for name in names if name.endswith("num_batches_tracked")} | {"fc.weight", "fc.bias"}
    missing, unknown = sorted(expected - names), sorted(names - expected - ignored)
    if missing or unknown:
        problems = [f"no tensor {_first_few(missing)}"] if missing else []
        problems += [f"unknown tensor {_first_few(unknown)}"] if unknown else []
        raise InputError(f"{source}: {'; '.join(problems)}; it must have torchvision's names of a ResNet-18")


def _first_few(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _download() -> Path:
    try:
        import huggingface_hub
    except ImportError as error:
        raise InputError(
            f"weights are downloaded by huggingface_hub, which cannot be imported ({error}): {INSTALL}"
        ) from None
    try:
        return Path(huggingface_hub.hf_hub_download(HUB, "model.safetensors"))
    except Exception as error:  # the hub's client has no common base class for its errors
        raise InputError(
            f"{HUB} cannot be downloaded ({type(error).__name__}: {first_line(error)}): give a local "
            "safetensors file with --weights, or from Python as its path"
        ) from None
