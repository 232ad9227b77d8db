"""A kind of cell in one module: how often n coins with success rate p all fail, simulated and exact.

It shows everything that adding a kind takes: the tables of its spec, its source, and one `Kind`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from lidjax.runs import CellValues, Schema, Variable
from lidjax.sweep import Cost, Fit, Kind, Run, SummaryTable


@dataclass(frozen=True)
class Coins:
    """The table [coins]."""

    bias: float = 0.0
    """Added to the success rate of every coin."""


@dataclass(frozen=True)
class CoinsGrid:
    n: tuple[int, ...]
    rate: tuple[float, ...] = (0.5,)
    seed: tuple[int, ...] = (0,)


@dataclass(frozen=True)
class CoinsSpec:
    grid: CoinsGrid
    coins: Coins = field(default_factory=Coins)
    name: str = "coins"
    run: Run = field(default_factory=Run)
    fit: Fit = field(default_factory=Fit)


SCHEMA = Schema(
    variables=(Variable("all_failed", "share of 100 groups in which every coin fails"),),
    labels={"n": ("coins in a group", "1"), "rate": ("success rate", "1"), "seed": ("stream of draws", "1")},
)


class CoinsSource:
    """The cells: one random stream for each, from its own values."""

    schema = SCHEMA
    shardable = ()
    halving_order = ("seed", "rate", "n")

    def __init__(self, spec: CoinsSpec):
        self.spec = spec
        self.axes = {name: np.asarray(getattr(spec.grid, name)) for name in ("n", "rate", "seed")}
        self.dims: dict[str, np.ndarray] = {}
        self.fixed_tile: dict[str, int] = {}

    def tile_cost(self, shape: Mapping[str, int]) -> Cost:
        cells = float(np.prod(list(shape.values())))
        return Cost(draws=100 * float(self.axes["n"].max()), bytes=1e4) * cells

    def total_cost(self) -> Cost:
        return self.tile_cost({name: len(values) for name, values in self.axes.items()})

    def warnings(self) -> list[str]:
        return []

    def identity(self) -> dict[str, str]:
        return {"random_streams": "1"}

    def coordinates(self) -> dict[str, tuple[str, np.ndarray]]:
        return {}

    def facts(self) -> dict[str, float]:
        return {}

    def evaluate(self, coords: Mapping[str, np.ndarray], sharding: object = None) -> CellValues:
        found = np.empty([len(coords[name]) for name in ("n", "rate", "seed")])
        for index in np.ndindex(found.shape):
            n, rate, seed = (coords[name][i] for name, i in zip(("n", "rate", "seed"), index, strict=True))
            draws = np.random.default_rng([int(seed), int(n)]).random((100, int(n)))
            found[index] = np.mean(np.all(draws > rate + self.spec.coins.bias, axis=1))
        return {"all_failed": found}


def summarise(
    data: xr.Dataset, window: tuple[float, float] | None = None, from_n: float | None = None
) -> xr.Dataset:
    summary = xr.Dataset({"mean": data["all_failed"].mean("seed")}, attrs=data.attrs)
    summary["exact"] = (1 - data["rate"]) ** data["n"]
    return summary


def tables(summary: xr.Dataset) -> list[SummaryTable]:
    found = []
    for rate in summary["rate"].values.tolist():
        part = summary.sel(rate=rate)
        record = {"rate": rate, "n": part["n"].values.tolist(), "mean": part["mean"].values.tolist()}
        rows = [(str(n), f"{mean:.3f}") for n, mean in zip(record["n"], record["mean"], strict=True)]
        found.append(SummaryTable(f"rate {rate:g}", ("n", "all failed"), rows, [], record))
    return found


def figures(data: xr.Dataset, summary: xr.Dataset) -> Iterator[tuple[str, Figure]]:
    figure = Figure()
    figure.subplots().plot(summary["n"], summary["mean"])
    yield "coins", figure


KIND = Kind(
    name="coins",
    table="coins",
    title="coins",
    spec=CoinsSpec,
    source=CoinsSource,
    schema=SCHEMA,
    summarise=summarise,
    tables=tables,
    figures=figures,
)
