"""`allocate_sweep`: the optimum from measured curves, with a bootstrap over training sets."""

# pyright: reportCallIssue=false
# (columns are unpacked into as many fields as a NamedTuple has, which a type checker cannot count)

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

import numpy as np

from lidjax.allocation.budget import Budget
from lidjax.allocation.curves import POINTS, MeasuredLine, Statistic, read_curves, sweep_laws
from lidjax.allocation.report import FLAT
from lidjax.allocation.rules import RULES, RuleSplit, check_rules, solve
from lidjax.allocation.shapes import broadcast_given, counts_array, shaped
from lidjax.errors import InputError, unknown_name

if TYPE_CHECKING:
    import xarray as xr


class SweepAllocation(NamedTuple):
    """The best split from a sweep's curves; shapes as in `Allocation`.

    n, k, loss, kind, regret, lgen, failure, n_low, n_high, rules   as in `Allocation`
    n_lower, n_upper   percentile interval of n over bootstrap samples of the training sets; NaN without bootstrap
    limited            "" or the edge of the store at which the optimum lies: "smallest n", "largest n", "smallest k",
                       "largest k". The true optimum is then beyond what was measured
    """

    n: Any
    k: Any
    loss: Any
    kind: Any
    regret: dict[str, Any]
    lgen: Any
    failure: Any
    n_low: Any
    n_high: Any
    n_lower: Any
    n_upper: Any
    limited: Any
    rules: dict[str, RuleSplit]


def allocate_sweep(
    data: "xr.Dataset",
    budget,
    *,
    cost_train,
    cost_infer,
    weight,
    queries=1,
    statistic: Statistic = "median",
    bootstrap: int = 200,
    level: float = 0.95,
    random_seed: int = 0,
    rules: Sequence[str] = RULES,
    window: tuple[float, float] | None = None,
) -> SweepAllocation:
    """Minimise R L_gen(N) + L_inf(k; N) over N c_N + Q k c_k ≤ C (Eq. 21) on the curves of a sweep.

    `data` is a sweep's Dataset (`run_sweep`, `open_results`) at one setting: use `data.sel(beta=2.5)` and the like.
    `budget`, costs, `weight` and `queries` broadcast, as in `allocate`. L_gen(N) and L_inf(k; N) are the median over
    training sets, the typical one, or the `mean`, which Eq. 13 has but which a few bad training sets carry where β
    is small. The line ends where the store's N or k end, and `limited` says so.

    β_eff(N) and P̃(N) for the rules come from regressions over `window` (default: the sweep's) smoothed over log N by a
    cubic spline with its penalty from generalised cross-validation, and β_eff' is the derivative of that spline;
    L_gen's power law is fitted to N > 1.5 d; the constant-β rule takes the largest N.

    `bootstrap` resamples training sets (whole splits) for the interval of n at `level`. It covers what seeds do, not
    the error of interpolating between the store's sizes. InputError where the budget leaves no k within the store.
    """
    if statistic not in get_args(Statistic):
        raise unknown_name("statistic", statistic, get_args(Statistic))
    if not 0 < level < 1:
        raise InputError(f"level={level} must be between 0 and 1")
    if not (isinstance(bootstrap, int) and bootstrap >= 0):
        raise InputError(f"bootstrap={bootstrap!r} must be a whole number of samples, 0 for none")
    curves = read_curves(data, window)
    check_rules(rules, curves.window)
    given = {
        "budget": budget,
        "cost_train": cost_train,
        "cost_infer": cost_infer,
        "queries": queries,
        "weight": weight,
    }
    columns, shape = broadcast_given(given)
    everyone = np.arange(len(curves.lgen))
    log_lgen, log_failure = curves.draw(everyone, statistic)
    laws = sweep_laws(curves, log_lgen, log_failure) if rules else None
    rng = np.random.default_rng(random_seed)
    samples = [
        curves.draw(rng.integers(len(everyone), size=len(everyone)), statistic)
        for _ in range(bootstrap if len(everyone) > 1 else 0)
    ]
    lines: dict[Any, Any] = {}
    cells = []
    for row in zip(*columns.values(), strict=True):
        *money, weight = (x.item() if hasattr(x, "item") else x for x in row)
        weight = float(weight)
        if not (weight >= 0 and math.isfinite(weight)):
            raise InputError(f"weight={weight:g} must be at least 0 and finite")
        key = tuple(money)
        if key not in lines:
            measured = MeasuredLine(Budget.checked(*row[:4]), curves)
            boot = [measured.losses(*sample) for sample in samples]
            lines[key] = measured, measured.losses(log_lgen, log_failure), boot
        cells.append(_cell(*lines[key], math.log(weight) if weight > 0 else -math.inf, laws, rules, level))
    return shaped(_gathered(cells, rules), shape)


