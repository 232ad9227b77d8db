"""Two-tail law over several training sizes at once, with the intrinsic exponent β (and c1, where asked) in common.

Eq. 17 has one β and one P̃ for every N: only γ(N) and the finite-N amplitude may change. For a fixed β the curves
can be fitted separately. Separate fits at trial values of β give the starts of the joint fit, and the lowest of its
minima is reported.
"""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int

from lidjax.errors import InputError, check_choice
from lidjax.fitting.criteria import information_criteria
from lidjax.fitting.least_squares import Minimum, lowest_minimum
from lidjax.fitting.log_curves import LogCurve, log_curve
from lidjax.fitting.status import FitStatus, combined_status, describe_result, describe_status
from lidjax.fitting.two_parts import (
    ErrorModel,
    TwoPartLaw,
    error_model,
    half_slopes,
    one_part_cost,
    parts_curve,
    search_box,
    two_part_starts,
)
from lidjax.fitting.uncertainty import (
    at_minimum,
    covariance_from_hessian,
    critical_at,
    profile_intervals,
    residual_variance,
    rounding_error,
    two_parameter_limit,
)

SHARES = ("beta", "beta and c1")
NUM_TRIAL_BETAS = 12  # heuristic: trial values of β, around the slopes of all half-windows
SEARCH_STEPS = 15  # heuristic: steps of a separate fit; it only has to find the basin


class SharedTwoTailFit(NamedTuple):
    """Estimates of L_i(k) = c1_i k^-β + c2_i k^-γ_i for n curves with one β.

    Attributes:
        beta: The common β (...).
        gamma: γ (..., n) of each curve.
        c1: Amplitude (..., n) of the first part; one value repeated where it is shared.
        c2: Amplitude (..., n) of the second part.
        beta_se: Standard error (...) of β.
        gamma_se: Standard error (..., n) of γ, from the joint covariance; inf where γ cannot be told from β.
        c1_se: Standard error (..., n) of c1.
        c2_se: Standard error (..., n) of c2.
        beta_lower: Lower end (...) of the profile-likelihood interval of β; 0 where that side is open.
        beta_upper: Upper end (...); inf where that side is open.
        cost: Weighted sum (...) of squared residuals of log L_inf over all curves.
        dof: Degrees of freedom (...): points used minus parameters.
        rms: Root mean square (..., n) of log(curve/law), unweighted.
        aic: Akaike's information criterion (...).
        bic: Bayesian information criterion (...).
        separated: Whether (..., n) γ can be told from β.
        status: `FitStatus` (...) of the joint fit.
    """

    beta: Float[Array, "*batch"]
    gamma: Float[Array, "*batch n"]
    c1: Float[Array, "*batch n"]
    c2: Float[Array, "*batch n"]
    beta_se: Float[Array, "*batch"]
    gamma_se: Float[Array, "*batch n"]
    c1_se: Float[Array, "*batch n"]
    c2_se: Float[Array, "*batch n"]
    beta_lower: Float[Array, "*batch"]
    beta_upper: Float[Array, "*batch"]
    cost: Float[Array, "*batch"]
    dof: Int[Array, "*batch"]
    rms: Float[Array, "*batch n"]
    aic: Float[Array, "*batch"]
    bic: Float[Array, "*batch"]
    separated: Bool[Array, "*batch n"]
    status: Int[Array, "*batch"]

    @property
    def message(self) -> str | list[str]:
        """The status in words (see `describe_status`)."""
        return describe_status(self.status)

    def __repr__(self) -> str:
        return describe_result(self)


def to_rows(params: Float[Array, " p"], count: int) -> Float[Array, "n 4"]:
    """The joint vector (log β, log γ_1..n, log c2_1..n, then log c1 once or n times) as rows of q, one a curve."""
    gamma, c2, c1 = params[1 : 1 + count], params[1 + count : 1 + 2 * count], params[1 + 2 * count :]
    beta = jnp.broadcast_to(params[0], (count,))
    return jnp.stack([beta, gamma, jnp.broadcast_to(c1, (count,)), c2], axis=1)


def from_rows(q: Float[Array, "n 4"], share: str) -> Float[Array, " p"]:
    """The inverse of `to_rows`; a shared c1 starts from the median, since curves without a visible β have any c1."""
    c1 = q[:, 2] if share == "beta" else jnp.median(q[:, 2], keepdims=True)
    return jnp.concatenate([q[:1, 0], q[:, 1], q[:, 3], c1])


