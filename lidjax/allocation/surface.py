"""Figure 2: L_tot over (R, Ñ) at one budget, with the losses as they are and with one β for all N."""

from typing import TYPE_CHECKING, NamedTuple

import jax
import numpy as np
import numpy.typing as npt

from lidjax.allocation.budget import Budget, BudgetLine, BudgetSplit
from lidjax.allocation.cases import label_noise_variance
from lidjax.allocation.curves import MeasuredLine, Statistic, read_curves
from lidjax.allocation.exact import check_modes
from lidjax.allocation.losses import ExactLosses, LossParameters, log_total
from lidjax.allocation.power_laws import PowerLaws, exact_power_laws, sweep_power_laws
from lidjax.allocation.rules import Rule, rule_view, solve
from lidjax.allocation.stopped import StoppedLosses
from lidjax.difficulty import Difficulty
from lidjax.errors import InputError

if TYPE_CHECKING:
    import xarray as xr

POINTS = 400  # along the budget; the exact losses take 0.6 s for them


class SurfacePanel(NamedTuple):
    """One panel of Figure 2, over weights (r,) and training sizes (m,)."""

    log10_total: np.ndarray
    """log10 L_tot, (r, m)."""
    best_n: np.ndarray
    """The training size of least L_tot for each weight, (r,)."""
    rule_n: np.ndarray
    """The training size that the paper's rule chooses for each weight, real-valued, (r,)."""


class AllocationSurface(NamedTuple):
    """Both panels of Figure 2, over weights (r,) and training sizes (m,) at one budget."""

    budget: float
    """C."""
    cost_train: float
    """c_N of one training instance, in the unit of the budget."""
    weight: np.ndarray
    """Weights R, (r,)."""
    n: np.ndarray
    """Training sizes N, real-valued and evenly spaced, (m,)."""
    k: np.ndarray
    """Attempts that are left beside them, at most, real-valued, (m,)."""
    finite_n: SurfacePanel
    """Left panel: the losses as they are, and the rule of Eq. 24."""
    constant_beta: SurfacePanel
    """Right panel: Eq. 23 with the β and P̃ of a well-trained model at every N, and the rule of Eq. 25."""
    shift: np.ndarray
    """The optimal N of the left panel over that of the right one, (r,)."""
    source: str
    """Where the losses come from: "exact", or such as "median of the sweep"."""
    expected_attempts: np.ndarray | None = None
    """Attempts that are paid for in expectation where they stop at the first success, (m,); None where all k are."""


def surface_weights(weight: npt.ArrayLike) -> np.ndarray:
    """Weights for the axis of Figure 2, around those of interest.

    Args:
        weight: Weights R of interest; those that are not positive are left out, and 1 stands in if none is left.

    Returns:
        60 weights in geometric progression from a thirtieth of the smallest to thirty times the largest, (60,).

    Example:
        >>> from lidjax.allocation import surface_weights
        >>> shown = surface_weights([0.3, 10.0])
        >>> shown.shape, round(float(shown[0]), 4), round(float(shown[-1]), 4)
        ((60,), 0.01, 300.0)
    """
    positive = [float(w) for w in np.ravel(np.asarray(weight, dtype=object)) if w > 0] or [1.0]
    return np.geomspace(min(positive) / 30, max(positive) * 30, 60)


