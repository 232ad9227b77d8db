"""The three-way map: what a larger budget buys most of, and how far the best plan is from Chinchilla's."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from lidjax.figures.allocation import log_edges
from lidjax.figures.style import (
    GUIDE,
    legends_below,
    new_figure,
    number,
    paper_style,
    readable_ticks,
    series_style,
    set_title,
)

if TYPE_CHECKING:
    from lidjax.allocation import ThreeWayMap

BUY_LABELS = {"model": "more width $P$", "data": "more data $N$", "attempts": "more attempts"}
BUY_COLOURS = {"model": "#a1d99b", "data": "#fdae6b", "attempts": "#9ecae1"}
SHARES = ((0.5, "--"), (0.9, "-."))
"""Training shares that have a contour, with the style of its line."""
LINES = 4  # numbers of queries that have a line on the right


def three_way_figure(found: "ThreeWayMap", *, name: str = "") -> Figure:
    """What a larger budget buys most of, over budget and queries, and N/P of the best plan over Chinchilla's.

    Left: the colour is what grows fastest with the budget at a given number of queries. Solid lines are widths P of the
    best plan, dashed ones the share of the budget that is spent on training. Right: instances per feature, N/P, of the
    best plan over that of the plan that spends the same training compute on the least L_gen. Above 1 the model is
    smaller and trained for longer, because every attempt pays for its width.

    Args:
        found: From `lidjax.allocation.three_way_map`.
        name: What is planned, for the title.

    Returns:
        A figure of two panels. `lidjax.save_figure` writes it.

    Example:
        >>> import numpy as np
        >>> from lidjax.allocation import ThreeWayMap
        >>> from lidjax.figures import three_way_figure
        >>> budget, queries = np.array([10.0, 100.0, 1000.0]), np.array([1.0, 100.0])
        >>> grid = np.sqrt(budget)[:, None] / queries[None, :] ** 0.2
        >>> share = np.array([[0.3, 0.2], [0.6, 0.4], [0.95, 0.5]])
        >>> buys = np.array([["model", "data"]] * 3)
        >>> found = ThreeWayMap(
        ...     budget, queries, grid, grid, grid, grid, 1 / grid, share, buys, grid / 2, grid * 2
        ... )
        >>> figure = three_way_figure(found, name="made up")
        >>> [text.get_text() for text in figure.axes[0].get_legend().get_texts()][:2]
        ['more width $P$', 'more data $N$']
    """
    with paper_style():
        figure, (left, right) = new_figure(2, height=2.6)
        entries = _draw_buys(left, found)
        _draw_ratio(right, found)
        first, last = (number(float(found.queries[i])) for i in (0, -1))
        facts = [f"$Q$ from ${first}$ to ${last}$"]
        set_title(figure, name or "width, data and attempts", facts)
        legends_below([left, right], columns=2, handles={left: entries})
        readable_ticks(figure)
    return figure


def _draw_buys(axes: Axes, found: "ThreeWayMap") -> list[Artist]:
    """The left panel; returns the entries of its legend."""
    order = list(BUY_LABELS)
    codes = np.array([[order.index(x) if x in order else -1 for x in row] for row in found.next_buy], float)
    codes = np.ma.masked_less(codes, 0)
    axes.set(xscale="log", yscale="log", xlabel="budget $C$ (unit of cost)", ylabel="queries $Q$")
    axes.set_title("what the next part of the budget buys")
    cmap = ListedColormap([BUY_COLOURS[name] for name in order])
    norm = BoundaryNorm(np.arange(len(order) + 1) - 0.5, cmap.N)
    edges = log_edges(found.budget), log_edges(found.queries)
    axes.pcolormesh(*edges, codes.T, cmap=cmap, norm=norm, shading="flat", rasterized=True)
    entries: list[Artist] = [
        Patch(facecolor=BUY_COLOURS[name], edgecolor="0.4", lw=0.4, label=BUY_LABELS[name])
        for i, name in enumerate(order)
        if (codes == i).any()
    ]
    width = np.ma.masked_invalid(found.width)
    low, high = np.ceil(np.log2(width.min())), np.floor(np.log2(width.max()))
    if high > low:
        levels = 2.0 ** np.arange(low, high + 1)
        drawn = axes.contour(found.budget, found.queries, width.T, levels=levels, colors="k", linewidths=0.6)
        axes.clabel(drawn, fmt=lambda p: f"{p:g}", fontsize=5)
        entries.append(Line2D([], [], color="k", lw=0.6, label="width $P$"))
    share = np.ma.masked_invalid(found.training_share)
    for level, style in SHARES:
        if share.min() < level < share.max():
            axes.contour(
                found.budget,
                found.queries,
                share.T,
                levels=[level],
                colors="0.3",
                linewidths=0.9,
                linestyles=style,
            )
            label = rf"${100 * level:g}$ % of $C$ trains"
            entries.append(Line2D([], [], color="0.3", lw=0.9, ls=style, label=label))
    axes.set(xlim=(found.budget[0], found.budget[-1]), ylim=(found.queries[0], found.queries[-1]))
    return entries


def _draw_ratio(axes: Axes, found: "ThreeWayMap") -> None:
    """The right panel."""
    ratio = found.n / found.width / (found.chinchilla_n / found.chinchilla_width)
    for i, j in enumerate(np.unique(np.linspace(0, len(found.queries) - 1, LINES).astype(int)).tolist()):
        colour, marker = series_style(i)
        label = f"$Q={number(float(found.queries[j]))}$"
        axes.plot(found.budget, ratio[:, j], f"{marker}-", color=colour, lw=0.9, ms=2.5, label=label)
    axes.axhline(1, **GUIDE, label="Chinchilla's $N/P$")
    axes.set(xscale="log", yscale="log", xlabel="budget $C$ (unit of cost)")
    axes.set_ylabel("$N/P$ of the best plan over Chinchilla's")
    axes.set_title("instances per feature")
