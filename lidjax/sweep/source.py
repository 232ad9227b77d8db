"""What the engine needs to know of a source of cells; `synthetic.py`, `features.py` and `zipf.py` are the three."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from lidjax.status import CellStatus
from lidjax.sweep.devices import Split


class TileResult(NamedTuple):
    """One tile: cell axes in the source's order, then k for `failure`."""

    lgen: np.ndarray
    failure: np.ndarray
    status: np.ndarray


@dataclass(frozen=True)
class Cost:
    """Work and memory. Work is counted in the three things kernels spend their time on."""

    flops: float = 0.0  # matrix products and factorisations
    draws: float = 0.0  # random numbers
    evaluations: float = 0.0  # elementwise transcendentals, chiefly (1-s)^k
    bytes: float = 0.0  # scratch and results held at once

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(*(getattr(self, f) + getattr(other, f) for f in self.__dataclass_fields__))

    def __mul__(self, count: float) -> "Cost":
        return Cost(*(getattr(self, f) * count for f in self.__dataclass_fields__))


class Source(Protocol):
    """Cells behind one engine. `axes` are the cell axes in storage order; k is not one of them."""

    axes: dict[str, np.ndarray]
    k: np.ndarray
    fixed_tile: dict[str, int]
    """Tile lengths that this source does not leave to the plan."""

    @property
    def shardable(self) -> tuple[str, ...]:
        """Axes along which a tile may be cut over devices, the best first; none where it runs on one."""
        ...

    @property
    def split_order(self) -> tuple[str, ...]:
        """Axes to cut first when a tile is too large."""
        ...

    def tile_cost(self, shape: Mapping[str, int]) -> Cost:
        """The dearest tile of this shape."""
        ...

    def total_cost(self) -> Cost:
        """Work of the whole grid; `bytes` is not used."""
        ...

    def warnings(self) -> list[str]:
        """What a person should know before running this, a sentence each."""
        ...

    def evaluate(self, coords: Mapping[str, np.ndarray], split: Split | None = None) -> TileResult:
        """Compute the tile spanned by `coords` (one ascending array an axis), cut over devices by `split`."""
        ...

    def provenance(self) -> dict[str, str]:
        """Hashes of the input, version of the random streams: where it differs a store is not continued."""
        ...

    def coordinates(self) -> dict[str, tuple[str, np.ndarray]]:
        """Further coordinates of the results: name → (axis, values)."""
        ...

    def description(self) -> dict[str, float]:
        """Facts of the input that figures and fits need beside the results."""
        ...


def vmap_axes(
    cell, lengths: Mapping[str, int], carried: tuple[bool, ...] | None = None, loops: tuple[str, ...] = ()
):
    """Nest `vmap` over the named arguments of `cell`, outermost first, so results carry the axes in order.

    What does not depend on an axis is not batched over it: one draw of a design serves every β. Axes of
    length 1 are not mapped at all but put back at the end, so that loops over them keep a scalar bound.
    With `carried`, `cell` takes a second argument, an array that has the axes marked True, in order.
    Axes named in `loops` are run one value after the other: less memory, where a cell fills the device by itself.
    """
    mapped = [name for name, length in lengths.items() if length > 1]
    singles = tuple(axis for axis, length in enumerate(lengths.values()) if length == 1)
    has_axis = dict(zip(lengths, carried, strict=True)) if carried else {}

    def over_grid(axes: Mapping[str, Any], *values):
        args = {
            name: value if name in mapped else jax.tree.map(lambda x: x[0], value)
            for name, value in axes.items()
        }
        own = [name for name, held in has_axis.items() if held]
        values = [x.reshape([lengths[name] for name in own if name in mapped]) for x in values]
        function = cell
        for name in reversed(mapped):
            if name in loops:
                function = _loop(function, name)
                continue
            along = {key: 0 if key == name else None for key in args}
            function = jax.vmap(function, in_axes=(along, *(0 if has_axis[name] else None for _ in values)))
        return jax.tree.map(lambda x: jnp.expand_dims(x, singles), function(args, *values))

    return over_grid


def _loop(function, name: str):
    def looped(args):
        return jax.lax.map(lambda value: function({**args, name: value}), args[name])

    return looped


def cell_status(lgen: np.ndarray, failure: np.ndarray) -> np.ndarray:
    """The code of each cell from its numbers; the last axis of `failure` is k."""
    finite = np.isfinite(failure).all(axis=-1)
    status = np.where(finite, CellStatus.OK, CellStatus.FAILURE_NOT_FINITE)
    return np.where(np.isfinite(lgen), status, CellStatus.LGEN_NOT_FINITE).astype(np.int8)
