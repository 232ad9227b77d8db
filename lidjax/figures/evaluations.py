"""Figures of evaluation logs: pass@k with its band, the density of success rates, β_eff against training, the
back-test."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from scipy.special import expit

from lidjax.evals.backtest import Row
from lidjax.evals.baselines import curve_points, pass_curve
from lidjax.evals.rates.families import bent_logistic_log_density
from lidjax.evals.rates.population import resample
from lidjax.evals.rates.quadrature import COARSE
from lidjax.evals.report import GroupReport
from lidjax.evals.training import Training
from lidjax.figures.style import new_figure, paper_style, sequential
from lidjax.fitting.status import FitStatus

MOST_GROUPS = 6
DRAWS = 200


def evaluation_figure(reports: Sequence[GroupReport]) -> Figure:
    """pass@k (dots: unbiased, where the data reach; band: forecast of a run) and the density of log10 p, up to six
    groups."""
    chosen = np.unique(np.linspace(0, len(reports) - 1, min(MOST_GROUPS, len(reports))).round().astype(int))
    with paper_style():
        figure, (left, right) = new_figure(2, width=3.2, height=2.6)
        for colour, index in zip(sequential(len(chosen)), chosen, strict=True):
            report = reports[index]
            group, forecast = report.group, report.forecast
            if not any(finding.likelihood_only for finding in report.findings):
                k = curve_points(group.n)
                left.plot(k, pass_curve(group.n, group.c, k), "o", ms=2, color=colour)
            left.plot(forecast.k, forecast.prediction, color=colour, label=group.name)
            left.fill_between(forecast.k, forecast.lower, forecast.upper, color=colour, alpha=0.2, lw=0)
            rate, low, middle, high = density_band(report)
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


def density_band(report: GroupReport) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(p, 5 %, 50 %, 95 %) of the posterior density of log10 p, for p from 1e-9 to 1."""
    params = resample(report.posterior, DRAWS, np.random.default_rng(0))
    x = np.asarray(COARSE.nodes)
    rate = 1 / (1 + np.exp(-x))
    density = np.array(
        [np.exp(np.asarray(bent_logistic_log_density(jnp.asarray(row), COARSE))) for row in params]
    )
    density = density * np.log(10) / (1 - rate)  # dx = d(log p)/(1-p)
    shown = (rate > 1e-9) & (rate < 0.99)
    low, middle, high = np.quantile(density[:, shown], [0.05, 0.5, 0.95], axis=0)
    return rate[shown], low, middle, high


def training_figure(series: Sequence[Training], column: str) -> Figure:
    """Tail index of the default model against training size, one line a series, with Eq. 20 where it was fitted."""
    with paper_style():
        figure, (axes,) = new_figure(1, width=4.0, height=3.0)
        for colour, line in zip(sequential(len(series)), series, strict=True):
            axes.errorbar(
                line.sizes,
                line.index,
                line.se,
                fmt="o-",
                ms=3,
                lw=0.8,
                capsize=1.5,
                color=colour,
                label=line.series,
            )
            fit = line.saturation
            if fit is not None and int(fit.status) <= FitStatus.NOT_IDENTIFIABLE:
                smooth = np.geomspace(line.sizes[0], line.sizes[-1], 100)
                # c can be e^-200 and N^ν its inverse: only their product is a number
                grown = np.log(float(fit.c)) + float(fit.nu) * np.log(smooth)
                curve = float(fit.beta) - float(fit.delta) * expit(-grown)
                axes.plot(smooth, curve, "--", lw=0.7, color=colour)
        axes.set(xscale="log", xlabel=column, ylabel=r"$\beta_{\rm eff}$ (default model)", ylim=(0, None))
        axes.legend(fontsize=6)
    return figure


def backtest_figure(rows: Sequence[Row]) -> Figure:
    """Forecast against truth of the default method with its intervals; other methods as dots."""
    with paper_style():
        figure, (axes,) = new_figure(1, width=3.4, height=3.2)
        for method, colour in (("least-squares", "C1"), ("beta-binomial", "C2"), ("discretised-beta", "C3")):
            mine = [row for row in rows if row.method == method]
            axes.plot(
                [r.truth for r in mine], [r.prediction for r in mine], ".", ms=3, color=colour, label=method
            )
        mine = [row for row in rows if row.method == "default"]
        middle = np.array([row.prediction for row in mine])
        ends = np.abs(np.array([[row.lower for row in mine], [row.upper for row in mine]]) - middle)
        axes.errorbar(
            [r.truth for r in mine], middle, ends, fmt="o", ms=3, lw=0.6, color="C0", label="default"
        )
        axes.plot([0, 1], [0, 1], "k:", lw=0.7)
        axes.set(
            xlabel=f"pass@{rows[0].target:,} of all attempts",
            ylabel=f"forecast from {rows[0].budget:,} attempts",
        )
        axes.legend()
    return figure
