"""The grid of the LID model as tiles."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from lidjax.generalization import CellMethod
from lidjax.runs.schema import CellValues, Schema, Variable
from lidjax.sweep.compiler import compile_together, effort_for
from lidjax.sweep.cost import Cost
from lidjax.sweep.devices import TileSharding
from lidjax.sweep.sources.synthetic.cost import SyntheticCosts
from lidjax.sweep.sources.synthetic.failure_curves import curves_for
from lidjax.sweep.sources.synthetic.float32 import float32_warnings
from lidjax.sweep.sources.synthetic.methods import cell_method
from lidjax.sweep.sources.synthetic.programs import TrainingSize, lgen_program, sampled_failure_program
from lidjax.sweep.sources.synthetic.spec import SyntheticSpec

RANDOM_STREAMS = "2"
"""Raised whenever a key gives other draws: a store with other random streams is not resumed."""
AXES = ("beta", "alpha", "dim", "ridge", "sigma_eta", "delta", "n", "seed")
SCHEMA = Schema(
    variables=(
        Variable(
            "lgen",
            "L_gen, generalisation loss",
            units="squared units of y",
            not_finite="L_gen is not finite: the ridge system is singular in this precision, or the noise overflowed "
            "(β well below 1); a larger ridge or float64 helps in the first case",
        ),
        Variable(
            "failure",
            "L_inf(k), pass@k failure probability",
            dims=("k",),
            not_finite="L_inf(k) is not finite although L_gen is: the cell is outside the range of the chosen "
            "`failure` method",
        ),
        Variable(
            "effective_sample_size",
            "number of test instances on which a sampled L_inf(k) rests",
            dims=("k",),
            dtype="float32",
            optional=True,
        ),
    ),
    labels={
        "beta": ("β, near-zero index of the difficulty prior", "1"),
        "alpha": ("α, spectral exponent", "1"),
        "dim": ("d, number of features", "1"),
        "ridge": ("ρ, ridge of Eq. 6", "squared units of x"),
        "sigma_eta": ("σ_η, noise scale", "units of y"),
        "delta": ("δ, verifier tolerance", "units of y"),
        "n": ("N, training instances", "1"),
        "seed": ("training set", "1"),
        "k": ("k, attempts", "1"),
    },
)


Call = tuple[Any, tuple[Any, ...]]  # a jitted function and its arguments


class SyntheticSource:
    """The grid of a `SyntheticSpec` as tiles."""

    shardable = ("seed", "n")  # training sets: cells share their work within a training set only
    halving_order = ("n", "seed", "alpha", "ridge", "beta", "sigma_eta", "delta")

    def __init__(self, spec: SyntheticSpec):
        grid = spec.grid
        self.spec = spec
        self.dtype = np.dtype(spec.run.dtype)
        self.axes = {name: np.asarray(getattr(grid, name)) for name in AXES}
        self.k = np.sort(np.asarray(grid.k, self.dtype))
        self.curves = curves_for(tuple(self.k.tolist()), self.dtype.name, spec.model.difficulty)
        self.fixed_tile: dict[str, int] = {"dim": 1}
        if spec.model.method == "simulate":
            self.fixed_tile["n"] = 1  # under vmap a loop over rows would run as long as for the largest N

        self.effort = effort_for(self.total_cost())
        self._compiled: set[Any] = set()

    @property
    def schema(self) -> Schema:
        """The exact expectation (`quadrature`) has no sample size."""
        return SCHEMA.restricted(()) if self.spec.model.failure == "quadrature" else SCHEMA

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
        return float32_warnings(self.spec, self.axes) if self.dtype == np.float32 else []

    def tile_cost(self, shape: Mapping[str, int]) -> Cost:
        return self._costs().tile_cost(shape)

    def total_cost(self) -> Cost:
        return self._costs().total_cost()

    def run_cost(self, tile: Mapping[str, int]) -> Cost:
        return self._costs().run_cost(tile)

    def compile_seconds(self, coords: Mapping[str, np.ndarray]) -> float:
        return self._costs().compile_seconds(coords)

    def _costs(self) -> SyntheticCosts:
        return SyntheticCosts(self.spec, self.axes, len(self.k), self.method_of)

    def method_of(
        self, *, beta: float, alpha: float, dim: int, ridge: float, sigma_eta: float, n: int
    ) -> CellMethod:
        """The kernel that serves a cell. It depends on nothing but the cell's own values."""
        return cell_method(self.spec.model, beta, alpha, dim, ridge, sigma_eta, n)

    def evaluate(self, coords: Mapping[str, np.ndarray], sharding: TileSharding | None = None) -> CellValues:
        """One tile, by two programs: L_gen, then L_inf(k) given L_gen."""
        root = jax.random.key(self.spec.run.root_key, impl="threefry2x32")
        lgen = self._lgen(coords, root, sharding)
        found = self._failure(coords, lgen, root, sharding)
        shape = tuple(len(coords[name]) for name in AXES)
        lgen = np.broadcast_to(np.expand_dims(lgen, (AXES.index("dim"), AXES.index("delta"))), shape)
        return {"lgen": lgen} | {
            name: np.expand_dims(values, AXES.index("dim")) for name, values in found.items()
        }

    def lgen(self, coords: Mapping[str, np.ndarray], sharding: TileSharding | None = None) -> np.ndarray:
        """L_gen of a tile alone, over (beta, alpha, ridge, sigma_eta, n, seed)."""
        root = jax.random.key(self.spec.run.root_key, impl="threefry2x32")
        return self._lgen(coords, root, sharding, with_failure=False)

    def _lgen(
        self,
        coords: Mapping[str, np.ndarray],
        root: jax.Array,
        sharding: TileSharding | None,
        *,
        with_failure: bool = True,
    ) -> np.ndarray:
        """L_gen over (beta, alpha, ridge, sigma_eta, n, seed).

        Where cells need different kernels, each kernel runs on the N it serves, repeated up to the length of the tile,
        and every cell takes the result of its own. Another length would mean another compilation (5 s at d = 512);
        the results that are not used take about `tile_seconds`.
        """
        (dim,) = coords["dim"].tolist()
        names = ("beta", "alpha", "ridge", "sigma_eta", "n")
        wanted = np.empty([len(coords[name]) for name in names], object)
        for index in np.ndindex(wanted.shape):
            values = {name: coords[name][i].item() for name, i in zip(names, index, strict=True)}
            wanted[index] = self.method_of(dim=dim, **values)
        names = [name for name in AXES if name not in ("dim", "delta")]
        picked = np.full([len(coords[name]) for name in names], np.nan, self.dtype)
        served_by: dict[str, np.ndarray] = {}
        calls: list[Call] = []
        for method in sorted(set(wanted.ravel().tolist())):
            mine = wanted == method
            served = mine.any(axis=(0, 1, 2, 3))
            length = len(served) if sharding is None or sharding.axis != "n" else sharding.padded(len(served))
            sizes = np.pad(coords["n"][served], (0, length - served.sum()), mode="edge")
            part = {**coords, "n": sizes}
            lengths = tuple((name, len(part[name])) for name in names)
            axes = self._arguments(part)
            del axes["delta"]
            served_by[method] = served
            calls.append(
                (lgen_program(dim, method, self.spec.model, lengths, sharding, self.effort), (axes, root))
            )
        self._compile(calls, coords, picked, root, sharding, with_failure)
        for (method, served), (program, arguments) in zip(served_by.items(), calls, strict=True):
            result = np.asarray(program(*arguments))[..., : served.sum(), :]
            chosen = (wanted == method)[..., served, None]
            picked[..., served, :] = np.where(chosen, result, picked[..., served, :])
        return picked

    def _compile(
        self,
        calls: list[Call],
        coords: Mapping[str, np.ndarray],
        lgen: np.ndarray,
        root: jax.Array,
        sharding: TileSharding | None,
        with_failure: bool,
    ) -> None:
        """Compile the programs of a tile side by side, where one of them is met for the first time."""
        sampled = with_failure and self.spec.model.failure != "quadrature"
        if sampled:
            calls = [*calls, self._sampled_failure(coords, lgen, root, sharding)]
        programs = {program for program, _ in calls}
        if programs <= self._compiled:
            return
        self._compiled |= programs
        lowered = [program.lower(*arguments) for program, arguments in calls]
        builder = self.curves.lowered_builder() if with_failure and not sampled else None
        compile_together([*lowered, *([] if builder is None else [builder])])

    def _sampled_failure(
        self,
        coords: Mapping[str, np.ndarray],
        lgen: np.ndarray,
        root: jax.Array,
        sharding: TileSharding | None,
    ) -> Call:
        """The program of L_inf(k) by sampling, and its arguments."""
        (dim,) = coords["dim"].tolist()
        lengths = tuple((name, len(coords[name])) for name in AXES if name != "dim")
        program = sampled_failure_program(dim, self.spec.model, lengths, sharding, self.effort)
        return program, (self._arguments(coords), lgen, self.k, root)

    def _failure(
        self,
        coords: Mapping[str, np.ndarray],
        lgen: np.ndarray,
        root: jax.Array,
        sharding: TileSharding | None,
    ) -> dict[str, np.ndarray]:
        """L_inf(k) over (beta, alpha, ridge, sigma_eta, delta, n, seed, k), and on how many instances it rests."""
        model = self.spec.model
        if model.failure == "quadrature":
            failure = np.empty(
                (*lgen.shape[:4], len(coords["delta"]), *lgen.shape[4:], len(self.k)), self.dtype
            )
            for i, beta in enumerate(coords["beta"].tolist()):
                for j, sigma in enumerate(coords["sigma_eta"].tolist()):
                    for m, delta in enumerate(coords["delta"].tolist()):
                        v = lgen[i, :, :, j].astype(np.float64) / sigma**2
                        failure[i, :, :, j, m] = self.curves(v, beta, delta / sigma)
            return {"failure": failure}
        program, arguments = self._sampled_failure(coords, lgen, root, sharding)
        failure, ess = program(*arguments)
        return {"failure": np.asarray(failure), "effective_sample_size": np.asarray(ess)}

    def _arguments(self, coords: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """The axes as the programs want them."""
        sizes = coords["n"]
        words = np.stack([sizes >> 32, sizes & 0xFFFFFFFF], axis=1).astype(np.uint32)
        axes: dict[str, Any] = {name: coords[name].astype(self.dtype) for name in AXES if name != "dim"}
        return axes | {
            "n": TrainingSize(sizes.astype(self.dtype), words),
            "seed": coords["seed"].astype(np.uint32),
        }