def surface_exact(
    budget: float,
    *,
    cost_train: float,
    cost_infer: float,
    weight: npt.ArrayLike,
    eigenvalues: npt.ArrayLike,
    theta: npt.ArrayLike,
    beta: float,
    sigma_eta: float,
    delta: float,
    ridge: float,
    queries: float = 1,
    difficulty: Difficulty = "gamma",
    window: tuple[float, float] = (100.0, 10_000.0),
    stop_at_success: bool = False,
) -> AllocationSurface:
    """Figure 2 from the exact losses, at one budget.

    The left panel is L_tot over weight and training size with β_eff(N) as it is. The right one shows what an
    allocation with the same β at every N would see. `lidjax.figures.allocation_figure` draws both. It takes about a
    second.

    Args:
        budget: C, what there is to spend, in any unit of cost.
        cost_train: c_N > 0 of one training instance, in the unit of the budget.
        cost_infer: c_k > 0 of one attempt, in the unit of the budget.
        weight: Weights R > 0 of L_gen against L_inf, a number or (r,). See `surface_weights`.
        eigenvalues: Spectrum of the features, all > 0, (d,).
        theta: Teacher in the eigenbasis, (d,).
        beta: β > 2, the near-zero index of the difficulty prior.
        sigma_eta: σ_η > 0, the scale of the label noise.
        delta: δ > 0, the tolerance of the verifier.
        ridge: ρ ≥ 0 of Eq. 6.
        queries: Q ≥ 1, how many queries the trained model answers with k attempts each.
        difficulty: Family of the prior on the precision, "gamma" or "power".
        window: (k1, k2) between which the rules measure β_eff(N) and P̃(N).
        stop_at_success: Attempts stop at the first success, and the budget pays for those that are made. On the right
            their expected number is that of a model without bias.

    Returns:
        An `AllocationSurface` over r weights and 400 training sizes.

    Raises:
        InputError: A weight is not positive, β ≤ 2, or the budget is too small or too large.

    References:
        Figure 2, Eq. 23, Eq. 24 and Eq. 25, Sec. 4.3.

    Example:
        >>> import lidjax
        >>> from lidjax.allocation import surface_exact
        >>> modes = dict(eigenvalues=lidjax.power_law_spectrum(8, 1.0), theta=lidjax.power_law_teacher(8))
        >>> costs = dict(cost_train=1, cost_infer=0.1)
        >>> model = dict(beta=4.0, sigma_eta=0.1, delta=0.05, ridge=1e-6)
        >>> surface = surface_exact(1000, weight=[1.0, 100.0], **costs, **modes, **model)
        >>> surface.finite_n.log10_total.shape
        (2, 400)
        >>> surface.finite_n.best_n[0] < surface.finite_n.best_n[1]  # a heavier weight trains more
        np.True_
    """
    eigenvalues, theta = check_modes(eigenvalues, theta)
    money = Budget.checked(budget, cost_train, cost_infer, queries)
    noise = label_noise_variance(beta, sigma_eta, difficulty)
    if not np.isfinite(noise):
        raise InputError(f"beta={beta:g}: L_gen(N) has a mean for beta > 2 only")
    with jax.enable_x64(True):
        losses = ExactLosses(eigenvalues, theta, difficulty)
        parameters = LossParameters(noise, ridge, beta, delta, sigma_eta)
        power_laws = exact_power_laws(losses, parameters, [money.max_n], window)[money.max_n]
        line = BudgetLine(money)
        split = _evenly_in_n(line, line.low, line.high)
        if not stop_at_success:
            values = losses.values(split.log_n, split.log_k, parameters)
            log_k = unbiased_log_k = split.log_k
        else:
            stopped = StoppedLosses(losses)
            values = stopped.values(split.log_n, split.log_k, parameters)
            log_k = stopped.log_k(split.log_n, split.log_k, parameters)
            unbiased_log_k = stopped.log_k_without_bias(split.log_k, parameters)
    surface = _surface(
        money,
        line,
        split._replace(log_k=unbiased_log_k),
        values.log_lgen,
        values.log_failure,
        power_laws,
        weight,
        "exact",
    )
    if not stop_at_success:
        return surface
    return surface._replace(k=np.exp(log_k), expected_attempts=np.exp(split.log_k))


