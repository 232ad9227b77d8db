"""The optimum along budget lines: a scan that sees every valley, slopes to its floor, then whole counts.

The split of least L_tot is looked for in s = log of training money over inference money. Real-valued splits first:
nodes uniform in s, so logarithmic at both ends, and more of them around N = d, where double descent can make two
valleys; wherever the slope turns from - to + a bracketed secant goes to the floor. Then the counts that the budget
allows near each floor. Where N or k has few values all of them are tried, and no floor is needed.
"""

# pyright: reportCallIssue=false
# (columns are unpacked into as many fields as a NamedTuple has, which a type checker cannot count)

import math
from typing import NamedTuple

import numpy as np

from lidjax.allocation.budget import Budget, Line, Split, clip_count, whole
from lidjax.allocation.losses import Losses, Model, Values, log_total

UNIFORM = 160  # nodes along s: at C = 1e18 a factor 1.7 in N, at C = 1e6 1.2
NEAR_DIM = 24  # nodes on either side of N = d, at geometric distances from d
FEW = 192  # counts that are tried one by one
NEARBY = 64  # whole counts considered on either side of a floor, for N and for k
TRIED = 6  # of these, the most promising are evaluated
MAX_STEPS = 40
RESOLUTION = 1e-11
BALANCE = 1e-9  # marginal gains of training and of attempts agree to this


class Case(NamedTuple):
    """One budget line with its model; several weights share it."""

    budget: Budget
    line: Line
    model: Model


class Scan(NamedTuple):
    """Nodes of one case: real splits (`counts` None) or all whole ones, with the losses there."""

    split: Split
    values: Values
    counts: list[tuple[int, int]] | None


class Floor(NamedTuple):
    """Local minima over real splits, as flat lists; `cell` says which cell each belongs to.

    `bend` is the second derivative of log L_tot in s, roughly; `dear` is -d log L_tot/d log k at fixed N.
    """

    cell: np.ndarray
    s: np.ndarray
    log_total: np.ndarray
    bend: np.ndarray
    dear: np.ndarray


def real_nodes(line: Line, dim: int) -> np.ndarray:
    """Increasing s from N = 1 to k = 1."""
    uniform = np.linspace(line.low, line.high, UNIFORM)
    away = np.geomspace(0.25, 0.5 * max(dim, 2), NEAR_DIM)
    near = line.at_n(np.concatenate([dim - away, [dim], dim + away]))
    return np.sort(np.concatenate([uniform, near]))


def whole_counts(budget: Budget, losses: Losses, model: Model) -> list[tuple[int, int]] | None:
    """All (N, k) that can be best, where N or k has at most FEW values; otherwise None.

    At given N the best k is the largest. At given k it is the N of least L_gen among those left, which is not
    always the largest: near N = d more data can hurt.
    """
    if budget.max_n <= FEW:
        return [(n, budget.attempts(n)) for n in range(1, budget.max_n + 1)]
    if budget.max_k > FEW:
        return None
    most = [budget.instances(k) for k in range(1, budget.max_k + 1)]
    beyond = 4 * losses.dim  # from there on L_gen falls
    sizes = np.array(sorted({*range(1, min(most[0], beyond) + 1), *most}), dtype=object)
    log_lgen, _ = losses.lgen(np.log(sizes.astype(float)), model)
    lowest = np.minimum.accumulate(log_lgen)
    first = {float(value): int(n) for value, n in zip(log_lgen[::-1], sizes[::-1], strict=True)}
    where = [int(np.searchsorted(sizes, n, side="right")) - 1 for n in most]
    return [(first[float(lowest[i])], k + 1) for k, i in enumerate(where)]


def scan(cases: list[Case], losses: Losses) -> list[Scan]:
    """Losses at the nodes of every case, evaluated in one list."""
    splits, counts = [], []
    for case in cases:
        pairs = whole_counts(case.budget, losses, case.model)
        counts.append(pairs)
        if pairs is None:
            splits.append(case.line.at(real_nodes(case.line, losses.dim)))
        else:
            log_n, log_k = (
                np.array([np.log(float(x)) for x in column]) for column in zip(*pairs, strict=True)
            )
            splits.append(Split(np.zeros(len(pairs)), log_n, log_k))
    sizes = [len(split.s) for split in splits]
    flat = Split(*(np.concatenate(column) for column in zip(*splits, strict=True)))
    owner = np.repeat(np.arange(len(cases)), sizes)
    values = losses.values(
        flat.log_n, flat.log_k, stack([c.model for c in cases]).at(owner), flat.samples, -flat.trains
    )
    ends = np.cumsum(sizes)[:-1]
    columns = [np.split(column, ends) for column in values]
    return [
        Scan(split, Values(*(column[i] for column in columns)), counts[i]) for i, split in enumerate(splits)
    ]


def stack(models: list[Model]) -> Model:
    """Models as one Model of arrays."""
    return Model(*(np.array(column, float) for column in zip(*models, strict=True)))


