"""Cells of Zipf draws: the mass that D samples have not seen, and its failure under k further attempts.

`missed_mass` is Σ p_j 1{j unseen} after D draws, and `failure` is Σ p_j (1-p_j)^k 1{j unseen}. Their expectations are
the coverage loss after D and after D + k draws.
"""

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from lidjax.errors import InputError
from lidjax.frontier import first_seen, missed_mass
from lidjax.runs.schema import CellValues, Schema, Variable
from lidjax.sweep.batch import vmap_axes
from lidjax.sweep.compiler import Effort, effort_for
from lidjax.sweep.cost import Cost
from lidjax.sweep.devices import TileSharding, on_mesh, part_lengths
from lidjax.sweep.kinds import Kind, SummaryTable
from lidjax.sweep.spec import Fit, Positive, Run, check_axis, check_name, require

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

AXES = ("exponent", "samples", "seed")


SCHEMA = Schema(
    variables=(
        Variable(
            "missed_mass", "probability of the patterns not drawn", not_finite="the missed mass is not finite"
        ),
        Variable(
            "failure",
            "probability that a pattern is missed by D draws and k more attempts",
            dims=("k",),
            not_finite="the failure probability is not finite although the missed mass is",
        ),
    ),
    labels={
        "exponent": ("a, exponent of the Zipf law", "1"),
        "samples": ("D, draws from the Zipf law", "1"),
        "seed": ("stream of draws", "1"),
        "k": ("k, attempts", "1"),
    },
    former_names={"missed_mass": "lgen"},
)


@dataclass(frozen=True)
class Frontier:
    """Patterns drawn from a Zipf law (`lidjax.frontier`), simulated draw by draw."""

    vocabulary: int = 100_000
    """Number of patterns K; the simulated law is finite, and is compared with the finite one."""

    def __post_init__(self) -> None:
        in_range = 1 <= self.vocabulary <= 10**8
        require(in_range, "frontier.vocabulary", self.vocabulary, "from 1 to 10⁸ patterns")


@dataclass(frozen=True)
class FrontierGrid:
    """Axes of a sweep of Zipf draws; every combination is a cell."""

    samples: tuple[int, ...]
    """Draws D; the smaller numbers of a seed are the first draws of the larger."""
    exponent: Positive = (1.5,)
    """a > 1 of p_k ∝ k^-a."""
    k: Positive = (1.0,)
    """Further attempts k at a missed pattern: expected failure is the missed mass after D + k draws."""
    seed: tuple[int, ...] = (0,)
    """One stream of draws each; exponents share its uniforms."""

    def __post_init__(self) -> None:
        check_axis(self, "samples", lambda x: 1 <= x < 2**31 - 4096, "from 1 to 2³¹-4097")
        check_axis(self, "exponent", lambda x: x > 1, "greater than 1")
        check_axis(self, "k", lambda x: x >= 1, "at least 1")
        check_axis(self, "seed", lambda x: 0 <= x < 2**32, "from 0 to 2³²-1")


@dataclass(frozen=True)
class FrontierSpec:
    """A sweep of draws from Zipf laws. `fit.window` is one of samples D."""

    grid: FrontierGrid
    frontier: Frontier
    name: str = "sweep"
    run: Run = field(default_factory=Run)
    fit: Fit = field(default_factory=Fit)

    def __post_init__(self) -> None:
        check_name(self.name)
        # uniforms of float32 have 23 bits: patterns rarer than 1e-7 would never or far too often be drawn
        require(self.run.dtype == "float64", "run.dtype", self.run.dtype, "'float64' for a [frontier]")


@functools.lru_cache(maxsize=64)
def compiled_tile(
    vocabulary: int, lengths: tuple[tuple[str, int], ...], sharding: TileSharding | None, effort: Effort
) -> Callable[..., jax.Array]:
    """The jitted tile of a shape: every number of samples of its exponents and seeds."""

    def tile(axes: Mapping[str, Any], samples: jax.Array, attempts: jax.Array, root: jax.Array) -> jax.Array:
        def cell(args: Mapping[str, Any]) -> jax.Array:
            # plain sums, not the zeta functions that the results are compared with
            weight = jnp.arange(1, vocabulary + 1, dtype=attempts.dtype) ** -args["exponent"]
            probability = weight / jnp.sum(weight)
            first = first_seen(jax.random.fold_in(root, args["seed"]), probability, jnp.max(samples))
            return missed_mass(first, probability, samples, attempts)

        return vmap_axes(cell, part_lengths(dict(lengths), sharding))(axes)

    return on_mesh(tile, sharding, (None, None, None), tuple(name for name, _ in lengths), effort)


