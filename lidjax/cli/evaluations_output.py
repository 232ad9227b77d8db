"""What `lidjax fit` and `lidjax backtest` print: tables for people, JSON for programs."""

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from lidjax.cli.render.output import table_console, to_json
from lidjax.evals.backtest import Row, summarise
from lidjax.evals.report import GroupReport
from lidjax.evals.table import EvalData
from lidjax.evals.training import Training
from lidjax.fitting.status import FitStatus

PARAMETERS = ("beta", "delta", "c", "nu")


def print_fit(
    data: EvalData,
    reports: Sequence[GroupReport],
    training: Sequence[Training],
    args: argparse.Namespace,
    *,
    few: bool,
    figures: list[str],
) -> None:
    if args.json:
        found = {
            "format": data.format,
            "notes": list(data.notes),
            "level": args.level,
            "groups": [group_json(report) for report in reports],
            "training": [training_json(series) for series in training],
            "figures": figures,
        }
        print(to_json(found))
        return
    console = table_console()
    for note in data.notes:
        console.print(note, highlight=False, markup=False)
    for report in reports if few else ():
        print_group(report, args.level, console)
    if not few:
        print_overview(reports, args.level, console)
    for series in training:
        print_training(series, args.training, console)
    for path in figures:
        console.print(path, highlight=False, markup=False)


def group_json(report: GroupReport) -> dict[str, Any]:
    group, forecast, advice = report.group, report.forecast, report.advice
    keys = ("prediction", "lower", "upper", "latent", "latent_lower", "latent_upper")
    return {
        "group": group.name,
        "fields": dict(group.fields),
        "problems": len(group.problems),
        "attempts": int(group.n.sum()),
        "solved": int(np.sum(group.c > 0)),
        "findings": [{"kind": finding.kind, "message": finding.message} for finding in report.findings],
        "method": report.method,
        "effective_sample": report.posterior.effective,
        "converged": report.posterior.converged,
        "pass_at_k": [
            {"k": int(k), "unbiased": float(report.inside[i])}
            | {key: float(getattr(forecast, key)[i]) for key in keys}
            for i, k in enumerate(forecast.k)
        ],
        "tail_index": [tail._asdict() for tail in report.tails],
        "models": [
            {
                "model": model.family.name,
                "log_likelihood": float(model.fit.log_likelihood),
                "aic": model.aic,
                "tail_index": model.tail_index,
                "parameters": model.values,
                "status": model.status,
            }
            for model in report.models
        ],
        "next_attempts": {
            "problems": [group.problems[i] for i in advice.order[: advice.chosen]],
            "attempts_each": advice.more,
            "k": report.advice_k,
            "sd_before": advice.before,
            "sd_after": advice.after,
        },
    }


def training_json(series: Training) -> dict[str, Any]:
    fit = series.saturation
    return {
        "series": series.series,
        "sizes": series.sizes.tolist(),
        "tail_index": series.index.tolist(),
        "se": series.se.tolist(),
        "p_never_falls": series.p_falls,
        "p_flat": series.p_flat,
        "saturation": fit and {name: float(getattr(fit, name)) for name in PARAMETERS},
        "saturation_se": fit and {name: float(getattr(fit, f"{name}_se")) for name in PARAMETERS},
        "verdict": series.verdict,
    }


