"""The teacher-student experiment: greedy loss against N, L_inf(k; N), β_eff(N) with Eq. 20."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.special import expit

from lidjax.figures.style import new_figure, paper_style, sequential

NAMES = {"truth": "ground truth", "teacher": "teacher's answer", "fresh": "greedy, fresh answers"}
COLOURS = {"truth": "C0", "teacher": "C1", "fresh": "C2"}


def distill_figure(summary: xr.Dataset, target: str | None = None) -> Figure:
    """Draw the three panels from `summarise_distillation`; the middle one for `target` (the spec's)."""
    shown = target or str(summary.attrs["spec"]["fit"]["target"])
    with paper_style():
        figure, (left, centre, right) = new_figure(3)
        for name in ("truth", "teacher"):
            _band(
                left, summary["n"].values, summary.sel(target=name), "greedy_loss", COLOURS[name], NAMES[name]
            )
        left.set(xscale="log", xlabel="teacher answers $N$", ylabel="greedy loss, held out")
        _failures(centre, summary.sel(target=shown))
        for name in ("truth", "teacher"):
            _exponents(right, summary.sel(target=name), COLOURS[name])
        right.set(xscale="log", xlabel="teacher answers $N$", ylabel=r"$\beta_{\rm eff}(N)$")
        right.set_ylim(bottom=0)
        left.legend()
        right.legend(loc="upper left", fontsize=6)
        figure.suptitle(
            f"{summary.attrs['spec']['name']}:  middle panel against the {NAMES[shown]}", fontsize=9
        )
    return figure


def _band(axes: Axes, n: np.ndarray, part: xr.Dataset, name: str, colour: str, label: str) -> None:
    axes.fill_between(n, part[f"{name}_low"], part[f"{name}_high"], color=colour, alpha=0.2, lw=0)
    axes.plot(n, part[name], "o-", ms=3, color=colour, label=label)


def _failures(axes: Axes, part: xr.Dataset) -> None:
    k = part["k"].values
    for index, colour in enumerate(sequential(part.sizes["n"])):
        curve = part["failure"].isel(n=index)
        label = f"$N={int(part['n'][index]):,}$".replace(",", "{,}")
        axes.plot(k, curve.where(curve > 0), color=colour, label=label)
    axes.axvspan(*part.attrs["window"], color="0.93", zorder=0, lw=0)
    axes.set(xscale="log", yscale="log", xlabel="attempts $k$", ylabel=r"$\mathcal{L}_{\rm inf}(k;N)$")
    axes.legend(fontsize=6, loc="lower left")


def _exponents(axes: Axes, part: xr.Dataset, colour: str) -> None:
    n, beta = part["n"].values, part["beta_eff"].values
    ends = np.stack([beta - part["beta_eff_low"].values, part["beta_eff_high"].values - beta])
    label = NAMES[part["target"].item()]
    axes.errorbar(n, beta, np.maximum(ends, 0), fmt="o", ms=3, lw=0.8, capsize=1.5, color=colour, label=label)
    plateau, rise, c, nu = part["saturation"].values
    if np.isfinite(plateau):
        smooth = np.geomspace(n[0], n[-1], 200)
        # c and N^ν may each leave the range of floats: only their product is a number
        curve = plateau - rise * expit(-(np.log(c) + nu * np.log(smooth)))
        known = part["identifiable"].sel(parameter="beta").item()
        fitted = rf"Eq. 20: $\hat\beta={plateau:.2f}$" + ("" if known else " (not determined)")
        axes.plot(smooth, curve, color=colour, lw=0.9, label=fitted)
