"""Verifiers that err: failure and its limit, and how the best number of attempts moves with training."""

import jax
import numpy as np
import xarray as xr
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lidjax.errors import InputError
from lidjax.figures.lid_parameters import lid_parameters
from lidjax.figures.style import (
    FAILURE_LABEL,
    K_LABEL,
    N_LABEL,
    legends_below,
    new_figure,
    number,
    paper_style,
    readable_ticks,
    sequential,
    series_style,
    set_title,
)
from lidjax.passk import pass_at_k_failure
from lidjax.verifiers import best_of_k_loss, penalised_attempts

MODEL = ("beta", "alpha", "dim", "ridge", "sigma_eta", "delta")
SIZES_SHOWN = 5
REWARD_VARIANCES = (0.3, 1.0)
"""Variances W of a reward's error in the last panel, in units of σ_η²: both above σ_η²/4, where a finite k is best."""
MOST_ANSWERS = 1e6


def verifiers_figure(summary: xr.Dataset) -> Figure:
    """Four panels: failure over k, its limit over N, and the best k over N of verifiers and of judges.

    The first panel has the last verifier of the grid at up to five N, with the limit k = ∞ dotted. The third has the
    best k where an accepted wrong answer costs `verifier.cost`, with the law a (1-f) β_eff/((a-f) c f) dashed. The
    fourth has the best of k answers by a reward with an error of variance W, for answers of variance σ_η² and the
    sweep's L_gen.

    Args:
        summary: Summary of a sweep with [verifier] (`lidjax.summarise`), with one model and any number of verifiers.

    Returns:
        A figure that belongs to no window; `save_figure` writes it.

    Raises:
        InputError: If the summary has several models.

    References:
        Stroebl, Kapoor and Narayanan, arXiv:2411.17501; Halder and Pehlevan, arXiv:2512.19905.
    """
    varied = [name for name in MODEL if summary.sizes[name] > 1]
    if varied:
        raise InputError(f"several values of {', '.join(varied)}: choose one of each with --at")
    part = summary.isel(dict.fromkeys(MODEL, 0)).sortby("n")
    verifiers = [
        {"sensitivity": i, "false_accept": j}
        for i in range(part.sizes["sensitivity"])
        for j in range(part.sizes["false_accept"])
    ]
    with paper_style(), jax.enable_x64(True):
        figure, (first, second, third, fourth) = new_figure(2, rows=2, height=2.1)
        _failure(first, part.isel(verifiers[-1]))
        for axes, draw in ((second, _limit), (third, _best)):
            for index, where in enumerate(verifiers):
                draw(axes, part.isel(where), index, summary)
            axes.set(xscale="log", yscale="log", xlabel=N_LABEL)
        second.set_ylabel(r"limit of the failure, $k\to\infty$")
        third.set_ylabel(f"best $k$ at cost {number(summary.attrs['spec']['verifier']['cost'])}")
        _judges(fourth, part)
        legends_below([first, second])
        legends_below([third, fourth])
        set_title(figure, summary.attrs["spec"]["name"])
        readable_ticks(figure)
    return figure


def _label(part: xr.Dataset) -> str:
    return f"$a={number(float(part['sensitivity']))}$, $f={number(float(part['false_accept']))}$"


def _failure(axes: Axes, part: xr.Dataset) -> None:
    sizes = np.unique(np.linspace(0, part.sizes["n"] - 1, SIZES_SHOWN).round().astype(int))
    for index, colour in zip(sizes, sequential(len(sizes)), strict=True):
        one = part.isel(n=index)
        axes.plot(one["k"], one["failure"], color=colour, label=f"$N={number(float(one['n']))}$")
        axes.axhline(float(one["limit"]), color=colour, ls=":", lw=0.9)
    axes.plot([], [], color="0.4", ls=":", lw=0.9, label=r"$k\to\infty$")
    axes.set_title(_label(part))
    axes.set(xscale="log", yscale="log", xlabel=K_LABEL, ylabel=FAILURE_LABEL)


def _limit(axes: Axes, part: xr.Dataset, index: int, summary: xr.Dataset) -> None:
    style = series_style(index)
    if float(part["false_accept"]) == 0:  # its limit is 0
        return
    axes.plot(part["n"], part["limit"], ms=3, label=_label(part), color=style.colour, marker=style.marker)


def _best(axes: Axes, part: xr.Dataset, index: int, summary: xr.Dataset) -> None:
    style = series_style(index)
    best = part["best_k"].where(part["best_inside"])
    if not best.notnull().any():
        return
    axes.plot(part["n"], best, ms=3, label=_label(part), color=style.colour, marker=style.marker)
    if float(part["sensitivity"]) <= float(part["false_accept"]):
        return  # the verifier misleads, and the law has no optimum
    axes.plot(part["n"], _law(part, summary), color=style.colour, lw=0.9, ls="--")
    if not any(line.get_label() == "law" for line in axes.get_lines()):
        axes.plot([], [], color="0.4", lw=0.9, ls="--", label="law")


def _law(part: xr.Dataset, summary: xr.Dataset) -> Float[np.ndarray, " n"]:
    """The k at which it is a (1-f) β_eff/((a-f) c f), with β_eff the local exponent of L_inf at k (a-f)/(1-f)."""
    a, f = float(part["sensitivity"]), float(part["false_accept"])
    cost = summary.attrs["spec"]["verifier"]["cost"]
    model = lid_parameters(part, table="verifier")
    k = np.geomspace(1, 1e9, 160)
    log_failure = np.asarray(
        pass_at_k_failure(k[None, :], part["lgen_median"].values[:, None], **model, log=True)
    )
    exponent = -np.gradient(log_failure, np.log(k), axis=1)
    law = np.asarray(penalised_attempts(exponent, sensitivity=a, false_accept=f, cost=cost))
    nearest = np.argmin(np.abs(np.log(law) - np.log(k * (1 - f) / (a - f))[None, :]), axis=1)
    return law[np.arange(len(law)), nearest]


def _judges(axes: Axes, part: xr.Dataset) -> None:
    k = np.unique(np.rint(np.geomspace(1, MOST_ANSWERS, 60)))
    scale = float(part["sigma_eta"])
    variance = np.asarray(REWARD_VARIANCES) * scale**2
    lgen = part["lgen_median"].isel(sensitivity=0, false_accept=0).values
    loss = np.asarray(best_of_k_loss(k, lgen[None, :], scale=scale, reward_variance=variance[:, None]))
    for index, (values, relative) in enumerate(zip(loss, REWARD_VARIANCES, strict=True)):
        best = values.argmin(axis=1)
        inside = values[:, -1] > values.min(axis=1) * (1 + 1e-9)
        style = series_style(index)
        label = rf"$W={number(relative)}\,\sigma_\eta^2$"
        axes.plot(
            part["n"],
            np.where(inside, k[best], np.nan),
            ms=3,
            label=label,
            color=style.colour,
            marker=style.marker,
        )
    axes.set(xscale="log", yscale="log", xlabel=N_LABEL, ylabel="best $k$, reward with an error")
