"""The best whole split of every cell, what the paper's rules choose instead, and the result that says so."""

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lidjax.allocation.budget import whole_split
from lidjax.allocation.describe import end_slopes, flat_range, kind_of
from lidjax.allocation.losses import ExactLosses, LossParameters, LossValues, stack_parameters, total_loss
from lidjax.allocation.power_laws import exact_power_laws
from lidjax.allocation.results import Allocation, RuleSplit
from lidjax.allocation.rules import Rule, solve
from lidjax.allocation.search import Case, Cell, Counts, find_minima, nearby_splits, scan
from lidjax.allocation.shapes import counts_array

ROUNDING = 1e-14  # differences of log L_tot below this are rounding


class Choice(NamedTuple):
    """The best whole split of each cell, and how the splits of the rules compare."""

    best: list[Counts]
    """Whole (N, k) of each cell."""
    excess: np.ndarray
    """log L_tot of each rule's split above that of the best, (cells, rules)."""


def best_allocation(
    cells: Sequence[Cell],
    cases: list[Case],
    losses: ExactLosses,
    rules: tuple[Rule, ...],
    window: tuple[float, float],
) -> Allocation:
    """The allocation of a flat list of cells; its arrays have the length of the list."""
    scans = scan(cases, losses)
    minima = find_minima(cells, cases, scans, losses)
    by_rule = _rule_splits(cells, cases, losses, rules, window)
    candidates: list[list[Counts]] = []
    for index, cell in enumerate(cells):
        counts = scans[cell.case].counts
        if counts is None:
            budget, line, _ = cases[cell.case]
            mine = np.flatnonzero(minima.cell == index)
            nearby = [
                nearby_splits(
                    budget,
                    line,
                    float(minima.s[i]),
                    float(minima.curvature[i]),
                    float(minima.marginal_gain[i]),
                )
                for i in mine
            ]
            counts = list(dict.fromkeys(pair for pairs in nearby for pair in pairs))
        candidates.append([*counts, *by_rule[index]])
    best, excess = _choose(candidates, cells, cases, losses, len(rules))

    which = np.array([cell.case for cell in cells])
    log_weight = np.array([cell.log_weight for cell in cells])
    log_n, log_k = (np.array([math.log(pair[j]) for pair in best]) for j in (0, 1))
    parameters = stack_parameters([case.parameters for case in cases])
    values = losses.values(log_n, log_k, parameters.at(which), fine=True)
    total = total_loss(log_weight, values).log
    slopes = end_slopes(cells, cases, losses, parameters)
    flat = [
        flat_range(cases[cell.case], scans[cell.case], cell.log_weight, pair, total[i], minima, i)
        for i, (cell, pair) in enumerate(zip(cells, best, strict=True))
    ]
    rule_regret = np.expm1(excess)
    splits = {
        rule: RuleSplit(
            n=counts_array(pairs[j][0] for pairs in by_rule),
            k=counts_array(pairs[j][1] for pairs in by_rule),
            loss=np.exp(total + excess[:, j]),
            regret=rule_regret[:, j],
        )
        for j, rule in enumerate(rules)
    }
    return Allocation(
        n=counts_array(n for n, _ in best),
        k=counts_array(k for _, k in best),
        loss=np.exp(total),
        kind=np.array([kind_of(cases[c].budget, *pair) for c, pair in zip(which, best, strict=True)]),
        regret={rule: split.regret for rule, split in splits.items()},
        lgen=np.exp(values.log_lgen),
        failure=np.exp(values.log_failure),
        n_low=counts_array(low for low, _ in flat),
        n_high=counts_array(high for _, high in flat),
        slope_at_n1=slopes[0],
        slope_at_k1=slopes[1],
        rules=splits,
    )


def _rule_splits(
    cells: Sequence[Cell],
    cases: list[Case],
    losses: ExactLosses,
    rules: tuple[Rule, ...],
    window: tuple[float, float],
) -> list[list[Counts]]:
    """The whole counts that each rule chooses, cell by cell."""
    if not rules:
        return [[] for _ in cells]
    largest: dict[LossParameters, set[int]] = {}
    for case in cases:
        largest.setdefault(case.parameters, set()).add(case.budget.max_n)
    power_laws = {
        parameters: exact_power_laws(losses, parameters, sorted(sizes), window)
        for parameters, sizes in largest.items()
    }
    out: list[list[Counts]] = []
    for case, log_weight in cells:
        budget, line, parameters = cases[case]
        chosen = (solve(rule, power_laws[parameters][budget.max_n], line, log_weight) for rule in rules)
        out.append([whole_split(budget, line.at(s)) for s in chosen])
    return out


def _choose(
    candidates: list[list[Counts]],
    cells: Sequence[Cell],
    cases: list[Case],
    losses: ExactLosses,
    num_rules: int,
) -> Choice:
    """The best of each cell's candidates, of which the last `num_rules` are the rules' own.

    Among those equal to rounding it is the first, which is the one nearest to the minimum over real splits.
    """
    owner = [index for index, counts in enumerate(candidates) for _ in counts]
    pairs = [pair for counts in candidates for pair in counts]
    # a split that several cells of one case try is evaluated once
    keys = [(cells[i].case, *pair) for i, pair in zip(owner, pairs, strict=True)]
    position = {key: i for i, key in enumerate(dict.fromkeys(keys))}
    case = np.array([key[0] for key in position])
    log_n, log_k = (np.array([math.log(key[j]) for key in position]) for j in (1, 2))
    parameters = stack_parameters([case.parameters for case in cases]).at(case)
    values = losses.values(log_n, log_k, parameters)
    where = np.array([position[key] for key in keys])
    log_weight = np.array([cells[i].log_weight for i in owner])
    total = total_loss(log_weight, LossValues._make(column[where] for column in values)).log
    best: list[Counts] = []
    excess: list[np.ndarray] = []
    starts = itertools.accumulate((len(counts) for counts in candidates), initial=0)
    for a, b in itertools.pairwise(starts):
        chosen = a + int(np.argmax(total[a:b] <= total[a:b].min() + ROUNDING))
        best.append(pairs[chosen])
        excess.append(np.maximum(total[b - num_rules : b] - total[chosen], 0.0))
    return Choice(best, np.array(excess).reshape(len(cells), num_rules))
