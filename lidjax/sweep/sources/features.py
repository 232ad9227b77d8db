"""Cells on real features (Sec. 5): a seed is a train/validation split plus a label draw."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from lidjax.errors import InputError
from lidjax.features.feature_file import FeatureSet, read_features, shuffle_features
from lidjax.features.split import FeatureCell, feature_split
from lidjax.ridge import DECOMPOSE_FROM
from lidjax.runs.schema import CellValues, Schema
from lidjax.sweep.batch import vmap_axes
from lidjax.sweep.compiler import Effort, compiler_options, effort_for
from lidjax.sweep.cost import Cost
from lidjax.sweep.devices import TileSharding
from lidjax.sweep.kinds import Kind
from lidjax.sweep.sources import lid_results
from lidjax.sweep.sources.synthetic.source import SCHEMA as SYNTHETIC_SCHEMA
from lidjax.sweep.spec import Fit, Positive, Run, check_axis, check_choices, check_name, require

AXES = ("ridge", "delta", "scale", "n", "seed")


SCHEMA = Schema(
    variables=SYNTHETIC_SCHEMA.variables,
    labels={
        "ridge": ("λ of Eq. 28, ridge", "squared units of x"),
        "delta": ("δ, verifier tolerance", "units of y"),
        "scale": ("s, rescaling of Eq. 26", "1"),
        "n": ("N, training instances", "1"),
        "seed": ("training set", "1"),
        "split": ("train/validation split of a seed", "1"),
        "label": ("label draw of a seed within its split", "1"),
        "k": ("k, attempts", "1"),
    },
)


@dataclass(frozen=True)
class Features:
    """Real features (Sec. 5): an `.npz` with features (m, d), mean (m,) and variance (m,)."""

    path: str = ""
    """The `.npz` file; a relative path starts at the folder of the spec."""
    num_validation: int = 2000
    """Instances held out by each split; the rest are there to train on."""
    labels_per_split: int = 1
    """Label draws that share one split and one factorisation; seeds come in multiples of it."""
    variance_floor: float = 1e-6
    """ε_v of Eq. 27, added to every variance."""
    failure: Literal["instances", "draws"] = "instances"
    """L_inf(k) as the mean of (1-s)^k over held-out instances, or the all-fail indicator of k plain draws."""
    pairing: Literal["own", "shuffled"] = "own"
    """An instance with its own features, or with another one's: a control that knows nothing of the instances."""

    def __post_init__(self) -> None:
        check_choices(self, "features")
        require(bool(self.path), "features.path", self.path, "the path of an .npz file")
        require(self.num_validation >= 1, "features.num_validation", self.num_validation, "at least 1")
        require(self.labels_per_split >= 1, "features.labels_per_split", self.labels_per_split, "at least 1")
        require(self.variance_floor >= 0, "features.variance_floor", self.variance_floor, "at least 0")


@dataclass(frozen=True)
class FeaturesGrid:
    """Axes of a sweep on real features; every combination is a cell."""

    n: tuple[int, ...]
    """Training set sizes N, at most what the split leaves."""
    k: Positive
    """Attempts k at which L_inf(k) is evaluated (not part of a cell)."""
    ridge: Positive = (1e-6,)
    """λ of Eq. 28 before the rescaling λ_eff = λ/s²."""
    delta: Positive = (0.05,)
    """Verifier tolerance before the rescaling δ_eff = δ/s."""
    scale: Positive = (1.0,)
    """s of Eq. 26: features and mean targets are divided by it."""
    seed: tuple[int, ...] = (0,)
    """A train/validation split plus a label draw each."""

    def __post_init__(self) -> None:
        check_axis(self, "n", lambda x: 1 <= x < 2**31, "at least 1, below 2³¹")
        check_axis(self, "k", lambda x: x >= 1, "at least 1")
        for name in ("delta", "scale"):
            check_axis(self, name, lambda x: x > 0, "greater than 0")
        check_axis(self, "ridge", lambda x: x >= 0, "at least 0")
        check_axis(self, "seed", lambda x: 0 <= x < 2**32, "from 0 to 2³²-1")


