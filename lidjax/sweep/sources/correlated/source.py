"""The grid of the LID model with τ and x correlated, as tiles."""

import math
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from lidjax.runs.schema import CellValues, Schema
from lidjax.sweep.compiler import effort_for
from lidjax.sweep.cost import Cost
from lidjax.sweep.devices import TileSharding
from lidjax.sweep.sources.correlated.programs import Prior, cell_program
from lidjax.sweep.sources.correlated.scores import Quantiles, norms_of, quantiles
from lidjax.sweep.sources.correlated.spec import CorrelatedSpec
from lidjax.sweep.sources.synthetic.cost import FAILURE, GAMMA, INSTANCE
from lidjax.sweep.sources.synthetic.source import SCHEMA as SYNTHETIC_SCHEMA

RANDOM_STREAMS = "1"
"""Raised whenever a key gives other draws: a store with other random streams is not resumed."""
AXES = ("correlation", "beta", "alpha", "dim", "ridge", "sigma_eta", "delta", "n", "seed")
SCHEMA = Schema(
    variables=SYNTHETIC_SCHEMA.variables,
    labels={"correlation": ("ρ, correlation of τ with the features", "1"), **SYNTHETIC_SCHEMA.labels},
)
PROGRAM = 1.5
"""Seconds of compiling the program of one (d, N): a heuristic from two cores."""
SCORE = 10.0
"""Evaluations that a precision from the table counts as: a heuristic."""
WEIGHTED = 30.0
"""Evaluations that a test instance with its weight counts as, beyond its success probability."""


class CorrelatedSource:
    """The grid of a `CorrelatedSpec` as tiles. A tile has one d and one N, which decide the shapes of its arrays."""

    schema = SCHEMA
    shardable = ("seed",)
    halving_order = ("seed", "alpha", "ridge", "correlation", "beta", "sigma_eta", "delta")

    def __init__(self, spec: CorrelatedSpec):
        self.spec = spec
        self.dtype = np.dtype(spec.run.dtype)
        self.axes = {name: np.asarray(getattr(spec.grid, name)) for name in AXES}
        self.k = np.sort(np.asarray(spec.grid.k, self.dtype))
        self.fixed_tile: dict[str, int] = {"dim": 1, "n": 1}
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
        return []

    def evaluate(self, coords: Mapping[str, np.ndarray], sharding: TileSharding | None = None) -> CellValues:
        """One tile, by the program of its d and N."""
        (dim,), (n,) = coords["dim"].tolist(), coords["n"].tolist()
        own = tuple(name for name in AXES if name not in ("dim", "n"))
        lengths = tuple((name, len(coords[name])) for name in own)
        axes: dict[str, Any] = {name: coords[name].astype(self.dtype) for name in own}
        difficulty = self.spec.correlated.difficulty
        tables = [quantiles(beta, difficulty) for beta in coords["beta"].tolist()]
        axes["beta"] = Prior(axes["beta"], Quantiles(*map(np.stack, zip(*tables, strict=True))))
        axes["seed"] = coords["seed"].astype(np.uint32)
        words = np.asarray([n >> 32, n & 0xFFFFFFFF], np.uint32)
        norms = norms_of(dim)
        root = jax.random.key(self.spec.run.root_key, impl="threefry2x32")
        program = cell_program(dim, n, self.spec.correlated, lengths, sharding, self.effort)
        lgen, failure, ess = (np.asarray(part) for part in program(axes, words, self.k, norms, root))
        places = (AXES.index("dim"), AXES.index("n"))
        return {
            "lgen": np.expand_dims(lgen, places),
            "failure": np.expand_dims(failure, places),
            "effective_sample_size": np.expand_dims(ess, places).astype(np.float32),
        }

    def tile_cost(self, shape: Mapping[str, int]) -> Cost:
        """Cost of the most expensive tile: the largest d and N."""
        return self._cost(int(self.axes["dim"].max()), int(self.axes["n"].max()), shape)

    def total_cost(self) -> Cost:
        lengths = {name: len(values) for name, values in self.axes.items()} | {"dim": 1, "n": 1}
        total = Cost()
        for dim in self.axes["dim"].tolist():
            for n in self.axes["n"].tolist():
                total = total + self._cost(dim, n, lengths)
        return total

    def compile_seconds(self, coords: Mapping[str, np.ndarray]) -> float:
        return PROGRAM * len(coords["dim"]) * len(coords["n"])

    def _cost(self, dim: int, n: int, shape: Mapping[str, int]) -> Cost:
        item, k, instances = self.dtype.itemsize, len(self.k), self.spec.correlated.num_instances
        seeds = shape["seed"]
        systems = seeds * shape["alpha"] * shape["ridge"]
        labels = seeds * shape["correlation"] * shape["beta"] * shape["sigma_eta"]
        cells = math.prod(shape.values())
        least = min(n, dim)
        drawn = n * (dim + 2.0) + instances * (4 + (GAMMA if self.spec.correlated.form == "norm" else 0))
        rows = n * labels * shape["alpha"]
        at_once = n * dim * (1 + shape["alpha"]) * (1 if jax.default_backend() == "cpu" else seeds)
        return Cost(
            flops=systems * (2.0 * n * dim * least + least**3) + 4.0 * rows * shape["ridge"] * dim,
            draws=seeds * drawn,
            evaluations=rows * 2 * SCORE + cells * instances * (INSTANCE + WEIGHTED + FAILURE * k),
            bytes=item * (at_once + 4.0 * rows + cells * (30.0 * instances + 3.0 * k)),
        )
