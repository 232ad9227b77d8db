"""`allocate`: the optimum of Eq. 21 with exact losses, and what the paper's rules lose against it (Sec. 4.3)."""

from collections.abc import Sequence
from typing import cast

import jax
import numpy as np
import numpy.typing as npt

from lidjax.allocation.cases import cases_of_widths, distinct_cases
from lidjax.allocation.losses import ExactLosses
from lidjax.allocation.optimum import best_allocation
from lidjax.allocation.results import Allocation
from lidjax.allocation.rules import RULES, Rule, check_rules
from lidjax.allocation.shapes import Numbers, broadcast_arguments, in_shape
from lidjax.allocation.stopped import StoppedLosses
from lidjax.allocation.three_ways import (
    WIDTH_RULES,
    WidthRule,
    best_over_widths,
    check_widths,
)
from lidjax.difficulty import Difficulty, check_difficulty
from lidjax.errors import InputError


def allocate(
    budget: Numbers,
    *,
    cost_train: Numbers,
    cost_infer: Numbers,
    weight: Numbers,
    eigenvalues: npt.ArrayLike,
    theta: npt.ArrayLike,
    beta: Numbers,
    sigma_eta: Numbers,
    delta: Numbers,
    ridge: Numbers,
    queries: Numbers = 1,
    difficulty: Difficulty = "gamma",
    rules: Sequence[str] | None = None,
    window: tuple[float, float] = (100.0, 10_000.0),
    stop_at_success: bool = False,
    width: npt.ArrayLike | None = None,
) -> Allocation:
    """The best split of a budget between training instances and attempts, by exact losses.

    It minimises R L_gen(N) + L_inf(k; N) over whole N ≥ 1 and k ≥ 1 with N c_N + Q k c_k ≤ C, or, where attempts stop
    at the first success, with the expected number A(k; N) in place of k. Numbers broadcast; `eigenvalues` and `theta`
    are shared by all. Costs and budgets count as the decimals they print as.

    L_gen(N) is random, with the training set. Here it is its mean, by the deterministic equivalent (within 1 to 3 % at
    d = 100), and L_inf(k; N) is the population integral at that L_gen. This describes a typical training set where
    L_gen concentrates (d large, β > 4). For 2 < β ≤ 4 the variance of L_gen is infinite, and most training sets are
    better than the mean. For β ≤ 2 the mean is infinite too and the call is refused: run a sweep and use
    `allocate_sweep`, which can take medians.

    The optimum is over all whole counts where N or k has at most 192 values. Elsewhere it is the best of a few whole
    counts around every local minimum over real splits. What is found for a budget, and what the rules lose there, does
    not depend on the other budgets of the call. Everything is computed in float64, whatever the dtypes of the
    arguments and the session's settings. It takes about 0.3 s for each budget line (distinct C, costs and model), 20 ms
    for every further weight, and 0.6 s for each model if rules are scored (1.5 s at a budget of 1e18). Where attempts
    stop at a success it takes about 0.8 s for each line. Every width is a line.

    Args:
        budget: C, what there is to spend, in any unit of cost. At least one instance and one attempt, and at most 1e30
            attempts.
        cost_train: c_N > 0 of one training instance, in the unit of the budget.
        cost_infer: c_k > 0 of one attempt, in the unit of the budget.
        weight: R ≥ 0, the weight of L_gen against L_inf.
        eigenvalues: Spectrum of the features, all > 0, (d,).
        theta: Teacher in the eigenbasis, (d,).
        beta: β > 2, the near-zero index of the difficulty prior.
        sigma_eta: σ_η > 0, the scale of the label noise.
        delta: δ > 0, the tolerance of the verifier.
        ridge: ρ ≥ 0 of Eq. 6.
        queries: Q ≥ 1, how many queries the trained model answers with k attempts each.
        difficulty: Family of the prior on the precision, "gamma" or "power".
        rules: Which of the paper's rules to score; by default all, () for none. "eq24" is Eq. 24. "eq24_prefactor" adds
            the term in dP̃/dN that Eq. 24 leaves out. "quasi_static" leaves out its logarithmic term. "constant_beta" is
            Eq. 25. "saturated" trains until β_eff(N) reaches 95 % of β.
        window: (k1, k2), 1 ≤ k1 < k2, between which the rules measure β_eff(N) and P̃(N).
        stop_at_success: Attempts at a query stop at the first success, which a perfect verifier sees, and at k at the
            latest. The budget then pays for those that are made, N c_N + Q A(k; N) c_k ≤ C, with their expected number
            A(k; N) (`expected_attempts`). The rules choose N as they do without, and what is left pays for attempts
            that stop.
        width: Numbers of random features P to choose from, whole, a number or (w,); None is the model of all d
            features. The costs are then those of one feature: C = c_N N P + Q c_k P E[attempts], and the optimum is
            over the widths too. The rules are "chinchilla_first", "chinchilla_half" and "chinchilla_best": N and P are
            those of least L_gen at a training compute of all but one attempt a query, of C/2, or of the best share of
            C; the rest pays for attempts.

    Returns:
        An `Allocation`. Its fields are scalars for scalar arguments, otherwise arrays of the broadcast shape.

    Raises:
        InputError: An argument is out of its range, the arguments do not broadcast, the budget is too small or too
            large, or a rule is unknown.

    References:
        Eq. 21 (the problem), Eq. 24 and Eq. 25 (the rules), Sec. 4.3. The search was derived for this project and is
        checked against every whole split in tests/allocation/test_exact.py, test_stopped.py and test_three_ways.py.
        The widths are those of Maloney, Roberts and Sully, arXiv:2210.16859.

    Example:
        >>> import jax.numpy as jnp
        >>> import lidjax
        >>> model = dict(beta=4.0, sigma_eta=0.1, delta=0.05, ridge=1e-6)
        >>> spectrum, teacher = lidjax.power_law_spectrum(8, 1.0), lidjax.power_law_teacher(8)
        >>> found = lidjax.allocate(
        ...     1000, cost_train=1, cost_infer=0.1, weight=10.0, eigenvalues=spectrum, theta=teacher, **model
        ... )
        >>> found.kind, found.n + 0.1 * found.k <= 1000, found.n_low <= found.n <= found.n_high
        ('interior', True, True)
        >>> found.regret["eq24"] >= 0
        True
    """
    check_difficulty(difficulty)
    widths = None if width is None else check_widths(width)
    known = RULES if widths is None else WIDTH_RULES
    rules = known if rules is None else rules
    check_rules(rules, window, known)
    eigenvalues, theta = check_modes(eigenvalues, theta)
    given: dict[str, Numbers] = {
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
    columns, shape = broadcast_arguments(given)
    with jax.enable_x64(True):
        losses = ExactLosses(eigenvalues, theta, difficulty)
        losses = StoppedLosses(losses) if stop_at_success else losses
        if widths is None:
            cases, cells = distinct_cases(columns, difficulty)
            flat = best_allocation(cells, cases, losses, cast(tuple[Rule, ...], tuple(rules)), window)
        else:
            wide, cases, cells = cases_of_widths(columns, difficulty, widths)
            flat = best_over_widths(
                wide, cells, cases, losses, cast(tuple[WidthRule, ...], tuple(rules)), window
            )
    return in_shape(flat, shape)


def check_modes(eigenvalues: npt.ArrayLike, theta: npt.ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Spectrum and teacher as float64 arrays of one shape (d,); InputError unless they are finite, eigenvalues > 0."""
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
