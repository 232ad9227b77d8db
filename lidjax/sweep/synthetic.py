"""Cells of the LID model: draw L_gen of one training set, then L_inf(k) given it."""

import functools
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lidjax.generalization import CellMethod, lgen_cell, resolve_method
from lidjax.model import power_law_spectrum, power_law_teacher
from lidjax.passk import draw_failure, instance_failure, log_miss_probability, sample_instances
from lidjax.sweep.source import Cost, TileResult, cell_status, vmap_axes
from lidjax.sweep.spec import Model, SyntheticSpec

AXES = ("beta", "alpha", "dim", "ridge", "sigma_eta", "delta", "n", "seed")


class TrainingSize(NamedTuple):
    """N as a number, and as the two 32-bit words a key is folded with."""

    value: Any
    words: Any


def cell_key(root, dim: int, size: TrainingSize, seed):
    """The key of a training set, from its own values: (dim, N, seed). It does not depend on the other axes,
    so cells that differ only in β, α, ridge, σ_η or δ share their random numbers: differences between them
    are sharper than between independent draws, and one draw of a design serves them all."""
    key = jax.random.fold_in(root, dim)
    key = jax.random.fold_in(jax.random.fold_in(key, size.words[0]), size.words[1])
    return jax.random.fold_in(key, seed)


def synthetic_cell(args, *, dim: int, method: CellMethod, model: Model):
    """L_gen, L_inf(k) and status of one training set; `args` holds scalars and the vector k."""
    design_key, instance_key = jax.random.split(cell_key(args["root"], dim, args["n"], args["seed"]))
    beta, sigma_eta, delta = args["beta"], args["sigma_eta"], args["delta"]
    lgen = lgen_cell(
        design_key,
        args["n"].value,
        eigenvalues=power_law_spectrum(dim, args["alpha"]),
        theta=power_law_teacher(dim, jnp.asarray(model.teacher_decay, beta.dtype)),
        beta=beta,
        sigma_eta=sigma_eta,
        ridge=args["ridge"],
        method=method,
        difficulty=model.difficulty,
    )
    tail = {"beta": beta, "delta": delta, "sigma_eta": sigma_eta, "difficulty": model.difficulty}
    if model.failure == "quadrature":
        from lidjax.passk import pass_at_k_failure

        failure = pass_at_k_failure(args["k"], lgen, **tail)
    elif model.failure == "instances":
        sample = sample_instances(
            instance_key, lgen, beta=beta, num_instances=model.num_instances, difficulty=model.difficulty
        )
        log_miss = log_miss_probability(sample.bias, sample.tau, delta=delta, sigma_eta=sigma_eta)
        failure = instance_failure(args["k"], log_miss=log_miss).failure
    else:
        failure = draw_failure(instance_key, args["k"], lgen, num_instances=model.num_instances, **tail)
    return lgen, failure, cell_status(lgen, failure)


TRACES: Counter[tuple] = Counter()
"""Traces of each tile program; a second one of the same kind is a bug."""


@functools.lru_cache(maxsize=64)
def compiled_tile(dim: int, method: CellMethod, model: Model, lengths: tuple[tuple[str, int], ...]):
    """The jitted tile of a shape. One program for each (dim, method, model, shape) and session: what varies
    over a grid is an argument."""

    def tile(axes, k, root):
        TRACES[dim, method, model, lengths] += 1

        def cell(args):
            return synthetic_cell({**args, "k": k, "root": root}, dim=dim, method=method, model=model)

        return vmap_axes(cell, dict(lengths))(axes)

    return jax.jit(tile)