def print_group(report: GroupReport, level: float, console: Console) -> None:
    group, forecast = report.group, report.forecast
    console.rule(group.name)
    counts = np.unique(group.n)
    attempts = f"{counts[0]:,}" if len(counts) == 1 else f"{counts[0]:,} to {counts[-1]:,}"
    console.print(
        f"{len(group.problems)} problems, {attempts} attempts each, {np.sum(group.c > 0)} solved at least once",
        highlight=False,
    )
    for finding in report.findings:
        console.print(f"! {finding.message}", style="yellow", highlight=False, markup=False)
    table = Table(
        title=f"pass@k; {report.method} model, {level:.0%} interval (beyond n: of a run of k attempts)",
        box=SIMPLE_HEAD,
    )
    for name in ("k", "unbiased", "forecast", "interval"):
        table.add_column(name, justify="right")
    for i, k in enumerate(forecast.k):
        known = np.isfinite(report.inside[i])
        inside = f"{report.inside[i]:.4f}" if known else "beyond n"
        # of the attempts made, pass@k is a fact: what is uncertain is these problems' own
        low, high = forecast.latent_lower[i], forecast.latent_upper[i]
        if not known:
            low, high = forecast.lower[i], forecast.upper[i]
        table.add_row(f"{k:,}", inside, f"{forecast.prediction[i]:.4f}", f"{low:.4f} to {high:.4f}")
    console.print(table)
    if not report.posterior.converged:
        console.print("! the posterior sample is too thin to trust", style="yellow")
    table = Table(title="tail index, by estimator", box=SIMPLE_HEAD)
    for name in ("estimator", "value", f"{level:.0%}", "interval of"):
        table.add_column(name)
    for tail in report.tails:
        table.add_row(
            tail.estimator, f"{tail.value:.3f}", f"{tail.lower:.3f} to {tail.upper:.3f}", tail.interval
        )
    console.print(table)
    if report.models:
        table = Table(title="models by maximum likelihood", box=SIMPLE_HEAD)
        for name in ("model", "log L", "ΔAIC", "tail index", "parameters", "status"):
            table.add_column(name)
        for model in report.models:
            values = ", ".join(f"{name} {value:.3g}" for name, value in model.values.items())
            log_likelihood, worse = f"{float(model.fit.log_likelihood):.1f}", model.aic - report.models[0].aic
            table.add_row(
                model.family.name,
                log_likelihood,
                f"{worse:.1f}",
                f"{model.tail_index:.3f}",
                values,
                model.status,
            )
        console.print(table)
    advice = report.advice
    names = ", ".join(group.problems[i] for i in advice.order[: advice.chosen])
    console.print(
        f"next: {advice.more:,} attempts each at {names}: the spread of pass@{report.advice_k:,} of these problems is "
        f"expected to go from {advice.before:.4f} to {advice.after:.4f}",
        highlight=False,
        markup=False,
    )


def print_overview(reports: Sequence[GroupReport], level: float, console: Console) -> None:
    table = Table(
        title=f"{reports[0].method} model, {level:.0%} intervals; ! marks findings", box=SIMPLE_HEAD
    )
    for name in ("group", "n", "solved", "tail index", "K", "pass@K"):
        table.add_column(name, justify="left" if name == "group" else "right", no_wrap=name != "group")
    for report in reports:
        group, forecast, tail = report.group, report.forecast, report.tails[-1]
        table.add_row(
            f"{'! ' if report.findings else ''}{group.name}",
            f"{int(np.median(group.n)):,}",
            f"{np.sum(group.c > 0)} of {len(group.problems)}",
            f"{tail.value:.2f} ({tail.lower:.2f}, {tail.upper:.2f})",
            f"{forecast.k[-1]:,}",
            f"{forecast.prediction[-1]:.3f} ({forecast.lower[-1]:.3f}, {forecast.upper[-1]:.3f})",
        )
    console.print(table)
    for finding in (finding for report in reports for finding in report.findings):
        console.print(f"! {finding.group}: {finding.message}", style="yellow", highlight=False, markup=False)


def print_training(series: Training, column: str, console: Console) -> None:
    table = Table(title=f"tail index against {column}: {series.series}", box=SIMPLE_HEAD)
    for name in (column, "tail index", "±"):
        table.add_column(name, justify="right")
    for size, index, error in zip(series.sizes, series.index, series.se, strict=True):
        table.add_row(f"{size:.3g}", f"{index:.3f}", f"{error:.3f}")
    console.print(table)
    console.print(f"  {series.verdict}", highlight=False)
    fit = series.saturation
    if fit is not None and int(fit.status) <= FitStatus.NOT_IDENTIFIABLE:
        said = ", ".join(
            f"{symbol} = {float(getattr(fit, name)):.3g} ± {float(getattr(fit, f'{name}_se')):.2g}"
            + ("" if bool(fit.identifiable[i]) else " (not determined)")
            for i, (name, symbol) in enumerate(zip(PARAMETERS, ("β", "Δ", "c", "ν"), strict=True))
        )
        console.print(f"  Eq. 20: {said}", highlight=False)


def print_backtest(rows: Sequence[Row], notes: Sequence[str], args: argparse.Namespace) -> None:
    console = table_console()
    for note in notes:
        console.print(note, highlight=False, markup=False)
    groups = len({row.group for row in rows})
    table = Table(
        title=f"pass@{args.target:,} from {args.budget:,} attempts a problem: {groups} groups, {args.seeds} seeds",
        box=SIMPLE_HEAD,
    )
    for name in ("method", "mean |error|", "bias", f"{args.level:.0%} interval covers"):
        table.add_column(name, justify="left" if name == "method" else "right")
    for line in summarise(rows):
        covers = "" if np.isnan(line.coverage) else f"{line.coverage:.0%}"
        table.add_row(line.method, f"{line.error:.4f}", f"{line.bias:+.4f}", covers)
    console.print(table)