def surface_sweep(
    data: "xr.Dataset",
    budget: float,
    *,
    cost_train: float,
    cost_infer: float,
    weight: npt.ArrayLike,
    queries: float = 1,
    statistic: Statistic = "median",
    window: tuple[float, float] | None = None,
    stop_at_success: bool = False,
) -> AllocationSurface:
    """Figure 2 from the curves of a sweep, at one budget. See `surface_exact` for what the panels are.

    Args:
        data: Results of a sweep (`run_sweep`, `open_results`) at one value of every axis but n, k and seed (see
            `select`).
        budget: C, what there is to spend, in any unit of cost.
        cost_train: c_N > 0 of one training instance, in the unit of the budget.
        cost_infer: c_k > 0 of one attempt, in the unit of the budget.
        weight: Weights R > 0 of L_gen against L_inf, a number or (r,). See `surface_weights`.
        queries: Q ≥ 1, how many queries the trained model answers with k attempts each.
        statistic: "median" or "mean" over training sets.
        window: (k1, k2) in which the rules measure β_eff(N); by default `fit.window` of the sweep's spec.
        stop_at_success: Attempts stop at the first success, and the budget pays for those that are made, as in
            `allocate_sweep`. On the right their number is that of the sweep's largest N.

    Returns:
        An `AllocationSurface` over r weights and 400 training sizes, which end where the sweep's N or k end.

    Raises:
        InputError: A weight is not positive, the results are not curves of one model over n and k, or the budget leaves
            no k within the store.

    References:
        Figure 2, Eq. 23, Eq. 24 and Eq. 25, Sec. 4.3.

    Example:
        >>> import numpy as np, xarray as xr
        >>> from lidjax.allocation import surface_sweep
        >>> n, k = np.array([10, 20, 50, 100, 200, 500]), np.geomspace(1, 1e4, 13)
        >>> curves = {  # L_gen = 1/N and L_inf = 1/k
        ...     "lgen": ("n", 1 / n), "failure": (("n", "k"), np.ones((6, 1)) / k), "status": ("n", np.zeros(6, int))
        ... }
        >>> data = xr.Dataset(curves, coords={"n": n, "k": k})
        >>> surface = surface_sweep(data, 200, cost_train=1, cost_infer=1, weight=1.0)
        >>> round(float(surface.finite_n.best_n[0])), round(float(surface.finite_n.rule_n[0]))
        (100, 100)
    """
    curves = read_curves(data, window)
    money = Budget.checked(budget, cost_train, cost_infer, queries)
    losses = curves.combined(np.arange(len(curves.lgen)), statistic)
    measured = MeasuredLine(money, curves, stopped=stop_at_success)
    split = _evenly_in_n(measured.line, measured.low, measured.high)
    log_lgen, log_failure = measured.losses(*losses, split)
    power_laws = sweep_power_laws(curves, *losses)
    source = f"{statistic} of the sweep"
    if not stop_at_success:
        return _surface(money, measured.line, split, log_lgen, log_failure, power_laws, weight, source)
    log_k, log_attempts = measured.attempts(*losses, split)
    well_trained = np.repeat(losses[1][-1:], len(losses[1]), axis=0)
    at_largest, _ = measured.attempts(losses[0], well_trained, split)
    surface = _surface(
        money,
        measured.line,
        split._replace(log_k=at_largest),
        log_lgen,
        log_failure,
        power_laws,
        weight,
        source,
    )
    return surface._replace(k=np.exp(log_k), expected_attempts=np.exp(log_attempts))


def _evenly_in_n(line: BudgetLine, low: float, high: float) -> BudgetSplit:
    """Splits at equal steps of N, the axis of Figure 2, from s = `low` to s = `high`."""
    first, last = (float(line.at(np.float64(s)).training_share) for s in (low, high))
    share = np.linspace(first, last, POINTS)
    inside = np.log(share[1:-1]) - np.log1p(-share[1:-1])
    return line.at(np.concatenate([[low], inside, [high]]))


def _surface(
    money: Budget,
    line: BudgetLine,
    split: BudgetSplit,
    log_lgen: np.ndarray,
    log_failure: np.ndarray,
    power_laws: PowerLaws,
    weight: npt.ArrayLike,
    source: str,
) -> AllocationSurface:
    """Both panels over the splits of one line, from the losses there."""
    weight = np.atleast_1d(np.asarray(weight, float))
    if weight.ndim != 1 or not (np.isfinite(weight) & (weight > 0)).all():
        raise InputError(f"weight must be a list of numbers greater than 0, not {weight}")
    log_weight = np.log(weight)
    n, s = np.exp(split.log_n), np.atleast_1d(split.s)

    def panel(rule: Rule, total: np.ndarray) -> SurfacePanel:
        chosen = np.array([solve(rule, power_laws, line, w) for w in log_weight])
        return SurfacePanel(
            total / np.log(10),
            n[np.argmin(total, axis=1)],
            np.exp(line.at(np.clip(chosen, s[0], s[-1])).log_n),
        )

    finite_n = panel("eq24", log_total(log_weight[:, None], log_lgen[None, :], log_failure[None, :]))
    constant_beta = panel(
        "constant_beta",
        np.stack([rule_view("constant_beta", power_laws, split, w).log_total for w in log_weight]),
    )
    return AllocationSurface(
        budget=float(money.total),
        cost_train=float(money.cost_train),
        weight=weight,
        n=n,
        k=np.exp(split.log_k),
        finite_n=finite_n,
        constant_beta=constant_beta,
        shift=finite_n.best_n / constant_beta.best_n,
        source=source,
    )
