"""What is wrong with the layout of a figure, as a reader sees it: text on text, hidden points, missing labels."""

import itertools
import re
from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure, FigureBase
from matplotlib.legend import Legend
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from lidjax.figures.style import paper_style

SLACK = 1.0  # pixels by which boxes may overlap: the box of a text is a little larger than its ink
UNITS = re.compile(r"\(.*(unit|dimensionless|instances|default model).*\)")
NEED_UNITS = (r"loss $\mathcal{L}_{\rm gen}", "label $y$", "weight $R$", "budget")
"""Quantities with a dimension: their axis says in which unit. Probabilities, exponents and counts have none."""


def layout_problems(figure: Figure) -> list[str]:
    """One sentence for each thing that is wrong; empty for a figure that can be printed."""
    with paper_style():
        FigureCanvasAgg(figure).draw()
    texts = list(drawn_texts(figure))
    return [
        *overlapping(texts),
        *(f"{words(text)!r} leaves the figure" for text, box in texts if leaves(box, figure.bbox)),
        *(problem for axes in figure.axes for problem in legend_problems(axes, figure)),
        *(problem for axes in figure.axes for problem in label_problems(axes, figure)),
    ]


def words(text: Text) -> str:
    return text.get_text().replace("\n", " ")


def drawn_texts(part: FigureBase) -> Iterator[tuple[Text, Bbox]]:
    """Every text that is drawn, with its box in pixels: titles, labels, numbers at ticks, entries of legends."""
    for text in set(_texts(part)):
        if text.get_visible() and text.get_text().strip():
            yield text, text.get_window_extent()


def _texts(part: FigureBase) -> Iterator[Text]:
    yield from part.texts
    yield from (text for text in (part._suptitle, part._supxlabel, part._supylabel) if text is not None)
    yield from (text for legend in part.legends for text in legend.get_texts())
    for subfigure in part.subfigs:
        yield from _texts(subfigure)
    for axes in part.axes:
        yield from axes.texts
        yield from (axes.title, axes._left_title, axes._right_title)
        if isinstance(legend := axes.get_legend(), Legend):
            yield from legend.get_texts()
        if not axes.axison:
            continue
        for axis in (axes.xaxis, axes.yaxis):
            yield from (axis.label, axis.offsetText)
            low, high = sorted(axis.get_view_interval())
            for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]:
                if low <= tick.get_loc() <= high:
                    yield from (tick.label1, tick.label2)


def overlapping(texts: list[tuple[Text, Bbox]]) -> Iterator[str]:
    for (one, first), (other, second) in itertools.combinations(texts, 2):
        common = Bbox.intersection(first, second)
        if common is not None and min(common.width, common.height) > SLACK:
            yield f"{words(one)!r} lies on {words(other)!r}"


def leaves(box: Bbox, page: Bbox) -> bool:
    return bool(np.any(box.min < page.min - SLACK) or np.any(box.max > page.max + SLACK))


def legend_problems(axes: Axes, figure: Figure) -> Iterator[str]:
    """A legend lies outside of all panels, or inside its own where it covers no point."""
    legend = axes.get_legend()
    if legend is None:
        return
    box = legend.get_window_extent()
    if leaves(box, figure.bbox):
        yield "a legend leaves the figure"
    for other in figure.axes:
        common = Bbox.intersection(box, other.get_window_extent())
        if common is None or min(common.width, common.height) <= SLACK:
            continue
        if other is not axes or leaves(box, axes.get_window_extent()):
            yield "a legend lies on the edge of a panel or on another panel"
        for line in axes.get_lines():
            points = line.get_transform().transform(np.column_stack(line.get_data(orig=False)))
            if len(points) and box.count_contains(points):
                yield f"a legend covers points of {line.get_label()!r}"


def label_problems(axes: Axes, figure: Figure) -> Iterator[str]:
    """Both axes have a label in words, with a unit where the quantity has one; a colour bar needs one label.

    A panel may leave a label to another one that has it for the whole column or row: below it, or to its left.
    """
    if not axes.axison:
        return
    others = [other for other in figure.axes if other is not axes and other.axison]
    x = axes.get_xlabel() or next((o.get_xlabel() for o in others if has_column_label(o, axes)), "")
    y = axes.get_ylabel() or next((o.get_ylabel() for o in others if has_row_label(o, axes)), "")
    labels = [max(x, y, key=len)] if hasattr(axes, "_colorbar") else [x, y]
    for label in labels:
        if not re.search(r"[a-zA-Z@]{3,}", re.sub(r"\$[^$]*\$", "", label)):
            yield f"the axis label {label!r} has no words"
        if any(name in label for name in NEED_UNITS) and not UNITS.search(label):
            yield f"the axis label {label!r} has no unit"


def has_column_label(other: Axes, axes: Axes) -> bool:
    """Whether a panel with a label stands below another, in the same column."""
    low, high = other.get_window_extent(), axes.get_window_extent()
    common = min(low.x1, high.x1) - max(low.x0, high.x0)
    return bool(other.get_xlabel()) and low.y1 < high.y0 and common > 0.8 * high.width


def has_row_label(other: Axes, axes: Axes) -> bool:
    """Whether a panel with a label stands to the left of another, in the same row."""
    left, right = other.get_window_extent(), axes.get_window_extent()
    common = min(left.y1, right.y1) - max(left.y0, right.y0)
    return bool(other.get_ylabel()) and left.x1 < right.x0 and common > 0.8 * right.height
