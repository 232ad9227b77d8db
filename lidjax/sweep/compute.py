"""One tile from its coordinates: padded to the shape of its program, cut over devices, halved where memory ends."""

from collections.abc import Callable, Mapping

import jax
import numpy as np

from lidjax.errors import InputError
from lidjax.sweep.plan import Plan
from lidjax.sweep.source import Source, TileResult


class TileComputer:
    """Computes the tiles of a plan. After an out-of-memory it goes on in halves of the tile."""

    def __init__(self, source: Source, plan: Plan, say: Callable[[str], None] = lambda text: None):
        self.source, self.plan, self.say = source, plan, say
        self.shape = dict(plan.tile)
        self.told = False

    def __call__(self, tile: Mapping[str, slice]) -> TileResult:
        """Every cell of the tile, in storage order."""
        coords = {name: self.source.axes[name][part] for name, part in tile.items()}
        while True:
            try:
                return self._pieces(coords)
            except (MemoryError, jax.errors.JaxRuntimeError) as error:
                if isinstance(error, jax.errors.JaxRuntimeError) and "RESOURCE_EXHAUSTED" not in str(error):
                    raise
                self._halve(error)

    def _pieces(self, coords: Mapping[str, np.ndarray]) -> TileResult:
        """The tile in pieces of the working shape: one piece, unless memory ended."""
        for axis, (name, values) in enumerate(coords.items()):
            size = self.shape[name]
            if len(values) > size:
                parts = [
                    self._pieces({**coords, name: values[at : at + size]})
                    for at in range(0, len(values), size)
                ]
                return TileResult(*(np.concatenate(arrays, axis) for arrays in zip(*parts, strict=True)))
        return self._piece(coords)

    def _piece(self, coords: Mapping[str, np.ndarray]) -> TileResult:
        """Padded to full size by repeating the last values, so that every piece runs the same compiled program;
        ascending along every axis, as sources may want."""
        split = self.plan.split
        padded, back = {}, []
        for name, values in coords.items():
            order = np.argsort(values, kind="stable")
            back.append(np.argsort(order, kind="stable"))
            size = self.shape[name]
            if split is not None and name == split.axis:
                size = split.padded(size)
            padded[name] = np.pad(values[order], (0, size - len(values)), mode="edge")
        result = self.source.evaluate(padded) if split is None else self.source.evaluate(padded, split)
        where = np.ix_(*back)
        return TileResult(result.lgen[where], result.failure[where], result.status[where])

    def _halve(self, error: Exception) -> None:
        for name in (*self.source.split_order, *self.shape):
            if self.shape[name] > 1 and name not in self.source.fixed_tile:
                self.shape[name] = -(-self.shape[name] // 2)
                break
        else:
            words = (str(error).splitlines() or [type(error).__name__])[0][:200]
            raise InputError(
                f"out of memory with a single cell ({words}); make grid.dim, grid.k or the number of instances smaller"
            ) from None
        if not self.told:
            self.told = True
            shape = (
                " x ".join(f"{length} {name}" for name, length in self.shape.items() if length > 1)
                or "1 cell"
            )
            self.say(
                f"out of memory: going on with tiles of at most {shape}; a lower run.memory_gib avoids this"
            )


def compute_tile(source: Source, plan: Plan, tile: Mapping[str, slice]) -> TileResult:
    """Evaluate one tile of a plan."""
    return TileComputer(source, plan)(tile)
