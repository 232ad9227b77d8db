"""Cells of a sweep: chosen by the values of its axes, counted, and named by what varies between them."""

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lidjax.errors import InputError, check_choice
from lidjax.sweep.kinds import all_kinds

if TYPE_CHECKING:
    import xarray as xr

NOT_MODELS = ("seed", "k", "parameter", "question", "draw", "quantity", "quantile", "at_k", "loss", "compute")
"""Dimensions of results and summaries that are summarised or tabulated, besides `Kind.along`."""
AxisValue = float | str
"""A value of an axis; a string only on an axis of names."""


def model_axes(data: "xr.Dataset") -> list[str]:
    """The axes of results or of a summary whose values are different models, in the order of the spec.

    All but the axes that a table runs along, such as n, and the seed.
    """
    name = data.attrs.get("kind")
    along = next((kind.along for kind in all_kinds() if kind.name == name), ("n",))
    # in the order of the variables' own axes, which a Dataset does not keep
    dims = dict.fromkeys(str(axis) for values in data.data_vars.values() for axis in values.dims)
    dims |= dict.fromkeys(str(axis) for axis in data.dims)
    return [axis for axis in dims if axis not in (*along, *NOT_MODELS)]


def select_cells(data: "xr.Dataset", /, **values: AxisValue | Sequence[AxisValue]) -> "xr.Dataset":
    """Results, or a summary, at chosen values of the axes whose values are different models.

    A value is found if it agrees with one of the axis to a relative 1e-6, so that 1e-9 finds what was computed as
    10 ** -9. xarray's own `sel` asks for equality (or takes the nearest value, however far away), and drops an axis
    instead of keeping it with one value.

    Args:
        data: Results of `run_sweep` or `open_results`, or a summary made by `summarise`.
        **values: A value, or several, for each axis to select from, such as `beta=2.5` or `delta=[2e-4, 5e-4]`; any
            axis but those that tables run along (n, or the samples D) and the seed.

    Returns:
        The results with the chosen values left on these axes, in the order of the arguments.

    Raises:
        InputError: There is no such axis, or the axis does not have the value; the message lists what there is.

    Example:
        >>> import lidjax
        >>> data = lidjax.run_sweep({"frontier": {"vocabulary": 100}, "grid": {"samples": 10, "exponent": [1.5, 2]}})
        >>> lidjax.select_cells(data, exponent=2)["exponent"].values
        array([2.])
    """
    for axis, chosen in values.items():
        wanted = list(chosen) if isinstance(chosen, Sequence) and not isinstance(chosen, str) else [chosen]
        given = f"{axis}={', '.join(map(_text, wanted))}"
        try:
            check_choice("axis", axis, model_axes(data))
        except InputError as error:
            raise InputError(f"{given}: {error}") from None
        places = [
            place for value in wanted for place in [_place(data[axis].values, value)] if place is not None
        ]
        if len(places) < len(wanted):
            there = ", ".join(map(_text, data[axis].values.tolist()))
            raise InputError(f"{given}: the store has {axis} = {there}")
        data = data.isel({axis: list(dict.fromkeys(places))})
    return data


def _place(there: np.ndarray, value: AxisValue) -> int | None:
    """Where a value is on an axis, to rounding."""
    if isinstance(value, str) or there.dtype.kind in "USO":
        near = [i for i, name in enumerate(there.tolist()) if name == value]
    else:
        near = np.flatnonzero(np.isclose(there, value, rtol=1e-6, atol=0))
    return int(near[0]) if len(near) else None


def _text(value: AxisValue) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def varying_axes(data: "xr.Dataset") -> list[str]:
    """The axes of `model_axes` that have several values here."""
    return [axis for axis in model_axes(data) if data.sizes[axis] > 1]


def combinations(data: "xr.Dataset") -> list[dict[str, int]]:
    """Positions along `model_axes`, one for each combination of their values."""
    axes = model_axes(data)
    ranges = itertools.product(*(range(data.sizes[name]) for name in axes))
    return [dict(zip(axes, index, strict=True)) for index in ranges]


def split_cells(data: "xr.Dataset") -> "list[xr.Dataset]":
    """Results, or a summary, one for each combination of the values of the axes whose values are different models.

    Args:
        data: Results of `run_sweep` or `open_results`, or a summary made by `summarise`.

    Returns:
        Datasets in which each of these axes has one value. The last axis changes fastest.

    Example:
        >>> import lidjax
        >>> data = lidjax.run_sweep({"frontier": {"vocabulary": 100}, "grid": {"samples": 10, "exponent": [1.5, 2]}})
        >>> [cell["exponent"].item() for cell in lidjax.split_cells(data)]
        [1.5, 2.0]
    """
    return [data.isel({name: [at] for name, at in where.items()}) for where in combinations(data)]


def varied_in_spec(attrs: Mapping[Any, Any], axes: Sequence[str]) -> list[str]:
    """Those of `axes` of which the sweep has several values, whether they were selected since or not."""
    grid = attrs.get("spec", {}).get("grid", {})
    return [name for name in axes if isinstance(grid.get(name), list | tuple) and len(grid[name]) > 1]


def cell_label(values: Mapping[str, AxisValue]) -> str:
    """Values of axes as a person types them, such as "beta = 2.5, dim = 32"."""
    return ", ".join(f"{name} = {_text(value)}" for name, value in values.items())
