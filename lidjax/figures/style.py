"""The style that all figures share, and the function that writes them."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lidjax.errors import InputError

Colour = tuple[float, float, float, float]
"""Red, green, blue and opacity, from 0 to 1."""

RC: dict[Any, Any] = {  # matplotlib's own type of the keys depends on its version
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
    "pdf.fonttype": 42,  # TrueType: text in the file can be searched and edited
}


@contextmanager
def paper_style() -> Generator[None, None, None]:
    """Use the figures' matplotlib settings inside a `with` block; the session's own come back after it."""
    with mpl.rc_context(RC):
        yield


def new_figure(columns: int, *, width: float = 2.5, height: float = 2.3) -> tuple[Figure, list[Axes]]:
    """A figure with a row of panels, `width` by `height` inches each.

    It is not made by pyplot, so that no window opens and no notebook draws it twice.
    """
    figure = Figure(figsize=(width * columns, height), layout="constrained")
    return figure, list(np.atleast_1d(figure.subplots(1, columns)))


def sequential(count: int) -> list[Colour]:
    """`count` colours from dark to light that can be told apart in grey."""
    return [mpl.colormaps["viridis"](x) for x in np.linspace(0.0, 0.85, count)]


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
        with paper_style():
            for path in paths:
                metadata = {"CreationDate": None} if path.suffix == ".pdf" else None
                figure.savefig(path, metadata=metadata)
    except OSError as error:
        raise InputError(f"{folder}: figures cannot be written: {error.strerror or error}") from None
    return [str(path) for path in paths]
