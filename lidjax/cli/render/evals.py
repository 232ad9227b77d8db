"""What `lidjax fit` and `lidjax backtest` print: tables for people, JSON for programs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lidjax.cli.render.metrics import print_metrics
from lidjax.cli.render.output import (
    Table,
    print_json,
    print_lines,
    print_paths,
    print_table,
    print_warning,
)
from lidjax.evals import (
    BacktestResult,
    EvalFits,
    GroupFit,
    GroupMetrics,
    TrainingSeries,
    format_interval,
    summarise_backtest,
)

FEW_GROUPS = 4  # more groups get one line each, unless details are asked for
SYMBOLS = {"beta": "β", "delta": "Δ", "c": "c", "nu": "ν"}  # of Eq. 20


def print_fits(
    fits: EvalFits,
    training: Sequence[TrainingSeries],
    metrics: Sequence[GroupMetrics],
    *,
    column: str,
    figures: list[str],
    details: bool,
    as_json: bool,
) -> None:
    """Print the results of `lidjax fit`. `column` is the column of training size."""
    if as_json:
        series = [one.to_dict() for one in training]
        more = [one.to_dict() for one in metrics]
        print_json("fit", {**fits.to_dict(), "metrics": more, "training": series, "figures": figures})
        return
    print_lines(fits.data.notes)
    if len(fits) <= FEW_GROUPS or details:
        for fit in fits:
            print_group(fit, fits.level, details=details)
    else:
        print_table(overview_table(fits))
        for fit in fits:
            for finding in fit.findings:
                print_warning(f"{finding.group}: {finding.message}")
        print_lines([f"{fit.group.name}: {fit.answer.sentence}" for fit in fits])
    print_metrics(metrics)
    for one in training:
        print_table(training_table(one, column))
    print_paths(figures)


def fit_tables(fits: EvalFits, training: Sequence[TrainingSeries], column: str) -> list[Table]:
    """The tables of `lidjax fit` over all groups: forecasts, tail indices, models, training series."""
    parts = [
        [forecast_table(fit, fits.level) for fit in fits],
        [tail_table(fit, fits.level) for fit in fits],
        [model_table(fit) for fit in fits if fit.models],
        [training_table(one, column) for one in training],
    ]
    return [_over_groups(tables) for tables in parts if tables]


def _over_groups(tables: Sequence[Table]) -> Table:
    """Tables of the same columns as one, with the group, which leads each record, as its first column."""
    first = tables[0]
    field = next(iter(first.records[0]))
    rows = [
        (str(record[field]), *row)
        for table in tables
        for record, row in zip(table.records, table.rows, strict=True)
    ]
    records = [record for table in tables for record in table.records]
    return Table(
        first.name, (field, *first.columns), rows, records, first.title, left=(field, *first.left), keys=2
    )


def print_group(fit: GroupFit, level: float, *, details: bool) -> None:
    """Print the answer for one group; with `details` also the tail index by estimator, and the models."""
    group = fit.group
    fewest, most = int(group.n.min()), int(group.n.max())
    attempts = f"{fewest:,}" if fewest == most else f"{fewest:,} to {most:,}"
    attempts += " attempt" if most == 1 else " attempts"
    solved = np.sum(group.c > 0)
    print_lines(
        [
            f"── {group.name} ──",
            f"{len(group.problems):,} problems, {attempts} each, {solved:,} solved at least once",
        ]
    )
    for finding in fit.findings:
        print_warning(finding.message)
    print_table(forecast_table(fit, level))
    if not fit.posterior.converged:
        print_warning("the effective sample size of the posterior is too small to trust it")
    print_lines([fit.answer.sentence])
    if fit.advice.worthwhile:
        print_lines([fit.advice.sentence])
    if details:
        print_table(tail_table(fit, level))
    if fit.models:
        print_table(model_table(fit))


def forecast_table(fit: GroupFit, level: float) -> Table:
    """pass@k by k, of these problems and of new ones."""
    these, new = fit.forecast, fit.new_problems
    rows: list[tuple[str, ...]] = []
    for i, k in enumerate(these.k):
        own = (float(values[i]) for values in (these.latent, these.latent_lower, these.latent_upper))
        value, low, high = format_interval(*own, fewest=3)
        others = (float(values[i]) for values in (new.value, new.lower, new.upper))
        other, other_low, other_high = format_interval(*others, fewest=3)
        beyond = "biased" if k <= fit.group.n.min() else "beyond n"
        decimals = len(value.partition(".")[2])
        unbiased = f"{fit.unbiased[i]:.{decimals}f}" if np.isfinite(fit.unbiased[i]) else beyond
        rows.append((f"{k:,}", unbiased, value, f"{low} to {high}", other, f"{other_low} to {other_high}"))
    count = len(fit.group.problems)
    problems = "this problem" if count == 1 else f"these {count:,} problems"
    as_many = "one new problem" if count == 1 else f"{count:,} new problems"
    interval = f"{level:.0%} interval"
    return Table(
        "pass_at_k",
        ("k", "unbiased", "these problems", interval, "new problems", interval),
        rows,
        _records(fit, fit.to_dict()["pass_at_k"]),
        f"pass@k of {problems}, and of {as_many} of the same kind ({fit.method} model)",
    )


def _records(fit: GroupFit, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows with the group that they are of."""
    return [{"group": fit.group.name, **row} for row in rows]


