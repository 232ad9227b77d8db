"""A grid of cells cut into tiles: which cells a tile holds, and which tiles still have something to compute."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Tile = dict[str, slice]
"""The cells of one tile: a slice for each axis, in storage order."""


@dataclass(frozen=True)
class TileGrid:
    """The axes of a grid of cells and the tiles it is cut into."""

    lengths: Mapping[str, int]
    """Length of each cell axis, in storage order."""
    tile: Mapping[str, int]
    """Length of a tile along each axis; tiles at the far edge may be shorter."""

    @property
    def num_cells(self) -> int:
        return math.prod(self.lengths.values())

    @property
    def tile_counts(self) -> dict[str, int]:
        return {name: -(-length // self.tile[name]) for name, length in self.lengths.items()}

    @property
    def num_tiles(self) -> int:
        return math.prod(self.tile_counts.values())

    def tile_at(self, index: int) -> Tile:
        """Tile number `index`, counted in storage order."""
        where = np.unravel_index(index, tuple(self.tile_counts.values()))
        return {
            name: slice(i * self.tile[name], min((i + 1) * self.tile[name], self.lengths[name]))
            for name, i in zip(self.lengths, map(int, where), strict=True)
        }

    def tiles(self) -> Iterator[Tile]:
        """Every tile in storage order, made one at a time."""
        return (self.tile_at(index) for index in range(self.num_tiles))

    def any_per_tile(self, cells: np.ndarray) -> np.ndarray:
        """Whether any cell of each tile is marked: booleans over the cell axes to booleans over tile numbers."""
        for axis, (name, length) in enumerate(self.lengths.items()):
            cells = np.logical_or.reduceat(cells, np.arange(0, length, self.tile[name]), axis=axis)
        return cells.ravel()


class TileList:
    """Some tiles of a grid, by number. A tile is made when its turn comes: a grid may have millions."""

    def __init__(self, grid: TileGrid, numbers: np.ndarray[Any, np.dtype[np.intp]]):
        self.grid, self.numbers = grid, numbers

    def __len__(self) -> int:
        return len(self.numbers)

    def __iter__(self) -> Iterator[Tile]:
        return (self.grid.tile_at(int(number)) for number in self.numbers)
