"""Figures of evaluation logs: pass@k with its band, the density of success rates, the training axis, the back-test."""

import math
from collections.abc import Sequence

import jax
import numpy as np
from jaxtyping import Float
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from scipy.special import expit

from lidjax.evals.backtest import BacktestForecast, summarise_backtest
from lidjax.evals.forecasts.forecast_curve import ForecastCurve, forecast_curve
from lidjax.evals.rates.draws import draw_densities
from lidjax.evals.rates.quadrature import COARSE_GRID
from lidjax.evals.report import GroupFit
from lidjax.evals.training import SIGNIFICANT, TrainingSeries
from lidjax.figures.fits import draw_saturation
from lidjax.figures.style import (
    COLUMN,
    GUIDE,
    K_LABEL,
    PAGE,
    legends_below,
    new_figure,
    paper_style,
    plain_text,
    readable_ticks,
    series_style,
    set_title,
    shared_legend,
)

Curve = Float[np.ndarray, " g"]

MOST_GROUPS = 8  # drawn in one panel
SIDEWAYS = 0.04  # relative shift of the outermost series of `training_figure`
DRAWS = 200  # posterior draws behind the band of a density
DOTS = 12  # of unbiased values of each group, at most
SMALLEST = 1e-7  # lower end of the axis, where a value is 0


def evaluation_figure(fits: Sequence[GroupFit], *, failure: bool = False) -> Figure:
    """pass@k with its forecast, and the density of success rates, of up to eight groups.

    Of more groups eight are drawn, evenly spaced in their order, and the title says so. A line is the posterior median
    of pass@k of these problems from k = 1 to the largest target of `fit_evals`, at its own, closely spaced k; the band
    is its interval. Points are the unbiased pass@k, as far as every problem has k attempts. Of a single group a second,
    lighter band is the interval of as many new problems of the same kind.

    Args:
        fits: Results of `fit_evals`.
        failure: Whether to draw 1 - pass@k in place of pass@k, in which tails are straight lines.

    Returns:
        A figure with two panels, for `lidjax.save_figure`.

    Example:
        >>> import numpy as np
        >>> import lidjax.evals
        >>> from lidjax.figures import evaluation_figure
        >>> group = lidjax.evals.Group("small", {}, tuple("abcd"), np.full(4, 50), np.array([0, 2, 9, 50]))
        >>> data = lidjax.evals.EvalData((group,), "by hand")
        >>> figure = evaluation_figure(lidjax.evals.fit_evals(data))
        >>> len(figure.axes)
        2
    """
    chosen = np.unique(np.linspace(0, len(fits) - 1, min(MOST_GROUPS, len(fits))).round().astype(int))
    level = f"{100 * fits[0].forecast.level:g} % interval"
    with paper_style():
        figure, (left, right) = new_figure(2, height=2.2)
        entries: list[Artist] = []
        curves = [forecast_curve(fits[index]) for index in chosen.tolist()]
        floor = failure_floor(curves)
        for position, (index, curve) in enumerate(zip(chosen.tolist(), curves, strict=True)):
            fit = fits[index]
            colour, marker = series_style(position)
            draw_curve(left, curve, colour, marker, floor=floor, failure=failure, new=len(chosen) == 1)
            rate, low, middle, high = density_band(fit)
            right.plot(rate, middle, color=colour)
            right.fill_between(rate, low, high, color=colour, alpha=0.2, lw=0)
            name = plain_text(fit.group.name) + ("" if len(curve.known_k) else " (biased: no points)")
            entries.append(Line2D([], [], color=colour, marker=marker, label=name))
        what = "failure rate 1 - pass@$k$" if failure else "success rate pass@$k$"
        left.set(xscale="log", xlabel=K_LABEL, ylabel=what)
        if failure:
            left.set(yscale="log", ylim=(floor, 1.3))
        else:  # linear, so that the width of the intervals is seen
            left.set_ylim(0, min(1.03, 1.1 * max(float(curve.upper.max()) for curve in curves) + 1e-9))
        right.set(xscale="log", xlabel="success rate $p$ of a problem", ylabel=r"density of $\log_{10}p$")
        right.set_ylim(bottom=0)
        if any(len(curve.known_k) for curve in curves):
            entries.append(
                Line2D([], [], ls="", marker="o", color="0.4", label="unbiased, from the attempts made")
            )
        entries.append(Patch(color="0.4", alpha=0.35, lw=0, label=f"{level}: these problems"))
        if len(chosen) == 1:
            entries.append(Patch(color="0.4", alpha=0.12, lw=0, label=f"{level}: as many new problems"))
        shared_legend(figure, entries, columns=2)
        facts = ["posterior median and interval"]
        if len(chosen) < len(fits):
            facts.append(f"{len(chosen)} of {len(fits)} groups, evenly spaced in their order")
        set_title(figure, "1 - pass@k" if failure else "pass@k", facts)
        readable_ticks(figure)
    return figure


