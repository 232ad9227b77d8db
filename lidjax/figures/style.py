"""The style that all figures share: sizes, colours and shapes, legends, ticks, titles; and writing them to files.

Figures are as wide as a column or a page of a two-column paper, so that they are printed without scaling. Legends stand
below their panel, where they cover nothing. Series differ in colour and in the shape of their points: the colours are
those of Okabe and Ito, which people with any kind of colour vision can tell apart.
"""

import math
import re
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from matplotlib.transforms import ScaledTranslation

from lidjax.errors import InputError

Colour = tuple[float, float, float, float]
"""Red, green, blue and opacity, from 0 to 1."""

COLUMN, PAGE = 3.4, 6.9
"""Widths in inches: of one column and of both columns of a paper."""
LEGEND_ROW = 0.145
"""Height of a row of a legend, in inches."""
SHORT_AXIS = 2.0
"""A logarithmic axis of fewer decades has ticks at 1, 2 and 5 times powers of ten."""
TITLE_CHARACTERS_PER_INCH = 17

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9", "#000000")
"""Blue, vermilion, green, orange, purple, sky blue and black of Okabe and Ito (jfly.uni-koeln.de/color, 2008)."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
"""Shape of the points of each series, in the order of PALETTE."""
REFERENCE: dict[str, Any] = {"color": "k", "ls": "--", "lw": 0.9}
"""A law that is drawn beside measurements."""
GUIDE: dict[str, Any] = {"color": "0.45", "ls": ":", "lw": 0.8}
"""A line that marks a value on an axis."""
SPAN: dict[str, Any] = {"color": "0.93", "zorder": 0, "lw": 0}
"""A range of an axis, such as the window of β_eff."""

N_LABEL = "training instances $N$"
K_LABEL = "attempts $k$"
LGEN_LABEL = r"loss $\mathcal{L}_{\rm gen}(N)$ (units of $y^2$)"
FAILURE_LABEL = r"failure rate $\mathcal{L}_{\rm inf}(k;N)$"
EXPONENT_LABEL = r"exponent $\beta_{\rm eff}(N)$"

RC: dict[Any, Any] = {  # matplotlib's own type of the keys depends on its version
    "font.family": "serif",
    "font.serif": ["STIXGeneral", "DejaVu Serif"],
    "mathtext.fontset": "stix",
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "figure.titlesize": 8.5,
    "legend.fontsize": 7,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
    "xtick.major.pad": 5,  # so that the numbers of two axes do not meet in a corner
    "axes.linewidth": 0.6,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.5,
    "legend.frameon": False,
    "legend.handlelength": 1.8,
    "legend.columnspacing": 1.2,
    "legend.labelspacing": 0.3,
    "legend.borderaxespad": 0.2,
    "savefig.dpi": 200,
    "pdf.fonttype": 42,  # TrueType: text in the file can be searched and edited
}


class SeriesStyle(NamedTuple):
    """How one series is told apart from the others."""

    colour: str
    marker: str


def series_style(index: int) -> SeriesStyle:
    """Colour and shape of series number `index` (from 0); beyond the seventh, shapes meet other colours."""
    shift = index // len(PALETTE)
    return SeriesStyle(PALETTE[index % len(PALETTE)], MARKERS[(index + shift) % len(MARKERS)])


@contextmanager
def paper_style() -> Generator[None, None, None]:
    """Use the figures' matplotlib settings inside a `with` block; the session's own come back after it."""
    with mpl.rc_context(RC):
        yield


def new_figure(
    columns: int, *, rows: int = 1, width: float = PAGE, height: float = 1.9
) -> tuple[Figure, list[Axes]]:
    """A figure `width` inches wide, and its panels row by row, with `height` inches for each row.

    It is not made by pyplot, so that no window opens and no notebook draws it twice.
    """
    figure = Figure(figsize=(width, height * rows), layout="constrained")
    return figure, list(np.atleast_1d(figure.subplots(rows, columns)).flat)


def sequential(count: int) -> list[Colour]:
    """`count` colours from dark to light that can be told apart in grey, for series with an order such as N."""
    return [mpl.colormaps["viridis"](x) for x in np.linspace(0.0, 0.85, count)]


def legends_below(
    panels: Sequence[Axes],
    *,
    columns: int | Sequence[int] = 1,
    handles: Mapping[Axes, Sequence[Artist]] | None = None,
) -> None:
    """A legend below each panel of a row, under its axis label; the figure grows by the height of the largest.

    The entries of a panel are its labelled artists, or those in `handles`. `columns` may differ between panels.
    """
    rows = 0
    each = [columns] * len(panels) if isinstance(columns, int) else columns
    for axes, count in zip(panels, each, strict=True):
        entries = list((handles or {}).get(axes) or axes.get_legend_handles_labels()[0])
        if not entries:
            continue
        down = ScaledTranslation(0, -30 / 72, axes.figure.dpi_scale_trans)  # below tick labels and axis label
        axes.legend(
            handles=entries,
            loc="upper center",
            bbox_to_anchor=(0.5, 0),
            bbox_transform=axes.transAxes + down,
            ncols=count,
        )
        rows = max(rows, math.ceil(len(entries) / count))
    root: Any = panels[0].figure.figure  # of a SubFigure: the figure that it is part of
    root.set_figheight(root.get_figheight() + rows * LEGEND_ROW)


def shared_legend(
    figure: Figure, handles: Sequence[Artist], labels: Sequence[str] | None = None, *, columns: int = 3
) -> None:
    """One legend for all panels, below the figure, which grows by its height."""
    labels = [str(handle.get_label()) for handle in handles] if labels is None else labels
    figure.legend(list(handles), list(labels), loc="outside lower center", ncols=columns)
    figure.set_figheight(figure.get_figheight() + math.ceil(len(handles) / columns) * LEGEND_ROW)


def set_title(figure: Figure, name: str, facts: Sequence[str] = ()) -> None:
    """The title of a figure: what it shows, such as the name of a sweep, and what that was made with.

    `name` is plain text, in which $ is a dollar. `facts` may contain mathematics. A long title gets several lines.
    """
    lines = [plain_text(name)]
    for fact in facts:
        joined = f"{lines[-1]}{': ' if len(lines) == 1 and lines[-1] == plain_text(name) else ', '}{fact}"
        if len(shown(joined)) > figure.get_figwidth() * TITLE_CHARACTERS_PER_INCH:
            lines.append(fact)
        else:
            lines[-1] = joined
    figure.suptitle("\n".join(lines))


def shown(text: str) -> str:
    """About as many characters as `text` takes on paper, without the markup of mathematics."""
    return re.sub(r"\\[a-zA-Z]+|[${}^_]|\\", "", text)


def plain_text(text: str) -> str:
    """`text` as it stands, where matplotlib would take what is between two $ for mathematics."""
    return text.replace("$", r"\$")


def number(value: float) -> str:
    """`value` for mathematics in a label: with commas, or as a power of ten where it is large or small."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    exponent = math.floor(math.log10(abs(value)) + 1e-12)
    if -4 < exponent < 6:
        return f"{value:,.0f}".replace(",", "{,}") if abs(value) >= 1000 else f"{value:.4g}"
    lead = value / 10.0**exponent
    power = f"10^{{{exponent}}}"
    return power if abs(lead - 1) < 1e-9 else rf"{lead:.3g}\times {power}"


