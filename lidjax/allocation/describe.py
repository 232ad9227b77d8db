"""What is said about an optimum: its kind, the slopes at the ends of its budget line, and how flat it is."""

import math
from collections.abc import Sequence

import numpy as np

from lidjax.allocation.budget import Budget, BudgetSplit, whole_split
from lidjax.allocation.losses import LineLosses, LossParameters, LossValues, total_loss
from lidjax.allocation.search import Case, Cell, Counts, Minima, Scan

FLAT = 1.01  # a loss within this factor of the least counts as equally good


def kind_of(budget: Budget, n: int, k: int | float, *, stopped: bool = False) -> str:
    """Whether a whole split is at an end of the budget line: "all_training", "all_inference" or "interior".

    With attempts that stop at a success (`stopped`) the number k does not say whether the line ends: only N does.
    """
    if k == 1 or n == budget.max_n:
        return "all_training" if budget.max_n > 1 or budget.max_k == 1 else "all_inference"
    return "all_inference" if n == 1 or (not stopped and k == budget.max_k) else "interior"


def end_slopes(
    cells: Sequence[Cell], cases: list[Case], losses: LineLosses, parameters: LossParameters
) -> np.ndarray:
    """dL_tot/d(N c_N) at N = 1 and at k = 1, (2, cells); `parameters` has one entry for each case."""
    which = np.array([cell.case for cell in cells])
    log_weight = np.array([cell.log_weight for cell in cells])
    out: list[np.ndarray] = []
    for end in ("low", "high"):
        splits = [case.line.at(getattr(case.line, end)) for case in cases]
        split = BudgetSplit._make(np.array(column, float) for column in zip(*splits, strict=True))
        values = losses.values(
            split.log_n, split.log_k, parameters, split.sampling_share, -split.training_share
        )
        total = total_loss(log_weight, LossValues._make(column[which] for column in values))
        # d(N c_N)/ds = C p (1 - p)
        money = np.array([float(case.budget.total) for case in cases])
        money = np.asarray(money * split.sampling_share * split.training_share)
        out.append(np.exp(total.log) * total.slope / money[which])
    return np.array(out)


def flat_range(
    case: Case, nodes: Scan, log_weight: float, best: Counts, best_total: float, minima: Minima, index: int
) -> tuple[int, int]:
    """The smallest and largest N around the optimum `best` whose loss stays within `FLAT` of its log `best_total`.

    Whole counts are read off the nodes where these are all whole counts. Otherwise log L_tot is interpolated along the
    line by cubics through the nodes and the least of the cell's minima; `index` is the index of the cell.
    """
    limit = best_total + math.log(FLAT)
    total, slope, _ = total_loss(np.float64(log_weight), nodes.values)
    if nodes.counts is not None:
        at = nodes.counts.index(best) if best in nodes.counts else int(np.argmin(total))
        outside = np.flatnonzero(total > limit)
        first = outside[outside < at].max(initial=-1) + 1
        last = outside[outside > at].min(initial=len(total)) - 1
        sizes = [n for n, _ in nodes.counts[first : last + 1]]
        return min(*sizes, best[0]), max(*sizes, best[0])
    mine = minima.cell == index
    centre = minima.s[mine][np.argmin(minima.log_total[mine])]
    s, unique = np.unique(nodes.split.s, return_index=True)
    values, slopes = total[unique], slope[unique]
    if not np.isclose(s, centre, rtol=0, atol=1e-9).any():
        position = np.searchsorted(s, centre)
        s = np.insert(s, position, centre)
        values = np.insert(values, position, minima.log_total[mine].min())
        slopes = np.insert(slopes, position, 0.0)
    sound = np.isfinite(values) & np.isfinite(slopes)
    from scipy.interpolate import CubicHermiteSpline  # slow to import

    curve = CubicHermiteSpline(s[sound], values[sound], slopes[sound])
    fine = np.unique(np.concatenate([np.linspace(s[0], s[-1], 4000), s, [centre]]))
    outside = curve(fine) > limit
    outside |= np.isin(fine, s[~sound])
    left, right = np.flatnonzero(outside & (fine < centre)), np.flatnonzero(outside & (fine > centre))
    ends = fine[left[-1] + 1] if len(left) else fine[0], fine[right[0] - 1] if len(right) else fine[-1]
    low, high = (whole_split(case.budget, case.line.at(x))[0] for x in ends)
    return min(low, best[0]), max(high, best[0])
