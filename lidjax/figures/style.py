"""One look for every figure, and how they are written."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lidjax.errors import InputError

RC: dict[Any, Any] = {
    "font.family": "serif",
    "font.serif": ["STIXGeneral", "DejaVu Serif"],
    "mathtext.fontset": "stix",
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "legend.fontsize": 7.5,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
    "axes.linewidth": 0.6,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.5,
    "legend.frameon": False,
    "savefig.dpi": 200,
    "pdf.fonttype": 42,  # text stays text
}


@contextmanager
def paper_style() -> Iterator[None]:
    """The figures' matplotlib settings, without touching the session's."""
    with mpl.rc_context(RC):
        yield


def new_figure(columns: int, *, width: float = 2.5, height: float = 2.3) -> tuple[Figure, list[Axes]]:
    """A row of panels; a Figure of its own, so that no window opens and no notebook draws it twice."""
    figure = Figure(figsize=(width * columns, height), layout="constrained")
    return figure, list(np.atleast_1d(figure.subplots(1, columns)))


def sequential(count: int) -> list:
    """`count` colours from dark to light that stay apart in grey."""
    return [mpl.colormaps["viridis"](x) for x in np.linspace(0.0, 0.85, count)]


def save_figure(figure: Figure, folder: str | Path, name: str) -> list[str]:
    """Write a figure as PDF and PNG, in the style of all figures, and return the paths.

    Args:
        figure: A matplotlib Figure, such as those of `lidjax.sweep_figures`.
        folder: Folder to write into; created if need be.
        name: File name without extension.

    Returns:
        The paths of the two files.

    Raises:
        InputError: If the files cannot be written.

    Example:
        >>> import lidjax, tempfile
        >>> from matplotlib.figure import Figure
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     paths = lidjax.save_figure(Figure(), folder, "empty")
        >>> [path[-9:] for path in paths]
        ['empty.pdf', 'empty.png']
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / f"{name}.{kind}" for kind in ("pdf", "png")]
        with paper_style():
            for path in paths:
                # no date in the file: the same results draw the same bytes
                metadata = {"CreationDate": None} if path.suffix == ".pdf" else None
                figure.savefig(path, metadata=metadata)
    except OSError as error:
        raise InputError(f"{folder}: figures cannot be written: {error.strerror or error}") from None
    return [str(path) for path in paths]


save = save_figure
