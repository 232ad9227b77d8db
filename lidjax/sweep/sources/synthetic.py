"""The grid of the LID model as tiles."""

import functools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import jax
import numpy as np

from lidjax.generalization import CellMethod, resolve_method
from lidjax.generalization.krylov import MAX_STEPS, krylov_steps
from lidjax.model import power_law_spectrum, power_law_teacher
from lidjax.ridge import DECOMPOSE_FROM
from lidjax.sweep.devices import Split
from lidjax.sweep.source import Cost, TileResult, cell_status
from lidjax.sweep.sources.failure_curves import cost_of_curves, curves_for
from lidjax.sweep.sources.float32 import float32_warnings
from lidjax.sweep.sources.synthetic_programs import TrainingSize, lgen_program, sampled_failure_program
from lidjax.sweep.spec import Model, SyntheticSpec

RANDOM_STREAMS = "2"
"""Raised whenever a key comes to give other draws: a store that was begun with others is not continued."""
AXES = ("beta", "alpha", "dim", "ridge", "sigma_eta", "delta", "n", "seed")


@functools.lru_cache(maxsize=100_000)
def cell_method(
    model: Model, beta: float, alpha: float, dim: int, ridge: float, sigma_eta: float, n: int
) -> CellMethod:
    """`resolve_method` for plain numbers; the spectrum is made on the host, once for each (d, α)."""
    eigenvalues, theta = _host_model(dim, alpha, model.teacher_decay)
    return resolve_method(
        model.method,
        n=n,
        dim=dim,
        ridge=ridge,
        eigenvalues=eigenvalues,
        theta=theta,
        beta=beta,
        sigma_eta=sigma_eta,
        difficulty=model.difficulty,
    )


@functools.lru_cache(maxsize=64)
def _host_model(dim: int, alpha: float, decay: float) -> tuple[np.ndarray, np.ndarray]:
    return np.asarray(power_law_spectrum(dim, alpha)), np.asarray(power_law_teacher(dim, decay))


