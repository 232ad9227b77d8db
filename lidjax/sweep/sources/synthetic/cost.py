"""Work and memory of synthetic cells, for the plan."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from lidjax.generalization import CellMethod
from lidjax.generalization.krylov import MAX_STEPS, krylov_steps
from lidjax.ridge import DECOMPOSE_FROM
from lidjax.sweep.compiler import Effort, effort_for
from lidjax.sweep.cost import Cost
from lidjax.sweep.sources.synthetic.failure_curves import cost_of_curves
from lidjax.sweep.sources.synthetic.methods import host_model
from lidjax.sweep.sources.synthetic.spec import SyntheticSpec

PRICED = 200
"""Most values of N whose cost is computed; the others are taken to cost as much on average."""
INTERPOLATION = 2.0
"""Evaluations that one interpolated L_inf(k) counts as."""
GAMMA = 25.0
"""Normal draws that a draw from a Gamma law counts as: 350 to 620 ns against 17 ns on two cores."""
INSTANCE = 35.0
"""Evaluations that the success probability of a test instance counts as: 75 ns against 2 ns."""
FAILURE = 2.0
"""Evaluations that one (1-s)^k of an instance counts as, with its mean and its error."""
CELL = 1e3
"""Draws that a cell counts as, whatever its d: 15 to 40 µs for d up to 32."""
LGEN_PROGRAM, LARGE_LGEN_PROGRAM, CURVES_PROGRAM, INSTANCES_PROGRAM = 4.0, 6.5, 5.0, 4.0
"""Seconds of compiling L_gen for d below 256 and from there on, tables of L_inf(k), and means over instances, at XLA's
default level: a heuristic from two cores, where each was seen between 0.8 and 2 times as long."""
EFFORT_TIME: dict[Effort, float] = {"quick": 0.5, "thorough": 0.7}
"""Time of compiling with an effort over that at XLA's default level: more than XLA's own share, because tracing and
lowering take as long as ever. A heuristic; quickstart took 7 s with "quick"."""
DECADES = 3.0
"""Decades of L_gen/σ² that a sweep is assumed to span."""


class SyntheticCosts:
    """Costs of the cells of one spec."""

    def __init__(
        self,
        spec: SyntheticSpec,
        axes: Mapping[str, np.ndarray],
        num_k: int,
        method_of: Callable[..., CellMethod],
    ):
        self.spec, self.axes, self.num_k, self.method_of = spec, axes, num_k, method_of
        self.itemsize = np.dtype(spec.run.dtype).itemsize

    def tile_cost(self, shape: Mapping[str, int]) -> Cost:
        """The most expensive tile of a shape."""
        return max(
            (self._cells_cost(n, dim, shape) for n in self._extremes("n") for dim in self._extremes("dim")),
            key=lambda cost: cost.flops + 10 * cost.draws + 10 * cost.evaluations,
        )

    def total_cost(self) -> Cost:
        """Work of the whole grid."""
        shape = {name: len(values) for name, values in self.axes.items()} | {"n": 1, "dim": 1}
        total = Cost()
        sizes = self.axes["n"][np.linspace(0, len(self.axes["n"]) - 1, PRICED).astype(int)]
        share = len(self.axes["n"]) / PRICED
        if len(self.axes["n"]) <= PRICED:
            sizes, share = self.axes["n"], 1.0
        for dim in self.axes["dim"].tolist():
            for n in sizes.tolist():
                total = total + self._cells_cost(n, dim, shape) * share
        return total + self._curves_cost()

    def run_cost(self, tile: Mapping[str, int]) -> Cost:
        """Work of a run in tiles of a shape.

        A tile runs each kernel that one of its cells needs at its full length, and the last tile along an axis is
        filled up.
        """
        cells = {name: -(-len(values) // tile[name]) * tile[name] for name, values in self.axes.items()}
        cells |= {"dim": 1, "n": tile["n"]}
        blocks = [self.axes["n"][at : at + tile["n"]] for at in range(0, len(self.axes["n"]), tile["n"])]
        some = blocks
        if len(blocks) > PRICED:
            some = [blocks[i] for i in np.linspace(0, len(blocks) - 1, PRICED).astype(int)]
        total = Cost()
        for dim in self.axes["dim"].tolist():
            for block in some:
                kernels = self._kernels(block, dim)
                for n in kernels.values():
                    total = total + self._lgen_cells_cost(n, dim, cells) * (len(blocks) / len(some))
                total = total + self._failure_cells_cost(cells) * (len(blocks) / len(some))
        return total + self._curves_cost()

    def compile_seconds(self, coords: Mapping[str, np.ndarray]) -> float:
        """Time of compiling the programs of some cells: one of L_gen for each d and kernel, and those of L_inf(k)."""
        seconds = CURVES_PROGRAM if self.spec.model.failure == "quadrature" else 0.0
        sizes = coords["n"][np.unique(np.linspace(0, len(coords["n"]) - 1, PRICED).astype(int))]
        for dim in coords["dim"].tolist():
            program = LGEN_PROGRAM if dim < 256 else LARGE_LGEN_PROGRAM
            methods = {method for at_n in self._kernels(sizes, dim) for method in at_n}
            seconds += program * len(methods)
            seconds += 0.0 if self.spec.model.failure == "quadrature" else INSTANCES_PROGRAM
        return seconds * EFFORT_TIME[effort_for(self.total_cost())]

    def _kernels(self, sizes: np.ndarray, dim: int) -> dict[tuple[CellMethod, ...], int]:
        """The kernels that some N need, over a few α and ridges, with the largest N that needs them."""
        hardest = {"beta": float(self.axes["beta"].max()), "sigma_eta": float(self.axes["sigma_eta"].min())}
        pairs = [(alpha, ridge) for alpha in self._some("alpha") for ridge in self._some("ridge")]
        return {
            tuple(
                self.method_of(dim=dim, n=n, alpha=alpha, ridge=ridge, **hardest) for alpha, ridge in pairs
            ): n
            for n in np.sort(sizes).tolist()
        }

    def _curves_cost(self) -> Cost:
        """Tables of L_inf(k), which all tiles share."""
        if self.spec.model.failure != "quadrature":
            return Cost()
        curves = len(self.axes["beta"]) * len(self.axes["sigma_eta"]) * len(self.axes["delta"])
        return Cost(evaluations=curves * cost_of_curves(self.num_k, DECADES))

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
        """Cost of `shape` cells at one (N, d)."""
        return self._lgen_cells_cost(n, dim, shape) + self._failure_cells_cost(shape)

    def _lgen_cells_cost(self, n: int, dim: int, shape: Mapping[str, int]) -> Cost:
        """Cost of L_gen of some cells: a design is shared by all but (n, seed), a factorisation by
        all but (n, seed, alpha, ridge). Different α and ridge may want different kernels: the mean over some."""
        model, item = self.spec.model, self.itemsize
        count = {name: shape[name] for name in self.axes}
        designs = count["n"] * count["seed"]
        solves = designs * count["alpha"] * count["ridge"]
        noises = solves * count["beta"] * count["sigma_eta"]
        cost = Cost(flops=4 * dim**2, bytes=4 * dim * item) * noises
        most = 0.0  # bytes: kernels run one after another
        hardest = {"beta": float(self.axes["beta"].max()), "sigma_eta": float(self.axes["sigma_eta"].min())}
        pairs = [(alpha, ridge) for alpha in self._some("alpha") for ridge in self._some("ridge")]
        for alpha, ridge in pairs:
            method = self.method_of(dim=dim, n=n, alpha=alpha, ridge=ridge, **hardest)
            if method == "krylov":
                steps = krylov_steps(n, host_model(dim, alpha, model.teacher_decay)[0], ridge)
                work = _krylov_cost(steps, dim, item) * solves
            else:
                per_design, per_solve = _lgen_cost(method, n, dim, item)
                factors = designs * count["alpha"] * min(count["ridge"], DECOMPOSE_FROM)
                work = per_design * designs + per_solve * factors
            cost, most = cost + replace(work, bytes=0.0) * (1 / len(pairs)), max(most, work.bytes)
        return cost + Cost(bytes=most)

    def _failure_cells_cost(self, shape: Mapping[str, int]) -> Cost:
        """Cost of L_inf(k) of some cells."""
        model, item, k = self.spec.model, self.itemsize, self.num_k
        cells = math.prod(shape[name] for name in self.axes)
        stored = Cost(bytes=(k + 2) * item)
        if model.failure == "quadrature":
            return (Cost(evaluations=INTERPOLATION * k, bytes=4 * k * item) + stored) * cells
        m = model.num_instances
        draws = GAMMA + 1 if model.difficulty == "gamma" else 4.0  # τ and the bias
        if model.failure != "instances":
            draws += GAMMA  # of the k draws, or of the noise of proposals and targets
        sampled = Cost(draws=draws * m, evaluations=m * (INSTANCE + FAILURE * k), bytes=2 * m * k * item)
        return (sampled + stored) * cells


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
        return Cost(draws=CELL, bytes=1e4 * item), Cost()
    if method == "simulate_primal":
        return Cost(draws=n * (dim + 2), bytes=2 * square), Cost(
            flops=2 * n * dim**2 + dim**3, bytes=4 * square
        )
    if method == "bartlett":
        return Cost(draws=dim**2 / 2 + GAMMA * dim + CELL, bytes=2 * square), Cost(
            flops=2 * dim**3, bytes=4 * square
        )
    return Cost(draws=dim**2 + CELL, bytes=2 * square), Cost(flops=3 * dim**3, bytes=5 * square)
