"""Training by SGD: L_gen(t), L_inf(k) after the last step and β_eff(t), with the learning rates as colours."""

import math
from collections.abc import Sequence
from itertools import cycle

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lidjax.errors import InputError
from lidjax.figures.facets import SYMBOLS, cell_title
from lidjax.figures.style import (
    FAILURE_LABEL,
    K_LABEL,
    MARKERS,
    SPAN,
    Colour,
    legends_below,
    new_figure,
    number,
    paper_style,
    readable_ticks,
    sequential,
    set_title,
)

STEPS_LABEL = "steps $t$"
MOST_ROWS = 6
MODEL = ("beta", "alpha", "dim", "sigma_eta", "delta", "batch", "momentum", "decay")
"""Axes whose values are different rows of panels."""


def sgd_figure(summary: xr.Dataset) -> Figure:
    """The figure of training by SGD: a row of three panels for each model, the learning rates as colours.

    Left, the median of L_gen over runs with its 95 % interval, the exact mean dashed, and the noise floor that it tends
    to dotted. In the middle, L_inf(k) after the last step. Right, β_eff(t), with a dotted line at its value for the
    L_gen of the noise floor. Curves end where a run has diverged; the legend says at which learning rates.

    Args:
        summary: Summary of a sweep of SGD (`lidjax.summarise`), with at most six combinations of the axes other than
            the steps and the learning rate.

    Returns:
        A figure that belongs to no window; `save_figure` writes it.

    Raises:
        InputError: If there are more combinations.

    References:
        Eq. 55; the noise floor is that of `sgd_noise_floor`.
    """
    varying = [name for name in MODEL if summary.sizes[name] > 1]
    rows = [
        dict(zip(varying, index, strict=True)) for index in np.ndindex(*(summary.sizes[n] for n in varying))
    ]
    if len(rows) > MOST_ROWS:
        raise InputError(
            f"{len(rows)} models do not fit a figure (at most {MOST_ROWS}): choose values with --at; axes that vary: "
            f"{', '.join(varying)}"
        )
    with paper_style():
        figure, panels = new_figure(3, rows=len(rows))
        for i, where in enumerate(rows):
            part = summary.isel(where)
            axes = panels[3 * i : 3 * i + 3]
            _draw(axes, part.squeeze([name for name in MODEL if name in part.dims]))
            if varying:
                axes[0].set_title(cell_title({name: part[name].item() for name in varying}), loc="left")
            legends_below(axes)
        facts = [
            cell_title({name: summary[name].item()})
            for name in MODEL
            if name not in varying and name in SYMBOLS
        ]
        set_title(figure, summary.attrs["spec"]["name"], facts)
        readable_ticks(figure)
    return figure


def _draw(panels: Sequence[Axes], model: xr.Dataset) -> None:
    rates = np.argsort(model["learning_rate"].values)
    left, centre, right = panels
    for index, colour, marker in zip(rates, sequential(len(rates)), cycle(MARKERS), strict=False):
        part = model.isel(learning_rate=index)
        _draw_loss(left, part, colour, marker)
        _draw_failure(centre, part, colour)
        _draw_exponent(right, part, colour, marker)
    left.plot([], [], "--", color="0.4", lw=0.8, label="exact mean")
    left.plot([], [], ":", color="0.4", lw=0.8, label="noise floor")
    right.axhline(
        model["beta"].item(), color="k", ls="--", lw=0.9, label=rf"$\beta={number(model['beta'].item())}$"
    )
    right.plot([], [], ":", color="0.4", lw=0.8, label=r"$\beta_{\rm eff}$ at the noise floor")
    centre.axvspan(*model.attrs["window"], **SPAN, label=r"window of $\beta_{\rm eff}$")
    left.set(
        xscale="log",
        yscale="log",
        xlabel=STEPS_LABEL,
        ylabel=r"loss $\mathcal{L}_{\rm gen}(t)$ (units of $y^2$)",
    )
    centre.set(xscale="log", yscale="log", xlabel=K_LABEL, ylabel=FAILURE_LABEL.replace("N", "t"))
    right.set(xscale="log", xlabel=STEPS_LABEL, ylabel=r"exponent $\beta_{\rm eff}(t)$", ylim=(0, None))
    finite = model["lgen_median"].values
    finite = finite[np.isfinite(finite)]
    if len(finite):  # exact means that diverge would leave no room for the others
        untrained = model["exact"].values
        top = 3 * max(finite.max(), untrained[np.isfinite(untrained)].min(initial=math.inf))
        left.set_ylim(finite.min() / 3, top if math.isfinite(top) else None)


def _draw_loss(axes: Axes, part: xr.Dataset, colour: Colour, marker: str) -> None:
    t, rate = part["steps"].values, part["learning_rate"].item()
    label = rf"$\eta={number(rate)}$"
    if rate >= part["edge"].item():
        label += ", above the edge" + (": diverged" if part["diverged"].any() else "")
    axes.fill_between(t, part["lgen_low"], part["lgen_high"], color=colour, alpha=0.25, lw=0)
    axes.plot(t, part["lgen_median"], marker=marker, color=colour, label=label)
    exact = part["exact"].values
    axes.plot(t, np.where(np.isfinite(exact), exact, np.nan), "--", color=colour, lw=0.8)
    if math.isfinite(part["floor"].item()):
        axes.axhline(part["floor"].item(), color=colour, ls=":", lw=0.8)


def _draw_failure(axes: Axes, part: xr.Dataset, colour: Colour) -> None:
    curve = part["failure"].isel(steps=-1).values
    if np.isfinite(curve).all():
        t = number(float(part["steps"].values[-1]))
        axes.plot(
            part["k"],
            np.where(curve > 0, curve, np.nan),
            color=colour,
            label=rf"$\eta={number(part['learning_rate'].item())}$, $t={t}$",
        )


def _draw_exponent(axes: Axes, part: xr.Dataset, colour: Colour, marker: str) -> None:
    value = part["beta_eff"].values
    error = np.stack([value - part["beta_eff_low"].values, part["beta_eff_high"].values - value])
    axes.errorbar(
        part["steps"].values,
        value,
        np.maximum(np.nan_to_num(error), 0.0),
        fmt=f"{marker}-",
        color=colour,
        lw=0.8,
        capsize=1.5,
    )
    if math.isfinite(part["cap"].item()):
        axes.axhline(part["cap"].item(), color=colour, ls=":", lw=0.8)