class SyntheticSource:
    """The grid of a `SyntheticSpec` as tiles."""

    shardable = ("seed", "n")  # training sets: all that cells share lies within one
    split_order = ("n", "seed", "alpha", "ridge", "beta", "sigma_eta", "delta")

    def __init__(self, spec: SyntheticSpec):
        grid = spec.grid
        self.spec = spec
        self.dtype = np.dtype(spec.run.dtype)
        self.axes = {name: np.asarray(getattr(grid, name)) for name in AXES}
        self.k = np.sort(np.asarray(grid.k, self.dtype))
        self.curves = curves_for(tuple(self.k.tolist()), self.dtype.name, spec.model.difficulty)
        self.fixed_tile = {"dim": 1}
        if spec.model.method == "simulate":
            self.fixed_tile["n"] = 1  # a loop over rows under vmap would run to the longest lane

    def provenance(self) -> dict[str, str]:
        return {"random_streams": RANDOM_STREAMS}

    def coordinates(self) -> dict[str, tuple[str, np.ndarray]]:
        return {}

    def description(self) -> dict[str, float]:
        return {}

    def method_of(
        self, *, beta: float, alpha: float, dim: int, ridge: float, sigma_eta: float, n: int
    ) -> CellMethod:
        """The kernel that serves a cell; it depends on the cell's own values only."""
        return cell_method(self.spec.model, beta, alpha, dim, ridge, sigma_eta, n)

    def evaluate(self, coords: Mapping[str, np.ndarray], split: Split | None = None) -> TileResult:
        """One tile, by two programs: L_gen, then L_inf(k) given it."""
        root = jax.random.key(self.spec.run.root_key, impl="threefry2x32")
        lgen = self._lgen(coords, root, split)
        failure = self._failure(coords, lgen, root, split)
        shape = tuple(len(coords[name]) for name in AXES)
        lgen = np.broadcast_to(np.expand_dims(lgen, (AXES.index("dim"), AXES.index("delta"))), shape)
        failure = np.expand_dims(failure, AXES.index("dim"))
        return TileResult(lgen, failure, cell_status(lgen, failure))

    def _lgen(self, coords: Mapping[str, np.ndarray], root, split: Split | None) -> np.ndarray:
        """L_gen over (beta, alpha, ridge, sigma_eta, n, seed). Where cells need different kernels each runs on the N it
        serves, repeated up to the length of the tile, and the cells are picked afterwards: another length would be
        another compilation (5 s at d = 512), and what is computed in vain is of the order of `tile_seconds`."""
        (dim,) = coords["dim"].tolist()
        names = ("beta", "alpha", "ridge", "sigma_eta", "n")
        wanted = np.empty([len(coords[name]) for name in names], object)
        for index in np.ndindex(wanted.shape):
            values = {name: coords[name][i].item() for name, i in zip(names, index, strict=True)}
            wanted[index] = self.method_of(dim=dim, **values)
        names = [name for name in AXES if name not in ("dim", "delta")]
        picked = np.full([len(coords[name]) for name in names], np.nan, self.dtype)
        for method in sorted(set(wanted.ravel().tolist())):
            mine = wanted == method
            served = mine.any(axis=(0, 1, 2, 3))
            length = len(served) if split is None or split.axis != "n" else split.padded(len(served))
            sizes = np.pad(coords["n"][served], (0, length - served.sum()), mode="edge")
            part = {**coords, "n": sizes}
            lengths = tuple((name, len(part[name])) for name in names)
            axes = self._arguments(part)
            del axes["delta"]
            result = np.asarray(lgen_program(dim, method, self.spec.model, lengths, split)(axes, root))
            result = result[..., : served.sum(), :]
            chosen = mine[..., served, None]
            picked[..., served, :] = np.where(chosen, result, picked[..., served, :])
        return picked

    def _failure(
        self, coords: Mapping[str, np.ndarray], lgen: np.ndarray, root, split: Split | None
    ) -> np.ndarray:
        """L_inf(k) over (beta, alpha, ridge, sigma_eta, delta, n, seed, k)."""
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
            return failure
        (dim,) = coords["dim"].tolist()
        lengths = tuple((name, len(coords[name])) for name in AXES if name != "dim")
        program = sampled_failure_program(dim, model, lengths, split)
        return np.asarray(program(self._arguments(coords), lgen, self.k, root))

    def _arguments(self, coords: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """The axes as the programs want them."""
        sizes = coords["n"]
        words = np.stack([sizes >> 32, sizes & 0xFFFFFFFF], axis=1).astype(np.uint32)
        axes: dict[str, Any] = {name: coords[name].astype(self.dtype) for name in AXES if name != "dim"}
        return axes | {
            "n": TrainingSize(sizes.astype(self.dtype), words),
            "seed": coords["seed"].astype(np.uint32),
        }

    def tile_cost(self, shape: Mapping[str, int]) -> Cost:
        return max(
            (self._cells_cost(n, dim, shape) for n in self._extremes("n") for dim in self._extremes("dim")),
            key=lambda cost: cost.flops + 10 * cost.draws + 10 * cost.evaluations,
        )

    def total_cost(self) -> Cost:
        shape = {name: len(values) for name, values in self.axes.items()} | {"n": 1, "dim": 1}
        total = Cost()
        sizes = self.axes["n"][np.linspace(0, len(self.axes["n"]) - 1, PRICED).astype(int)]
        share = len(self.axes["n"]) / PRICED
        if len(self.axes["n"]) <= PRICED:
            sizes, share = self.axes["n"], 1.0
        for dim in self.axes["dim"].tolist():
            for n in sizes.tolist():
                total = total + self._cells_cost(n, dim, shape) * share
        if self.spec.model.failure == "quadrature":
            curves = shape["beta"] * shape["sigma_eta"] * shape["delta"]
            total = total + Cost(evaluations=curves * cost_of_curves(len(self.k), DECADES))
        return total

    def warnings(self) -> list[str]:
        return float32_warnings(self.spec, self.axes) if self.dtype == np.float32 else []

    def _extremes(self, name: str) -> list[int]:
        values = self.axes[name]
        if name == "dim":
            return [int(values.max())]
        dims = self.axes["dim"]
        inside = values[(values >= dims.min()) | (values < dims.max())]
        return sorted({int(values.min()), int(values.max()), int(inside[len(inside) // 2])})

    def _some(self, name: str) -> list[float]:
        """Smallest, middle and largest value of an axis."""
        values = np.sort(self.axes[name])
        return np.unique(values[[0, len(values) // 2, -1]]).tolist()

    def _cells_cost(self, n: int, dim: int, shape: Mapping[str, int]) -> Cost:
        """Cost of `shape` cells at one (N, d): a design is shared by all but (n, seed), a factorisation by
        all but (n, seed, alpha, ridge). Different α and ridge may want different kernels: the mean over some."""
        model, item = self.spec.model, self.dtype.itemsize
        count = {name: shape[name] for name in self.axes}
        designs = count["n"] * count["seed"]
        solves = designs * count["alpha"] * count["ridge"]
        noises = solves * count["beta"] * count["sigma_eta"]
        cells = noises * count["delta"]
        cost = Cost(flops=4 * dim**2, bytes=4 * dim * item) * noises
        most = 0.0  # bytes: kernels run one after another
        hardest = {"beta": float(self.axes["beta"].max()), "sigma_eta": float(self.axes["sigma_eta"].min())}
        pairs = [(alpha, ridge) for alpha in self._some("alpha") for ridge in self._some("ridge")]
        for alpha, ridge in pairs:
            method = self.method_of(dim=dim, n=n, alpha=alpha, ridge=ridge, **hardest)
            if method == "krylov":
                steps = krylov_steps(n, _host_model(dim, alpha, model.teacher_decay)[0], ridge)
                work = _krylov_cost(steps, dim, item) * solves
            else:
                per_design, per_solve = _lgen_cost(method, n, dim, item)
                factors = designs * count["alpha"] * min(count["ridge"], DECOMPOSE_FROM)
                work = per_design * designs + per_solve * factors
            cost, most = cost + replace(work, bytes=0.0) * (1 / len(pairs)), max(most, work.bytes)
        cost = cost + Cost(bytes=most)
        k = len(self.k)
        if model.failure == "quadrature":
            cost = cost + Cost(evaluations=INTERPOLATION * k, bytes=4 * k * item) * cells
        else:
            m = model.num_instances
            cost = cost + Cost(draws=3 * m, evaluations=m * k, bytes=2 * m * k * item) * cells
        return cost + Cost(bytes=(k + 2) * item) * cells


PRICED = 200
"""Values of N whose cost is looked at, where there are more."""
INTERPOLATION = 2.0
"""Evaluations that one interpolated L_inf(k) is counted as."""
DECADES = 3.0
"""Decades of L_gen/σ² that a sweep is taken to span."""


def _krylov_cost(steps: float, dim: int, item: int) -> Cost:
    """Cost of one L_gen by `krylov`; its small products run at a thirtieth of the rate of large ones, and a step
    takes some 15 µs of its own (two cores, d from 128 to 1024)."""
    return Cost(
        flops=1e6 * steps + 250 * dim * steps**2,
        draws=2 * steps * dim + 1e3,
        bytes=4 * MAX_STEPS * dim * item,
    )


def _lgen_cost(method: CellMethod, n: int, dim: int, item: int) -> tuple[Cost, Cost]:
    """(cost a design, cost a factorisation) of one L_gen kernel."""
    square = dim**2 * item
    if method == "scalar":
        return Cost(draws=1e4, bytes=1e4 * item), Cost()
    if method == "simulate_primal":
        return Cost(draws=n * (dim + 2), bytes=2 * square), Cost(
            flops=2 * n * dim**2 + dim**3, bytes=4 * square
        )
    if method == "bartlett":
        return Cost(draws=dim**2 / 2 + 1e4, bytes=2 * square), Cost(flops=2 * dim**3, bytes=4 * square)
    return Cost(draws=dim**2, bytes=2 * square), Cost(flops=3 * dim**3, bytes=5 * square)
