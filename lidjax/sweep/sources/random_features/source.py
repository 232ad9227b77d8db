"""The grid of random-feature models as tiles."""

import math
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from lidjax.generalization.random_features import most_features
from lidjax.runs.schema import CellValues, Schema, Variable
from lidjax.sweep.compiler import compile_together, effort_for
from lidjax.sweep.cost import Cost
from lidjax.sweep.devices import TileSharding
from lidjax.sweep.sources.random_features.programs import lgen_program
from lidjax.sweep.sources.random_features.spec import RandomFeaturesSpec
from lidjax.sweep.sources.synthetic.cost import CELL, DECADES, GAMMA, INTERPOLATION
from lidjax.sweep.sources.synthetic.failure_curves import cost_of_curves, curves_for
from lidjax.sweep.sources.synthetic.programs import TrainingSize

RANDOM_STREAMS = "1"
"""Raised whenever a key gives other draws: a store with other random streams is not resumed."""
AXES = ("beta", "alpha", "dim", "ridge", "sigma_eta", "delta", "width", "n", "seed")
SCHEMA = Schema(
    variables=(
        Variable(
            "lgen",
            "L_gen, generalisation loss",
            units="squared units of y",
            not_finite="L_gen is not finite: the ridge system is singular, or the noise overflowed (β well below 1); a "
            "larger ridge helps in the first case",
        ),
        Variable(
            "failure",
            "L_inf(k), pass@k failure probability",
            dims=("k",),
            not_finite="L_inf(k) is not finite although L_gen is",
        ),
    ),
    labels={
        "beta": ("β, near-zero index of the difficulty prior", "1"),
        "alpha": ("α, spectral exponent", "1"),
        "dim": ("d, number of latent features", "1"),
        "ridge": ("ρ, ridge of Eq. 6", "squared units of x"),
        "sigma_eta": ("σ_η, noise scale", "units of y"),
        "delta": ("δ, verifier tolerance", "units of y"),
        "width": ("P, random features", "1"),
        "n": ("N, training instances", "1"),
        "seed": ("random features and training set", "1"),
        "k": ("k, attempts", "1"),
    },
)


class RandomFeaturesSource:
    """The grid of a `RandomFeaturesSpec` as tiles."""

    schema = SCHEMA
    shardable = ("seed", "n")
    halving_order = ("seed", "n", "width", "alpha", "ridge", "beta", "sigma_eta", "delta")

    def __init__(self, spec: RandomFeaturesSpec):
        self.spec = spec
        self.dtype = np.dtype(spec.run.dtype)
        self.axes = {name: np.asarray(getattr(spec.grid, name)) for name in AXES}
        self.k = np.sort(np.asarray(spec.grid.k, self.dtype))
        self.curves = curves_for(tuple(self.k.tolist()), self.dtype.name, spec.random_features.difficulty)
        self.fixed_tile: dict[str, int] = {"dim": 1}
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
        """One tile: a program for the P on each side of d, then L_inf(k) from tables."""
        (dim,) = coords["dim"].tolist()
        root = jax.random.key(self.spec.run.root_key, impl="threefry2x32")
        below = coords["width"] < dim
        parts: list[tuple[Any, tuple[Any, ...]]] = []
        for widths, narrow in ((coords["width"][below], True), (coords["width"][~below], False)):
            if not len(widths):
                continue
            part = {**coords, "width": widths}
            lengths = tuple((name, len(part[name])) for name in AXES if name not in ("dim", "delta"))
            most = most_features(int(widths.max()), dim)
            program = lgen_program(
                dim, most, narrow, self.spec.random_features, lengths, sharding, self.effort
            )
            parts.append((program, (self._arguments(part), root)))
        builder = self.curves.lowered_builder()
        if builder is not None:
            compile_together([*(program.lower(*arguments) for program, arguments in parts), builder])
        lgen = np.concatenate([np.asarray(program(*arguments)) for program, arguments in parts], axis=4)
        return self._with_failure(coords, lgen)

    def _with_failure(self, coords: Mapping[str, np.ndarray], lgen: np.ndarray) -> CellValues:
        """L_gen over (beta, alpha, ridge, sigma_eta, width, n, seed), and with L_inf(k), as stored."""
        shape = tuple(len(coords[name]) for name in AXES)
        failure = np.empty((*shape, len(self.k)), self.dtype)
        for i, beta in enumerate(coords["beta"].tolist()):
            for j, sigma in enumerate(coords["sigma_eta"].tolist()):
                for m, delta in enumerate(coords["delta"].tolist()):
                    failure[i, :, 0, :, j, m] = self.curves(lgen[i, :, :, j] / sigma**2, beta, delta / sigma)
        wide = np.expand_dims(lgen, (AXES.index("dim"), AXES.index("delta")))
        return {"lgen": np.broadcast_to(wide, shape), "failure": failure}

    def _arguments(self, coords: Mapping[str, np.ndarray]) -> dict[str, Any]:
        sizes = coords["n"]
        words = np.stack([sizes >> 32, sizes & 0xFFFFFFFF], axis=1).astype(np.uint32)
        axes: dict[str, Any] = {
            name: coords[name].astype(self.dtype) for name in AXES if name not in ("dim", "delta")
        }
        return axes | {
            "n": TrainingSize(sizes.astype(self.dtype), words),
            "seed": coords["seed"].astype(np.uint32),
        }

    def tile_cost(self, shape: Mapping[str, int]) -> Cost:
        """Cost of the most expensive tile: the largest d, and P up to the largest of the grid."""
        return self._cost(int(self.axes["dim"].max()), shape)

    def total_cost(self) -> Cost:
        lengths = {name: len(values) for name, values in self.axes.items()} | {"dim": 1}
        total = Cost()
        for dim in self.axes["dim"].tolist():
            total = total + self._cost(dim, lengths)
        curves = len(self.axes["beta"]) * len(self.axes["sigma_eta"]) * len(self.axes["delta"])
        return total + Cost(evaluations=curves * cost_of_curves(len(self.k), DECADES))

    def _cost(self, dim: int, shape: Mapping[str, int]) -> Cost:
        """F is drawn for each seed, a design for each seed and N, and a system is solved for each P and ridge."""
        item, most = self.dtype.itemsize, most_features(int(self.axes["width"].max()), dim)
        maps = shape["seed"] * shape["alpha"]
        designs = maps * shape["n"]
        together = shape["width"] * shape["ridge"] * shape["alpha"]
        solves = shape["seed"] * shape["n"] * together
        cells = math.prod(shape.values())
        k = len(self.k)
        kept = 1.0 if jax.default_backend() == "cpu" else float(shape["seed"] * shape["n"])
        return Cost(
            flops=maps * 4.0 * dim * most**2 + solves * 5.0 * most**3,
            draws=(maps * dim + designs * (dim + GAMMA)) * most + designs * CELL,
            evaluations=cells * INTERPOLATION * k,
            bytes=(6.0 * most**2 * together + 3.0 * dim * most) * kept * item + cells * (5.0 * k + 3) * item,
        )