def readable_ticks(figure: Figure) -> None:
    """Ticks of the logarithmic axes of a figure whose data are all drawn; small ticks have no numbers.

    Short axes have numbers at 1, 2 and 5 times powers of ten, so that there is more than one.
    """
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            if axis.get_scale() != "log":
                continue
            low, high = sorted(axis.get_view_interval())
            if low > 0 and math.log10(high / low) < SHORT_AXIS:
                axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
                axis.set_major_formatter(FuncFormatter(lambda value, _: f"${number(value)}$"))
            axis.set_minor_formatter(NullFormatter())


def save_figure(figure: Figure, folder: str | Path, name: str) -> list[str]:
    """Write `name`.pdf and `name`.png into `folder`, in the style of all figures, and return their paths.

    The files carry no date: the same results give the same bytes.

    Args:
        figure: A matplotlib Figure, such as those of `lidjax.sweep_figures`.
        folder: Where to write. It is created if need be, and files of these names are replaced.
        name: File name without extension.

    Returns:
        The two paths, the PDF first.

    Raises:
        InputError: If the files cannot be written.

    References:
        Defined for this project.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> import lidjax
        >>> from matplotlib.figure import Figure
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     paths = lidjax.save_figure(Figure(), folder, "empty")
        >>> [Path(path).name for path in paths]
        ['empty.pdf', 'empty.png']
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / f"{name}.{kind}" for kind in ("pdf", "png")]
        layout = figure.get_layout_engine()
        with paper_style():
            for path in paths:
                metadata = {"CreationDate": None} if path.suffix == ".pdf" else None
                figure.savefig(path, metadata=metadata)
                figure.set_layout_engine("none")  # the second file has the places of the first: half the time
        figure.set_layout_engine(layout)
    except OSError as error:
        raise InputError(f"{folder}: figures cannot be written: {error.strerror or error}") from None
    return [str(path) for path in paths]
