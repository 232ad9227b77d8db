"""The best whole split of every cell where attempts stop at the first success.

For a given N the best k is the largest that the rest of the budget pays for in expectation; for a given k the best N
is mostly the largest that leaves A(k; N) attempts. So the candidates are training sizes: those near each minimum over
real splits, and the largest that pay for each whole k near it and for each small k. They are compared by interpolated
losses, and the most promising once more by the full quadrature.
"""

import itertools
import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from lidjax.allocation.budget import MOST_ATTEMPTS, Budget, BudgetSplit, nearest_count
from lidjax.allocation.choice import Choice
from lidjax.allocation.losses import LossValues, stack_parameters, total_loss
from lidjax.allocation.search import FEW, Case, Cell, Counts, Minima, Scan, real_nodes, split_each
from lidjax.allocation.stopped import StoppedLosses
from lidjax.allocation.stopped_table import LOG_MOST

NEAR_N = 8  # training sizes on either side of a minimum
NEAR_K = 4  # whole k on either side of a minimum
SMALL_K = 8  # every k up to here has its largest N tried
ROUNDS, PIECES = 3, 6  # of the refinement of the nodes where k falls steeply
LARGE_K = (100, 1000, 10**4, 10**6, 10**9, 10**12, 10**18, MOST_ATTEMPTS)
"""k whose largest N is tried: where more data no longer help, every N that pays for sampling to saturate is as good."""
FINALISTS = 6  # sizes that are compared by the full quadrature
STEPS = 16  # of the bracketed secant for the largest N of a k


def whole_number(k: float) -> int | float:
    """A whole k as an integer; infinity stays."""
    if math.isinf(k):
        return k
    return MOST_ATTEMPTS if k >= MOST_ATTEMPTS else int(k)


def scan_stopped(cases: list[Case], losses: StoppedLosses) -> list[Scan]:
    """Losses at the nodes of every case: all whole N with their whole k where they are few, otherwise real splits."""
    out: list[Scan] = []
    for case in cases:
        budget, line, parameters = case
        if budget.max_n > FEW:
            split = line.at(_steep_nodes(real_nodes(line, case.peak(losses.dim)), case, losses))
            values = losses.values(
                split.log_n, split.log_k, parameters, split.sampling_share, -split.training_share
            )
            out.append(Scan(split, values, None))
            continue
        sizes = range(1, budget.max_n + 1)
        log_n = np.log(np.array(sizes, float))
        log_b = np.log(np.array([budget.paid_attempts(n) for n in sizes]))
        log_k, values = losses.at_whole_k(log_n, log_b, parameters)
        counts: list[Counts] = [(n, round(math.exp(k))) for n, k in zip(sizes, log_k, strict=True)]
        out.append(Scan(BudgetSplit(np.zeros_like(log_n), log_n, log_b), values, counts))
    return out


def _steep_nodes(s: np.ndarray, case: Case, losses: StoppedLosses) -> np.ndarray:
    """The nodes with more of them where k falls by more than a factor e from one to the next.

    Where b comes down to the A at which sampling saturates, k falls by tens of decades within a thousandth of s, and
    the loss turns from falling to a steep rise.
    """
    for _ in range(ROUNDS):
        split = case.line.at(s)
        log_k = losses.log_k(split.log_n, split.log_k, case.parameters)
        steep = np.flatnonzero(np.abs(np.diff(log_k)) > 1)
        share = np.arange(1, PIECES) / PIECES
        more = s[steep][:, None] + np.diff(s)[steep][:, None] * share
        s = np.unique(np.concatenate([s, more.ravel()]))
    return s


def choose_stopped(
    cells: Sequence[Cell],
    cases: list[Case],
    scans: list[Scan],
    minima: Minima,
    losses: StoppedLosses,
    by_rule: list[list[int]],
) -> Choice:
    """The choice where attempts stop at the first success."""
    sizes: list[list[int]] = []
    small = _largest_sizes(cells, cases, scans, minima, losses)
    for index, cell in enumerate(cells):
        budget, line, _ = cases[cell.case]
        counts = scans[cell.case].counts
        if counts is not None:
            near = {n for n, _ in counts}
        else:
            near = {1, budget.max_n}
            for s in [*minima.s[minima.cell == index], *small[index]]:
                middle = _size_at(budget, line.at(np.float64(s)))
                near |= set(range(middle - NEAR_N, middle + NEAR_N + 1))
        sizes.append(sorted({n for n in near if 1 <= n <= budget.max_n} | set(by_rule[index])))
    finalists = [
        [*sorted(set(most) | set(rule)), *rule]
        for most, rule in zip(_most_promising(sizes, cells, cases, losses), by_rule, strict=True)
    ]
    return _least(finalists, cells, cases, losses, len(by_rule[0]))


def _size_at(budget: Budget, split: BudgetSplit) -> int:
    """The whole N nearest to a real split; the smaller share of the budget is rounded, as by `whole_split`."""
    if split.s > 0:
        money = Fraction(float(np.exp(split.log_k))) * budget.cost_infer
        return min(max(math.floor((budget.total - money) / budget.cost_train), 1), budget.max_n)
    return nearest_count(split.log_n, budget.max_n)


