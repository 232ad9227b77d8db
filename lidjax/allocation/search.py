"""The optimum along budget lines: a scan that brackets every local minimum, root finding inside, then whole counts.

The split of least L_tot is looked for in s, the log of training money over inference money. Real-valued splits come
first. Their nodes are uniform in s, hence logarithmic at both ends, with more of them around N = d, where double
descent can make two minima. Wherever the slope turns from negative to positive, a bracketed secant finds its zero. The
whole counts that the budget allows near each minimum are tried next (`nearby_splits`). Where N or k has few values all
of them are tried instead.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lidjax.allocation.budget import Budget, BudgetLine, BudgetSplit, nearest_count, whole_split
from lidjax.allocation.losses import (
    ExactLosses,
    LineLosses,
    LossParameters,
    LossValues,
    stack_parameters,
    total_loss,
)

UNIFORM = 160  # nodes along s: at C = 1e18 a factor 1.7 in N, at C = 1e6 1.2
NEAR_DIM = 24  # nodes on either side of N = d, at geometric distances from d
FEW = 192  # counts that are tried one by one
NEARBY = 64  # whole counts considered on either side of a minimum, for N and for k
TRIED = 6  # of these, the most promising are evaluated
MAX_STEPS = 40
RESOLUTION = 1e-11
BALANCE = 1e-9  # relative difference at which the marginal gains of training and of attempts count as equal

Counts = tuple[int, int | float]  # whole N and k; k may be infinite


class Case(NamedTuple):
    """One budget line with the parameters of its losses; several weights share it."""

    budget: Budget
    line: BudgetLine
    parameters: LossParameters

    def peak(self, dim: int) -> int:
        """The N at which L_gen may have its double-descent peak: d, or P in a model of P < d random features."""
        return int(min(dim, self.parameters.width))


class Cell(NamedTuple):
    """One allocation to find."""

    case: int
    """Index of its case."""
    log_weight: float
    """log R."""


class Scan(NamedTuple):
    """The nodes of one case, with the losses there."""

    split: BudgetSplit
    """The nodes, (nodes,)."""
    values: LossValues
    """The losses there and their slopes in s, (nodes,)."""
    counts: list[Counts] | None
    """The nodes as whole counts, where all whole counts are nodes; None where the nodes are real-valued."""


class Minima(NamedTuple):
    """Local minima over real splits, of many cells in one list; every field has shape (minima,)."""

    cell: np.ndarray
    """Index of the cell that each belongs to."""
    s: np.ndarray
    """Where it is."""
    log_total: np.ndarray
    """log L_tot there."""
    curvature: np.ndarray
    """Second derivative of log L_tot in s, from a difference of slopes; 1 at an end of the line."""
    marginal_gain: np.ndarray
    """-d log L_tot/d log k at fixed N: what more attempts would gain."""


def real_nodes(line: BudgetLine, dim: int) -> np.ndarray:
    """Increasing s from N = 1 to k = 1."""
    uniform = np.linspace(line.low, line.high, UNIFORM)
    away = np.geomspace(0.25, 0.5 * max(dim, 2), NEAR_DIM)
    near = line.s_of_n(np.concatenate([dim - away, [dim], dim + away]))
    return np.sort(np.concatenate([uniform, near]))


def all_splits(budget: Budget, losses: ExactLosses, parameters: LossParameters) -> list[Counts] | None:
    """All (N, k) that can be optimal, where N or k has at most FEW values; otherwise None.

    At given N the largest k is optimal. At given k it is the N of least L_gen among those that can be paid, which is
    not always the largest: near N = d more data can hurt.
    """
    if budget.max_n <= FEW:
        return [(n, budget.attempts(n)) for n in range(1, budget.max_n + 1)]
    if budget.max_k > FEW:
        return None
    most = [budget.instances(k) for k in range(1, budget.max_k + 1)]
    beyond = 4 * losses.dim  # from there on L_gen falls, for every width
    sizes = np.array(sorted({*range(1, min(most[0], beyond) + 1), *most}), dtype=object)
    log_lgen, _ = losses.lgen(np.log(sizes.astype(float)), parameters)
    lowest = np.minimum.accumulate(log_lgen)
    first = {float(value): int(n) for value, n in zip(log_lgen[::-1], sizes[::-1], strict=True)}
    where = [int(np.searchsorted(sizes, n, side="right")) - 1 for n in most]
    return [(first[float(lowest[i])], k + 1) for k, i in enumerate(where)]


def scan(cases: list[Case], losses: ExactLosses) -> list[Scan]:
    """Losses at the nodes of every case, evaluated in one list."""
    splits: list[BudgetSplit] = []
    counts: list[list[Counts] | None] = []
    for case in cases:
        pairs = all_splits(case.budget, losses, case.parameters)
        counts.append(pairs)
        if pairs is None:
            splits.append(case.line.at(real_nodes(case.line, case.peak(losses.dim))))
        else:
            log_n, log_k = (
                np.array([np.log(float(x)) for x in column]) for column in zip(*pairs, strict=True)
            )
            splits.append(BudgetSplit(np.zeros(len(pairs)), log_n, log_k))
    sizes = [np.size(split.s) for split in splits]
    flat = BudgetSplit._make(np.concatenate(column) for column in zip(*splits, strict=True))
    owner = np.repeat(np.arange(len(cases)), sizes)
    parameters = stack_parameters([case.parameters for case in cases]).at(owner)
    values = losses.values(flat.log_n, flat.log_k, parameters, flat.sampling_share, -flat.training_share)
    ends = np.cumsum(sizes)[:-1]
    columns = [np.split(column, ends) for column in values]
    return [
        Scan(split, LossValues._make(column[i] for column in columns), counts[i])
        for i, split in enumerate(splits)
    ]


def find_minima(cells: Sequence[Cell], cases: list[Case], scans: list[Scan], losses: LineLosses) -> Minima:
    """Every local minimum over real splits of every cell whose nodes are real-valued."""
    owner: list[int] = []
    low: list[float] = []
    high: list[float] = []
    low_slope: list[float] = []
    high_slope: list[float] = []
    at_ends: list[tuple[int, float, float, float]] = []  # as in Minima, without the marginal gain
    for index, (case, log_weight) in enumerate(cells):
        if scans[case].counts is not None:
            continue
        s = np.atleast_1d(scans[case].split.s)
        total, slope, _ = total_loss(np.float64(log_weight), scans[case].values)
        # where L_gen diverges the slope is NaN: L_tot rises before that node and falls after it
        falling, rising = ~(slope >= 0), ~(slope <= 0)
        turns = np.flatnonzero(falling[:-1] & rising[1:] & (s[1:] > s[:-1]))
        owner += [index] * len(turns)
        low += s[turns].tolist()
        high += s[turns + 1].tolist()
        low_slope += slope[turns].tolist()
        high_slope += slope[turns + 1].tolist()
        for edge in ([0] if slope[0] >= 0 else []) + ([len(s) - 1] if slope[-1] <= 0 else []):
            at_ends.append((index, s[edge], total[edge], 1.0))
    brackets = [np.array(x, float) for x in (low, high, low_slope, high_slope)]
    with np.errstate(invalid="ignore"):
        curvature = (brackets[3] - brackets[2]) / (brackets[1] - brackets[0])
    curvature = np.where(np.isfinite(curvature), curvature, 1.0)
    inner = _zeros_of_slope(np.array(owner, int), brackets, cells, cases, losses)
    ends = np.array(at_ends, float).reshape(-1, 4)
    cell = np.concatenate([np.array(owner, int), ends[:, 0].astype(int)])
    s, total, curvature = (
        np.concatenate(pair) for pair in zip((*inner, curvature), ends[:, 1:].T, strict=True)
    )
    return Minima(cell, s, total, curvature, _marginal_gains(cell, s, cells, cases, losses))


def _marginal_gains(
    cell: np.ndarray, s: np.ndarray, cells: Sequence[Cell], cases: list[Case], losses: LineLosses
) -> np.ndarray:
    """-d log L_tot/d log k at each s of its cell."""
    if not len(cell):
        return np.zeros(0)
    mine = [cases[cells[i].case] for i in cell]
    split = split_each([case.line for case in mine], s)
    parameters = stack_parameters([case.parameters for case in mine])
    values = losses.values(split.log_n, split.log_k, parameters, 0.0, 1.0)
    return -total_loss(np.array([cells[i].log_weight for i in cell]), values).slope


def _zeros_of_slope(
    owner: np.ndarray,
    brackets: list[np.ndarray],
    cells: Sequence[Cell],
    cases: list[Case],
    losses: LineLosses,
) -> tuple[np.ndarray, np.ndarray]:
    """s and log L_tot where the slope is zero, in brackets (low, high, slope at low, slope at high) of cells `owner`.

    All brackets advance together, by the Illinois variant of the false-position rule. A bracket is halved where a slope
    is not finite, and in every fourth step.
    """
    low, high, low_slope, high_slope = brackets
    best_s, best = (low + high) / 2, np.full(len(owner), np.inf)
    if not len(owner):
        return best_s, best
    active = np.arange(len(owner))
    mine = [cases[cells[i].case] for i in owner]
    log_weight = np.array([cells[i].log_weight for i in owner], float)
    parameters = stack_parameters([case.parameters for case in mine])
    last = np.zeros(len(owner))  # the end that moved in the last step: 1 low, -1 high
    for step in range(MAX_STEPS):
        if not len(active):
            break
        a, b, slope_a, slope_b = low[active], high[active], low_slope[active], high_slope[active]
        with np.errstate(invalid="ignore", divide="ignore"):
            trial = (a * slope_b - b * slope_a) / (slope_b - slope_a)
        secant = (trial > a) & (trial < b) & (step % 4 != 3)
        trial = np.where(secant, trial, (a + b) / 2)
        split = split_each([mine[i].line for i in active], trial)
        values = losses.values(
            split.log_n, split.log_k, parameters.at(active), split.sampling_share, -split.training_share
        )
        total, slope, parts = total_loss(log_weight[active], values)
        best[active], best_s[active] = total, trial
        falls = ~(slope >= 0)
        # Illinois: the slope at an end that stays for a second step counts half
        halve_high, halve_low = falls & (last[active] > 0), ~falls & (last[active] < 0)
        low[active], low_slope[active] = (
            np.where(falls, trial, a),
            np.where(falls, slope, np.where(halve_low, slope_a / 2, slope_a)),
        )
        high[active], high_slope[active] = (
            np.where(falls, b, trial),
            np.where(falls, np.where(halve_high, slope_b / 2, slope_b), slope),
        )
        last[active] = np.where(falls, 1.0, -1.0)
        width = high[active] - low[active]
        done = (np.abs(slope) < BALANCE * parts) | (width < RESOLUTION * np.maximum(1.0, np.abs(trial)))
        active = active[~done]
    return best_s, best


def split_each(lines: list[BudgetLine], s: np.ndarray) -> BudgetSplit:
    """One s on each of several lines."""
    parts = [line.at(x) for line, x in zip(lines, s, strict=True)]
    return BudgetSplit._make(np.array(column, float) for column in zip(*parts, strict=True))


def nearby_splits(
    budget: Budget, line: BudgetLine, s: float, curvature: float, marginal_gain: float
) -> list[Counts]:
    """Whole (N, k) to try for a minimum at s: the nearest, the most promising around it, and both ends.

    Near the minimum log L_tot rises by curvature (s - s*)²/2, and unspent money costs its share of an attempt. With
    costs of similar size the second decides: a few instances more or less may use the budget up.
    """
    split = line.at(np.float64(s))
    first = whole_split(budget, split)
    total, train, infer = budget.units
    shifts = range(-NEARBY, NEARBY + 1)
    n, k = nearest_count(split.log_n, budget.max_n), nearest_count(split.log_k, budget.max_k)
    sizes = {n + shift for shift in shifts} | {(total - (k + shift) * infer) // train for shift in shifts}

    def penalty(n: int) -> float:
        left = total - n * train
        k, unspent = divmod(left, infer)
        away = math.log(n * train) - math.log(left) - s
        return 0.5 * curvature * away**2 + marginal_gain * unspent / infer / k

    promising = sorted((x for x in sizes if 1 <= x <= budget.max_n), key=penalty)[:TRIED]
    return [first, *((n, budget.attempts(n)) for n in (*promising, 1, budget.max_n))]
