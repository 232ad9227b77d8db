"""Effective frontiers: what limits a learner of Zipf patterns, and where compute is best spent."""

from collections.abc import Callable
from itertools import cycle
from typing import Any, NamedTuple

import jax
import numpy as np
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from lidjax.figures.fits import FittedValue, draw_fit
from lidjax.figures.style import (
    MARKERS,
    PALETTE,
    legends_below,
    new_figure,
    number,
    paper_style,
    readable_ticks,
    sequential,
    series_style,
    set_title,
)
from lidjax.fitting import fit_two_tail
from lidjax.frontier import losses
from lidjax.frontier.bottleneck import balance_exponent, compute_optimum
from lidjax.frontier.report import coverage_report
from lidjax.frontier.zipf import zipf_probability
from lidjax.laws import two_tail_failure

RATE = 1 / 0.73 - 1
"""b for which N ∝ C^0.73 against steps, with κ = 1/a, for which N ∝ C^0.5 against data."""
NAMES = ("capacity $N$", "coverage $D$", "optimisation $t$")
STYLES = tuple(series_style(i) for i in range(len(NAMES)))
FRONTIERS = (2, 4, 6)
"""Decimal logarithms of the frontiers k* that are marked on the curves."""


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
        figure, panels = new_figure(2, rows=2, height=2.0)
        first, second, third, fourth = panels
        _coverage(first, coverage_report(data) if summary is None else summary)
        a = float(np.sort(data["exponent"].values)[data.sizes["exponent"] // 2])
        _resources(second, a, rate_exponent)
        entries = _plane(third, a, rate_exponent, batch)
        _sum_of_two(fourth, a, rate_exponent, batch)
        legends_below([first, second])
        legends_below([third, fourth], columns=2, handles={third: entries})
        facts = [rf"in all panels but the first $a={number(a)}$", r"$\kappa=1/a$"]
        facts += [rf"$b={rate_exponent:.2g}$", f"$B={number(batch)}$"]
        set_title(figure, data.attrs["spec"]["name"], facts)
        readable_ticks(figure)
    return figure


def _coverage(axes: Axes, report: xr.Dataset) -> None:
    order = np.argsort(report["exponent"].values)
    for index, colour, marker in zip(order, sequential(len(order)), cycle(MARKERS), strict=False):
        part = report.isel(exponent=index)
        d = part["samples"].values
        error = np.nan_to_num(part["standard_error"].values)
        slope, limit = part["slope"].item(), part["limit"].item()
        label = (
            rf"$a={part['exponent'].item():g}$: slope $-{slope:.3f}$, that of the asymptote $-{limit:.3f}$"
        )
        axes.errorbar(
            d, part["mean"].values, error, fmt=marker, color=colour, capsize=1.5, lw=0.8, label=label
        )
        axes.plot(d, part["exact"].values, color=colour, lw=0.8)
        axes.plot(d, part["asymptote"].values, "--", color=colour, lw=0.7)
    axes.plot([], [], color="0.4", lw=0.8, label="exact (points: draws, $\\pm$ standard error)")
    axes.plot([], [], "--", color="0.4", lw=0.7, label="asymptote of an infinite vocabulary")
    axes.set(xscale="log", yscale="log", xlabel="samples $D$", ylabel="probability mass not seen")
    axes.set(ylim=(None, 2.0), title="coverage of a Zipf law")


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
    with np.errstate(divide="ignore"):
        rates = [-np.log(law(x[-1:]) / law(x[-1:] / 10)).item() / np.log(10) for _, law, _ in _curves(a, b)]
    for (loss, law, place), style, name, rate in zip(_curves(a, b), STYLES, NAMES, rates, strict=True):
        axes.plot(x, loss(x), color=style.colour)
        axes.plot(x, law(x), "--", color=style.colour, lw=0.7)
        at = np.array([place(10.0**exponent) for exponent in FRONTIERS])
        axes.plot(at, loss(at), style.marker, color=style.colour)
        axes.plot([], [], f"{style.marker}-", color=style.colour, label=f"{name}: slope $-{rate:.2f}$")
    axes.plot([], [], "--", color="0.4", lw=0.7, label="asymptotes")
    marks = ", ".join(f"$10^{exponent}$" for exponent in FRONTIERS)
    axes.plot([], [], "o", color="0.4", label=rf"frontier $k_\star$ = {marks}")
    axes.set(xscale="log", yscale="log", xlabel="amount of a resource", ylabel="reducible loss")
    axes.set(xlim=(0.5, 2e12), ylim=(1e-6, 3), title="loss against each resource")


def _plane(axes: Axes, a: float, b: float, batch: float) -> list[Artist]:
    """Draw the plane of parameters and samples; returns the entries of its legend."""
    n, d = np.geomspace(1, 1e12, 201), np.geomspace(batch, 1e14, 201)
    capacity, coverage, optimisation = (loss for loss, _, _ in _curves(a, b))
    stacked = np.stack(
        np.broadcast_arrays(capacity(n)[None, :], coverage(d)[:, None], optimisation(d / batch)[:, None])
    )
    axes.pcolormesh(
        n,
        d,
        np.argmax(stacked, axis=0),
        cmap=ListedColormap([style.colour for style in STYLES]),
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
    powers = [
        balance_exponent(a, kappa=1 / a, rate_exponent=b, against=name).item()
        for size, name in zip(sizes, ("steps", "data"), strict=True)
        if (size == best).any()
    ]
    path = ", then ".join(rf"$N\propto C^{{{power:.2f}}}$" for power in powers)
    axes.plot(best, compute / 6 / best, "k", lw=1.6, label=f"best use of $C=6ND$:\n{path}")
    present = np.unique(np.argmax(stacked, axis=0))
    regions = [Patch(color=STYLES[i].colour, alpha=0.35, lw=0, label=f"short of {NAMES[i]}") for i in present]
    equal = Line2D([], [], color="0.4", lw=0.4, label="equal loss, by tens")
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="parameters $N$",
        ylabel="samples $D$",
        xlim=(1, 1e12),
        ylim=(batch, 1e14),
        title="active bottleneck",
    )
    return [*axes.get_lines(), *regions, equal]


def _sum_of_two(axes: Axes, a: float, b: float, batch: float) -> None:
    d = np.geomspace(30 * batch, 3e4 * batch, 61)
    _, coverage, optimisation = (loss for loss, _, _ in _curves(a, b))
    parts = optimisation(d / batch), coverage(d)
    total = parts[0] + parts[1]
    axes.plot(d, total, "k", label="$L_D+L_t$")
    for part, index, name in zip(parts, (2, 1), ("$L_t$", "$L_D$"), strict=True):
        axes.plot(d, part, color=STYLES[index].colour, lw=0.9, label=name)
    fit = fit_two_tail(d, total)
    curve = np.asarray(two_tail_failure(d[::6], fit.beta, fit.gamma, fit.c1, fit.c2))
    values = [
        FittedValue(symbol, float(value), True)
        for symbol, value in ((r"\hat\beta", fit.beta), (r"\hat\gamma", fit.gamma))
    ]
    draw_fit(
        axes,
        d[::6],
        curve,
        status=int(fit.status),
        name="two-tail law",
        values=values,
        color=PALETTE[4],
        marker="x",
        ls="",
    )
    exact = "$, $".join(f"{power:.2f}" for power in ((a - 1) / (a * b), (a - 1) / a))
    axes.plot([], [], " ", label=f"exponents of the asymptotes: ${exact}$")
    axes.set(xscale="log", yscale="log", xlabel="samples $D$, in steps of $B$", ylabel="reducible loss")
    axes.set_title("two bottlenecks that add")
