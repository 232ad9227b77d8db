"""IsoFLOP curves of L_gen and of L_inf(k), and how the best N and P grow with compute."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lidjax.figures.scaling import settings_of
from lidjax.figures.style import (
    legends_below,
    new_figure,
    number,
    paper_style,
    readable_ticks,
    sequential,
    series_style,
    set_title,
)
from lidjax.figures.width import P_LABEL

COMPUTE_LABEL = "compute $C=6NP$"


def compute_plane_figure(summary: xr.Dataset) -> Figure:
    """IsoFLOP curves of the mean L_gen and of L_inf at the largest k, and P*(C) of every loss.

    In the first two panels a line is one C, and a cross its minimum; L_inf is over its own minimum on each curve. In
    the third bars are 95 % bootstrap intervals, and the legend has the exponents.

    Args:
        summary: Result of `lidjax.summarise` of a sweep of random features over at least five N and P, with no axes
            left but `n`, `width`, `k`, `loss` and `compute`.

    Returns:
        A figure that belongs to no window; `save_figure` writes it.

    References:
        Hoffmann et al., arXiv:2203.15556, approach 2, for the curves; the losses are those of Eq. 8 and 13.

    Example:
        >>> import lidjax
        >>> from lidjax.figures import compute_plane_figure
        >>> sizes = {"n": [4, 8, 16, 32, 64], "width": [4, 8, 16, 32, 64]}
        >>> grid = {**sizes, "dim": 16, "k": [1, 10, 100], "seed": [0, 1]}
        >>> data = lidjax.run_sweep({"random_features": {}, "grid": grid, "fit": {"window": [1, 100]}})
        >>> one = {name: 0 for name in ("beta", "alpha", "dim", "ridge", "sigma_eta", "delta")}
        >>> len(compute_plane_figure(lidjax.summarise(data).isel(one)).axes)
        3
    """
    losses = summary["loss"].values.tolist()
    with paper_style():
        figure, (left, centre, right) = new_figure(3, height=2.1)
        _curves(
            left,
            summary.sel(loss="mean L_gen"),
            r"loss $\mathcal{L}_{\rm gen}$ (units of $y^2$)",
            relative=False,
        )
        label = rf"$\mathcal{{L}}_{{\rm inf}}({number(float(summary['k'].max()))})$ over its minimum"
        _curves(centre, summary.sel(loss=losses[-1]), label, relative=True)
        _optima(right, summary, losses)
        legends_below([left, centre, right], columns=[2, 2, 1])
        set_title(figure, summary.attrs["spec"]["name"], settings_of(summary))
        readable_ticks(figure)
    return figure


def _curves(axes: Axes, one: xr.Dataset, label: str, *, relative: bool) -> None:
    compute = one["compute"].values
    for value, colour in zip(compute.tolist(), sequential(len(compute)), strict=True):
        part = one.sel(compute=value)
        logs = part["isoflop"].values
        known = np.isfinite(logs)
        shift = logs[known].min() if relative and known.any() else 0.0
        width = part["width"].values[known]
        axes.plot(
            width, np.exp(logs[known] - shift), color=colour, label=f"$C={number(float(f'{value:.2g}'))}$"
        )
        best = part["optimal_width"].item()
        if np.isfinite(best):
            height = np.exp(np.interp(np.log(best), np.log(width), logs[known]) - shift)
            axes.plot([best], [height], "x", color=colour)
    axes.set(xscale="log", yscale="log", xlabel=P_LABEL, ylabel=label)


def _optima(axes: Axes, summary: xr.Dataset, losses: list[str]) -> None:
    compute = summary["compute"].values
    for i, loss in enumerate(losses):
        colour, marker = series_style(i)
        part = summary.sel(loss=loss)
        best = part["optimal_width"].values
        ends = np.stack([part["optimal_width_low"].values, part["optimal_width_high"].values])
        error = np.nan_to_num(np.abs(ends - best))
        slope = part["exponent_width"].item()
        axes.errorbar(
            compute * 1.04 ** (i - len(losses) / 2),  # apart, so that the bars do not cover each other
            best,
            yerr=error,
            fmt=marker,
            color=colour,
            lw=0.7,
            label=f"{_in_words(loss)}: $P^*\\propto C^{{{slope:.2f}}}$",
        )
    axes.set(xscale="log", yscale="log", xlabel=COMPUTE_LABEL, ylabel="best number of features $P^*$")


def _in_words(loss: str) -> str:
    return loss.replace("L_gen", r"$\mathcal{L}_{\rm gen}$").replace("L_inf", r"$\mathcal{L}_{\rm inf}$")
