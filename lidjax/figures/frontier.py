"""Effective frontiers: what limits a learner of Zipf patterns, and where compute is best spent."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from lidjax.figures.style import new_figure, paper_style, sequential
from lidjax.fitting import fit_two_tail
from lidjax.frontier import losses
from lidjax.frontier.bottleneck import balance_exponent, compute_optimum
from lidjax.frontier.report import coverage_report
from lidjax.frontier.zipf import zipf_probability

RATE = 1 / 0.73 - 1
"""b for which N ∝ C^0.73 against steps, with κ = 1/a, for which N ∝ C^0.5 against data."""
NAMES = ("capacity $N$", "coverage $D$", "optimisation $t$")
COLOURS = ("C0", "C1", "C2")


class BottleneckCurves(NamedTuple):
    """One bottleneck as functions."""

    loss: Callable[[np.ndarray], np.ndarray]
    """Loss for a resource."""
    asymptote: Callable[[np.ndarray], np.ndarray]
    """Asymptote of the loss for a resource."""
    place: Callable[[Any], Any]
    """The resource with which the first k patterns are learnt."""


def frontier_figure(
    data: xr.Dataset,
    summary: xr.Dataset | None = None,
    *,
    rate_exponent: float = RATE,
    batch: float = 1e4,
) -> Figure:
    """Four panels: simulated coverage against its law; loss against each resource; the (N, D) plane by active
    bottleneck with the compute-optimal path; two bottlenecks added, with the two-tail law fitted.

    `data` are the results of a [frontier] sweep and `summary` their summary; they give the first panel. The others are
    exact losses of an infinite vocabulary at the middle exponent a, with κ = 1/a, b = `rate_exponent`, t = D/`batch`.
    """
    with paper_style(), jax.enable_x64(True):
        figure, (left, second, third, right) = new_figure(4, width=10.8, height=2.6)
        _coverage(left, coverage_report(data) if summary is None else summary)
        a = float(np.sort(data["exponent"].values)[data.sizes["exponent"] // 2])
        _resources(second, a, rate_exponent)
        _plane(third, a, rate_exponent, batch)
        _sum_of_two(right, a, rate_exponent, batch)
        figure.suptitle(
            rf"{data.attrs['spec']['name']};  right three panels: $a={a:g}$, $\kappa=1/a$, $b={rate_exponent:.2g}$, "
            rf"$B=10^{{{np.log10(batch):.3g}}}$",
            fontsize=9,
        )
    return figure


def _coverage(axes: Axes, report: xr.Dataset) -> None:
    order = np.argsort(report["exponent"].values)
    for index, colour in zip(order, sequential(len(order)), strict=True):
        part = report.isel(exponent=index)
        d = part["samples"].values
        error = np.nan_to_num(part["standard_error"].values)
        label = (
            rf"$a={part['exponent'].item():g}$, slope {part['slope'].item():.3f} ({part['limit'].item():.3f})"
        )
        axes.errorbar(d, part["mean"].values, error, fmt="o", color=colour, capsize=1.5, lw=0.8, label=label)
        axes.plot(d, part["exact"].values, color=colour, lw=0.8)
        axes.plot(d, part["asymptote"].values, "--", color=colour, lw=0.7)
    axes.set(xscale="log", yscale="log", xlabel="samples $D$", ylabel="mass not seen", ylim=(None, 2.0))
    axes.set_title("draws (dots), exact, asymptote (dashed)")
    axes.legend(loc="lower left")


def _curves(a: float, b: float) -> tuple[BottleneckCurves, ...]:
    """The curves of each bottleneck."""

    def place(k: float | np.ndarray, power: float) -> float | np.ndarray:
        return 1 / np.asarray(zipf_probability(1.0, a)).item() ** power * k ** (a * power)

    return (
        BottleneckCurves(
            lambda x: np.asarray(losses.capacity_loss(x, a, kappa=1 / a)),
            lambda x: np.asarray(losses.capacity_asymptote(x, a, kappa=1 / a)),
            lambda k: k**a,
        ),
        BottleneckCurves(
            lambda x: np.asarray(losses.coverage_loss(x, a)),
            lambda x: np.asarray(losses.coverage_asymptote(x, a)),
            lambda k: place(k, 1.0),
        ),
        BottleneckCurves(
            lambda x: np.asarray(losses.optimisation_loss(x, a, rate_exponent=b)),
            lambda x: np.asarray(losses.optimisation_asymptote(x, a, rate_exponent=b)),
            lambda k: place(k, b),
        ),
    )


def _resources(axes: Axes, a: float, b: float) -> None:
    x = np.geomspace(1, 1e12, 121)
    slopes = ((a - 1) / a, (a - 1) / a, (a - 1) / (a * b))
    for (loss, law, place), colour, name, slope in zip(_curves(a, b), COLOURS, NAMES, slopes, strict=True):
        axes.plot(x, loss(x), color=colour, label=f"{name}: slope $-{slope:.2f}$")
        axes.plot(x, law(x), "--", color=colour, lw=0.7)
        for exponent in (2, 4, 6):
            at = place(10.0**exponent)
            if at < x[-1]:
                height = loss(np.array([at])).item()
                axes.plot(at, height, "o", color=colour)
                offset = (-13, -8) if colour == COLOURS[0] else (2, 3)
                axes.annotate(
                    rf"$10^{exponent}$",
                    (at, height),
                    offset,
                    textcoords="offset points",
                    fontsize=6.5,
                    color=colour,
                )
    axes.set(xscale="log", yscale="log", xlabel="resource", ylabel="reducible loss", ylim=(1e-6, 300))
    axes.set_title(r"exact, asymptote (dashed), frontier $k_\star$ (dots)")
    axes.legend(loc="upper right")


def _plane(axes: Axes, a: float, b: float, batch: float) -> None:
    n, d = np.geomspace(1, 1e12, 201), np.geomspace(batch, 1e14, 201)
    capacity, coverage, optimisation = (loss for loss, _, _ in _curves(a, b))
    stacked = np.stack(
        np.broadcast_arrays(capacity(n)[None, :], coverage(d)[:, None], optimisation(d / batch)[:, None])
    )
    axes.pcolormesh(
        n,
        d,
        np.argmax(stacked, axis=0),
        cmap=ListedColormap(COLOURS),
        vmin=0,
        vmax=2,
        alpha=0.35,
        lw=0,
        rasterized=True,
    )
    levels = 10.0 ** np.arange(-6, 0)
    axes.contour(n, d, stacked.max(axis=0), levels=levels, colors="0.4", linewidths=0.4)
    compute = np.geomspace(6 * batch * 1e2, 6e24, 61)
    law = {"kappa": 1 / a, "rate_exponent": b, "batch": batch}
    # against the larger of two losses the balance with L_N comes first, that is at the smaller N
    sizes = [
        np.asarray(compute_optimum(compute, a, against=name, **law).parameters) for name in ("steps", "data")
    ]
    best = np.minimum(*sizes)
    axes.plot(best, compute / 6 / best, "k", lw=1.6, label="compute-optimal")
    for size, name in zip(sizes, ("steps", "data"), strict=True):
        mine = np.flatnonzero(size == best)
        if len(mine):
            at = mine[len(mine) // 2]
            slope = balance_exponent(a, kappa=1 / a, rate_exponent=b, against=name).item()
            axes.annotate(
                rf"$N\propto C^{{{slope:.2f}}}$",
                (best[at], compute[at] / 6 / best[at]),
                (-6, 6),
                textcoords="offset points",
                ha="right",
                fontsize=8,
            )
    places = ((1e3, 1e12), (1e10, 1e8), (1e9, batch * 4))
    for name, place, colour in zip(NAMES, places, COLOURS, strict=True):
        axes.text(*place, name, color=colour, fontsize=8, ha="center", fontweight="bold")
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="parameters $N$",
        ylabel="samples $D$",
        xlim=(1, 1e12),
        ylim=(batch, 1e14),
    )
    axes.set_title("active bottleneck, best use of $C=6ND$")


def _sum_of_two(axes: Axes, a: float, b: float, batch: float) -> None:
    d = np.geomspace(30 * batch, 3e4 * batch, 61)
    _, coverage, optimisation = (loss for loss, _, _ in _curves(a, b))
    parts = optimisation(d / batch), coverage(d)
    total = parts[0] + parts[1]
    axes.plot(d, total, "k", label="$L_D+L_t$")
    for part, colour, name in zip(parts, ("C2", "C1"), ("$L_t$", "$L_D$"), strict=True):
        axes.plot(d, part, color=colour, lw=0.9, label=name)
    fit = fit_two_tail(d, total)
    if bool(fit.separated):
        beta, gamma, c1, c2 = (float(x) for x in (fit.beta, fit.gamma, fit.c1, fit.c2))
        axes.plot(
            d[::6],
            (c1 * d**-beta + c2 * d**-gamma)[::6],
            "x",
            color="C3",
            label=rf"two-tail law: {beta:.3f}, {gamma:.3f}",
        )
    axes.plot([], [], " ", label=rf"exact: {(a - 1) / (a * b):.3f}, {(a - 1) / a:.3f}")
    axes.set(xscale="log", yscale="log", xlabel="samples $D$, steps $t=D/B$", ylabel="reducible loss")
    axes.set_title("two bottlenecks that add")
    axes.legend(loc="lower left")