def _cell(
    measured: MeasuredLine, along, boot, log_weight: float, laws, rules, level: float
) -> SweepAllocation:
    """One budget and weight."""

    def total(losses):
        return np.logaddexp(log_weight + losses[0], losses[1])

    s, log_total = measured.split.s, total(along)
    at = int(np.argmin(log_total))
    n, k = measured.whole(_between(s, log_total))
    parts = np.array(_interpolate(measured, along, n))
    best = float(np.logaddexp(log_weight + parts[0], parts[1]))
    bad = np.flatnonzero(log_total > log_total[at] + math.log(FLAT))
    first, last = bad[bad < at].max(initial=-1) + 1, bad[bad > at].min(initial=POINTS) - 1
    sizes = [measured.whole(_between(s, total(losses)))[0] for losses in boot]
    share = 50 * (1 - level)
    lower, upper = np.percentile(sizes, [share, 100 - share]) if sizes else (np.nan, np.nan)
    edge = {0: measured.low_edge, POINTS - 1: measured.high_edge}.get(at, "")
    kind = {0: "all_inference", POINTS - 1: "all_training"}.get(at, "interior")
    by_rule = {}
    for rule in rules:
        where = min(max(solve(rule, laws, measured.line, log_weight), measured.low), measured.high)
        rule_n, rule_k = measured.whole(where)
        values = _interpolate(measured, along, rule_n)
        excess = max(float(np.logaddexp(log_weight + values[0], values[1])) - best, 0.0)
        by_rule[rule] = RuleSplit(rule_n, rule_k, math.exp(best + excess), math.expm1(excess))
    return SweepAllocation(
        n=n,
        k=k,
        loss=math.exp(best),
        kind=kind,
        regret={},
        lgen=math.exp(parts[0]),
        failure=math.exp(parts[1]),
        n_low=min(measured.whole(float(s[first]))[0], n),
        n_high=max(measured.whole(float(s[last]))[0], n),
        n_lower=float(lower),
        n_upper=float(upper),
        limited=edge,
        rules=by_rule,
    )


def _between(s: np.ndarray, log_total: np.ndarray) -> float:
    """The least, by the parabola through the three nearest of evenly spaced points."""
    at = int(np.argmin(log_total))
    if at in (0, len(s) - 1):
        return float(s[at])
    below, here, above = log_total[at - 1 : at + 2]
    bend = below - 2 * here + above
    return float(s[at] + (0.5 * (below - above) / bend if bend > 0 else 0.0) * (s[1] - s[0]))


def _interpolate(measured: MeasuredLine, along, n: int) -> tuple[float, float]:
    """Both log losses at size n of the line."""
    s = float(measured.line.at_n(np.float64(n)))
    return tuple(float(np.interp(s, measured.split.s, values)) for values in along)  # type: ignore[return-value]


def _gathered(cells: list[SweepAllocation], rules: Sequence[str]) -> SweepAllocation:
    """Cells side by side, as arrays."""
    names = (name for name in SweepAllocation._fields if name not in ("rules", "regret"))
    out: dict[str, Any] = {name: np.array([getattr(cell, name) for cell in cells]) for name in names}
    for name in ("n", "k", "n_low", "n_high"):
        out[name] = counts_array(getattr(cell, name) for cell in cells)
    out["rules"] = {
        rule: RuleSplit(
            n=counts_array(cell.rules[rule].n for cell in cells),
            k=counts_array(cell.rules[rule].k for cell in cells),
            loss=np.array([cell.rules[rule].loss for cell in cells]),
            regret=np.array([cell.rules[rule].regret for cell in cells]),
        )
        for rule in rules
    }
    out["regret"] = {rule: out["rules"][rule].regret for rule in rules}
    return SweepAllocation(**out)
