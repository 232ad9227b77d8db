"""`allocate`: the optimum of Eq. 21 with exact losses, and what the paper's rules lose against it (Sec. 4.3)."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from scipy.interpolate import CubicHermiteSpline

from lidjax.allocation.budget import Budget, Line
from lidjax.allocation.losses import Losses, Model, log_total
from lidjax.allocation.rules import RULES, Rule, WindowLaws, solve
from lidjax.allocation.search import Case, Scan, find_floors, nearby_counts, scan, stack, whole
from lidjax.difficulty import Difficulty, check_difficulty, mean_inverse_precision
from lidjax.errors import InputError, unknown_name

FLAT = 1.01  # the optimum is as good as flat where L_tot is within this factor
KINDS = ("interior", "all_training", "all_inference")


class RuleSplit(NamedTuple):
    """What a rule chooses, what it gives, and its regret L_tot/L_tot* - 1."""

    n: Any
    k: Any
    loss: Any
    regret: Any


class Allocation(NamedTuple):
    """The best split of each budget. Scalars for scalar arguments, otherwise arrays of the broadcast shape.

    n, k            whole counts, exact: int (arrays: int64, or Python integers where one is larger)
    loss            L_tot = R L_gen(n) + L_inf(k; n)
    kind            "interior", "all_training" (no more instances can be bought: k is 1, or what the last instance
                    leaves) or "all_inference" (N is 1, or what the last attempt leaves)
    regret          of each rule, by name: its L_tot over the best, minus 1
    lgen, failure   the two parts, L_gen and L_inf
    n_low, n_high   the sizes around n, at the same budget, whose loss is within 1 % of the best
    slope_at_n1     dL_tot/d(N c_N) with one training instance; positive where training should not even begin
    slope_at_k1     the same with one attempt; negative where even the second attempt is not worth it
    rules           `RuleSplit` of each rule, by name
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
    slope_at_n1: Any
    slope_at_k1: Any
    rules: dict[str, RuleSplit]


def allocate(
    budget,
    *,
    cost_train,
    cost_infer,
    weight,
    eigenvalues,
    theta,
    beta,
    sigma_eta,
    delta,
    ridge,
    queries=1,
    difficulty: Difficulty = "gamma",
    rules: Sequence[str] = RULES,
    window: tuple[float, float] = (100.0, 10_000.0),
) -> Allocation:
    """Minimise R L_gen(N) + L_inf(k; N) over whole N ≥ 1, k ≥ 1 with N c_N + Q k c_k ≤ C (Eq. 21).

    Parameters
    ----------
    budget               C, enough for one instance and one attempt; k up to 1e30
    cost_train, cost_infer  c_N of a training instance, c_k of an attempt, in the unit of the budget, > 0
    weight               R ≥ 0, the weight of L_gen against L_inf
    eigenvalues, theta   spectrum of the features > 0 and teacher, both (d,)
    beta                 β > 2, near-zero index of the difficulty prior `difficulty`
    sigma_eta, delta     σ_η > 0 and δ > 0
    ridge                ρ ≥ 0 of Eq. 6
    queries              Q > 0: how many times a trained model answers with k attempts each
    rules                which rules to score (see `lidjax.allocation.rules`); () for none
    window               (k1, k2) between which the rules measure β_eff(N) and P̃(N)

    Numbers broadcast; eigenvalues and theta are one for all. Costs and budgets count as the decimals they print as.

    L_gen(N) is random, with the training set. Here it is its mean, the deterministic equivalent (1 to 3 % at d = 100), and
    L_inf(k; N) is the population integral at that L_gen: a typical training set where L_gen concentrates (d large, β > 4).
    For 2 < β ≤ 4 its variance is infinite and half of the training sets are better than this; for β ≤ 2 the mean is
    infinite too and the call is refused: use a sweep and `allocate_sweep`, which can take medians.

    The optimum is that of all whole counts where N or k has at most 192 values. Elsewhere it is the best of the
    whole counts next to every local minimum over real splits: within a relative 1/k and 1/N of the best. Computed in
    float64 whatever the inputs and the session.
    Cost: about 0.3 s a budget line (C, costs, model), 20 ms for every further weight, half a second a model for the rules.
    """
    check_difficulty(difficulty)
    _check_rules(rules, window)
    eigenvalues, theta = _checked_modes(eigenvalues, theta)
    given = {
        "budget": budget,
        "cost_train": cost_train,
        "cost_infer": cost_infer,
        "queries": queries,
        "weight": weight,
        "beta": beta,
        "sigma_eta": sigma_eta,
        "delta": delta,
        "ridge": ridge,
    }
    try:
        columns = np.broadcast_arrays(*(np.asarray(value) for value in given.values()))
    except ValueError:
        shapes = ", ".join(f"{name} {np.shape(value)}" for name, value in given.items() if np.ndim(value))
        raise InputError(f"these do not broadcast: {shapes}") from None
    shape = columns[0].shape
    with jax.enable_x64(True):
        losses = Losses(eigenvalues, theta, difficulty)
        cases, cells = _cases(dict(zip(given, (c.ravel() for c in columns), strict=True)), difficulty)
        flat = _allocate(cells, cases, losses, tuple(rules), window)  # type: ignore[arg-type]
    return _shaped(flat, shape)


