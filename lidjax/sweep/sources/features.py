"""Cells on real features (Sec. 5): a seed is a train/validation split plus a label draw."""

import dataclasses
import functools
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from lidjax.errors import InputError
from lidjax.features.feature_file import FeatureSet, read_features, shuffle_features
from lidjax.features.split import feature_split
from lidjax.ridge import DECOMPOSE_FROM
from lidjax.sweep.devices import Split
from lidjax.sweep.source import Cost, TileResult, cell_status, vmap_axes
from lidjax.sweep.spec import Features, FeaturesSpec

AXES = ("ridge", "delta", "scale", "n", "seed")


@functools.lru_cache(maxsize=64)
def compiled_tile(features: Features, lengths: tuple[tuple[str, int], ...]):
    """The jitted tile of a shape: every N and every label draw of one split."""

    solver = "eigh" if dict(lengths)["ridge"] >= DECOMPOSE_FROM else "cholesky"

    def tile(axes, key, n, k, arrays):
        def cell(args):
            lgen, failure = feature_split(
                key,
                *arrays,
                n=n,
                k=k,
                num_labels=features.labels_per_split,
                num_validation=features.num_validation,
                variance_floor=features.variance_floor,
                failure=features.failure,
                solver=solver,
                **args,
            )
            return lgen, failure

        return vmap_axes(cell, dict(lengths))(axes)

    return jax.jit(tile)


def split_key(root_key: int, split: int):
    """The key of a split, from its own number."""
    return jax.random.fold_in(jax.random.key(root_key, impl="threefry2x32"), split)


class FeaturesSource:
    """The grid of a `FeaturesSpec` as tiles: a tile holds every N and every label draw of its splits, for
    the training sets of a split are nested and its labels share a factorisation."""

    shardable = ()
    split_order = ("scale", "delta", "ridge")

    def __init__(self, spec: FeaturesSpec, data: FeatureSet | None = None):
        data = data or read_features(spec.features.path)
        if spec.features.pairing == "shuffled":
            data = shuffle_features(data, spec.run.root_key)
        self.spec = spec
        self.dtype = np.dtype(spec.run.dtype)
        self.axes = {name: np.asarray(getattr(spec.grid, name)) for name in AXES}
        self.axes["n"] = np.sort(self.axes["n"])
        self.k = np.sort(np.asarray(spec.grid.k, self.dtype))
        self.fixed_tile = {"n": len(self.axes["n"]), "seed": spec.features.labels_per_split}
        self.sha256 = data.sha256
        self.arrays = tuple(a.astype(self.dtype) for a in (data.features, data.mean, data.variance))
        self.on_device = jax.device_put(self.arrays)
        rows = len(data.features)
        left = rows - spec.features.num_validation
        if left < 1:
            raise InputError(
                f"features.num_validation = {spec.features.num_validation}: must be below the {rows} rows of "
                f"{spec.features.path}"
            )
        largest = int(self.axes["n"].max())
        if largest > left:
            raise InputError(
                f"grid.n = {largest}: a split leaves {left} training instances ({rows} rows less "
                f"num_validation = {spec.features.num_validation})"
            )

    def provenance(self) -> dict[str, str]:
        return {"features_sha256": self.sha256}

    def coordinates(self) -> dict[str, tuple[str, np.ndarray]]:
        """Which split and which label draw a seed is."""
        seeds, per_split = self.axes["seed"], self.spec.features.labels_per_split
        return {"split": ("seed", seeds // per_split), "label": ("seed", seeds % per_split)}

    def description(self) -> dict[str, float]:
        _, dim = self.arrays[0].shape
        noise = float(np.mean(self.arrays[2])) + self.spec.features.variance_floor
        return {"feature_dim": dim, "noise_variance": noise}

    def warnings(self) -> list[str]:
        if self.dtype == np.float64:
            return []
        return [
            "run.dtype = 'float32': on ResNet-18 features of CIFAR-10 L_gen is right to 3e-4 for N away from d, to "
            "3e-2 for |N/d - 1| < 0.15, and lost at N = d; compare with float64 on yours"
        ]

    def evaluate(self, coords: Mapping[str, np.ndarray], split: Split | None = None) -> TileResult:
        """One tile: the label draws of one split."""
        per_split = self.spec.features.labels_per_split
        splits = np.unique(coords["seed"] // per_split)
        assert len(splits) == 1
        lengths = tuple((name, len(coords[name])) for name in ("ridge", "delta", "scale"))
        axes = {name: coords[name].astype(self.dtype) for name, _ in lengths}
        key = split_key(self.spec.run.root_key, int(splits[0]))
        tile = compiled_tile(dataclasses.replace(self.spec.features, path="any"), lengths)
        n = jnp.asarray(coords["n"])  # of JAX's own integer width
        lgen, failure = map(np.asarray, tile(axes, key, n, self.k, self.on_device))
        return TileResult(lgen, failure, cell_status(lgen, failure))

    def tile_cost(self, shape: Mapping[str, int]) -> Cost:
        rows, dim = self.arrays[0].shape
        item, features = self.dtype.itemsize, self.spec.features
        labels, sizes = shape["seed"], shape["n"]
        splits = max(1, labels // features.labels_per_split)
        labels //= splits
        scales = shape["scale"] * shape["ridge"]
        factorisations = sizes * scales * splits
        below = float(np.mean(self.axes["n"] < dim))
        gram = Cost(
            flops=2.0 * self.axes["n"].max() * dim**2 * shape["scale"] * splits, bytes=2 * rows * dim * item
        )
        solve = Cost(flops=dim**3 * (0.5 + 2 * below) + 4.0 * dim**2 * labels, bytes=3 * dim**2 * item)
        predictions = features.num_validation * labels
        predict = Cost(flops=2.0 * predictions * dim, bytes=2 * predictions * item)
        instances = Cost(
            evaluations=predictions
            * (4 + (len(self.k) if features.failure == "instances" else self.k.max())),
            bytes=predictions * item * 4,
        )
        return gram + (solve + predict) * factorisations + instances * (factorisations * shape["delta"])

    def total_cost(self) -> Cost:
        return self.tile_cost({name: len(values) for name, values in self.axes.items()})