def fit_shared_cell(
    log_k: Float[Array, "n m"],
    log_failure: Float[Array, "n m"],
    weight: Float[Array, "n m"],
    no_logarithm: Bool[Array, " n"],
    errors: ErrorModel,
    share: str,
) -> SharedTwoTailFit:
    """One joint fit. Amplitudes are those at the centre of the window until the end."""
    count, dtype = log_k.shape[0], log_k.dtype
    used = weight > 0
    centre = jnp.sum(weight**2 * log_k) / jnp.sum(weight**2)
    log_k = log_k - centre

    def two_powers(log_beta: Float[Array, ""], *, given: bool = True) -> TwoPartLaw:
        return TwoPartLaw(jnp.asarray(False), jnp.asarray(given), log_beta)

    def fit_given_beta(
        log_beta: Float[Array, ""],
        log_k: Float[Array, " m"],
        log_failure: Float[Array, " m"],
        weight: Float[Array, " m"],
    ) -> Minimum:
        def residual(q: Float[Array, " 4"]) -> Float[Array, " m"]:
            return weight * (parts_curve(q, log_k, False) - log_failure)

        low, high = search_box(log_k, log_failure, weight > 0, two_powers(log_beta))
        starts = two_part_starts(log_k, log_failure, weight, two_powers(log_beta))
        return lowest_minimum(
            residual, jnp.clip(starts, low[None, :], high[None, :]), low, high, max_steps=SEARCH_STEPS
        )

    over_curves = jax.vmap(fit_given_beta, in_axes=(None, 0, 0, 0))
    steep, shallow, _, _ = jax.vmap(half_slopes)(log_k, log_failure, weight)
    edges = jnp.log(jnp.min(shallow)) - 0.2, jnp.log(jnp.max(steep)) + 0.5
    betas = edges[0] + (edges[1] - edges[0]) * jnp.linspace(0, 1, NUM_TRIAL_BETAS, dtype=dtype)
    trials = jax.vmap(over_curves, in_axes=(0, None, None, None))(betas, log_k, log_failure, weight)

    def residual(params: Float[Array, " p"]) -> Float[Array, " nm"]:
        curves = jax.vmap(lambda q, log_k: parts_curve(q, log_k, False))(to_rows(params, count), log_k)
        return (weight * (curves - log_failure)).ravel()

    free = two_powers(betas[0], given=False)
    lows, highs = jax.vmap(lambda k, f, u: search_box(k, f, u, free))(log_k, log_failure, used)
    low, high = from_rows(lows, share), from_rows(highs, share)
    starts = jax.vmap(lambda q: from_rows(q, share))(trials.point.params)
    best = lowest_minimum(residual, starts, low, high)
    params, cost = best.point.params, best.point.cost
    num_points, num_params = jnp.sum(used), params.shape[0]
    dof = num_points - num_params
    variance = residual_variance(cost, dof, rounding_error(weight * log_failure), errors.known_errors)
    covariance = covariance_from_hessian(best.point.hessian, variance, low < high)
    critical = critical_at(errors.critical, dof)
    ends = profile_intervals(
        residual,
        jnp.zeros(1, int),
        jnp.sqrt(covariance[:1, 0]),
        params[None, :],
        low[None, :],
        high[None, :],
        cost=cost,
        variance=variance,
        critical=critical,
    )

    misfit = jnp.where(used, residual(params).reshape(weight.shape) / jnp.where(used, weight, 1.0), 0.0)
    alone = jax.vmap(lambda k, f, w: one_part_cost(k, f, w, two_powers(params[0])))(
        log_k, log_failure, weight
    )
    fall = (alone - jnp.sum((weight * misfit) ** 2, axis=1)) / variance
    # Two tests, because β itself has an error: a curve of exponent β alone is not well fitted by a β a little off.
    gammas = slice(1, 1 + count)
    gap_variance = covariance[0, 0] + jnp.diagonal(covariance)[gammas] - 2 * covariance[0, gammas]
    gap = jnp.abs(params[gammas] - params[0])
    separated = fall > two_parameter_limit(dof, errors.known_errors, errors.level)
    separated &= gap > critical * jnp.sqrt(gap_variance)
    status = combined_status(
        closed=jnp.isfinite(ends.lower[0]) & jnp.isfinite(ends.upper[0]),
        converged=at_minimum(best, low, high, variance=variance, lowest=ends.lowest),
        separated=jnp.any(separated),
        dof=dof,
        no_logarithm=jnp.any(no_logarithm),
    )
    fitted = status < FitStatus.TOO_FEW_POINTS

    def natural(params: Float[Array, " p"]) -> Float[Array, "n 4"]:
        q = to_rows(params, count)
        return q.at[:, 2:].add(jnp.exp(q[:, :2]) * centre)

    jacobian = jax.jacfwd(natural)(params)
    log_se = jnp.sqrt(jnp.einsum("qij,jk,qik->qi", jacobian, covariance, jacobian, precision="highest"))
    values = jnp.where(fitted, jnp.exp(natural(params)), jnp.nan)
    rms = jnp.sqrt(jnp.sum(misfit**2, axis=1) / jnp.maximum(jnp.sum(used, axis=1), 1).astype(dtype))
    total = jnp.where(fitted, 2 * cost, jnp.nan)
    criteria = information_criteria(total, num_points, num_params, errors.known_errors)
    se = values * log_se
    return SharedTwoTailFit(
        beta=values[0, 0],
        gamma=values[:, 1],
        c1=values[:, 2],
        c2=values[:, 3],
        beta_se=se[0, 0],
        gamma_se=jnp.where(separated, se[:, 1], jnp.inf),
        c1_se=se[:, 2],
        c2_se=se[:, 3],
        beta_lower=jnp.where(fitted, jnp.exp(ends.lower[0]), jnp.nan),
        beta_upper=jnp.where(fitted, jnp.exp(ends.upper[0]), jnp.nan),
        cost=total,
        dof=dof,
        rms=jnp.where(fitted, rms, jnp.nan),
        aic=criteria.aic,
        bic=criteria.bic,
        separated=separated & fitted,
        status=status,
    )