def _check_rules(rules: Sequence[str], window: tuple[float, float]) -> None:
    for rule in rules:
        if rule not in RULES:
            raise unknown_name("rule", rule, RULES)
    low, high = window
    if not 1 <= low < high < math.inf:
        raise InputError(f"window={window} must be two numbers of attempts, 1 ≤ k1 < k2")


def _checked_modes(eigenvalues, theta) -> tuple[np.ndarray, np.ndarray]:
    eigenvalues, theta = np.asarray(eigenvalues, float), np.asarray(theta, float)
    if eigenvalues.ndim != 1 or theta.shape != eigenvalues.shape or not len(eigenvalues):
        raise InputError(
            f"eigenvalues and theta must be of one shape (d,), not {eigenvalues.shape} and {theta.shape}"
        )
    if not (np.isfinite(eigenvalues).all() and (eigenvalues > 0).all()):
        raise InputError(f"eigenvalues must be positive and finite; the smallest is {eigenvalues.min():g}")
    if not np.isfinite(theta).all():
        raise InputError("theta must be finite")
    return eigenvalues, theta


def _cases(columns: dict[str, np.ndarray], difficulty: Difficulty) -> tuple[list[Case], list[tuple[int, float]]]:
    """Distinct budget lines, and for every cell its line and log R."""
    cases, cells, seen, lines = [], [], {}, {}
    for row in zip(*columns.values(), strict=True):
        budget, train, infer, queries, *rest = row
        weight, beta, sigma, delta, ridge = (_number(v, n) for v, n in zip(rest, list(columns)[4:], strict=True))
        _check_model(weight, beta, sigma, delta, ridge)
        money = tuple(x.item() if hasattr(x, "item") else x for x in row[:4])
        key = (*money, beta, sigma, delta, ridge)
        if key not in seen:
            if money not in lines:
                made = Budget.checked(budget, train, infer, queries)
                lines[money] = made, Line(made)
            noise = sigma**2 * float(mean_inverse_precision(beta, difficulty))
            seen[key] = len(cases)
            cases.append(Case(*lines[money], Model(noise, ridge, beta, delta, sigma)))
        cells.append((seen[key], math.log(weight) if weight > 0 else -math.inf))
    return cases, cells


