"""What is said about an optimum: whether it is at an end, which way the ends slope, how flat it is."""

import math

import numpy as np

from lidjax.allocation.budget import Budget, Split, whole
from lidjax.allocation.losses import Losses, Model, Values, log_total
from lidjax.allocation.search import Case, Floor, Scan

FLAT = 1.01  # the optimum is as good as flat where L_tot is within this factor


def kind_of(budget: Budget, n: int, k: int) -> str:
    """Whether a whole split is at an end of the budget line."""
    if k == 1 or n == budget.max_n:
        return "all_training" if budget.max_n > 1 or budget.max_k == 1 else "all_inference"
    return "all_inference" if n == 1 or k == budget.max_k else "interior"


def end_slopes(cells, cases: list[Case], losses: Losses, models: Model) -> np.ndarray:
    """dL_tot/d(N c_N) at N = 1 and at k = 1, (2, cells)."""
    which = np.array([case for case, _ in cells])
    log_weight = np.array([w for _, w in cells])
    out = []
    for end in ("low", "high"):
        splits = [case.line.at(getattr(case.line, end)) for case in cases]
        split = Split(*(np.array(column, float) for column in zip(*splits, strict=True)))
        values = losses.values(split.log_n, split.log_k, models, split.samples, -split.trains)
        total = log_total(log_weight, Values(*(column[which] for column in values)))
        money = np.array([float(case.budget.total) for case in cases]) * split.samples * split.trains
        out.append(np.exp(total.log) * total.slope / money[which])
    return np.array(out)


def flat_range(
    case: Case, found: Scan, log_weight: float, best, best_total: float, floors: Floor, index: int
):
    """Smallest and largest N around the best, along the line, within `FLAT` of its loss."""
    limit = best_total + math.log(FLAT)
    total, slope, _ = log_total(np.float64(log_weight), found.values)
    if found.counts is not None:
        at = found.counts.index(best) if best in found.counts else int(np.argmin(total))
        outside = np.flatnonzero(total > limit)
        first = outside[outside < at].max(initial=-1) + 1
        last = outside[outside > at].min(initial=len(total)) - 1
        sizes = [n for n, _ in found.counts[first : last + 1]]
        return min(*sizes, best[0]), max(*sizes, best[0])
    mine = floors.cell == index
    centre = floors.s[mine][np.argmin(floors.log_total[mine])]
    s, unique = np.unique(found.split.s, return_index=True)
    nodes, values, slopes = s, total[unique], slope[unique]
    if not np.isclose(nodes, centre, rtol=0, atol=1e-9).any():
        place = np.searchsorted(nodes, centre)
        nodes = np.insert(nodes, place, centre)
        values = np.insert(values, place, floors.log_total[mine].min())
        slopes = np.insert(slopes, place, 0.0)
    sound = np.isfinite(values) & np.isfinite(slopes)
    from scipy.interpolate import CubicHermiteSpline  # slow to import

    curve = CubicHermiteSpline(nodes[sound], values[sound], slopes[sound])
    fine = np.unique(np.concatenate([np.linspace(nodes[0], nodes[-1], 4000), nodes, [centre]]))
    high = curve(fine) > limit
    high |= np.isin(fine, nodes[~sound])
    left, right = np.flatnonzero(high & (fine < centre)), np.flatnonzero(high & (fine > centre))
    ends = fine[left[-1] + 1] if len(left) else fine[0], fine[right[0] - 1] if len(right) else fine[-1]
    low, high = (whole(case.budget, case.line.at(x))[0] for x in ends)
    return min(low, best[0]), max(high, best[0])
