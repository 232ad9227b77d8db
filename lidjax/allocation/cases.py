"""The budget lines and models of a call of `allocate`, from its broadcast arguments."""

import math
from typing import Any, NamedTuple

import numpy as np

from lidjax.allocation.budget import Budget, BudgetLine, as_fraction
from lidjax.allocation.losses import LossParameters
from lidjax.allocation.search import Case, Cell
from lidjax.difficulty import Difficulty, mean_inverse_precision
from lidjax.errors import InputError

COSTS = ("cost_train", "cost_infer")  # of one feature, where widths are given to choose from


def label_noise_variance(beta: float, sigma_eta: float, difficulty: Difficulty) -> float:
    """σ_η² E[1/τ], the variance of the label noise; infinite for β ≤ 2."""
    return sigma_eta**2 * float(mean_inverse_precision(beta, difficulty))


def distinct_cases(columns: dict[str, np.ndarray], difficulty: Difficulty) -> tuple[list[Case], list[Cell]]:
    """The distinct budget lines with their models, and for every entry of `columns` its line and log R."""
    cases: list[Case] = []
    cells: list[Cell] = []
    seen: dict[tuple[Any, ...], int] = {}
    lines: dict[tuple[Any, ...], tuple[Budget, BudgetLine]] = {}
    for row in zip(*columns.values(), strict=True):
        money, rest = row[:4], row[4:]
        weight, beta, sigma_eta, delta, ridge = (
            _number(value, name) for value, name in zip(rest, list(columns)[4:], strict=True)
        )
        check_ranges(weight, beta, sigma_eta, delta, ridge)
        money_key = tuple(x.item() if hasattr(x, "item") else x for x in money)
        key = (*money_key, beta, sigma_eta, delta, ridge)
        if key not in seen:
            if money_key not in lines:
                budget = Budget.checked(*money)
                lines[money_key] = budget, BudgetLine(budget)
            noise = label_noise_variance(beta, sigma_eta, difficulty)
            seen[key] = len(cases)
            cases.append(Case(*lines[money_key], LossParameters(noise, ridge, beta, delta, sigma_eta)))
        cells.append(Cell(seen[key], math.log(weight) if weight > 0 else -math.inf))
    return cases, cells


def _number(value: Any, name: str) -> float:
    """`value` as a finite float; otherwise InputError, which calls it `name`."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise InputError(f"{name}={value!r} is not a number") from None
    if not math.isfinite(number):
        raise InputError(f"{name}={value} must be finite")
    return number


def check_ranges(weight: float, beta: float, sigma_eta: float, delta: float, ridge: float) -> None:
    """Raise InputError for a weight or a model parameter out of its range."""
    if beta <= 2:
        raise InputError(
            f"beta={beta:g}: label noise has a finite variance, and L_gen(N) a mean, for beta > 2 only; run a sweep "
            "and allocate from its medians (`lidjax allocate STORE`, `allocate_sweep`)"
        )
    for name, value in (("sigma_eta", sigma_eta), ("delta", delta)):
        if value <= 0:
            raise InputError(f"{name}={value:g} must be greater than 0")
    for name, value in (("weight", weight), ("ridge", ridge)):
        if value < 0:
            raise InputError(f"{name}={value:g} must be at least 0")


class WideCell(NamedTuple):
    """One allocation to find where the width is free: a cell for each width that can be paid."""

    cells: list[int]
    """Index of each in the list of all cells, by increasing width."""


def cases_of_widths(
    columns: dict[str, np.ndarray], difficulty: Difficulty, widths: list[int]
) -> tuple[list[WideCell], list[Case], list[Cell]]:
    """For every entry of `columns` a cell for each of the `widths` that it can pay for, and the lines of all cells.

    At width P the costs of one feature count P times.
    """
    wide: list[WideCell] = []
    cases: list[Case] = []
    cells: list[Cell] = []
    seen: dict[tuple[Any, ...], int] = {}
    for row in zip(*columns.values(), strict=True):
        given = {name: x.item() if hasattr(x, "item") else x for name, x in zip(columns, row, strict=True)}
        least = _least_cost(given, widths[0])
        if as_fraction(given["budget"], "budget") < least:
            raise InputError(
                f"budget={given['budget']} pays for no model: {float(least):g} is the least, for one training instance "
                f"and one attempt at each of queries={given['queries']} at the smallest width={widths[0]}"
            )
        mine: list[int] = []
        for p in widths:
            if as_fraction(given["budget"], "budget") < _least_cost(given, p):
                break
            scaled = {**given, **{name: as_fraction(given[name], name) * p for name in COSTS}}
            (case,), (cell,) = distinct_cases(
                {name: np.array([x], dtype=object) for name, x in scaled.items()}, difficulty
            )
            key = (p, case.budget, case.parameters)
            if key not in seen:
                seen[key] = len(cases)
                cases.append(case._replace(parameters=case.parameters._replace(width=float(p))))
            mine.append(len(cells))
            cells.append(Cell(seen[key], cell.log_weight))
        wide.append(WideCell(mine))
    return wide, cases, cells


def _least_cost(given: dict[str, Any], width: int) -> Any:
    """What one training instance and one attempt at each query cost at a width."""
    train, infer = (as_fraction(given[name], name) for name in COSTS)
    if train <= 0 or infer <= 0 or as_fraction(given["queries"], "queries") < 1:
        Budget.checked(given["budget"], given["cost_train"], given["cost_infer"], given["queries"])
    return width * (train + infer * as_fraction(given["queries"], "queries"))