class FrontierSource:
    """The grid of a `FrontierSpec` as tiles. A tile holds every D, because the draws of a seed are nested."""

    schema = SCHEMA
    shardable = ("seed", "exponent")
    halving_order = ("seed", "exponent")

    def __init__(self, spec: FrontierSpec):
        self.spec = spec
        self.dtype = np.dtype(spec.run.dtype)
        self.axes = {name: np.asarray(getattr(spec.grid, name)) for name in AXES}
        self.axes["samples"] = np.sort(self.axes["samples"])
        self.k = np.sort(np.asarray(spec.grid.k, self.dtype))
        self.fixed_tile = {"samples": len(self.axes["samples"])}

    @property
    def dims(self) -> dict[str, np.ndarray]:
        return {"k": self.k}

    def identity(self) -> dict[str, str]:
        return {}

    def coordinates(self) -> dict[str, tuple[str, np.ndarray]]:
        return {}

    def facts(self) -> dict[str, float]:
        return {}

    def warnings(self) -> list[str]:
        return []

    def evaluate(self, coords: Mapping[str, np.ndarray], sharding: TileSharding | None = None) -> CellValues:
        """One tile in one program; k = 0 is the missed mass itself."""
        lengths = tuple((name, len(coords[name])) for name in ("exponent", "seed"))
        axes = {"exponent": coords["exponent"].astype(self.dtype), "seed": coords["seed"].astype(np.uint32)}
        attempts = np.concatenate([np.zeros(1, self.dtype), self.k])
        root = jax.random.key(self.spec.run.root_key, impl="threefry2x32")
        effort = effort_for(self.total_cost())
        program = compiled_tile(self.spec.frontier.vocabulary, lengths, sharding, effort)
        missed = np.asarray(program(axes, coords["samples"].astype(np.int32), attempts, root))
        missed = np.moveaxis(missed, 2, 1)  # (exponent, samples, seed, k)
        return {"missed_mass": missed[..., 0], "failure": missed[..., 1:]}

    def tile_cost(self, shape: Mapping[str, int]) -> Cost:
        streams, sizes, k = shape["exponent"] * shape["seed"], shape["samples"], len(self.k) + 1
        vocabulary, draws = self.spec.frontier.vocabulary, float(self.axes["samples"].max())
        search = 20.0  # a draw's binary search and scatter, in evaluations; heuristic
        return Cost(
            flops=2.0 * sizes * vocabulary * k,
            draws=draws,
            evaluations=search * draws + vocabulary * (k + 2.0),
            bytes=(sizes + k + 4.0) * vocabulary * self.dtype.itemsize,
        ) * float(streams)

    def total_cost(self) -> Cost:
        return self.tile_cost({name: len(values) for name, values in self.axes.items()})


def summarise(
    data: "xr.Dataset", window: tuple[float, float] | None = None, from_n: float | None = None
) -> "xr.Dataset":
    """The drawn missed mass beside the exact law and its asymptote. InputError for `from_n`, which is of Eq. 20."""
    from lidjax.frontier.report import coverage_report

    if from_n is not None:
        raise InputError(
            f"from_n = {from_n:g}: a sweep of Zipf draws has no fit of Eq. 20 that could begin there"
        )

    return coverage_report(data, window=window)


def tables(summary: "xr.Dataset") -> list[SummaryTable]:
    """One table for each exponent: the missed mass by number of draws, drawn, exact and asymptotic."""
    return [_table(summary.isel(exponent=i)) for i in range(summary.sizes["exponent"])]


def overview(summary: "xr.Dataset") -> SummaryTable:
    """A row for each exponent: the missed mass at the largest number of draws, and its slope."""
    records: list[dict[str, Any]] = []
    for table in tables(summary):
        (last,) = [row for row in table.record["rows"] if row["samples"] == int(summary["samples"].max())]
        slopes = {name: table.record[name] for name in ("slope", "limit")}
        records.append(table.record["at"] | last | slopes)
    low, high = summary.attrs["window"]
    rows = [
        (
            f"{row['exponent']:g}",
            f"{row['mean']:.4e} ± {row['standard_error']:.0e}",
            f"{row['exact']:.4e}",
            f"{row['slope']:.4f}",
            f"{row['limit']:.4f}",
        )
        for row in records
    ]
    return SummaryTable(
        title=f"{summary.attrs['spec']['name']}: {len(rows)} exponents at D = {records[0]['samples']:,}; slope for "
        f"D = {low:,g} to {high:,g}",
        columns=("a", "mass not seen (± se)", "exact", "slope", "(a-1)/a, for K = ∞"),
        rows=rows,
        notes=[],
        record={"axes": ["exponent"], "rows": records},
    )


def _table(part: "xr.Dataset") -> SummaryTable:
    record = _record(part)
    low, high = part.attrs["window"]
    rows = [
        (
            f"{row['samples']:,}",
            f"{row['mean']:.4e} ± {row['standard_error']:.0e}",
            f"{row['exact']:.4e}",
            f"{row['asymptote']:.4e}",
        )
        for row in record["rows"]
    ]
    slope = f"  slope for D = {low:,g} to {high:,g}: {record['slope']:.4f}; (a-1)/a = {record['limit']:.4f}, for K = ∞"
    return SummaryTable(
        title=f"{part.attrs['spec']['name']}: exponent a = {record['at']['exponent']:g}",
        columns=("D", "mass not seen (± se)", "exact", "asymptote, K = ∞"),
        rows=rows,
        notes=[slope],
        record=record,
    )


def _record(part: "xr.Dataset") -> dict[str, Any]:
    columns = ("mean", "standard_error", "exact", "asymptote")
    return {
        "at": {"exponent": part["exponent"].item()},
        "rows": [
            {"samples": int(d), **{name: part[name].values[i].item() for name in columns}}
            for i, d in enumerate(part["samples"].values)
        ],
        "slope": part["slope"].item(),
        "limit": part["limit"].item(),
    }


def figures(data: "xr.Dataset", summary: "xr.Dataset") -> "Iterator[tuple[str, Figure]]":
    """The figure of the frontiers."""
    from lidjax.figures import frontier_figure

    yield "frontier", frontier_figure(data, summary)


KIND = Kind(
    name="frontier",
    table="frontier",
    title="draws from Zipf laws",
    spec=FrontierSpec,
    source=FrontierSource,
    schema=SCHEMA,
    summarise=summarise,
    tables=tables,
    overview=overview,
    figures=figures,
    window_axis="",  # a slope that cannot be fitted is left out; the masses stand without it
    along=("samples",),
)
