"""One cell becomes a tile: nested `vmap` over the axes of a grid."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp


def vmap_axes(
    cell: Callable[..., Any],
    lengths: Mapping[str, int],
    carried: tuple[bool, ...] | None = None,
    loops: tuple[str, ...] = (),
) -> Callable[..., Any]:
    """Nest `vmap` over the named arguments of `cell`, outermost first, so that results have the axes in order.

    A value that does not depend on an axis is not batched over it: one draw of a design serves every β. Axes of
    length 1 are not mapped but added at the end, so that loops inside `cell` keep a scalar bound.

    Args:
        cell: Function of a dict of scalars, one for each axis; with `carried`, also of an array.
        lengths: Length of each axis, in order.
        carried: Which of the axes the second argument of `cell` has, in order.
        loops: Axes whose values are computed one after the other: less memory where one cell fills the device.

    Returns:
        Function of a dict of arrays, one for each axis, and of the carried array.
    """
    mapped = [name for name, length in lengths.items() if length > 1]
    singles = tuple(axis for axis, length in enumerate(lengths.values()) if length == 1)
    has_axis = dict(zip(lengths, carried, strict=True)) if carried else {}

    def over_grid(axes: Mapping[str, Any], *values: Any) -> Any:
        args = {
            name: value if name in mapped else jax.tree.map(lambda x: x[0], value)
            for name, value in axes.items()
        }
        own = [name for name, held in has_axis.items() if held]
        arrays = [x.reshape([lengths[name] for name in own if name in mapped]) for x in values]
        function = cell
        for name in reversed(mapped):
            if name in loops:
                function = _loop(function, name)
                continue
            along = {key: 0 if key == name else None for key in args}
            function = jax.vmap(function, in_axes=(along, *(0 if has_axis[name] else None for _ in arrays)))
        return jax.tree.map(lambda x: jnp.expand_dims(x, singles), function(args, *arrays))

    return over_grid


def _loop(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    def looped(args: dict[str, Any]) -> Any:
        return jax.lax.map(lambda value: function({**args, name: value}), args[name])

    return looped