def find_floors(
    cells: list[tuple[int, float]], cases: list[Case], scans: list[Scan], losses: Losses
) -> Floor:
    """Every local minimum over real splits of every cell (case, log R) that was not counted out."""
    owner, low, high, low_slope, high_slope = [], [], [], [], []
    found = []
    for index, (case, log_weight) in enumerate(cells):
        if scans[case].counts is not None:
            continue
        s = scans[case].split.s
        total, slope, _ = log_total(np.float64(log_weight), scans[case].values)
        falling, rising = ~(slope >= 0), ~(slope <= 0)  # a diverging L_gen rises before and falls after
        turns = np.flatnonzero(falling[:-1] & rising[1:] & (s[1:] > s[:-1]))
        owner += [index] * len(turns)
        low += s[turns].tolist()
        high += s[turns + 1].tolist()
        low_slope += slope[turns].tolist()
        high_slope += slope[turns + 1].tolist()
        for edge in ([0] if slope[0] >= 0 else []) + ([len(s) - 1] if slope[-1] <= 0 else []):
            found.append((index, s[edge], total[edge], 1.0))
    bracket = [np.array(x, float) for x in (low, high, low_slope, high_slope)]
    with np.errstate(invalid="ignore"):
        bend = (bracket[3] - bracket[2]) / (bracket[1] - bracket[0])
    bend = np.where(np.isfinite(bend), bend, 1.0)
    inner = _descend(np.array(owner, int), *bracket, cells, cases, losses)
    ends = np.array(found, float).reshape(-1, 4)
    cell = np.concatenate([np.array(owner, int), ends[:, 0].astype(int)])
    inner = (*inner, bend)
    s, total, bend = (np.concatenate([mine, edge]) for mine, edge in zip(inner, ends[:, 1:].T, strict=True))
    return Floor(cell, s, total, bend, _dearness(cell, s, cells, cases, losses))


def _dearness(cell, s, cells, cases, losses: Losses) -> np.ndarray:
    if not len(cell):
        return np.zeros(0)
    which = [cases[cells[i][0]] for i in cell]
    split = _along([case.line for case in which], s)
    values = losses.values(split.log_n, split.log_k, stack([case.model for case in which]), 0.0, 1.0)
    return -log_total(np.array([cells[i][1] for i in cell]), values).slope


def _descend(owner, low, high, low_slope, high_slope, cells, cases, losses):
    """Zero of the slope in each bracket, by the Illinois rule, bisecting where a slope is not finite."""
    best_s, best = (low + high) / 2, np.full(len(owner), np.inf)
    active = np.arange(len(owner))
    which = np.array([cells[i][0] for i in owner], int)
    log_weight = np.array([cells[i][1] for i in owner], float)
    models = stack([cases[i].model for i in which]) if len(owner) else None
    last = np.zeros(len(owner))
    for step in range(MAX_STEPS):
        if not len(active) or models is None:
            break
        a, b, fa, fb = low[active], high[active], low_slope[active], high_slope[active]
        with np.errstate(invalid="ignore", divide="ignore"):
            trial = (a * fb - b * fa) / (fb - fa)
        inside = (trial > a) & (trial < b) & (step % 4 != 3)
        trial = np.where(inside, trial, (a + b) / 2)
        split = _along([cases[i].line for i in which[active]], trial)
        values = losses.values(split.log_n, split.log_k, models.at(active), split.samples, -split.trains)
        total, slope, parts = log_total(log_weight[active], values)
        best[active], best_s[active] = total, trial
        down = ~(slope >= 0)
        # Illinois: the end that stays twice counts half
        halve_high, halve_low = down & (last[active] > 0), ~down & (last[active] < 0)
        low[active], low_slope[active] = (
            np.where(down, trial, a),
            np.where(down, slope, np.where(halve_low, fa / 2, fa)),
        )
        high[active], high_slope[active] = (
            np.where(down, b, trial),
            np.where(down, np.where(halve_high, fb / 2, fb), slope),
        )
        last[active] = np.where(down, 1.0, -1.0)
        width = high[active] - low[active]
        done = (np.abs(slope) < BALANCE * parts) | (width < RESOLUTION * np.maximum(1.0, np.abs(trial)))
        active = active[~done]
    return best_s, best


def _along(lines: list[Line], s: np.ndarray) -> Split:
    """One s on each of several lines."""
    parts = [line.at(x) for line, x in zip(lines, s, strict=True)]
    return Split(*(np.array(column, float) for column in zip(*parts, strict=True)))


def nearby_counts(budget: Budget, line: Line, s: float, bend: float, dear: float) -> list[tuple[int, int]]:
    """Whole (N, k) to try for a floor at s: its own, both ends, and the most promising around it.

    Away from the floor log L_tot rises by bend (s - s*)²/2; money left over costs its share of an attempt. With costs
    of one size the second decides: a few instances more or less may use the budget up.
    """
    split = line.at(np.float64(s))
    first = whole(budget, split)
    total, train, infer = budget.units
    shifts = range(-NEARBY, NEARBY + 1)
    n, k = clip_count(split.log_n, budget.max_n), clip_count(split.log_k, budget.max_k)
    sizes = {n + shift for shift in shifts} | {(total - (k + shift) * infer) // train for shift in shifts}

    def penalty(n: int) -> float:
        left = total - n * train
        k, over = divmod(left, infer)
        away = math.log(n * train) - math.log(left) - s
        return 0.5 * bend * away**2 + dear * over / infer / k

    promising = sorted((x for x in sizes if 1 <= x <= budget.max_n), key=penalty)[:TRIED]
    return [first, *((n, budget.attempts(n)) for n in (*promising, 1, budget.max_n))]
