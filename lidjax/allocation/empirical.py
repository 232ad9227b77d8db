"""`allocate_sweep`: the optimum from measured curves, with a bootstrap over training sets."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast, get_args

import numpy as np

from lidjax.allocation.budget import Budget
from lidjax.allocation.curves import POINTS, MeasuredLine, Statistic, mean_has_no_variance, read_curves
from lidjax.allocation.describe import FLAT
from lidjax.allocation.losses import log_total
from lidjax.allocation.power_laws import PowerLaws, sweep_power_laws
from lidjax.allocation.results import RuleSplit, SweepAllocation
from lidjax.allocation.rules import RULES, Rule, check_rules, solve
from lidjax.allocation.shapes import Numbers, broadcast_arguments, counts_array, in_shape
from lidjax.errors import InputError, check_choice

if TYPE_CHECKING:
    import xarray as xr

Curves = tuple[np.ndarray, np.ndarray]  # two quantities along a line, such as log L_gen and log L_inf


def allocate_sweep(
    data: "xr.Dataset",
    budget: Numbers,
    *,
    cost_train: Numbers,
    cost_infer: Numbers,
    weight: Numbers,
    queries: Numbers = 1,
    statistic: Statistic = "median",
    bootstrap: int = 200,
    level: float = 0.95,
    random_seed: int = 0,
    rules: Sequence[str] = RULES,
    window: tuple[float, float] | None = None,
    stop_at_success: bool = False,
) -> SweepAllocation:
    """The best split of a budget between training instances and attempts, by the curves of a sweep.

    It minimises R L_gen(N) + L_inf(k; N) over N c_N + Q k c_k ≤ C, as `allocate` does. The curves are interpolated in
    logarithms between the sweep's N and k. The search ends where these end, and `limited` says so. Unlike `allocate`,
    it needs no model: it works for real features, and for β ≤ 2.

    For the paper's rules, β_eff(N) and P̃(N) are regressions over `window`, smoothed over log N by a cubic spline with
    the penalty from generalised cross-validation; β_eff' is the derivative of that spline. L_gen's power law is fitted
    to N > 1.5 d, and the constant-β rule takes β and P̃ at the largest N.

    Args:
        data: Results of a sweep (`run_sweep`, `open_results`) at one value of every axis but n, k and seed (see
            `lidjax.allocation.select`).
        budget: C, what there is to spend, in any unit of cost.
        cost_train: c_N > 0 of one training instance, in the unit of the budget.
        cost_infer: c_k > 0 of one attempt, in the unit of the budget.
        weight: R ≥ 0, the weight of L_gen against L_inf.
        queries: Q ≥ 1, how many queries the trained model answers with k attempts each.
        statistic: How training sets are combined: "median" for the typical one, or "mean" as in Eq. 13, which a few bad
            training sets dominate where β is small. The two have different optima. For β ≤ 4 the median of L_gen lies
            below its mean (by 10 to 40 % for N > d at β = 2.5, d = 128).
        bootstrap: Samples of training sets (whole train/validation splits) for the interval of n; 0 for none. It is an
            interval for the optimum of `statistic` over all training sets, and covers what the seeds do, not the error
            of interpolating between the sweep's sizes. The optimum by `allocate` is that of the mean, and need not lie
            in the interval of the median. There is no interval for the mean where β ≤ 4: its variance is infinite, and
            the bootstrap covered 0 to .9 at a stated .95.
        level: Coverage of that interval, between 0 and 1.
        random_seed: Seed of the bootstrap.
        rules: Which of the paper's rules to score, as in `allocate`; () for none.
        window: (k1, k2) in which the rules measure β_eff(N); by default `fit.window` of the sweep's spec.
        stop_at_success: Attempts at a query stop at the first success, and the budget pays for those that are made,
            A(k; N) = Σ_{j<k} L_inf(j; N) in expectation, by the measured curves. It needs a sweep with k from 1. Where
            more attempts than the store's largest k could be paid, k is that, and `limited` says "largest k".

    Returns:
        A `SweepAllocation`. Its fields are scalars for scalar arguments, otherwise arrays of the shape to which
        `budget`, costs, `weight` and `queries` broadcast.

    Raises:
        InputError: The results are not curves of one model over n and k, the budget leaves no k within the store, or an
            argument is out of its range.

    References:
        Eq. 21, Eq. 24 and Eq. 25, Sec. 4.3. The interpolation was derived for this project and is checked against the
        exact optimum in tests/allocation/test_empirical.py.

    Example:
        >>> import numpy as np, xarray as xr
        >>> import lidjax
        >>> n, k, seed = np.array([10, 20, 50, 100, 200, 500]), np.geomspace(1, 1e4, 13), np.arange(3)
        >>> lgen = np.full((3, 1), 1.0) / n  # the curves L_gen = 1/N and L_inf = 1/k
        >>> failure = np.ones((3, 6, 1)) / k
        >>> curves = {
        ...     "lgen": (("seed", "n"), lgen),
        ...     "failure": (("seed", "n", "k"), failure),
        ...     "status": (("seed", "n"), np.zeros((3, 6), int)),
        ... }
        >>> data = xr.Dataset(curves, coords={"n": n, "k": k, "seed": seed})
        >>> found = lidjax.allocate_sweep(data, 200, cost_train=1, cost_infer=1, weight=1.0, rules=())
        >>> found.n, found.k, round(found.loss, 4)
        (100, 100, 0.02)
        >>> lidjax.allocate_sweep(data, 40, cost_train=1, cost_infer=1, weight=0.0, bootstrap=0, rules=()).limited
        'smallest n'
    """
    check_choice("statistic", statistic, get_args(Statistic))
    if not 0 < level < 1:
        raise InputError(f"level={level} must be between 0 and 1")
    if not (isinstance(bootstrap, int) and bootstrap >= 0):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InputError(f"bootstrap={bootstrap!r} must be a whole number of samples, 0 for none")
    curves = read_curves(data, window)
    check_rules(rules, curves.window)
    given: dict[str, Numbers] = {
        "budget": budget,
        "cost_train": cost_train,
        "cost_infer": cost_infer,
        "queries": queries,
        "weight": weight,
    }
    columns, shape = broadcast_arguments(given)
    everyone = np.arange(len(curves.lgen))
    log_lgen, log_failure = curves.combined(everyone, statistic)
    power_laws = sweep_power_laws(curves, log_lgen, log_failure) if rules else None
    if len(everyone) == 1 or (statistic == "mean" and mean_has_no_variance(data)):
        bootstrap = 0
    rng = np.random.default_rng(random_seed)
    samples = [
        curves.combined(rng.integers(len(everyone), size=len(everyone)), statistic) for _ in range(bootstrap)
    ]
    lines: dict[tuple[Any, ...], tuple[MeasuredLine, Curves, list[Curves]]] = {}
    most: dict[tuple[Any, ...], Curves] = {}
    cells: list[SweepAllocation] = []
    for row in zip(*columns.values(), strict=True):
        *money, of_lgen = (x.item() if hasattr(x, "item") else x for x in row)
        of_lgen = float(of_lgen)
        if not (of_lgen >= 0 and math.isfinite(of_lgen)):
            raise InputError(f"weight={of_lgen:g} must be at least 0 and finite")
        key = tuple(money)
        if key not in lines:
            measured = MeasuredLine(Budget.checked(*row[:4]), curves, stopped=stop_at_success)
            resampled = [measured.losses(*sample) for sample in samples]
            lines[key] = measured, measured.losses(log_lgen, log_failure), resampled
            most[key] = measured.attempts(log_lgen, log_failure)
        log_weight = math.log(of_lgen) if of_lgen > 0 else -math.inf
        cells.append(
            _cell(*lines[key], most[key], log_weight, power_laws, cast(Sequence[Rule], rules), level)
        )
    return in_shape(_gather(cells, rules), shape)


def _cell(
    measured: MeasuredLine,
    along: Curves,
    resampled: list[Curves],
    attempts: Curves,
    log_weight: float,
    power_laws: PowerLaws | None,
    rules: Sequence[Rule],
    level: float,
) -> SweepAllocation:
    """One budget and weight, by the curves `along` the line and those of the bootstrap samples.

    `attempts` are the logs of the largest k that is paid for and of the attempts expected at each split of the line.
    """

    def whole_split(s: float) -> tuple[int, int]:
        n, paid = measured.whole_split(s)
        if not measured.stopped:
            return n, paid
        log_k, _ = _interpolate(measured, attempts, n)
        return n, max(math.floor(math.exp(log_k) * (1 + 1e-9)), 1)

    s, total = measured.split.s, log_total(log_weight, *along)
    at = int(np.argmin(total))
    n, k = whole_split(_minimum(s, total))
    parts = _interpolate(measured, along, n)
    best = float(log_total(log_weight, *parts))
    outside = np.flatnonzero(total > total[at] + math.log(FLAT))
    first = outside[outside < at].max(initial=-1) + 1
    last = outside[outside > at].min(initial=POINTS) - 1
    sizes = [whole_split(_minimum(s, log_total(log_weight, *curves)))[0] for curves in resampled]
    tail_percent = 50 * (1 - level)
    lower, upper = np.percentile(sizes, [tail_percent, 100 - tail_percent]) if sizes else (np.nan, np.nan)
    by_rule: dict[str, RuleSplit] = {}
    for rule in rules:
        assert power_laws is not None  # they are fitted whenever there are rules
        chosen = solve(rule, power_laws, measured.line, log_weight)
        rule_n, rule_k = whole_split(min(max(chosen, measured.low), measured.high))
        log_loss = float(log_total(log_weight, *_interpolate(measured, along, rule_n)))
        excess = max(log_loss - best, 0.0)
        by_rule[rule] = RuleSplit(rule_n, rule_k, math.exp(best + excess), math.expm1(excess))
    limited = {0: measured.low_edge, POINTS - 1: measured.high_edge}.get(at, "")
    if measured.stopped and attempts[0][at] >= measured.curves.log_k[-1] - 1e-9:
        limited = limited or "largest k"
    return SweepAllocation(
        n=n,
        k=k,
        loss=math.exp(best),
        kind={0: "all_inference", POINTS - 1: "all_training"}.get(at, "interior"),
        regret={},
        lgen=math.exp(parts[0]),
        failure=math.exp(parts[1]),
        n_low=min(whole_split(float(s[first]))[0], n),
        n_high=max(whole_split(float(s[last]))[0], n),
        n_lower=float(lower),
        n_upper=float(upper),
        limited=limited,
        few_instances=measured.curves.rests_on_few(n, k),
        rules=by_rule,
        expected_attempts=math.exp(_interpolate(measured, attempts, n)[1]) if measured.stopped else float(k),
    )


def _minimum(s: np.ndarray, values: np.ndarray) -> float:
    """Where evenly spaced values are least, by the parabola through the least of them and its neighbours."""
    at = int(np.argmin(values))
    if at in (0, len(s) - 1):
        return float(s[at])
    below, here, above = values[at - 1 : at + 2]
    curvature = below - 2 * here + above
    return float(s[at] + (0.5 * (below - above) / curvature if curvature > 0 else 0.0) * (s[1] - s[0]))


def _interpolate(measured: MeasuredLine, along: Curves, n: int) -> tuple[float, float]:
    """Two curves along the line, such as log L_gen and log L_inf, at size n of it."""
    s = float(measured.line.s_of_n(np.float64(n)))
    first, second = (float(np.interp(s, measured.split.s, values)) for values in along)
    return first, second


def _gather(cells: list[SweepAllocation], rules: Sequence[str]) -> SweepAllocation:
    """Scalar allocations as one of flat arrays."""
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