def failure_floor(curves: Sequence[ForecastCurve]) -> float:
    """Lower end of the axis of failures: below every median and every point that is above 0."""
    failures = 1 - np.concatenate([part for curve in curves for part in (curve.value, curve.unbiased)])
    shown = failures[failures > SMALLEST]
    return 0.5 * float(shown.min()) if len(shown) else SMALLEST


def draw_curve(
    axes: Axes, curve: ForecastCurve, colour: str, marker: str, *, floor: float, failure: bool, new: bool
) -> None:
    """The line, its band and its points; with `new` also the band of new problems."""

    def shown(value: Curve) -> Curve:
        return np.maximum(1 - value, 0.1 * floor) if failure else value

    if new:
        axes.fill_between(
            curve.k, shown(curve.new_lower), shown(curve.new_upper), color=colour, alpha=0.12, lw=0
        )
    axes.fill_between(curve.k, shown(curve.lower), shown(curve.upper), color=colour, alpha=0.25, lw=0)
    axes.plot(curve.k, shown(curve.value), color=colour)
    last = len(curve.known_k) - 1
    used = np.unique(np.linspace(0, last, DOTS).round().astype(int))[: last + 1]
    axes.plot(curve.known_k[used], shown(curve.unbiased[used]), marker, ms=2.4, color=colour, ls="")


def density_band(fit: GroupFit) -> tuple[Curve, Curve, Curve, Curve]:
    """p from 1e-9 to 0.99, with the interval of the posterior density of log10 p and the median in it.

    The order is p, lower end, median, upper end; the level is that of the forecasts.
    """
    rate = expit(np.asarray(COARSE_GRID.nodes))
    with jax.enable_x64(True):
        density = draw_densities(np.random.default_rng(0), fit.posterior, DRAWS)
    density = density * np.log(10) / (1 - rate)  # dx = d(log p)/(1-p)
    shown = (rate > 1e-9) & (rate < 0.99)
    level = fit.forecast.level
    low, middle, high = np.quantile(density[:, shown], [(1 - level) / 2, 0.5, (1 + level) / 2], axis=0)
    return rate[shown], low, middle, high


