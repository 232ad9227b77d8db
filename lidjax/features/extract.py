"""Features of many images by a frozen backbone: one compiled batch, spread over the devices."""

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from lidjax.features.cifar10h import Track
from lidjax.features.resnet18 import Parameters, resnet18_features

BATCH = 64  # images a device at a time, a heuristic: a process on a CPU then holds about 0.9 GiB

_features = jax.jit(resnet18_features)


def extract_features(
    parameters: Parameters,
    images: np.ndarray,
    *,
    batch: int = BATCH,
    track: Track = lambda items, total, words: items,
) -> np.ndarray:
    """Penultimate features (m, 512) in float32 of uint8 `images` (m, height, width, 3).

    Every device takes `batch` images at a time; the last batch is filled up, so that one program serves all. The
    next batch is on its way while one is computed.
    """
    mesh = Mesh(np.asarray(jax.devices()), ("images",))
    split, everywhere = NamedSharding(mesh, PartitionSpec("images")), NamedSharding(mesh, PartitionSpec())
    parameters = jax.device_put(parameters, everywhere)
    step = min(batch, -(-len(images) // mesh.size)) * mesh.size
    starts = range(0, len(images), step)
    parts: list[jax.Array] = []
    for start in track(starts, len(starts), "batches"):
        part = images[start : start + step]
        part = np.pad(part, ((0, step - len(part)), (0, 0), (0, 0), (0, 0)))
        parts.append(_features(parameters, jax.device_put(part, split)))
        if len(parts) > 1:  # two batches in flight, and a progress bar that tells the truth
            parts[-2].block_until_ready()
    return np.concatenate([np.asarray(part) for part in parts])[: len(images)]
