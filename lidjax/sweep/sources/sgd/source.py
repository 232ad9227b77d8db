"""The grid of heads trained by SGD as tiles: runs by optax, then L_inf(k) given L_gen."""

import functools
import math
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lidjax.model import power_law_spectrum, power_law_teacher
from lidjax.runs.schema import CellValues, Schema, Variable
from lidjax.sgd import sgd_stability_edge
from lidjax.sgd.gradients import BLOCK, Batches
from lidjax.sgd.runs import RunNumbers, train_run
from lidjax.sweep.batch import vmap_axes
from lidjax.sweep.compiler import Effort, compile_together, effort_for
from lidjax.sweep.cost import Cost
from lidjax.sweep.devices import TileSharding, on_mesh, part_lengths
from lidjax.sweep.sources.sgd.spec import Sgd, SgdSpec
from lidjax.sweep.sources.synthetic.failure_curves import cost_of_curves, curves_for

RANDOM_STREAMS = "1"
"""Raised whenever a key gives other draws: a store with other random streams is not resumed."""
AXES = (
    *("beta", "alpha", "dim", "sigma_eta", "delta", "learning_rate", "batch", "momentum", "decay"),
    *("steps", "seed"),
)
RUN_AXES = tuple(name for name in AXES if name not in ("dim", "delta", "steps"))
"""Axes of the program that trains: a run passes every number of steps, and does not know of δ."""
SCHEMA = Schema(
    variables=(
        Variable(
            "lgen",
            "L_gen, generalisation loss",
            units="squared units of y",
            status="DIVERGED",
            not_finite="training diverged: the learning rate is at or above the edge of stability and L_gen is larger "
            "than before training, or not finite; take a smaller grid.learning_rate or a larger grid.batch",
        ),
        Variable(
            "failure",
            "L_inf(k), pass@k failure probability",
            dims=("k",),
            not_finite="L_inf(k) is not finite although L_gen is: k is too large for it, or β is out of its range",
        ),
    ),
    labels={
        "beta": ("β, near-zero index of the difficulty prior", "1"),
        "alpha": ("α, spectral exponent", "1"),
        "dim": ("d, number of features", "1"),
        "sigma_eta": ("σ_η, noise scale", "units of y"),
        "delta": ("δ, verifier tolerance", "units of y"),
        "learning_rate": ("η, learning rate", "1 / squared units of x"),
        "batch": ("B, instances a step", "1"),
        "momentum": ("μ, momentum", "1"),
        "decay": ("exponent of the decay of the learning rate", "1"),
        "steps": ("t, steps", "1"),
        "seed": ("stream of training data", "1"),
        "k": ("k, attempts", "1"),
    },
)
ROW, DIRECTION = 4.0, 4.0
"""Evaluations that a row of a batch, and a direction of the head, count as in each cell and step: a heuristic. On two
cores, a step of 96 to 192 heads with d from 24 to 512 took 0.9 to 1.5 times what follows."""
STEP = 1.5e4
"""Evaluations that a step of a tile counts as besides, however few its heads: 30 µs."""
COMPILE_SECONDS = 4.0
"""Time of compiling what one d needs: 3 to 8 s on two busy cores."""

TRACES: Counter[tuple[Any, ...]] = Counter()
"""Number of traces of each program: more than one is a defect."""
Lengths = tuple[tuple[str, int], ...]


@functools.lru_cache(maxsize=64)
def run_program(
    dim: int, sgd: Sgd, rows: int, lengths: Lengths, sharding: TileSharding | None, effort: Effort
) -> Callable[..., jax.Array]:
    """Jitted `(axes, steps, root) -> L_gen` over the axes of `lengths`, then the steps."""

    def tile(axes: Mapping[str, Any], steps: jax.Array, root: jax.Array) -> jax.Array:
        TRACES[dim, rows, lengths] += 1

        def cell(args: Mapping[str, Any]) -> jax.Array:
            dtype = args["beta"].dtype
            spectrum = power_law_spectrum(dim, args["alpha"])
            numbers = RunNumbers(
                theta=power_law_teacher(dim, jnp.asarray(sgd.teacher_decay, dtype)),
                batches=Batches(spectrum, args["beta"], args["sigma_eta"], args["batch"]),
                learning_rate=args["learning_rate"],
                momentum=args["momentum"],
                decay=args["decay"],
                decay_steps=jnp.asarray(sgd.decay_steps, dtype),
            )
            key = jax.random.fold_in(jax.random.fold_in(root, dim), args["seed"])
            return train_run(key, steps, numbers, rows=rows, difficulty=sgd.difficulty, method=sgd.gradient)

        return vmap_axes(cell, part_lengths(dict(lengths), sharding))(axes)

    return on_mesh(tile, sharding, (None, None), tuple(name for name, _ in lengths), effort)


