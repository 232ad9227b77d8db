"""The best whole split of every cell, among those near the minima over real splits and those of the rules."""

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lidjax.allocation.losses import ExactLosses, LossValues, stack_parameters, total_loss
from lidjax.allocation.search import Case, Cell, Counts, Minima, Scan, nearby_splits

ROUNDING = 1e-14  # differences of log L_tot below this are rounding


class Choice(NamedTuple):
    """The best whole split of each cell, the losses there, and how the splits of the rules compare."""

    best: list[Counts]
    """Whole (N, k) of each cell; k is infinite where attempts go on until one succeeds."""
    attempts: np.ndarray
    """Expected attempts that are paid for each query, (cells,)."""
    values: LossValues
    """The losses there, (cells,)."""
    by_rule: list[list[Counts]]
    """Whole (N, k) of each rule, cell by cell."""
    excess: np.ndarray
    """log L_tot of each rule's split above that of the best, (cells, rules)."""


def choose_paid(
    cells: Sequence[Cell],
    cases: list[Case],
    scans: list[Scan],
    minima: Minima,
    losses: ExactLosses,
    by_rule: list[list[int]],
) -> Choice:
    """The choice where all k attempts are paid for.

    Among splits equal to rounding it is the first, which is the one nearest to the minimum over real splits.
    """
    of_rules: list[list[Counts]] = [
        [(n, cases[cell.case].budget.attempts(n)) for n in sizes]
        for cell, sizes in zip(cells, by_rule, strict=True)
    ]
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
        candidates.append([*counts, *of_rules[index]])
    best, excess = _least(candidates, cells, cases, losses, len(by_rule[0]))
    which = np.array([cell.case for cell in cells])
    log_n, log_k = (np.array([math.log(pair[j]) for pair in best]) for j in (0, 1))
    parameters = stack_parameters([case.parameters for case in cases])
    values = losses.values(log_n, log_k, parameters.at(which), fine=True)
    return Choice(best, np.array([float(k) for _, k in best]), values, of_rules, excess)


def _least(
    candidates: list[list[Counts]],
    cells: Sequence[Cell],
    cases: list[Case],
    losses: ExactLosses,
    num_rules: int,
) -> tuple[list[Counts], np.ndarray]:
    """The best of each cell's candidates, and log L_tot of the last `num_rules`, the rules' own, above it."""
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
    return best, np.array(excess).reshape(len(cells), num_rules)