@dataclass(frozen=True)
class FeaturesSpec:
    """A sweep on real features."""

    grid: FeaturesGrid
    features: Features
    name: str = "sweep"
    run: Run = field(default_factory=Run)
    fit: Fit = field(default_factory=Fit)

    def __post_init__(self) -> None:
        check_name(self.name)
        per_split, seeds = self.features.labels_per_split, self.grid.seed
        require(
            len(seeds) % per_split == 0
            and list(seeds) == list(range(seeds[0], seeds[0] + len(seeds)))
            and seeds[0] % per_split == 0,
            "grid.seed",
            list(seeds),
            f"whole splits: consecutive seeds, first and count multiples of labels_per_split = {per_split}, "
            f"such as {{ range = [0, {4 * per_split}] }}",
        )


@functools.lru_cache(maxsize=64)
def compiled_tile(
    features: Features, lengths: tuple[tuple[str, int], ...], effort: Effort
) -> Callable[..., FeatureCell]:
    """The jitted tile of a shape: every N and every label draw of one split."""

    solver = "eigh" if dict(lengths)["ridge"] >= DECOMPOSE_FROM else "cholesky"

    def tile(
        axes: Mapping[str, Any], key: jax.Array, n: jax.Array, k: jax.Array, arrays: tuple[jax.Array, ...]
    ) -> FeatureCell:
        def cell(args: Mapping[str, Any]) -> FeatureCell:
            return feature_split(
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

        return vmap_axes(cell, dict(lengths))(axes)

    return jax.jit(tile, compiler_options=compiler_options(effort))


def split_key(root_key: int, split: int) -> jax.Array:
    """The key of a split, from its own number."""
    return jax.random.fold_in(jax.random.key(root_key, impl="threefry2x32"), split)


class FeaturesSource:
    """The grid of a `FeaturesSpec` as tiles.

    A tile holds every N and every label draw of one split, because the training sets of a split are nested and its
    label draws share a factorisation.
    """

    schema = SCHEMA
    shardable = ()
    halving_order = ("scale", "delta", "ridge")

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

    @property
    def dims(self) -> dict[str, np.ndarray]:
        return {"k": self.k}

    def identity(self) -> dict[str, str]:
        """The feature file counts by its content, not by its path."""
        return {"features_sha256": self.sha256}

    def coordinates(self) -> dict[str, tuple[str, np.ndarray]]:
        """Which split and which label draw a seed is."""
        seeds, per_split = self.axes["seed"], self.spec.features.labels_per_split
        return {"split": ("seed", seeds // per_split), "label": ("seed", seeds % per_split)}

    def facts(self) -> dict[str, float]:
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

    def evaluate(self, coords: Mapping[str, np.ndarray], sharding: TileSharding | None = None) -> CellValues:
        """One tile: the label draws of one split."""
        per_split = self.spec.features.labels_per_split
        splits = np.unique(coords["seed"] // per_split)
        assert len(splits) == 1
        lengths = tuple((name, len(coords[name])) for name in ("ridge", "delta", "scale"))
        axes = {name: coords[name].astype(self.dtype) for name, _ in lengths}
        key = split_key(self.spec.run.root_key, int(splits[0]))
        tile = compiled_tile(
            dataclasses.replace(self.spec.features, path="any"), lengths, effort_for(self.total_cost())
        )
        n = jnp.asarray(coords["n"])  # of JAX's own integer width
        found = tile(axes, key, n, self.k, self.on_device)
        return {name: np.asarray(values) for name, values in found._asdict().items()}

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


def resolve(spec: FeaturesSpec, folder: Path) -> FeaturesSpec:
    """The spec with a relative `features.path` resolved against `folder`."""
    if Path(spec.features.path).expanduser().is_absolute():
        return spec
    path = str((folder / spec.features.path).resolve())
    return dataclasses.replace(spec, features=dataclasses.replace(spec.features, path=path))


KIND = Kind(
    name="features",
    table="features",
    title="an .npz of real features",
    spec=FeaturesSpec,
    source=FeaturesSource,
    schema=SCHEMA,
    summarise=lid_results.summarise,
    tables=lid_results.tables,
    overview=lid_results.overview,
    facets=lid_results.facets,
    figures=lid_results.figures,
    comparisons=lid_results.COMPARISONS,
    derived=lid_results.derived,
    resolve=resolve,
    not_identity=("features.path",),
)