class SgdSource:
    """The grid of an `SgdSpec` as tiles. A tile holds every number of steps, because a run passes them all."""

    schema = SCHEMA
    shardable = ("seed", "learning_rate")
    halving_order = (
        "seed",
        "learning_rate",
        "beta",
        "batch",
        "momentum",
        "decay",
        "alpha",
        "sigma_eta",
        "delta",
    )

    def __init__(self, spec: SgdSpec):
        self.spec = spec
        self.dtype = np.dtype(spec.run.dtype)
        self.axes = {name: np.asarray(getattr(spec.grid, name)) for name in AXES}
        self.k = np.sort(np.asarray(spec.grid.k, self.dtype))
        self.curves = curves_for(tuple(self.k.tolist()), self.dtype.name, spec.sgd.difficulty)
        self.rows = -(-int(self.axes["batch"].max()) // BLOCK) * BLOCK
        self.fixed_tile = {"dim": 1, "steps": len(self.axes["steps"])}
        self.effort = effort_for(self.total_cost())

    @property
    def dims(self) -> dict[str, np.ndarray]:
        return {"k": self.k}

    def identity(self) -> dict[str, str]:
        return {"random_streams": RANDOM_STREAMS}

    def coordinates(self) -> dict[str, tuple[str, np.ndarray]]:
        return {}

    def facts(self) -> dict[str, float]:
        return {}

    def warnings(self) -> list[str]:
        """The learning rates at which training diverges, a sentence for each model that has some."""
        found: list[str] = []
        rates = np.sort(self.axes["learning_rate"])
        for dim in self.axes["dim"].tolist():
            edges = self._edges(self.axes, dim)
            for index in np.ndindex(edges.shape):
                above = rates[rates >= edges[index]]
                if len(above):
                    names = ("alpha", "batch", "momentum")
                    at = {name: self.axes[name][i].item() for name, i in zip(names, index, strict=True)}
                    words = ", ".join(f"{name} = {value:g}" for name, value in ({"dim": dim} | at).items())
                    found.append(
                        f"grid.learning_rate = {', '.join(f'{rate:g}' for rate in above)}: at or above the edge of "
                        f"stability, {edges[index]:.4g} for {words}: the mean of L_gen grows without bound, and "
                        "cells that got worse than an untrained head are marked as diverged"
                    )
        return found

    def evaluate(self, coords: Mapping[str, np.ndarray], sharding: TileSharding | None = None) -> CellValues:
        """One tile, by two programs: L_gen of the runs, then L_inf(k) given L_gen."""
        (dim,) = coords["dim"].tolist()
        lengths = tuple((name, len(coords[name])) for name in RUN_AXES)
        axes: dict[str, Any] = {name: coords[name].astype(self.dtype) for name in RUN_AXES}
        axes["seed"] = coords["seed"].astype(np.uint32)
        root = jax.random.key(self.spec.run.root_key, impl="threefry2x32")
        program: Any = run_program(dim, self.spec.sgd, self.rows, lengths, sharding, self.effort)
        steps = coords["steps"].astype(np.int32)
        builder = self.curves.lowered_builder()
        if builder is not None:
            compile_together([program.lower(axes, steps, root), builder])
        lgen = np.asarray(program(axes, steps, root))  # (*RUN_AXES, steps)
        lgen = np.moveaxis(lgen, -1, RUN_AXES.index("seed"))
        lgen = np.expand_dims(lgen, AXES.index("dim"))  # AXES without delta
        lgen = np.where(self._diverged(lgen, coords, dim), np.nan, lgen)
        delta = AXES.index("delta")
        shape = tuple(len(coords[name]) for name in AXES)
        failure = np.empty((*shape, len(self.k)), self.dtype)
        for i, beta in enumerate(coords["beta"].tolist()):
            for j, sigma in enumerate(coords["sigma_eta"].tolist()):
                v = lgen[i, :, :, j].astype(np.float64) / sigma**2
                for m, tolerance in enumerate(coords["delta"].tolist()):
                    failure[i, :, :, j, m] = self.curves(v, beta, tolerance / sigma)
        return {"lgen": np.broadcast_to(np.expand_dims(lgen, delta), shape), "failure": failure}

    def _diverged(self, lgen: np.ndarray, coords: Mapping[str, np.ndarray], dim: int) -> np.ndarray:
        """Whether L_gen is not finite, or has grown although, with this learning rate, its mean grows without bound."""
        names = [name for name in AXES if name != "delta"]
        edges = self._edges(coords, dim)
        untrained = np.array([self._untrained(alpha, dim) for alpha in coords["alpha"].tolist()])
        held = {"alpha": 0, "batch": 1, "momentum": 2}
        shape = [len(coords[name]) if name in held else 1 for name in names]
        edges = edges.reshape(shape)
        untrained = untrained.reshape([len(untrained) if name == "alpha" else 1 for name in names])
        rates = coords["learning_rate"].reshape([-1 if name == "learning_rate" else 1 for name in names])
        return ~np.isfinite(lgen) | ((rates >= edges) & (lgen > untrained))

    def _untrained(self, alpha: float, dim: int) -> float:
        """L_gen of θ = 0."""
        theta = np.asarray(power_law_teacher(dim, self.spec.sgd.teacher_decay), float)
        return float(np.sum(np.asarray(power_law_spectrum(dim, alpha), float) * theta**2))

    def _edges(self, coords: Mapping[str, np.ndarray], dim: int) -> np.ndarray:
        """The edge of stability over (alpha, batch, momentum)."""
        with jax.enable_x64(True):
            return np.stack(
                [
                    sgd_stability_edge(
                        eigenvalues=power_law_spectrum(dim, alpha),
                        batch=coords["batch"].astype(float)[:, None],
                        momentum=coords["momentum"].astype(float)[None, :],
                    )
                    for alpha in coords["alpha"].tolist()
                ]
            )

    def tile_cost(self, shape: Mapping[str, int]) -> Cost:
        grid = self.spec.grid
        last, dim, item = float(grid.steps[-1]), int(self.axes["dim"].max()), self.dtype.itemsize
        heads = float(np.prod([shape[name] for name in RUN_AXES]))
        with_noise = shape["seed"] * shape["beta"] * shape["sigma_eta"]
        drawn = dim + 3.0 * self.rows if self.spec.sgd.gradient == "law" else self.rows * (dim + 2.0)
        rows = self.rows if self.spec.sgd.gradient == "law" else self.rows * dim / 4
        cells = heads * shape["steps"] * shape["delta"]
        return Cost(
            draws=last * drawn * shape["seed"],
            evaluations=last * (heads * (DIRECTION * dim + ROW * rows) + 4.0 * with_noise * self.rows)
            + 2.0 * cells * len(self.k),
            bytes=item
            * (heads * (8.0 * dim + 6.0 * rows) + shape["seed"] * drawn + 4.0 * cells * (len(self.k) + 2)),
        )

    def run_cost(self, tile: Mapping[str, int]) -> Cost:
        """Work of a run in tiles of a shape: each takes all the steps."""
        tiles = math.prod(-(-len(values) // tile[name]) for name, values in self.axes.items())
        return self.total_cost() + Cost(evaluations=STEP * float(self.spec.grid.steps[-1]) * tiles)

    def compile_seconds(self, coords: Mapping[str, np.ndarray]) -> float:
        return COMPILE_SECONDS * len(coords["dim"])

    def total_cost(self) -> Cost:
        shape = {name: len(values) for name, values in self.axes.items()}
        curves = shape["beta"] * shape["sigma_eta"] * shape["delta"]
        runs = self.tile_cost({**shape, "dim": 1}) * float(shape["dim"])
        return runs + Cost(evaluations=curves * cost_of_curves(len(self.k), 4.0))