def tail_table(fit: GroupFit, level: float) -> Table:
    """Tail index by estimator."""
    return Table(
        "tail_index",
        ("estimator", "tail index", f"{level:.0%} interval", "interval of"),
        [
            (
                tail.estimator,
                f"{tail.value:.3f}",
                "" if np.isnan(tail.lower) else f"{tail.lower:.3f} to {tail.upper:.3f}",
                tail.interval,
            )
            for tail in fit.tail_indices
        ],
        _records(fit, [tail.to_dict() for tail in fit.tail_indices]),
        "tail index, by estimator",
        left=("estimator", "interval of"),
    )


def model_table(fit: GroupFit) -> Table:
    """Maximum-likelihood models, best first."""
    models = fit.models
    return Table(
        "models",
        ("model", "log L", "ΔAIC", "tail index", "parameters", "status"),
        [
            (
                model.family.name,
                f"{float(model.fit.log_likelihood):.1f}",
                f"{model.aic - models[0].aic:.1f}",
                f"{model.tail_index:.3f}",
                ", ".join(f"{name} {value:.3g}" for name, value in model.parameters.items()),
                model.status,
            )
            for model in models
        ],
        _records(fit, [model.to_dict() for model in models]),
        "models by maximum likelihood",
        left=("model", "parameters", "status"),
    )


def overview_table(fits: EvalFits) -> Table:
    """One line for each group."""
    rows: list[tuple[str, ...]] = []
    for fit in fits:
        group, answer, new = fit.group, fit.answer, fit.new_problems
        i = fit.forecast.k.tolist().index(answer.k)
        others = (float(values[i]) for values in (new.value, new.lower, new.upper))
        unsolved = f"{answer.unsolved:,}"
        if not answer.made:
            unsolved += f" ({answer.unsolved_lower:,} to {answer.unsolved_upper:,})"
        rows.append(
            (
                f"{'! ' if fit.findings else ''}{group.name}",
                f"{int(np.median(group.n)):,}",
                f"{np.sum(group.c > 0)} of {len(group.problems)}",
                f"{answer.k:,}",
                "{} ({} to {})".format(*format_interval(answer.pass_at_k, answer.lower, answer.upper)),
                "{} ({} to {})".format(*format_interval(*others)),
                unsolved,
                f"{answer.unsolved_at:,}",
            )
        )
    return Table(
        "overview",
        ("group", "n", "solved", "K", "pass@K of these", "of as many new", "unsolved", "at"),
        rows,
        [],
        f"{fits[0].method} model, {fits.level:.0%} intervals; ! marks findings",
        left=("group",),
    )


def training_table(series: TrainingSeries, column: str) -> Table:
    """The tail index against training size."""
    rows = [
        (f"{size:.3g}", f"{index:.3f}", f"{error:.3f}")
        for size, index, error in zip(series.sizes, series.index, series.se, strict=True)
    ]
    notes = [f"  {series.verdict}"]
    fit = series.saturation
    if fit is not None and series.shows_saturation:
        estimates = ", ".join(
            f"{symbol} = {float(getattr(fit, name)):.3g} ± {float(getattr(fit, f'{name}_se')):.2g}"
            + ("" if bool(fit.identifiable[i]) else " (not determined)")
            for i, (name, symbol) in enumerate(SYMBOLS.items())
        )
        notes.append(f"  Eq. 20: {estimates}")
    records = [
        {"series": series.series, column: float(size), "tail_index": float(index), "se": float(error)}
        for size, index, error in zip(series.sizes, series.index, series.se, strict=True)
    ]
    return Table(
        "training",
        (column, "tail index", "±"),
        rows,
        records,
        f"tail index against {column}: {series.series}",
        notes,
    )


def backtest_tables(result: BacktestResult, level: float) -> list[Table]:
    """A row for each method; and for files, a row for each forecast."""
    forecasts = result.forecasts
    first = forecasts[0]
    groups, seeds = len({f.group for f in forecasts}), len({f.seed for f in forecasts})
    scores = summarise_backtest(forecasts)
    rows = [
        (
            score.method,
            f"{score.error:.4f}",
            f"{score.bias:+.4f}",
            "" if np.isnan(score.coverage) else f"{score.coverage:.0%}",
        )
        for score in scores
    ]
    title = f"pass@{first.target:,} from {first.budget:,} attempts a problem: {groups} groups, {seeds} seeds"
    return [
        Table(
            "scores",
            ("method", "mean |error|", "bias", f"{level:.0%} interval covers"),
            rows,
            [score._asdict() for score in scores],
            title,
            left=("method",),
        ),
        Table("forecasts", (), [], result.to_rows()),
    ]


def print_backtest(result: BacktestResult, *, level: float, figures: list[str], as_json: bool) -> None:
    """Print the results of `lidjax backtest`."""
    scores, _ = backtest_tables(result, level)
    if as_json:
        found = {"scores": scores.records, "forecasts": result.to_rows()}
        print_json("backtest", {"level": level, "notes": result.notes, **found, "figures": figures})
        return
    print_lines(result.notes)
    print_table(scores)
    print_paths(figures)
