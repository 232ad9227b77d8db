"""What `lidjax allocate` prints: its rows as plain numbers, and as tables for people."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lidjax.cli.render.output import Table, print_paths, print_table

if TYPE_CHECKING:
    from lidjax.allocation import Allocation, SweepAllocation

RULE_NAMES = {
    "eq24": "Eq. 24",
    "eq24_prefactor": "+ P̃'",
    "quasi_static": "quasi-st.",
    "constant_beta": "Eq. 25",
    "saturated": "0.95 β",
}
FIELDS = (
    "n",
    "k",
    "loss",
    "kind",
    "lgen",
    "failure",
    "n_low",
    "n_high",
    "n_lower",
    "n_upper",
    "limited",
    "few_instances",
    "expected_attempts",
)
STOPPED = (
    "Attempts at a question stop at the first success, and after k of them at the latest. E[k] is the number that is "
    "made and paid for in expectation. The rules choose N as if all k were paid, and the rest pays for attempts that "
    "stop."
)
NO_INTERVAL = (
    "No interval for N: it needs several training sets, and for the mean β > 4, where L_gen has a finite variance. "
    "Without --mean the median is used, which has an interval for every β."
)
RULE_FIELDS = ("n", "k", "loss", "regret")
EXACT_FIELDS = ("n", "k", "loss", "kind", "n_low", "n_high", "expected_attempts")


def allocation_rows(
    budgets: Sequence[float],
    weights: Sequence[float],
    found: "SweepAllocation",
    exact: "Allocation | None",
) -> list[dict[str, Any]]:
    """A row for each budget and weight: the measured optimum, the rules, and the exact optimum if there is one."""
    rows: list[dict[str, Any]] = []
    for i, budget in enumerate(budgets):
        for j, weight in enumerate(weights):

            def at(values: Any, i: int = i, j: int = j) -> Any:
                value = values[i, j]
                return value.item() if hasattr(value, "item") else value

            row: dict[str, Any] = {"budget": float(budget), "weight": float(weight)}
            row |= {name: at(getattr(found, name)) for name in FIELDS}
            row["rules"] = {
                rule: {name: at(getattr(split, name)) for name in RULE_FIELDS}
                for rule, split in found.rules.items()
            }
            if exact is not None:
                row["exact"] = {name: at(getattr(exact, name)) for name in EXACT_FIELDS}
            rows.append(row)
    return rows


def allocation_tables(
    rows: list[dict[str, Any]], statistic: str, *, stop_at_success: bool = False
) -> list[Table]:
    """The optima, and what the rules lose."""
    exact = "exact" in rows[0]
    optima: list[tuple[str, ...]] = []
    regret: list[tuple[str, ...]] = []
    for row in rows:
        no_interval = math.isnan(row["n_lower"])
        named = (f"{row['budget']:,g}", f"{row['weight']:,g}")
        optima.append(
            (
                *named,
                f"{row['n']:,}",
                "-" if no_interval else f"{row['n_lower']:,.0f} to {row['n_upper']:,.0f}",
                *([f"{row['exact']['n']:,}"] if exact else []),
                f"{row['k']:,}",
                *([f"{row['expected_attempts']:.3g}"] if stop_at_success else []),
                f"{row['loss']:.2e}",
                row["kind"] + (" *" if row["limited"] else ""),
            )
        )
        losses = (f"{split['regret']:.1g}" for split in row["rules"].values())
        regret.append((*named, f"{row['n_low']:,} to {row['n_high']:,}", *losses))
    notes = [
        f"* C = {row['budget']:,g}, R = {row['weight']:,g}: the best is at the {row['limited']} of the store; "
        "the true optimum is beyond"
        for row in rows
        if row["limited"]
    ]
    notes += [
        f"C = {row['budget']:,g}, R = {row['weight']:,g}: L_inf at this optimum rests on fewer than 30 sampled "
        'instances: do not rely on it; more instances, or model.failure = "quadrature", resolve it'
        for row in rows
        if row["few_instances"]
    ]
    if exact and statistic == "median":
        notes.append(
            "N is the best for the median training set, with its interval over seeds. "
            "N, exact mean is the best for the mean of L_gen over training sets, and may lie outside that interval."
        )
    if statistic == "mean" and all(math.isnan(row["n_lower"]) for row in rows):
        notes.append(NO_INTERVAL)
    columns = [*(["N, exact mean"] if exact else []), "k", *(["E[k]"] if stop_at_success else [])]
    notes += [STOPPED] if stop_at_success else []
    return [
        Table(
            "optima",
            ("C", "R", "N", "95 %", *columns, "L_tot", "kind"),
            optima,
            rows,
            f"L_tot = R L_gen + L_inf, {statistic} over training sets",
            left=("kind",),
            keys=2,
        ),
        Table(
            "rules",
            ("C", "R", "N within 1 %", *(RULE_NAMES[rule] for rule in rows[0]["rules"])),
            regret,
            [
                {"budget": row["budget"], "weight": row["weight"], "rule": rule, **split}
                for row in rows
                for rule, split in row["rules"].items()
            ],
            "N within 1 % of the least L_tot; what rules lose, L_tot over the least - 1",
            notes,
            keys=2,
        ),
    ]


def print_allocation(
    rows: list[dict[str, Any]], figures: list[str], statistic: str, *, stop_at_success: bool = False
) -> None:
    """Print the optima, what the rules lose, notes on optima at an edge of the store, and the figures' paths."""
    for table in allocation_tables(rows, statistic, stop_at_success=stop_at_success):
        print_table(table)
    print_paths(figures)
