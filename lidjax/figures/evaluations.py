"""Figures of evaluation logs: pass@k with its band, the density of success rates, the training axis, the back-test."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from lidjax.evals.backtest import BacktestForecast
from lidjax.evals.curve import pass_at_k_curve, unbiased_curve_points
from lidjax.evals.fit import needs_likelihood
from lidjax.evals.rates.families import bent_logistic_log_density
from lidjax.evals.rates.posterior import draw_parameters
from lidjax.evals.rates.quadrature import COARSE_GRID
from lidjax.evals.report import GroupFit
from lidjax.evals.training import SIGNIFICANT, TrainingSeries
from lidjax.figures.fits import draw_saturation
from lidjax.figures.style import (
    COLUMN,
    legends_below,
    new_figure,
    paper_style,
    plain_text,
    readable_ticks,
    sequential,
    series_style,
)

MOST_GROUPS = 6  # drawn in one panel
SIDEWAYS = 0.04  # relative shift of the outermost series of `training_figure`
DRAWS = 200  # posterior draws behind a band


def evaluation_figure(fits: Sequence[GroupFit]) -> Figure:
    """pass@k with forecasts, and the density of success rates, of up to six groups.

    Of more groups six are drawn, evenly spaced in their order. Dots are the unbiased pass@k within the data, bands the
    forecast of a run of k attempts.

    Args:
        fits: Results of `fit_evals`.

    Returns:
        A figure with two panels, for `lidjax.figures.save`.

    Example:
        >>> import numpy as np
        >>> import lidjax.evals
        >>> from lidjax.figures import evaluation_figure
        >>> group = lidjax.evals.Group("small", {}, tuple("abcd"), np.full(4, 50), np.array([0, 2, 9, 50]))
        >>> data = lidjax.evals.EvalData((group,), "by hand")
        >>> figure = evaluation_figure(lidjax.evals.fit_evals(data, models=False, bootstrap="none"))
        >>> len(figure.axes)
        2
    """
    chosen = np.unique(np.linspace(0, len(fits) - 1, min(MOST_GROUPS, len(fits))).round().astype(int))
    with paper_style():
        figure, (left, right) = new_figure(2, width=6.4, height=2.6)
        for colour, index in zip(sequential(len(chosen)), chosen.tolist(), strict=True):
            fit = fits[index]
            group, forecast = fit.group, fit.forecast
            if not needs_likelihood(fit.findings):
                k = unbiased_curve_points(group.n)
                left.plot(k, pass_at_k_curve(group.n, group.c, k), "o", ms=2, color=colour)
            left.plot(forecast.k, forecast.prediction, color=colour, label=group.name)
            left.fill_between(forecast.k, forecast.lower, forecast.upper, color=colour, alpha=0.2, lw=0)
            rate, low, middle, high = density_band(fit)
            right.plot(rate, middle, color=colour)
            right.fill_between(rate, low, high, color=colour, alpha=0.2, lw=0)
        left.set(xscale="log", yscale="log", xlabel="attempts $k$", ylabel="pass@$k$")
        left.set_ylim(top=1.1)
        left.legend(loc="lower right", fontsize=6)
        right.set(
            xscale="log",
            xlabel="success rate $p$ of a problem",
            ylabel=r"density of $\log_{10}p$",
            ylim=(0, None),
        )
    return figure


Curve = Float[np.ndarray, " g"]


def density_band(fit: GroupFit) -> tuple[Curve, Curve, Curve, Curve]:
    """(p, 5 %, 50 %, 95 %) of the posterior density of log10 p, for p from 1e-9 to 0.99."""
    params = draw_parameters(fit.posterior, DRAWS, np.random.default_rng(0))
    rate = 1 / (1 + np.exp(-np.asarray(COARSE_GRID.nodes)))
    with jax.enable_x64(True):
        log_density = [bent_logistic_log_density(jnp.asarray(draw), COARSE_GRID) for draw in params]
    density = np.exp(np.asarray(log_density)) * np.log(10) / (1 - rate)  # dx = d(log p)/(1-p)
    shown = (rate > 1e-9) & (rate < 0.99)
    low, middle, high = np.quantile(density[:, shown], [0.05, 0.5, 0.95], axis=0)
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
    """Forecast against truth: the default method with its intervals, the published baselines as dots.

    Args:
        forecasts: The forecasts of `backtest`, at least one.

    Returns:
        A figure with one panel, for `lidjax.figures.save`.

    Example:
        >>> import lidjax.evals
        >>> from lidjax.figures import backtest_figure
        >>> made = lidjax.evals.BacktestForecast("g", 0, 10, 100, "default", 0.5, 0.4, 0.6, truth=0.45)
        >>> backtest_figure([made]).axes[0].get_ylabel()
        'forecast from 10 attempts'
    """
    with paper_style():
        figure, (axes,) = new_figure(1, width=3.4, height=3.2)
        for method, colour in (("least-squares", "C1"), ("beta-binomial", "C2"), ("discretised-beta", "C3")):
            own = [forecast for forecast in forecasts if forecast.method == method]
            truth, prediction = [f.truth for f in own], [f.prediction for f in own]
            axes.plot(truth, prediction, ".", ms=3, color=colour, label=method)
        own = [forecast for forecast in forecasts if forecast.method == "default"]
        middle = np.array([f.prediction for f in own])
        ends = np.abs(np.array([[f.lower for f in own], [f.upper for f in own]]) - middle)
        truth = [f.truth for f in own]
        axes.errorbar(truth, middle, ends, fmt="o", ms=3, lw=0.6, color="C0", label="default")
        axes.plot([0, 1], [0, 1], "k:", lw=0.7)
        axes.set(
            xlabel=f"pass@{forecasts[0].target:,} of all attempts",
            ylabel=f"forecast from {forecasts[0].budget:,} attempts",
        )
        axes.legend()
    return figure