def _number(value, name: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise InputError(f"{name}={value!r} is not a number") from None
    if not math.isfinite(number):
        raise InputError(f"{name}={value} must be finite")
    return number


def _check_model(weight: float, beta: float, sigma: float, delta: float, ridge: float) -> None:
    if beta <= 2:
        raise InputError(
            f"beta={beta:g}: label noise has a finite variance, and L_gen(N) a mean, for beta > 2 only; run a sweep and "
            "allocate from its medians (`lidjax allocate STORE`, `allocate_sweep`)"
        )
    for name, value in (("sigma_eta", sigma), ("delta", delta)):
        if value <= 0:
            raise InputError(f"{name}={value:g} must be greater than 0")
    for name, value in (("weight", weight), ("ridge", ridge)):
        if value < 0:
            raise InputError(f"{name}={value:g} must be at least 0")


def _allocate(cells, cases: list[Case], losses: Losses, rules: tuple[Rule, ...], window) -> Allocation:
    """Everything for a flat list of cells (case, log R)."""
    scans = scan(cases, losses)
    floors = find_floors(cells, cases, scans, losses)
    ruled = _rule_splits(cells, cases, losses, rules, window)
    tried: list[list[tuple[int, int]]] = []
    for index, (case, _) in enumerate(cells):
        counts = scans[case].counts
        if counts is None:
            near = [
                nearby_counts(cases[case].budget, cases[case].line.at(s)) for s in floors.s[floors.cell == index]
            ]
            counts = sorted(set().union(*near))
        tried.append([*counts, *ruled[index]])
    best, rule_totals = _best_of(tried, cells, cases, losses, len(rules))
    return _report(best, rule_totals, ruled, cells, cases, scans, floors, losses, rules)


def _rule_splits(cells, cases, losses: Losses, rules: tuple[Rule, ...], window) -> list[list[tuple[int, int]]]:
    """Whole counts each rule chooses, cell by cell."""
    if not rules:
        return [[] for _ in cells]
    models = {case.model for case in cases}
    largest = {m: max(c.budget.max_n for c in cases if c.model == m) for m in models}
    laws = {model: window_laws(losses, model, largest[model], window) for model in models}
    out = []
    for case, log_weight in cells:
        budget, line, model = cases[case]
        chosen = (solve(rule, laws[model], line, log_weight) for rule in rules)
        out.append([whole(budget, line.at(s)) for s in chosen])
    return out


def window_laws(losses: Losses, model: Model, max_n: int, window: tuple[float, float]) -> WindowLaws:
    """β_eff(N) and P̃(N) of the exact L_inf: the line through its values at both ends of the window.

    L_gen is Eq. 10 for N ≫ d: γ = 1, P_N = σ² E[1/τ] d. β and P̃ of a well-trained model are those at L_gen = 0.
    """
    away = np.geomspace(0.25, max(losses.dim / 2, 1), 16)
    near = np.log(np.concatenate([losses.dim + away, losses.dim - away[away < losses.dim - 1]]))
    log_n = np.concatenate([np.linspace(0, math.log(max(max_n, 2)), 96), near[near < math.log(max(max_n, 2))]])
    log_n = np.unique(log_n)
    log_k = np.log(np.array(window))
    low, high = (losses.values(log_n, x, model).log_failure for x in log_k)
    beta_eff = (low - high) / (log_k[1] - log_k[0])
    free = losses.without_bias(log_k, model)
    beta = float(free[0] - free[1]) / (log_k[1] - log_k[0])
    return WindowLaws(
        log_n,
        beta_eff,
        low + beta_eff * log_k[0],
        gamma=1.0,
        log_p_n=math.log(model.noise_variance * losses.dim),
        beta=beta,
        log_prefactor=float(free[0]) + beta * log_k[0],
    )


def _best_of(tried, cells, cases, losses: Losses, num_rules: int):
    """The best whole (N, k) of each cell, and log L_tot of the rules' own, the last of each list."""
    owner = np.repeat(np.arange(len(cells)), [len(counts) for counts in tried])
    pairs = [pair for counts in tried for pair in counts]
    # one evaluation for what several cells of a case try
    keys = [(cells[i][0], *pair) for i, pair in zip(owner, pairs, strict=True)]
    position = {key: i for i, key in enumerate(dict.fromkeys(keys))}
    case = np.array([key[0] for key in position])
    log_n, log_k = (np.array([math.log(key[j]) for key in position]) for j in (1, 2))
    models = stack([c.model for c in cases]).at(case)
    values = losses.values(log_n, log_k, models)
    where = np.array([position[key] for key in keys])
    log_weight = np.array([cells[i][1] for i in owner])
    parts = type(values)(*(column[where] for column in values))
    total, _ = log_total(log_weight, parts)
    best, rule_totals = [], []
    starts = np.cumsum([0, *(len(counts) for counts in tried)])
    for a, b in zip(starts[:-1], starts[1:], strict=True):
        best.append(pairs[a + int(np.argmin(total[a:b]))])
        rule_totals.append(total[b - num_rules : b])
    return best, np.array(rule_totals).reshape(len(cells), num_rules)


def _report(best, rule_totals, ruled, cells, cases, scans, floors, losses: Losses, rules) -> Allocation:
    which = np.array([case for case, _ in cells])
    log_weight = np.array([w for _, w in cells])
    log_n, log_k = (np.array([math.log(pair[j]) for pair in best]) for j in (0, 1))
    models = stack([c.model for c in cases])
    values = losses.values(log_n, log_k, models.at(which), fine=True)
    total, _ = log_total(log_weight, values)
    slopes = _end_slopes(cells, cases, losses, models)
    flat = [
        _flat_range(cases[case], scans[case], w, pair, total[i], floors, i)
        for i, ((case, w), pair) in enumerate(zip(cells, best, strict=True))
    ]
    rule_regret = np.expm1(np.maximum(rule_totals - total[:, None], 0.0))
    by_rule = {
        rule: RuleSplit(
            _counts(pairs[j][0] for pairs in ruled),
            _counts(pairs[j][1] for pairs in ruled),
            np.exp(rule_totals[:, j]),
            rule_regret[:, j],
        )
        for j, rule in enumerate(rules)
    }
    return Allocation(
        n=_counts(n for n, _ in best),
        k=_counts(k for _, k in best),
        loss=np.exp(total),
        kind=np.array([kind_of(cases[c].budget, *pair) for c, pair in zip(which, best, strict=True)]),
        regret={rule: split.regret for rule, split in by_rule.items()},
        lgen=np.exp(values.log_lgen),
        failure=np.exp(values.log_failure),
        n_low=_counts(low for low, _ in flat),
        n_high=_counts(high for _, high in flat),
        slope_at_n1=slopes[0],
        slope_at_k1=slopes[1],
        rules=by_rule,
    )


def kind_of(budget: Budget, n: int, k: int) -> str:
    """Whether a whole split is at an end of the budget line."""
    if k == 1 or n == budget.max_n:
        return "all_training" if budget.max_n > 1 or budget.max_k == 1 else "all_inference"
    return "all_inference" if n == 1 or k == budget.max_k else "interior"


def _end_slopes(cells, cases: list[Case], losses: Losses, models: Model) -> np.ndarray:
    """dL_tot/d(N c_N) at N = 1 and at k = 1, (2, cells)."""
    which = np.array([case for case, _ in cells])
    log_weight = np.array([w for _, w in cells])
    out = []
    for end in ("low", "high"):
        splits = [case.line.at(getattr(case.line, end)) for case in cases]
        log_n, log_k, s = (np.array([getattr(x, name) for x in splits]) for name in ("log_n", "log_k", "s"))
        rest = np.exp(-np.logaddexp(0, s))
        values = losses.values(log_n, log_k, models, rest, rest - 1)
        total, slope = log_total(log_weight, type(values)(*(column[which] for column in values)))
        unit = np.array([float(case.budget.total) for case in cases]) * rest * np.exp(-np.logaddexp(0, -s))
        out.append(np.exp(total) * slope / unit[which])
    return np.array(out)


def _flat_range(case: Case, found: Scan, log_weight: float, best, best_total: float, floors, index: int):
    """Smallest and largest N around the best, along the line, within `FLAT` of its loss."""
    limit = best_total + math.log(FLAT)
    total, slope = log_total(np.float64(log_weight), found.values)
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
    curve = CubicHermiteSpline(nodes[sound], values[sound], slopes[sound])
    fine = np.unique(np.concatenate([np.linspace(nodes[0], nodes[-1], 4000), nodes, [centre]]))
    high = curve(fine) > limit
    high |= np.isin(fine, nodes[~sound])
    left, right = np.flatnonzero(high & (fine < centre)), np.flatnonzero(high & (fine > centre))
    ends = fine[left[-1] + 1] if len(left) else fine[0], fine[right[0] - 1] if len(right) else fine[-1]
    low, high = (whole(case.budget, case.line.at(x))[0] for x in ends)
    return min(low, best[0]), max(high, best[0])


def _counts(values) -> np.ndarray:
    values = list(values)
    fits = all(v < 2**63 for v in values)
    return np.array(values, dtype=np.int64 if fits else object)


def _shaped(flat: Allocation, shape: tuple[int, ...]) -> Allocation:
    def shaped(x):
        if isinstance(x, dict):
            return {key: shaped(value) for key, value in x.items()}
        if isinstance(x, RuleSplit):
            return RuleSplit(*(shaped(value) for value in x))
        if shape:
            return x.reshape(shape)
        value = x[0]
        return value.item() if hasattr(value, "item") else value

    return Allocation(*(shaped(x) for x in flat))
