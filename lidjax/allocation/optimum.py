"""The best whole split of every cell, what the paper's rules choose instead, and the result that says so."""

from collections.abc import Sequence

import numpy as np

from lidjax.allocation.budget import whole_split
from lidjax.allocation.choice import choose_paid
from lidjax.allocation.describe import end_slopes, flat_range, kind_of
from lidjax.allocation.losses import ExactLosses, LossParameters, stack_parameters, total_loss
from lidjax.allocation.power_laws import exact_power_laws
from lidjax.allocation.results import Allocation, RuleSplit
from lidjax.allocation.rules import Rule, solve
from lidjax.allocation.search import Case, Cell, find_minima, scan
from lidjax.allocation.shapes import counts_array
from lidjax.allocation.stopped import StoppedLosses
from lidjax.allocation.stopped_choice import choose_stopped, scan_stopped


def best_allocation(
    cells: Sequence[Cell],
    cases: list[Case],
    losses: ExactLosses | StoppedLosses,
    rules: tuple[Rule, ...],
    window: tuple[float, float],
) -> Allocation:
    """The allocation of a flat list of cells; its arrays have the length of the list."""
    stopped = isinstance(losses, StoppedLosses)
    by_rule = _rule_sizes(cells, cases, losses.exact if stopped else losses, rules, window)
    if stopped:
        scans = scan_stopped(cases, losses)
        minima = find_minima(cells, cases, scans, losses)
        choice = choose_stopped(cells, cases, scans, minima, losses, by_rule)
    else:
        scans = scan(cases, losses)
        minima = find_minima(cells, cases, scans, losses)
        choice = choose_paid(cells, cases, scans, minima, losses, by_rule)
    which = np.array([cell.case for cell in cells])
    log_weight = np.array([cell.log_weight for cell in cells])
    total = total_loss(log_weight, choice.values).log
    slopes = end_slopes(cells, cases, losses, stack_parameters([case.parameters for case in cases]))
    flat = [
        flat_range(cases[cell.case], scans[cell.case], cell.log_weight, pair, total[i], minima, i)
        for i, (cell, pair) in enumerate(zip(cells, choice.best, strict=True))
    ]
    rule_regret = np.expm1(choice.excess)
    splits = {
        rule: RuleSplit(
            n=counts_array(pairs[j][0] for pairs in choice.by_rule),
            k=counts_array(pairs[j][1] for pairs in choice.by_rule),
            loss=np.exp(total + choice.excess[:, j]),
            regret=rule_regret[:, j],
        )
        for j, rule in enumerate(rules)
    }
    kinds = [
        kind_of(cases[c].budget, *pair, stopped=stopped) for c, pair in zip(which, choice.best, strict=True)
    ]
    return Allocation(
        n=counts_array(n for n, _ in choice.best),
        k=counts_array(k for _, k in choice.best),
        loss=np.exp(total),
        kind=np.array(kinds),
        regret={rule: split.regret for rule, split in splits.items()},
        lgen=np.exp(choice.values.log_lgen),
        failure=np.exp(choice.values.log_failure),
        n_low=counts_array(low for low, _ in flat),
        n_high=counts_array(high for _, high in flat),
        slope_at_n1=slopes[0],
        slope_at_k1=slopes[1],
        rules=splits,
        expected_attempts=choice.attempts,
    )


def _rule_sizes(
    cells: Sequence[Cell],
    cases: list[Case],
    losses: ExactLosses,
    rules: tuple[Rule, ...],
    window: tuple[float, float],
) -> list[list[int]]:
    """The training sizes that each rule chooses, cell by cell; the rules pay for every attempt."""
    if not rules:
        return [[] for _ in cells]
    largest: dict[LossParameters, set[int]] = {}
    for case in cases:
        largest.setdefault(case.parameters, set()).add(case.budget.max_n)
    power_laws = {
        parameters: exact_power_laws(losses, parameters, sorted(sizes), window)
        for parameters, sizes in largest.items()
    }
    out: list[list[int]] = []
    for case, log_weight in cells:
        budget, line, parameters = cases[case]
        chosen = (solve(rule, power_laws[parameters][budget.max_n], line, log_weight) for rule in rules)
        out.append([whole_split(budget, line.at(s))[0] for s in chosen])
    return out
