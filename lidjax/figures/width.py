"""L_gen, L_inf and β_eff over the plane of training instances N and random features P."""

import math
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from lidjax.figures.scaling import settings_of
from lidjax.figures.style import (
    N_LABEL,
    legends_below,
    new_figure,
    number,
    paper_style,
    readable_ticks,
    set_title,
)

P_LABEL = "random features $P$"
MOST_LEVELS = 8
"""Lines of equal L_gen, at most."""


def width_figure(summary: xr.Dataset) -> Figure:
    """L_gen, L_inf(k) and β_eff over (N, P), with the frontier of equal L_gen in each panel.

    Colours are medians over seeds; L_inf is that at the largest k of the window of β_eff. Lines of equal L_gen are
    those of the medians, and dashed in the first panel those of the deterministic equivalent of the mean. Dotted lines
    are N = P, N = d and P = d.

    Args:
        summary: Result of `lidjax.summarise` of a sweep of random features, with no axes left but `n`, `width` and `k`.

    Returns:
        A figure that belongs to no window; `save_figure` writes it.

    References:
        The plane of Maloney, Roberts and Sully, arXiv:2210.16859, with Eq. 13 and 55 on it.

    Example:
        >>> import lidjax
        >>> from lidjax.figures import width_figure
        >>> grid = {"n": [4, 16, 64], "width": [4, 16, 64], "dim": 8, "k": [1, 10, 100], "seed": [0, 1]}
        >>> data = lidjax.run_sweep({"random_features": {}, "grid": grid, "fit": {"window": [1, 100]}})
        >>> one = {name: 0 for name in ("beta", "alpha", "dim", "ridge", "sigma_eta", "delta")}
        >>> [axes.get_xlabel() for axes in width_figure(lidjax.summarise(data).isel(one)).axes[:2]]
        ['training instances $N$', 'training instances $N$']
    """
    high = summary.attrs["window"][1]
    at = float(summary["k"].where(summary["k"] <= high).max())
    lgen = summary["lgen_median"].transpose("width", "n")
    panels = (
        (lgen, r"loss $\mathcal{L}_{\rm gen}$ (units of $y^2$)", True),
        (summary["failure"].sel(k=at), rf"failure rate $\mathcal{{L}}_{{\rm inf}}({number(at)})$", True),
        (summary["beta_eff"], r"exponent $\beta_{\rm eff}$", False),
    )
    with paper_style():
        figure, axes = new_figure(3, height=2.2)
        for panel, (values, label, logarithmic) in zip(axes, panels, strict=True):
            _plane(panel, values.transpose("width", "n"), label, logarithmic=logarithmic)
            _frontiers(panel, lgen, "k", "-", "equal median $\\mathcal{L}_{\\rm gen}$")
            _guides(panel, summary)
        _frontiers(
            axes[0],
            summary["lgen_equivalent"].transpose("width", "n"),
            "#D55E00",
            "--",
            "the same, equivalent",
        )
        legends_below(axes, columns=1)
        set_title(figure, summary.attrs["spec"]["name"], settings_of(summary))
        readable_ticks(figure)
    return figure


def _plane(axes: Axes, values: xr.DataArray, label: str, *, logarithmic: bool) -> None:
    found = values.values
    finite = found[np.isfinite(found) & ((found > 0) | (not logarithmic))]
    norm = (
        LogNorm(finite.min(), finite.max())
        if logarithmic and len(finite) and finite.max() > finite.min()
        else None
    )
    n, width = values["n"].values.astype(float), values["width"].values.astype(float)
    drawn = axes.pcolormesh(n, width, found, norm=norm, cmap="viridis", shading="nearest", rasterized=True)
    axes.set(xscale="log", yscale="log", xlabel=N_LABEL, ylabel=P_LABEL)
    bar = axes.figure.colorbar(drawn, ax=axes, location="top", aspect=25, pad=0.02)
    bar.set_label(label)


def _frontiers(axes: Axes, lgen: xr.DataArray, colour: str, style: str, label: str) -> None:
    """Lines of equal L_gen, a factor of √10 apart or more."""
    values = lgen.values
    finite = values[np.isfinite(values) & (values > 0)]
    if min(values.shape) < 2 or not len(finite) or finite.max() <= finite.min():
        return
    low, high = math.log10(finite.min()), math.log10(finite.max())
    step = max(0.5, math.ceil(2 * (high - low) / MOST_LEVELS) / 2)
    levels = 10 ** np.arange(math.ceil(low / step) * step, high, step)
    if not len(levels):
        levels = np.array([10 ** ((low + high) / 2)])
    n, width = lgen["n"].values.astype(float), lgen["width"].values.astype(float)
    axes.contour(n, width, values, levels=levels, colors=colour, linestyles=style, linewidths=0.8)
    axes.plot([], [], style, color=colour, lw=0.8, label=label)


def _guides(axes: Axes, summary: xr.Dataset) -> None:
    n, width = summary["n"].values.astype(float), summary["width"].values.astype(float)
    dim = float(summary["dim"].item())
    guide: dict[str, Any] = {"color": "0.2", "ls": ":", "lw": 0.8}
    low, high = max(n.min(), width.min()), min(n.max(), width.max())
    if low < high:
        axes.plot([low, high], [low, high], label="$N=P$, $N=d$, $P=d$", **guide)
    if n.min() < dim < n.max():
        axes.axvline(dim, **guide)
    if width.min() < dim < width.max():
        axes.axhline(dim, **guide)