def _largest_sizes(
    cells: Sequence[Cell],
    cases: list[Case],
    scans: list[Scan],
    minima: Minima,
    losses: StoppedLosses,
) -> list[list[float]]:
    """For every cell the s of the largest N that leaves the money for each of some whole k."""
    owner: list[int] = []
    target: list[float] = []
    low: list[float] = []
    high: list[float] = []
    node_k: dict[int, np.ndarray] = {}
    for index, (case, _) in enumerate(cells):
        if scans[case].counts is not None:
            continue
        split = scans[case].split
        if case not in node_k:
            node_k[case] = losses.log_k(split.log_n, split.log_k, cases[case].parameters)
        s = np.atleast_1d(split.s)
        at = np.interp(minima.s[minima.cell == index], s, node_k[case])
        near = {math.floor(math.exp(x)) + i for x in at if x < 12 for i in range(1 - NEAR_K, NEAR_K + 1)}
        for k in sorted(near | set(range(1, SMALL_K + 1)) | set(LARGE_K)):
            fits = np.flatnonzero(node_k[case] >= min(math.log(max(k, 1)), LOG_MOST))
            if k < 1 or not len(fits) or fits[-1] == len(s) - 1:
                continue
            owner.append(index)
            target.append(math.log(k))
            low.append(float(s[fits[-1]]))
            high.append(float(s[fits[-1] + 1]))
    out: list[list[float]] = [[] for _ in cells]
    if not owner:
        return out
    a, b, log_k = np.array(low), np.array(high), np.array(target)
    mine = [cases[cells[i].case] for i in owner]
    parameters = stack_parameters([case.parameters for case in mine])

    def missing(s: np.ndarray) -> np.ndarray:
        """log of what A(k) costs over what is left."""
        split = split_each([case.line for case in mine], s)
        return losses.log_attempts(split.log_n, log_k, parameters) - split.log_k

    at_a, at_b = np.minimum(missing(a), 0.0), np.maximum(missing(b), 0.0)
    for step in range(STEPS):
        with np.errstate(invalid="ignore", divide="ignore"):
            s = (a * at_b - b * at_a) / (at_b - at_a)
        s = np.where((s > a) & (s < b) & (step % 3 != 2), s, (a + b) / 2)
        value = missing(s)
        fits = value <= 0
        a, at_a = np.where(fits, s, a), np.where(fits, value, at_a)
        b, at_b = np.where(fits, b, s), np.where(fits, at_b, value)
    for i, s in zip(owner, a.tolist(), strict=True):
        out[i].append(s)
    return out


def _most_promising(
    sizes: list[list[int]], cells: Sequence[Cell], cases: list[Case], losses: StoppedLosses
) -> list[list[int]]:
    """Of each cell's training sizes the `FINALISTS` with the least interpolated L_tot."""
    position: dict[tuple[int, int], int] = {}
    for cell, mine in zip(cells, sizes, strict=True):
        for n in mine:
            position.setdefault((cell.case, n), len(position))
    case = np.array([key[0] for key in position])
    log_n = np.array([math.log(n) for _, n in position])
    log_b = np.log(np.array([cases[i].budget.paid_attempts(n) for i, n in position]))
    parameters = stack_parameters([case.parameters for case in cases]).at(case)
    values = losses.at_whole_k(log_n, log_b, parameters)[1]
    out: list[list[int]] = []
    for cell, mine in zip(cells, sizes, strict=True):
        where = np.array([position[cell.case, n] for n in mine])
        total = total_loss(np.float64(cell.log_weight), LossValues._make(c[where] for c in values)).log
        out.append([mine[i] for i in np.argsort(total, kind="stable")[:FINALISTS]])
    return out


def _least(
    sizes: list[list[int]], cells: Sequence[Cell], cases: list[Case], losses: StoppedLosses, num_rules: int
) -> Choice:
    """The best of each cell's sizes by the full quadrature; the last `num_rules` are the rules' own."""
    keys = [(cell.case, n) for cell, mine in zip(cells, sizes, strict=True) for n in mine]
    position = {key: i for i, key in enumerate(dict.fromkeys(keys))}
    parameters = stack_parameters([case.parameters for case in cases]).at(np.array([i for i, _ in position]))
    log_n = np.array([math.log(n) for _, n in position])
    paid = np.array([cases[i].budget.paid_attempts(n) for i, n in position])
    values, counts, attempts = losses.whole_losses(log_n, paid, parameters)
    where = np.array([position[key] for key in keys])
    log_weight = np.repeat([cell.log_weight for cell in cells], [len(mine) for mine in sizes])
    total = total_loss(log_weight, LossValues._make(column[where] for column in values)).log
    best: list[int] = []
    excess: list[np.ndarray] = []
    starts = itertools.accumulate((len(mine) for mine in sizes), initial=0)
    for a, b in itertools.pairwise(starts):
        chosen = a + int(np.argmin(total[a:b]))
        best.append(int(where[chosen]))
        excess.append(np.maximum(total[b - num_rules : b] - total[chosen], 0.0))
    pairs = [(n, whole_number(k)) for (_, n), k in zip(position, counts, strict=True)]
    ends = list(itertools.accumulate(len(mine) for mine in sizes))
    return Choice(
        best=[pairs[i] for i in best],
        attempts=attempts[best],
        values=LossValues._make(column[best] for column in values),
        by_rule=[[pairs[i] for i in where[b - num_rules : b]] for b in ends],
        excess=np.array(excess).reshape(len(cells), num_rules),
    )
