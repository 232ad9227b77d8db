"""Several cells in one figure: the panels of a figure of one cell, laid out in rows and columns, or as colours.

`col` and `hue` mean what they mean in xarray's plots: an axis along the columns, and an axis whose values share a panel
as colours. The axes that vary and are neither are laid out in rows.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lidjax.errors import InputError, check_choice
from lidjax.figures.style import (
    PAGE,
    Colour,
    legends_below,
    new_figure,
    number,
    paper_style,
    readable_ticks,
    sequential,
    shared_legend,
)

SYMBOLS = {
    "beta": r"$\beta$",
    "alpha": r"$\alpha$",
    "dim": "$d$",
    "ridge": r"$\rho$",
    "sigma_eta": r"$\sigma_\eta$",
    "delta": r"$\delta$",
    "scale": "$s$",
    "exponent": "$a$",
    "learning_rate": r"$\eta$",
    "batch": "$B$",
    "momentum": r"$\mu$",
    "correlation": r"$\rho_{x\tau}$",
}
"""Symbols of axes in titles; others are called by their names."""
MOST_ROWS = 6
"""Cells that get a row each where nothing else was asked for: as many fit a page."""
MOST_FACETS = 40
"""Facets beyond which a figure is refused: it could not be read."""

DrawCell = Callable[[list[Axes], xr.Dataset], object]
"""Draws one cell on its panels."""
DrawLine = Callable[[list[Axes], xr.Dataset, Colour, str], object]
"""Draws one cell as one of several colours, with a label for the legend."""


def cell_title(values: Mapping[str, float]) -> str:
    """Values of axes as mathematics, such as $β$ = 2.5, $d$ = 32."""
    return ", ".join(f"{SYMBOLS.get(name, name)} = ${number(value)}$" for name, value in values.items())


def facet_figure(
    data: xr.Dataset,
    varying: Sequence[str],
    *,
    panels: int,
    draw: DrawCell,
    draw_line: DrawLine,
    col: str | None = None,
    hue: str | None = None,
) -> Figure:
    """The figure of each cell of `data` in one figure, with shared axes and the values that vary as titles.

    A cell's panels stand side by side, or below each other where `col` is given. Without `col` and `hue` each cell gets
    a row; beyond `MOST_ROWS` cells the axis with the most values is drawn as colours.

    Args:
        data: A summary or results over the axes `varying`, and those that the figure draws along.
        varying: The axes with several values.
        panels: How many panels the figure of one cell has.
        draw: Draws one cell on its panels; used without `hue`.
        draw_line: Draws one cell as one of several colours; used with `hue`.
        col: The axis along the columns.
        hue: The axis whose values are colours.

    Raises:
        InputError: If `col` or `hue` is not one of `varying`, both are the same, or there are too many facets.
    """
    for option, name in (("col", col), ("hue", hue)):
        if name is not None:
            check_choice(f"{option}: the axis", name, varying)
    if col is not None and col == hue:
        raise InputError(f"col and hue are both {col!r}: name two axes")
    sizes = {name: data.sizes[name] for name in varying}
    if col is None and hue is None and np.prod([*sizes.values()]) > MOST_ROWS:
        hue = max(sizes, key=lambda name: sizes[name])
    in_rows = [name for name in varying if name not in (col, hue)]
    rows = [
        dict(zip(in_rows, index, strict=True))
        for index in itertools.product(*(range(sizes[name]) for name in in_rows))
    ]
    columns: list[dict[str, int]] = [{col: i} for i in range(sizes[col])] if col else [{}]
    colours: list[dict[str, int]] = [{hue: i} for i in range(sizes[hue])] if hue else [{}]
    if len(rows) * len(columns) > MOST_FACETS:
        raise InputError(
            f"{len(rows) * len(columns)} facets do not fit a figure (at most {MOST_FACETS}): choose values with --at, "
            f"or lay axes along --col and --hue; axes that vary: {', '.join(f'{n} ({s})' for n, s in sizes.items())}"
        )
    with paper_style():
        # axes of the figure: (row, column, panel)
        down, across = (panels, len(columns)) if col else (1, panels)
        width = min(PAGE, 2.4 * across)
        figure, in_order = new_figure(across, rows=down * len(rows), width=width)
        grid = np.array(in_order, dtype=object).reshape(down * len(rows), across)
        facets: list[list[Axes]] = []
        for i, row in enumerate(rows):
            block = grid[down * i : down * (i + 1)]
            for j, column in enumerate(columns):
                axes: list[Axes] = [*(block[:, j] if col else block[0])]
                for at, colour in zip(colours, sequential(len(colours)), strict=True):
                    part = data.isel({**row, **column, **at})
                    if hue:
                        draw_line(axes, part, colour, cell_title({hue: part[hue].item()}))
                    else:
                        draw(axes, part)
                shown = data.isel({**row, **column})
                title = cell_title({name: shown[name].item() for name in (*row, *column)})
                axes[0].set_title(title, loc="left" if not col else "center")
                facets.append(axes)
        _share(facets)
        for position, axes in enumerate(facets):  # what shared axes say, they say once
            row, column = divmod(position, len(columns))
            for panel in axes:
                if column > 0:
                    panel.set_ylabel("")
                if not col and row < len(rows) - 1:
                    panel.set_xlabel("")
        if hue:
            handles, labels = facets[0][0].get_legend_handles_labels()
            shared_legend(figure, handles, labels, columns=min(len(labels), 4))
        else:
            for of_row in grid:
                legends_below([*of_row], columns=2 if across <= 3 else 1)
        readable_ticks(figure)
    return figure


def _share(facets: Sequence[Sequence[Axes]]) -> None:
    """Give the same panel of every facet the same limits: the widest."""
    for same in zip(*facets, strict=True):
        for limits, set_limits in (("get_xlim", "set_xlim"), ("get_ylim", "set_ylim")):
            ends = np.array([getattr(axes, limits)() for axes in same])
            for axes in same:
                getattr(axes, set_limits)(ends.min(), ends.max())
