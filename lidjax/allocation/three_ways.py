"""The best split of a budget between width, training instances and attempts: N, P and k.

A model of P random features costs c_train N P to train on N instances and c_infer P for an attempt. At one width this
is the allocation between N and k with costs that are P times as high, so the search takes every width that is allowed,
and its optimum is that of the whole grid of widths, over whole N and k.

What it is compared with is "Chinchilla first, sample later": width and data that make L_gen least at some training
compute, as if nothing else counted, and attempts with what is left.
"""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from lidjax.allocation.cases import WideCell
from lidjax.allocation.losses import (
    ExactLosses,
    LossParameters,
    LossValues,
    stack_parameters,
    total_loss,
)
from lidjax.allocation.optimum import best_allocation
from lidjax.allocation.results import Allocation, RuleSplit
from lidjax.allocation.search import Case, Cell
from lidjax.allocation.shapes import counts_array
from lidjax.allocation.stopped import StoppedLosses
from lidjax.allocation.stopped_choice import whole_number
from lidjax.arrays import WHOLE, check_values
from lidjax.errors import InputError

WidthRule = Literal["chinchilla_first", "chinchilla_half", "chinchilla_best"]
WIDTH_RULES: tuple[WidthRule, ...] = ("chinchilla_first", "chinchilla_half", "chinchilla_best")
"""Names of the rules that are scored where the width is free: the training compute is all that leaves one attempt for
each query, half of the budget, or the share of it that is best in hindsight."""
SHARES = 1 / (1 + np.exp(-np.linspace(-6, 8, 57)))
"""Shares of the budget that "chinchilla_best" tries; heuristic: a factor 1.3 apart in the odds."""


def check_widths(width: npt.ArrayLike) -> list[int]:
    """The widths to choose from, increasing; InputError unless they are a list of whole numbers of at least 1."""
    values = np.atleast_1d(np.asarray(width, float))
    if values.ndim != 1 or not len(values):
        raise InputError(f"width must be a list of whole numbers, not of shape {np.shape(width)}")
    check_values("width", values, WHOLE)
    return sorted({int(value) for value in values})


def best_over_widths(
    wide: list[WideCell],
    cells: list[Cell],
    cases: list[Case],
    losses: ExactLosses | StoppedLosses,
    rules: Sequence[WidthRule],
    window: tuple[float, float],
) -> Allocation:
    """The allocation of a list of `WideCell`; its arrays have the length of the list."""
    every = best_allocation(cells, cases, losses, (), window)
    best = np.array([one.cells[int(np.argmin(every.loss[one.cells]))] for one in wide])
    arrays = {
        name: values[best] for name, values in every._asdict().items() if isinstance(values, np.ndarray)
    }
    splits = _score(wide, cells, cases, losses, rules, np.log(arrays["loss"]))
    return every._replace(
        **arrays,
        width=np.array([_width(cases[cells[i].case]) for i in best], dtype=np.int64),
        rules=splits,
        regret={rule: split.regret for rule, split in splits.items()},
    )


def _width(case: Case) -> int:
    return int(case.parameters.width)


def _score(
    wide: list[WideCell],
    cells: list[Cell],
    cases: list[Case],
    losses: ExactLosses | StoppedLosses,
    rules: Sequence[WidthRule],
    log_least: np.ndarray,
) -> dict[str, RuleSplit]:
    """What each rule chooses and loses."""
    plans: list[tuple[int, int]] = []  # (cell, N) of every rule of every wide cell
    for one in wide:
        mine = {rule: _plan(rule, one, cells, cases, losses) for rule in rules}
        plans += [mine[rule] for rule in rules]
    if not plans:
        return {}
    total, counts = _evaluate(plans, cells, cases, losses)
    out: dict[str, RuleSplit] = {}
    for j, rule in enumerate(rules):
        at = range(j, len(plans), len(rules))
        excess = np.maximum(total[list(at)] - log_least, 0.0)
        out[rule] = RuleSplit(
            n=counts_array(plans[i][1] for i in at),
            k=counts_array(counts[i] for i in at),
            loss=np.exp(log_least + excess),
            regret=np.expm1(excess),
            width=np.array([_width(cases[cells[plans[i][0]].case]) for i in at], dtype=np.int64),
        )
    return out


def _plan(
    rule: WidthRule, one: WideCell, cells: list[Cell], cases: list[Case], losses: ExactLosses | StoppedLosses
) -> tuple[int, int]:
    """The cell, which has the width, and N that a rule chooses."""
    mine = [cases[cells[i].case] for i in one.cells]
    shares = {"chinchilla_first": np.ones(1), "chinchilla_half": np.full(1, 0.5)}.get(rule, SHARES)
    sizes = np.array(
        [[_instances(case, share) for share in shares] for case in mine], dtype=object
    )  # (widths, shares)
    usable = sizes >= 1
    if not usable.any():  # half of the budget trains nothing at any width: one instance at the smallest
        return one.cells[0], 1
    flat = np.maximum(sizes, 1).ravel()
    parameters = stack_parameters([case.parameters for case in mine])
    log_n = np.log(flat.astype(float))
    log_lgen, _ = losses.lgen(log_n, parameters.at(np.repeat(np.arange(len(mine)), len(shares))))
    log_lgen = np.where(usable, log_lgen.reshape(sizes.shape), np.inf)
    at = np.argmin(log_lgen, axis=0)  # the compute-optimal width at each training compute
    plans = [(one.cells[i], int(sizes[i, j])) for j, i in enumerate(at.tolist()) if usable[i, j]]
    if len(plans) == 1:
        return plans[0]
    total = _evaluate(plans, cells, cases, losses, roughly=True)[0]
    return plans[int(np.argmin(total))]


def _instances(case: Case, share: float) -> int:
    """Instances that a share of the budget pays for, leaving one attempt."""
    budget = case.budget
    return min(math.floor(float(budget.total) * share / float(budget.cost_train)), budget.max_n)


def _evaluate(
    plans: list[tuple[int, int]],
    cells: list[Cell],
    cases: list[Case],
    losses: ExactLosses | StoppedLosses,
    *,
    roughly: bool = False,
) -> tuple[np.ndarray, list[int | float]]:
    """log L_tot of each (cell, N) with all the attempts that are left, and their number."""
    mine = [cases[cells[i].case] for i, _ in plans]
    log_weight = np.array([cells[i].log_weight for i, _ in plans])
    log_n = np.array([math.log(n) for _, n in plans])
    parameters: LossParameters = stack_parameters([case.parameters for case in mine])
    if isinstance(losses, StoppedLosses):
        paid = np.array([case.budget.paid_attempts(n) for case, (_, n) in zip(mine, plans, strict=True)])
        if roughly:
            return total_loss(log_weight, losses.at_whole_k(log_n, np.log(paid), parameters)[1]).log, []
        values, found, _ = losses.whole_losses(log_n, paid, parameters)
        counts: list[int | float] = [whole_number(k) for k in found]
    else:
        counts = [case.budget.attempts(n) for case, (_, n) in zip(mine, plans, strict=True)]
        log_k = np.array([math.log(k) for k in counts])
        values: LossValues = losses.values(log_n, log_k, parameters, fine=not roughly)
    return total_loss(log_weight, values).log, counts