class SyntheticSource:
    """The grid of a `SyntheticSpec` as tiles."""

    split_order = ("n", "seed", "alpha", "ridge", "beta", "sigma_eta", "delta")

    def __init__(self, spec: SyntheticSpec):
        grid = spec.grid
        self.spec = spec
        self.dtype = np.dtype(spec.run.dtype)
        self.axes = {name: np.asarray(getattr(grid, name)) for name in AXES}
        self.k = np.sort(np.asarray(grid.k, self.dtype))
        self.fixed_tile = {"dim": 1}
        if spec.model.method == "simulate":
            self.fixed_tile["n"] = 1  # a loop over rows under vmap would run to the longest lane

    def provenance(self) -> dict[str, str]:
        return {}

    def coordinates(self) -> dict[str, tuple[str, np.ndarray]]:
        return {}

    def description(self) -> dict[str, float]:
        return {}

    def method_of(self, n: int, dim: int, ridge: float) -> CellMethod:
        """The kernel that serves a cell."""
        return resolve_method(self.spec.model.method, n=n, dim=dim, ridge=ridge)

    def evaluate(self, coords: Mapping[str, np.ndarray]) -> TileResult:
        """One tile. Where its cells need different kernels each runs on the whole tile and the cells are
        picked afterwards; the spec's axes are ordered, so few tiles mix."""
        (dim,) = coords["dim"].tolist()
        ridges, sizes = coords["ridge"].tolist(), coords["n"].tolist()
        wanted = np.array([[self.method_of(n, dim, ridge) for n in sizes] for ridge in ridges])
        picked: TileResult | None = None
        for method in np.unique(wanted).tolist():
            mine = wanted == method
            result = self._run(method, coords, mine)
            select = np.expand_dims(mine, (0, 1, 2, 4, 5, 7))  # (ridge, n) among AXES
            if picked is None:
                picked = result
            else:
                with_k = select[..., None]
                picked = TileResult(
                    np.where(select, result.lgen, picked.lgen),
                    np.where(with_k, result.failure, picked.failure),
                    np.where(select, result.status, picked.status),
                )
        assert picked is not None
        return picked

    def _run(self, method: CellMethod, coords: Mapping[str, np.ndarray], mine: np.ndarray) -> TileResult:
        (dim,) = coords["dim"].tolist()
        sizes = coords["n"]
        # lanes this kernel does not serve get an N that it does: their results are not used
        sizes = np.where(mine.any(axis=0), sizes, sizes[np.argmax(mine.any(axis=0))])
        size = TrainingSize(
            sizes.astype(self.dtype),
            np.stack([sizes >> 32, sizes & 0xFFFFFFFF], axis=1).astype(np.uint32),
        )
        axes: dict[str, Any] = {name: coords[name].astype(self.dtype) for name in AXES if name != "dim"}
        axes |= {"n": size, "seed": coords["seed"].astype(np.uint32)}
        root = jax.random.key(self.spec.run.root_key, impl="threefry2x32")
        lengths = tuple((name, len(coords[name])) for name in AXES if name != "dim")
        result = compiled_tile(dim, method, self.spec.model, lengths)(axes, self.k, root)
        return TileResult(*(np.expand_dims(np.asarray(x), AXES.index("dim")) for x in result))

    def tile_cost(self, shape: Mapping[str, int]) -> Cost:
        return max(
            (self._cells_cost(n, dim, shape) for n in self._extremes("n") for dim in self._extremes("dim")),
            key=lambda cost: cost.flops + 10 * cost.draws + 10 * cost.evaluations,
        )

    def total_cost(self) -> Cost:
        shape = {name: len(values) for name, values in self.axes.items()} | {"n": 1, "dim": 1}
        total = Cost()
        for dim in self.axes["dim"].tolist():
            for n in self.axes["n"].tolist():
                total = total + self._cells_cost(n, dim, shape)
        return total

    def _extremes(self, name: str) -> list[int]:
        values = self.axes[name]
        if name == "dim":
            return [int(values.max())]
        dims = self.axes["dim"]
        inside = values[(values >= dims.min()) | (values < dims.max())]
        return sorted({int(values.min()), int(values.max()), int(inside[len(inside) // 2])})

    def _cells_cost(self, n: int, dim: int, shape: Mapping[str, int]) -> Cost:
        """Cost of `shape` cells at one (N, d): a design is shared by all but (n, seed), a factorisation by
        all but (n, seed, alpha, ridge)."""
        model, item = self.spec.model, self.dtype.itemsize
        count = {name: shape[name] for name in self.axes}
        designs = count["n"] * count["seed"]
        solves = designs * count["alpha"] * count["ridge"]
        noises = solves * count["beta"] * count["sigma_eta"]
        cells = noises * count["delta"]
        method = self.method_of(n, dim, float(self.axes["ridge"].max()))
        per_design, per_solve = _lgen_cost(method, n, dim, item)
        cost = (
            per_design * designs + per_solve * solves + Cost(flops=4 * dim**2, bytes=4 * dim * item) * noises
        )
        k = len(self.k)
        if model.failure == "quadrature":
            cost = cost + Cost(evaluations=QUADRATURE_POINTS * k, bytes=QUADRATURE_POINTS * k * item) * cells
        else:
            m = model.num_instances
            per_k = k if model.failure == "instances" else self.k.max()
            cost = cost + Cost(draws=3 * m, evaluations=m * per_k, bytes=2 * m * k * item) * cells
        return cost + Cost(bytes=(k + 2) * item) * cells


QUADRATURE_POINTS = 4000
"""Integrand evaluations of one L_inf(k), for the estimate of cost only."""


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