@partial(jax.jit, static_argnames="share")
def fit_shared_batch(curve: LogCurve, errors: ErrorModel, share: str) -> SharedTwoTailFit:
    """The joint fit of every batch element; the curves of an element lie along the last axis but one."""
    batch = curve.log_k.shape[:-2]
    flat = [a.reshape((-1, *a.shape[len(batch) :])) for a in curve]
    out = jax.vmap(lambda k, f, w, bad: fit_shared_cell(k, f, w, bad, errors, share))(*flat)
    return jax.tree.map(lambda leaf: leaf.reshape(batch + leaf.shape[1:]), out)


def fit_two_tail_shared(
    k: ArrayLike,
    failure: ArrayLike,
    *,
    window: Sequence[float] | None = None,
    standard_error: ArrayLike | None = None,
    share: str = "beta",
    log: bool = False,
    level: float = 0.95,
) -> SharedTwoTailFit:
    """Fit L_i(k) = c1_i k^-β + c2_i k^-γ_i to n curves at once, with β in common.

    As in Eq. 17, β does not depend on the training size, while γ and the finite-N amplitude do. Sharing β settles which
    of the two exponents it is, so that γ_i may lie on either side of it. The meaning of the errors is that of
    `fit_two_tail`. The cost of the joint fit grows like n³: it is meant for tens of curves.

    Args:
        k: Numbers of attempts k > 0, broadcasting to (..., n, m).
        failure: L_inf(k) of n curves, (..., n, m); log L_inf with `log`.
        window: The ends (k1, k2) of the k to use, both included; all k without it.
        standard_error: Standard error of `failure` (that of log L_inf with `log`), broadcasting to (..., n, m). Points
            whose error is not positive and finite are left out.
        share: "beta", or "beta and c1" to hold the first amplitude in common too, as P̃ of Eq. 17 is.
        log: Whether `failure` is log L_inf, for values under the smallest float.
        level: Confidence level of the intervals, between 0 and 1.

    Returns:
        A `SharedTwoTailFit`. Curves that cannot be fitted give NaN and the status TOO_FEW_POINTS or NOT_POSITIVE.

    Raises:
        InputError: If the shapes do not fit together, or `window`, `level` or `share` is not allowed.

    References:
        Eq. 17. `tests/fitting/test_shared_beta.py` checks the fit against SciPy, and the coverage of its intervals.

    Example:
        >>> import jax.numpy as jnp
        >>> import lidjax
        >>> k, gamma = jnp.geomspace(10, 1e5, 25), jnp.array([[0.4], [0.8]])
        >>> fit = lidjax.fit_two_tail_shared(k, 3 * k[None, :] ** -2 + 0.01 * k[None, :] ** -gamma)
        >>> round(float(fit.beta), 3), [round(float(x), 3) for x in fit.gamma]
        (2.0, [0.4, 0.8])
    """
    check_choice("share =", share, SHARES)
    curve = log_curve(k, failure, window=window, standard_error=standard_error, log=log)
    if curve.log_k.ndim < 2:
        raise InputError(f"failure {curve.log_k.shape} must have at least two axes, (curves, k)")
    num_points = curve.log_k.shape[-1] * curve.log_k.shape[-2]
    errors = error_model(
        level, num_points, known_errors=standard_error is not None, dtype=curve.log_failure.dtype
    )
    return fit_shared_batch(curve, errors, share)
