"""What the engine needs to know of a source of cells. Each file or folder of `sources/` has one."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np

from lidjax.runs.schema import CellValues, Schema
from lidjax.sweep.cost import Cost
from lidjax.sweep.devices import TileSharding


class Source(Protocol):
    """A grid of cells, and how a tile of it is computed."""

    axes: dict[str, np.ndarray]
    """The cell axes in storage order: name to values."""
    fixed_tile: dict[str, int]
    """Lengths of a tile that the source requires; the plan chooses the others."""

    @property
    def schema(self) -> Schema:
        """The variables of a cell."""
        ...

    @property
    def dims(self) -> Mapping[str, np.ndarray]:
        """Values of the dimensions that variables have beyond the cell axes, such as k."""
        ...

    @property
    def shardable(self) -> tuple[str, ...]:
        """Axes along which a tile may be divided among devices, the best first; empty for one device only."""
        ...

    @property
    def halving_order(self) -> tuple[str, ...]:
        """Axes to halve when a tile is too large, in this order."""
        ...

    def tile_cost(self, shape: Mapping[str, int]) -> Cost:
        """Cost of the most expensive tile of this shape."""
        ...

    def total_cost(self) -> Cost:
        """Work of the whole grid; `bytes` is not used."""
        ...

    def warnings(self) -> list[str]:
        """What a person should know before running this, a sentence each."""
        ...

    def evaluate(self, coords: Mapping[str, np.ndarray], sharding: TileSharding | None = None) -> CellValues:
        """Compute the tile spanned by `coords` (one ascending array for each axis).

        Returns every variable of the schema over the cell axes, then its own dimensions.
        """
        ...

    def identity(self) -> Mapping[str, str]:
        """What decides the numbers of a cell besides the spec: hashes of input, version of the random streams."""
        ...

    def coordinates(self) -> Mapping[str, tuple[str, np.ndarray]]:
        """Further coordinates of the results: name to the axis they lie along, and values."""
        ...

    def facts(self) -> Mapping[str, float]:
        """Numbers that describe the input and that summaries and figures need beside the results."""
        ...


@runtime_checkable
class PricedSource(Protocol):
    """A source that knows what its tiles really take, beyond the work of their cells. Others need not have this."""

    def run_cost(self, tile: Mapping[str, int]) -> Cost:
        """Work of a run in tiles of this shape: with what is padded, and what a tile computes and discards."""
        ...

    def compile_seconds(self, coords: Mapping[str, np.ndarray]) -> float:
        """Rough time of compiling the programs that cells with these axis values need, where none is cached."""
        ...
