"""Weights of an ImageNet ResNet-18 under torchvision's names, from safetensors and never from a pickle."""

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lidjax.errors import InputError
from lidjax.features.cifar10h import EXTRA, first_line

HUB = "timm/resnet18.tv_in1k"
STAGES = (64, 128, 256, 512)


class Weights(NamedTuple):
    """Tensors by torchvision's names, and where they come from."""

    tensors: dict[str, np.ndarray]
    sha256: str
    source: str


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
    """Read and check the weights; raises InputError naming what is missing, unknown or of another shape.

    Without a path, the safetensors of `timm/resnet18.tv_in1k` are downloaded from the Hugging Face hub. The classifier
    (`fc.*`) and the counters `*.num_batches_tracked` may be there and are not used.
    """
    try:
        import safetensors
    except ImportError as error:
        raise InputError(f"weights are read by safetensors ({error}): {EXTRA}") from None
    source = str(path or HUB)
    path = _download() if path is None else Path(path).expanduser()
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        with safetensors.safe_open(path, framework="numpy") as file:
            names = set(file.keys())
            _check_names(source, names)
            tensors = {name: file.get_tensor(name) for name in expected_shapes()}
    except FileNotFoundError:
        raise InputError(f"{source}: no such file of weights") from None
    except OSError as error:
        raise InputError(f"{source}: cannot be read: {error.strerror or error}") from None
    except safetensors.SafetensorError as error:
        raise InputError(
            f"{source}: not a safetensors file ({error}); pickled weights (.pth, .pt, .bin) are refused"
        ) from None
    for name, shape in expected_shapes().items():
        tensor = tensors[name]
        if tensor.shape != shape:
            raise InputError(f"{source}: {name} has shape {tensor.shape}, a ResNet-18 has {shape}")
        if tensor.dtype.kind != "f" or not np.isfinite(tensor).all():
            raise InputError(f"{source}: {name} ({tensor.dtype}) must hold finite real numbers")
        if name.endswith("running_var") and (tensor < 0).any():
            raise InputError(f"{source}: {name} is negative somewhere; a variance is not")
    return Weights(tensors, digest, source)


def _check_names(source: str, names: set[str]) -> None:
    wanted = set(expected_shapes())
    ignored = {name for name in names if name.endswith("num_batches_tracked")} | {"fc.weight", "fc.bias"}
    missing, unknown = sorted(wanted - names), sorted(names - wanted - ignored)
    if missing or unknown:
        parts = [f"no {_some(missing)}"] if missing else []
        parts += [f"{_some(unknown)} not of a ResNet-18"] if unknown else []
        raise InputError(f"{source}: {'; '.join(parts)}: torchvision's names of a ResNet-18 are wanted")


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _download() -> Path:
    try:
        import huggingface_hub
    except ImportError as error:
        raise InputError(f"weights are downloaded by huggingface_hub ({error}): {EXTRA}") from None
    try:
        return Path(huggingface_hub.hf_hub_download(HUB, "model.safetensors"))
    except Exception as error:  # the hub's client has its own kinds for no network, no file and no space
        raise InputError(
            f"{HUB} cannot be downloaded ({type(error).__name__}: {first_line(error)}): give a local "
            "safetensors file with --weights"
        ) from None
