"""What `lidjax fit` and `lidjax backtest` print: tables for people, JSON for programs."""

from collections.abc import Iterable, Sequence

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from lidjax.cli.render.output import table_console, to_json
from lidjax.evals import (
    FEW_GROUPS,
    BacktestResult,
    EvalFits,
    Finding,
    GroupFit,
    ModelFit,
    NextAttempts,
    TailIndexEstimate,
    TrainingSeries,
    summarise_backtest,
)

SYMBOLS = {"beta": "β", "delta": "Δ", "c": "c", "nu": "ν"}  # of Eq. 20


def print_fits(
    fits: EvalFits, training: Sequence[TrainingSeries], *, column: str, figures: list[str], as_json: bool
) -> None:
    """Print the results of `lidjax fit`. `column` is the column of training size."""
    if as_json:
        series = [one.to_dict() for one in training]
        print(to_json(fits.to_dict() | {"training": series, "figures": figures}))
        return
    console = table_console()
    print_lines(fits.data.notes, console)
    if len(fits) <= FEW_GROUPS:
        for fit in fits:
            print_group(fit, fits.level, console)
    else:
        print_overview(fits, console)
    for one in training:
        print_training(one, column, console)
    print_lines(figures, console)


def print_lines(lines: Iterable[str], console: Console) -> None:
    """Print plain text, a line each."""
    for line in lines:
        console.print(line, highlight=False, markup=False)


def print_warning(text: str, console: Console) -> None:
    """Print a line that starts with an exclamation mark."""
    console.print(f"! {text}", style="yellow", highlight=False, markup=False)


def print_group(fit: GroupFit, level: float, console: Console) -> None:
    """Print everything on one group."""
    group = fit.group
    console.rule(group.name)
    fewest, most = int(group.n.min()), int(group.n.max())
    attempts = f"{fewest:,}" if fewest == most else f"{fewest:,} to {most:,}"
    solved = np.sum(group.c > 0)
    console.print(
        f"{len(group.problems)} problems, {attempts} attempts each, {solved} solved at least once",
        highlight=False,
    )
    for finding in fit.findings:
        print_warning(finding.message, console)
    console.print(forecast_table(fit, level))
    if not fit.posterior.converged:
        print_warning("the effective sample size of the posterior is too small to trust it", console)
    console.print(tail_table(fit.tail_indices, level))
    if fit.models:
        console.print(model_table(fit.models))
    print_lines([next_attempts_line(fit.next_attempts, group.problems)], console)


def forecast_table(fit: GroupFit, level: float) -> Table:
    """pass@k by k."""
    forecast = fit.forecast
    table = Table(
        title=f"pass@k; {fit.method} model, {level:.0%} interval (beyond n: of a run of k attempts)",
        box=SIMPLE_HEAD,
    )
    for name in ("k", "unbiased", "forecast", "interval"):
        table.add_column(name, justify="right")
    for i, k in enumerate(forecast.k):
        known = np.isfinite(fit.unbiased[i])
        unbiased = f"{fit.unbiased[i]:.4f}" if known else "beyond n"
        # the pass@k of the attempts made is known; what is uncertain is the pass@k of the problems themselves
        low, high = forecast.latent_lower[i], forecast.latent_upper[i]
        if not known:
            low, high = forecast.lower[i], forecast.upper[i]
        table.add_row(f"{k:,}", unbiased, f"{forecast.prediction[i]:.4f}", f"{low:.4f} to {high:.4f}")
    return table


def tail_table(estimates: Sequence[TailIndexEstimate], level: float) -> Table:
    """Tail index by estimator."""
    table = Table(title="tail index, by estimator", box=SIMPLE_HEAD)
    for name in ("estimator", "value", f"{level:.0%}", "interval of"):
        table.add_column(name)
    for estimate in estimates:
        interval = f"{estimate.lower:.3f} to {estimate.upper:.3f}"
        table.add_row(estimate.estimator, f"{estimate.value:.3f}", interval, estimate.interval)
    return table


