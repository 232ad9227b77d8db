"""`allocate`: the optimum of Eq. 21 with exact losses, and what the paper's rules lose against it (Sec. 4.3)."""

# pyright: reportCallIssue=false
# (columns are unpacked into as many fields as a NamedTuple has, which a type checker cannot count)

import itertools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from lidjax.allocation.budget import Budget, Line, whole
from lidjax.allocation.losses import Losses, Model, Values, log_total
from lidjax.allocation.report import end_slopes, flat_range, kind_of
from lidjax.allocation.rules import RULES, Rule, RuleSplit, check_rules, solve
from lidjax.allocation.search import Case, find_floors, nearby_counts, scan, stack
from lidjax.allocation.shapes import broadcast_given, counts_array, shaped
from lidjax.allocation.window import window_laws
from lidjax.difficulty import Difficulty, check_difficulty, mean_inverse_precision
from lidjax.errors import InputError

ROUNDING = 1e-14


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

    L_gen(N) is random, with the training set. Here it is its mean, the deterministic equivalent (1 to 3 % at d = 100),
    and L_inf(k; N) is the population integral at that L_gen: a typical training set where L_gen concentrates (d large,
    β > 4). For 2 < β ≤ 4 its variance is infinite and most training sets are better than their mean; for β ≤ 2 the
    mean is infinite too and the call is refused: use a sweep and `allocate_sweep`, which can take medians.

    The optimum is that of all whole counts where N or k has at most 192 values. Elsewhere it is the best of a few
    whole counts around every local minimum over real splits, which the search finds. Computed in float64 whatever
    the inputs and the session.
    Cost: about 0.3 s a budget line (C, costs, model), 20 ms for every further weight, 0.5 s a model for the rules.
    """
    check_difficulty(difficulty)
    check_rules(rules, window)
    eigenvalues, theta = checked_modes(eigenvalues, theta)
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
    columns, shape = broadcast_given(given)
    with jax.enable_x64(True):
        losses = Losses(eigenvalues, theta, difficulty)
        cases, cells = _cases(columns, difficulty)
        flat = _allocate(cells, cases, losses, tuple(rules), window)  # type: ignore[arg-type]
    return shaped(flat, shape)


def checked_modes(eigenvalues, theta) -> tuple[np.ndarray, np.ndarray]:
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


def _cases(
    columns: dict[str, np.ndarray], difficulty: Difficulty
) -> tuple[list[Case], list[tuple[int, float]]]:
    """Distinct budget lines, and for every cell its line and log R."""
    cases, cells, seen, lines = [], [], {}, {}
    for row in zip(*columns.values(), strict=True):
        budget, train, infer, queries, *rest = row
        weight, beta, sigma, delta, ridge = (
            _number(v, n) for v, n in zip(rest, list(columns)[4:], strict=True)
        )
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
            f"beta={beta:g}: label noise has a finite variance, and L_gen(N) a mean, for beta > 2 only; run a sweep "
            "and allocate from its medians (`lidjax allocate STORE`, `allocate_sweep`)"
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
            budget, line, _ = cases[case]
            mine = np.flatnonzero(floors.cell == index)
            near = [
                nearby_counts(budget, line, *(float(x[i]) for x in (floors.s, floors.bend, floors.dear)))
                for i in mine
            ]
            counts = list(dict.fromkeys(pair for pairs in near for pair in pairs))
        tried.append([*counts, *ruled[index]])
    best, excess = _best_of(tried, cells, cases, losses, len(rules))
    return _report(best, excess, ruled, cells, cases, scans, floors, losses, rules)


def _rule_splits(
    cells, cases, losses: Losses, rules: tuple[Rule, ...], window
) -> list[list[tuple[int, int]]]:
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


def _best_of(tried, cells, cases, losses: Losses, num_rules: int):
    """The best whole (N, k) of each cell, and how far log L_tot of the rules' own, the last of each list, is above.

    Of what is equal to rounding the first counts, which is the one at the floor.
    """
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
    parts = Values(*(column[where] for column in values))
    total = log_total(log_weight, parts).log
    best, excess = [], []
    starts = np.cumsum([0, *(len(counts) for counts in tried)])
    for a, b in itertools.pairwise(starts):
        chosen = a + int(np.argmax(total[a:b] <= total[a:b].min() + ROUNDING))
        best.append(pairs[chosen])
        excess.append(np.maximum(total[b - num_rules : b] - total[chosen], 0.0))
    return best, np.array(excess).reshape(len(cells), num_rules)


def _report(best, excess, ruled, cells, cases, scans, floors, losses: Losses, rules) -> Allocation:
    which = np.array([case for case, _ in cells])
    log_weight = np.array([w for _, w in cells])
    log_n, log_k = (np.array([math.log(pair[j]) for pair in best]) for j in (0, 1))
    models = stack([c.model for c in cases])
    values = losses.values(log_n, log_k, models.at(which), fine=True)
    total = log_total(log_weight, values).log
    slopes = end_slopes(cells, cases, losses, models)
    flat = [
        flat_range(cases[case], scans[case], w, pair, total[i], floors, i)
        for i, ((case, w), pair) in enumerate(zip(cells, best, strict=True))
    ]
    rule_regret = np.expm1(excess)
    by_rule = {
        rule: RuleSplit(
            counts_array(pairs[j][0] for pairs in ruled),
            counts_array(pairs[j][1] for pairs in ruled),
            np.exp(total + excess[:, j]),
            rule_regret[:, j],
        )
        for j, rule in enumerate(rules)
    }
    return Allocation(
        n=counts_array(n for n, _ in best),
        k=counts_array(k for _, k in best),
        loss=np.exp(total),
        kind=np.array([kind_of(cases[c].budget, *pair) for c, pair in zip(which, best, strict=True)]),
        regret={rule: split.regret for rule, split in by_rule.items()},
        lgen=np.exp(values.log_lgen),
        failure=np.exp(values.log_failure),
        n_low=counts_array(low for low, _ in flat),
        n_high=counts_array(high for _, high in flat),
        slope_at_n1=slopes[0],
        slope_at_k1=slopes[1],
        rules=by_rule,
    )
