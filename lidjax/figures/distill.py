"""The teacher-student experiment: greedy loss against N, L_inf(k; N), β_eff(N) with Eq. 20."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lidjax.errors import check_choice
from lidjax.figures.fits import draw_saturation
from lidjax.figures.style import (
    EXPONENT_LABEL,
    FAILURE_LABEL,
    K_LABEL,
    SPAN,
    legends_below,
    new_figure,
    number,
    paper_style,
    readable_ticks,
    sequential,
    series_style,
    set_title,
)

TARGET_LABELS = {"truth": "ground truth", "teacher": "teacher's answer", "fresh": "greedy, fresh answers"}
STYLES = {name: series_style(i) for i, name in enumerate(TARGET_LABELS)}
N_LABEL = "teacher answers $N$"
COMPARED = ("truth", "teacher")
"""Targets of the left and the right panel."""


def distill_figure(summary: xr.Dataset, target: str | None = None) -> Figure:
    """The figure of the teacher-student experiment, in three panels over N, k and N.

    Left, the greedy loss, the chance that the greedy answer to a held-out question is wrong; in the middle,
    L_inf(k; N); right, β_eff(N) with the fit of Eq. 20. Bands and bars are 95 % intervals. The fit is drawn dashed
    and grey where a parameter is not determined, and not at all where the estimates should not be used.

    Args:
        summary: Summary made by `lidjax.distill.summarise_distillation`.
        target: Target of the middle panel: truth, teacher or fresh. By default that of the spec.

    Returns:
        A matplotlib Figure; `lidjax.save_figure` writes it.

    Raises:
        InputError: If the summary has no such target.

    References:
        Eqs. 20 and 55.

    Example:
        >>> import numpy as np, xarray as xr
        >>> from lidjax.figures import distill_figure
        >>> n, k, targets = np.array([10.0, 100.0]), np.array([1.0, 10.0]), ["truth", "teacher"]
        >>> axes = ("target", "n")
        >>> values = {f"{name}{end}": (axes, np.ones((2, 2)))
        ...           for name in ("greedy_loss", "beta_eff") for end in ("", "_low", "_high")}
        >>> summary = xr.Dataset(
        ...     {**values, "failure": ((*axes, "k"), np.full((2, 2, 2), 0.5)),
        ...      "saturation": (("target", "parameter"), np.ones((2, 4))),
        ...      "identifiable": (("target", "parameter"), np.ones((2, 4), bool)),
        ...      "fit_status": ("target", [0, 0])},
        ...     coords={"n": n, "k": k, "target": targets, "parameter": ["beta", "delta", "c", "nu"]},
        ...     attrs={"spec": {"name": "made up", "fit": {"target": "truth"}}, "window": [2, 8]})
        >>> len(distill_figure(summary).axes)
        3
    """
    shown = str(summary.attrs["spec"]["fit"]["target"]) if target is None else target
    check_choice("target", shown, summary["target"].values.tolist())
    with paper_style():
        figure, panels = new_figure(3)
        left, centre, right = panels
        for name in COMPARED:
            _draw_greedy_loss(left, summary.sel(target=name))
            _draw_exponents(right, summary.sel(target=name))
        _draw_failure(centre, summary.sel(target=shown))
        left.set(xscale="log", xlabel=N_LABEL, ylabel="greedy loss, held out")
        right.set(xscale="log", xlabel=N_LABEL, ylabel=EXPONENT_LABEL)
        right.set_ylim(bottom=0)
        legends_below(panels, columns=(1, 2, 1))
        set_title(figure, summary.attrs["spec"]["name"], [f"middle panel against the {TARGET_LABELS[shown]}"])
        readable_ticks(figure)
    return figure


def _draw_greedy_loss(axes: Axes, part: xr.Dataset) -> None:
    """The greedy loss of one target with its band."""
    n, target = part["n"].values, part["target"].item()
    colour, marker = STYLES[target]
    axes.fill_between(n, part["greedy_loss_low"], part["greedy_loss_high"], color=colour, alpha=0.2, lw=0)
    axes.plot(n, part["greedy_loss"], marker=marker, color=colour, label=f"{TARGET_LABELS[target]}, 95 %")


def _draw_failure(axes: Axes, part: xr.Dataset) -> None:
    """L_inf(k; N) of one target, a curve for each N, and the window of β_eff."""
    k = part["k"].values
    failure = part["failure"].where(part["failure"] > 0).transpose("n", "k").values
    faded = np.zeros(failure.shape, bool)
    if "low_ess" in part:  # what rests on fewer than 30 questions
        faded = part["low_ess"].transpose("n", "k").values
    for index, colour in enumerate(sequential(part.sizes["n"])):
        label = f"$N={number(float(part['n'].values[index]))}$"
        axes.plot(k, np.where(faded[index], np.nan, failure[index]), color=colour, label=label)
        axes.plot(k, np.where(faded[index], failure[index], np.nan), ":", color=colour, alpha=0.4)
    if faded.any():
        axes.plot([], [], ":", color="0.4", alpha=0.6, label="fewer than 30 questions")
    axes.axvspan(*part.attrs["window"], **SPAN, label=r"window of $\beta_{\rm eff}$")
    axes.set(xscale="log", yscale="log", xlabel=K_LABEL, ylabel=FAILURE_LABEL)


def _draw_exponents(axes: Axes, part: xr.Dataset) -> None:
    """β_eff(N) of one target with its intervals, and the fit of Eq. 20."""
    n, beta_eff, target = part["n"].values, part["beta_eff"].values, part["target"].item()
    ends = np.stack([beta_eff - part["beta_eff_low"].values, part["beta_eff_high"].values - beta_eff])
    ends = np.maximum(ends, 0)  # the estimate may lie outside the interval, and a bar has no negative length
    (colour, marker), label = STYLES[target], TARGET_LABELS[target]
    axes.errorbar(n, beta_eff, ends, fmt=marker, lw=0.8, capsize=1.5, color=colour, label=f"{label}, 95 %")
    draw_saturation(
        axes,
        n,
        part["saturation"].sel(parameter=["beta", "delta", "c", "nu"]).values,
        part["identifiable"].sel(parameter=["beta", "delta", "c", "nu"]).values,
        status=int(part["fit_status"].item()),
        name=f"Eq. 20, {label}",
        color=colour,
        lw=0.9,
    )
