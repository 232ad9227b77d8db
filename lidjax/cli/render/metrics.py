"""What `lidjax fit --metrics` prints: a table for each metric of each group."""

from collections.abc import Sequence

import numpy as np

from lidjax.cli.render.output import Table, print_lines, print_table
from lidjax.evals import GroupMetrics, MetricCurve

COSTS = ("pass@k", "attempts", "tokens")
"""Curves of the metric "attempts", which share a table."""
TITLES = {
    "pass^k": "pass^k: all of k attempts succeed",
    "maj@k": "maj@k: the most frequent of k answers is right; one vote at each problem, ∞ for many attempts",
    "verified pass@k": "the first of k attempts that the verifier accepts is right; ∞ is the ceiling",
    "wrong answer accepted": "the first of k attempts that the verifier accepts is wrong",
}


def print_metrics(metrics: Sequence[GroupMetrics]) -> None:
    """Print the metrics of each group."""
    for one in metrics:
        print_lines([f"── {one.group}: more than pass@k ──"])
        for table in group_tables(one):
            print_table(table)
        for first in one.first_success:
            print_lines(
                [
                    f"{first.share:.0%} of the problems need at most {number(first.attempts)} expected attempts to the "
                    f"first success ({number(first.lower)} to {number(first.upper)})"
                ]
            )


def metric_tables(metrics: Sequence[GroupMetrics]) -> list[Table]:
    """All metrics of all groups as one table, for files."""
    records = [{"group": one.group, **row} for one in metrics for row in one.to_dict()["curves"]]
    if not records:
        return []
    columns = tuple(records[0])
    rows = [tuple(str(record[column]) for column in columns) for record in records]
    return [Table("metrics", columns, rows, records, "metrics beside pass@k", left=("group", "metric"))]


def group_tables(metrics: GroupMetrics) -> list[Table]:
    """A table for each curve; those of attempts and tokens share one."""
    tables: list[Table] = []
    costs = [curve for curve in metrics.curves if curve.metric in COSTS]
    for curve in metrics.curves:
        if curve.metric in COSTS:
            if curve is costs[0]:
                tables.append(cost_table(costs, metrics.level))
            continue
        name = curve.metric
        share = name.partition("(")[2].rstrip(")")
        title = TITLES.get(
            name, f"{name}: at least {share} of k attempts succeed; ∞ is the share of rates above {share}"
        )
        rows = [
            (
                count(k),
                "" if np.isnan(curve.unbiased[i]) else f"{curve.unbiased[i]:.4f}",
                f"{curve.value[i]:.4f}",
                f"{curve.lower[i]:.4f} to {curve.upper[i]:.4f}",
            )
            for i, k in enumerate(curve.k.tolist())
        ]
        columns = ("k", "unbiased", "forecast", f"{metrics.level:.0%} interval")
        tables.append(Table(name, columns, rows, [], f"{title} (interval of {curve.interval_of})"))
    return tables


def cost_table(curves: Sequence[MetricCurve], level: float) -> Table:
    """Attempts, tokens and pass@k side by side: what is solved at which cost."""
    columns, rows = ["at most k"], [[count(k)] for k in curves[0].k.tolist()]
    for curve in curves:
        columns += [curve.metric, f"{level:.0%} interval"]
        shown = (lambda value: f"{value:.4f}") if curve.metric == "pass@k" else number
        for i, row in enumerate(rows):
            row += [shown(curve.value[i]), f"{shown(curve.lower[i])} to {shown(curve.upper[i])}"]
    title = "what is solved at which cost, a problem, if sampling stops at the first success"
    return Table("attempts", tuple(columns), [tuple(row) for row in rows], [], title)


def count(k: float) -> str:
    """A number of attempts, or the limit."""
    return f"{int(k):,}" if np.isfinite(k) else "∞"


def number(value: float) -> str:
    """A number of attempts or tokens with three digits or more."""
    return f"{value:,.3g}" if abs(value) < 100 else f"{value:,.0f}" if value < 1e15 else f"{value:.1e}"