def training_figure(series: Sequence[TrainingSeries], column: str) -> Figure:
    """Tail index of the default model against training size, a line for each series, with Eq. 20 where it was fitted.

    Bars are one standard error. Series are shifted sideways by up to 4 %, so that their bars do not hide each other.
    Eq. 20 is drawn as far as the fit stands behind it: dashed and grey where a parameter is not determined, not at all
    where the estimates should not be used or the index falls, which Eq. 20 does not describe.

    Args:
        series: `EvalFits.training(column)`, at least one series.
        column: Name of the column of training size, for the axis.

    Returns:
        A figure with one panel, for `lidjax.figures.save_figure`.

    Example:
        >>> import numpy as np
        >>> import lidjax.evals
        >>> from lidjax.figures import training_figure
        >>> sizes = np.array([1e9, 2e9])
        >>> one = lidjax.evals.TrainingSeries(
        ...     "all", sizes, ("a", "b"), np.array([0.3, 0.4]), np.array([0.1, 0.1]), 0.9, 0.2, None, ""
        ... )
        >>> training_figure([one], "tokens").axes[0].get_xlabel()
        'training size: tokens'
    """
    with paper_style():
        figure, (axes,) = new_figure(1, width=COLUMN + 0.6, height=2.5)
        shifts = 1 + SIDEWAYS * np.linspace(-1, 1, len(series)) if len(series) > 1 else np.ones(1)
        for index, (one, shift) in enumerate(zip(series, shifts, strict=True)):
            colour, marker = series_style(index)
            axes.errorbar(
                one.sizes * shift,
                one.index,
                one.se,
                fmt=f"{marker}-",
                lw=0.8,
                capsize=1.5,
                color=colour,
                label=plain_text(f"{one.series} (± standard error)"),
            )
            if one.saturation is not None and one.p_falls >= SIGNIFICANT:
                draw_saturation(
                    axes,
                    one.sizes,
                    np.array([float(value) for value in one.saturation[:4]]),
                    np.asarray(one.saturation.identifiable),
                    status=int(one.saturation.status),
                    name=f"Eq. 20, {plain_text(one.series)}",
                    ls="-.",
                    lw=0.9,
                    color=colour,
                )
        axes.set(xscale="log", xlabel=plain_text(f"training size: {column}"))
        axes.set(ylabel=r"tail index (default model)", ylim=(0, None))
        legends_below([axes])
        readable_ticks(figure)
    return figure


def backtest_figure(forecasts: Sequence[BacktestForecast]) -> Figure:
    """Forecast against truth, a panel for each method.

    A point is one group and seed, with its interval where the method has one. The titles have the mean absolute error
    and the share of the intervals that hold the truth.

    Args:
        forecasts: The forecasts of `backtest`, at least one.

    Returns:
        A figure with a panel for each method that made a forecast, for `lidjax.save_figure`.

    Example:
        >>> import lidjax.evals
        >>> from lidjax.figures import backtest_figure
        >>> made = lidjax.evals.BacktestForecast("g", 0, 10, 100, "default", 0.5, 0.4, 0.6, truth=0.45)
        >>> backtest_figure([made]).axes[0].get_ylabel()
        'forecast from 10 attempts'
    """
    scores = {score.method: score for score in summarise_backtest(forecasts)}
    methods = [method for method in dict.fromkeys(one.method for one in forecasts) if method in scores]
    columns = 2 if len(methods) == 4 else min(len(methods), 3)
    rows = math.ceil(len(methods) / columns)
    with paper_style():
        figure, panels = new_figure(columns, rows=rows, width=max(COLUMN, PAGE * columns / 3), height=2.3)
        for axes in panels[len(methods) :]:
            axes.remove()
        for index, (axes, method) in enumerate(zip(panels, methods, strict=False)):
            own = [one for one in forecasts if one.method == method and np.isfinite(one.prediction)]
            truth, middle = np.array([one.truth for one in own]), np.array([one.prediction for one in own])
            ends = np.array([[one.lower, one.upper] for one in own]).T
            errors = np.nan_to_num(np.abs(ends - middle))
            colour, marker = series_style(index)
            axes.plot([0, 1], [0, 1], **GUIDE)
            axes.errorbar(truth, middle, errors, fmt=marker, ms=3, lw=0.5, color=colour, alpha=0.7)
            score = scores[method]
            said = f"{method}: error {score.error:.3f}"
            if np.isfinite(score.coverage):
                said += f",\n{100 * score.coverage:.0f} % of intervals hold it"
            axes.set(xlim=(-0.05, 1.05), ylim=(-0.05, 1.05), title=said, aspect="equal")
            axes.set_xlabel(f"pass@{forecasts[0].target:,} of all attempts")
            axes.set_ylabel(f"forecast from {forecasts[0].budget:,} attempts")
    return figure