def model_table(models: Sequence[ModelFit]) -> Table:
    """Maximum-likelihood models, best first."""
    table = Table(title="models by maximum likelihood", box=SIMPLE_HEAD)
    for name in ("model", "log L", "ΔAIC", "tail index", "parameters", "status"):
        table.add_column(name)
    for model in models:
        table.add_row(
            model.family.name,
            f"{float(model.fit.log_likelihood):.1f}",
            f"{model.aic - models[0].aic:.1f}",
            f"{model.tail_index:.3f}",
            ", ".join(f"{name} {value:.3g}" for name, value in model.parameters.items()),
            model.status,
        )
    return table


def next_attempts_line(following: NextAttempts, problems: Sequence[str]) -> str:
    """Which problems should get further attempts."""
    names = ", ".join(problems[int(i)] for i in following.order[: following.chosen])
    return (
        f"next: {following.attempts_each:,} attempts each at {names}: the standard deviation of pass@{following.k:,} "
        f"of these problems is expected to go from {following.sd_before:.4f} to {following.sd_after:.4f}"
    )


def print_overview(fits: EvalFits, console: Console) -> None:
    """Print one line for each group."""
    table = Table(
        title=f"{fits[0].method} model, {fits.level:.0%} intervals; ! marks findings", box=SIMPLE_HEAD
    )
    for name in ("group", "n", "solved", "tail index", "K", "pass@K"):
        table.add_column(name, justify="left" if name == "group" else "right", no_wrap=name != "group")
    for fit in fits:
        group, forecast, tail = fit.group, fit.forecast, fit.tail_indices[-1]
        table.add_row(
            f"{'! ' if fit.findings else ''}{group.name}",
            f"{int(np.median(group.n)):,}",
            f"{np.sum(group.c > 0)} of {len(group.problems)}",
            f"{tail.value:.2f} ({tail.lower:.2f}, {tail.upper:.2f})",
            f"{forecast.k[-1]:,}",
            f"{forecast.prediction[-1]:.3f} ({forecast.lower[-1]:.3f}, {forecast.upper[-1]:.3f})",
        )
    console.print(table)
    findings: list[Finding] = [finding for fit in fits for finding in fit.findings]
    for finding in findings:
        print_warning(f"{finding.group}: {finding.message}", console)


def print_training(series: TrainingSeries, column: str, console: Console) -> None:
    """Print the tail index against training size."""
    table = Table(title=f"tail index against {column}: {series.series}", box=SIMPLE_HEAD)
    for name in (column, "tail index", "±"):
        table.add_column(name, justify="right")
    for size, index, error in zip(series.sizes, series.index, series.se, strict=True):
        table.add_row(f"{size:.3g}", f"{index:.3f}", f"{error:.3f}")
    console.print(table)
    console.print(f"  {series.verdict}", highlight=False)
    fit = series.saturation
    if fit is not None and series.shows_saturation:
        estimates = ", ".join(
            f"{symbol} = {float(getattr(fit, name)):.3g} ± {float(getattr(fit, f'{name}_se')):.2g}"
            + ("" if bool(fit.identifiable[i]) else " (not determined)")
            for i, (name, symbol) in enumerate(SYMBOLS.items())
        )
        console.print(f"  Eq. 20: {estimates}", highlight=False)


def print_backtest(result: BacktestResult, *, level: float, figures: list[str], as_json: bool) -> None:
    """Print the results of `lidjax backtest`."""
    if as_json:
        print(to_json(result.to_rows()))
        return
    console = table_console()
    print_lines([*result.notes, *figures], console)
    forecasts = result.forecasts
    first = forecasts[0]
    groups, seeds = len({f.group for f in forecasts}), len({f.seed for f in forecasts})
    table = Table(
        title=f"pass@{first.target:,} from {first.budget:,} attempts a problem: {groups} groups, {seeds} seeds",
        box=SIMPLE_HEAD,
    )
    for name in ("method", "mean |error|", "bias", f"{level:.0%} interval covers"):
        table.add_column(name, justify="left" if name == "method" else "right")
    for score in summarise_backtest(forecasts):
        covers = "" if np.isnan(score.coverage) else f"{score.coverage:.0%}"
        table.add_row(score.method, f"{score.error:.4f}", f"{score.bias:+.4f}", covers)
    console.print(table)
