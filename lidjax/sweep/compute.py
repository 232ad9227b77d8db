"""Computing a tile: padded to the shape of its program, divided among devices, halved if it does not fit in memory."""

import logging
from collections.abc import Mapping

import jax
import numpy as np

from lidjax.errors import InputError
from lidjax.runs.schema import CellValues
from lidjax.sweep.plan import Plan
from lidjax.sweep.source import Source

logger = logging.getLogger(__name__)


class TileComputer:
    """Computes the tiles of a plan. When a tile does not fit in memory it is computed in halves from then on."""

    def __init__(self, source: Source, plan: Plan):
        self.source, self.plan = source, plan
        self.shape = dict(plan.tile)
        self.warned = False

    def __call__(self, tile: Mapping[str, slice]) -> CellValues:
        """Every cell of the tile, in storage order."""
        coords = {name: self.source.axes[name][part] for name, part in tile.items()}
        while True:
            try:
                return self._pieces(coords)
            except (MemoryError, jax.errors.JaxRuntimeError) as error:
                if isinstance(error, jax.errors.JaxRuntimeError) and "RESOURCE_EXHAUSTED" not in str(error):
                    raise
                self._halve(error)

    def _pieces(self, coords: Mapping[str, np.ndarray]) -> CellValues:
        """The tile in pieces of the present shape: one piece, unless an earlier tile did not fit in memory."""
        for axis, (name, values) in enumerate(coords.items()):
            size = self.shape[name]
            if len(values) > size:
                parts = [
                    self._pieces({**coords, name: values[at : at + size]})
                    for at in range(0, len(values), size)
                ]
                return {v: np.concatenate([part[v] for part in parts], axis) for v in parts[0]}
        return self._piece(coords)

    def _piece(self, coords: Mapping[str, np.ndarray]) -> CellValues:
        """One piece, padded by repeating the last values so that every piece runs the same compiled program.

        Values are passed in ascending order along every axis, as sources require.
        """
        sharding = self.plan.sharding
        padded, back = {}, []
        for name, values in coords.items():
            order = np.argsort(values, kind="stable")
            back.append(np.argsort(order, kind="stable"))
            size = self.shape[name]
            if sharding is not None and name == sharding.axis:
                size = sharding.padded(size)
            padded[name] = np.pad(values[order], (0, size - len(values)), mode="edge")
        values = self.source.evaluate(padded, sharding)
        where = np.ix_(*back)
        return {name: array[where] for name, array in values.items()}

    def _halve(self, error: Exception) -> None:
        for name in (*self.source.halving_order, *self.shape):
            if self.shape[name] > 1 and name not in self.source.fixed_tile:
                self.shape[name] = -(-self.shape[name] // 2)
                break
        else:
            words = (str(error).splitlines() or [type(error).__name__])[0][:200]
            raise InputError(
                f"out of memory with a single cell ({words}); make grid.dim, grid.k or the number of instances smaller"
            ) from None
        if not self.warned:
            self.warned = True
            shape = (
                " x ".join(f"{length} {name}" for name, length in self.shape.items() if length > 1)
                or "1 cell"
            )
            logger.warning(
                "out of memory: continuing with tiles of at most %s; a lower run.memory_gib avoids this",
                shape,
            )


def compute_tile(source: Source, plan: Plan, tile: Mapping[str, slice]) -> CellValues:
    """Evaluate one tile of a plan."""
    return TileComputer(source, plan)(tile)
