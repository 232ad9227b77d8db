"""Two-tail law over several training sizes at once, with the intrinsic exponent β (and c1, where asked) in common.

Eq. 17 has one β and one P̃ for every N: only γ(N) and the finite-N amplitude may change. Given β the curves
separate: separate fits at trial values of β give the starts of the joint fit, whose lowest minimum counts.
"""

# pyright: reportCallIssue=false
# (arrays are unpacked into as many fields as they have rows, which a type checker cannot count)

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from lidjax.errors import InputError
from lidjax.fitting.criteria import information_criteria
from lidjax.fitting.data import check_level, log_curve
from lidjax.fitting.least_squares import best_of
from lidjax.fitting.status import FitStatus
from lidjax.fitting.two_parts import (
    Law,
    half_slopes,
    one_part_cost,
    parts_curve,
    search_box,
    starting_points,
)
from lidjax.fitting.uncertainty import (
    ROUNDING,
    at_dof,
    at_minimum,
    covariance_from_hessian,
    critical_values,
    profile_intervals,
    residual_variance,
    two_parameter_limit,
)

SHARES = ("beta", "beta and c1")
NUM_TRIAL_BETAS = 12  # heuristic: trial values of β, around the slopes of all half-windows
SEARCH_STEPS = 15  # heuristic: steps of a separate fit; it only has to find the basin


class SharedTwoTailFit(NamedTuple):
    """Estimates of L_i(k) = c1_i k^-β + c2_i k^-γ_i for n curves with one β; `beta` has the batch axes alone.

    `beta_lower`, `beta_upper` are the profile interval of β over everything else. Errors of γ_i come from the joint
    covariance. `separated` (..., n): γ_i can be told from β; where it cannot, `gamma_se` is inf. With c1 shared, `c1`
    repeats one value.
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


def expand(params, count: int):
    """The joint vector (log β, log γ_1..n, log c2_1..n, then log c1 once or n times) as (n, 4) rows of q."""
    gamma, c2, c1 = params[1 : 1 + count], params[1 + count : 1 + 2 * count], params[1 + 2 * count :]
    beta = jnp.broadcast_to(params[0], (count,))
    return jnp.stack([beta, gamma, jnp.broadcast_to(c1, (count,)), c2], axis=1)


def collapse(q, share: str):
    """The inverse of `expand`; a shared c1 starts from the median: curves without a visible β have any c1."""
    c1 = q[:, 2] if share == "beta" else jnp.median(q[:, 2], keepdims=True)
    return jnp.concatenate([q[:1, 0], q[:, 1], q[:, 3], c1])


def fit_shared(log_k, log_failure, weight, bad, how, share: str) -> SharedTwoTailFit:
    """One joint fit of (n, m) curves. Amplitudes are those at the centre of the window until the end."""
    count, dtype = log_k.shape[0], log_k.dtype
    used = weight > 0
    mid = jnp.sum(weight**2 * log_k) / jnp.sum(weight**2)
    log_k = log_k - mid

    def law(log_beta):
        return Law(jnp.asarray(False), jnp.asarray(True), log_beta)

    def one_curve(log_beta, log_k, log_failure, weight):
        def residual(q):
            return weight * (parts_curve(q, log_k, False) - log_failure)

        low, high = search_box(log_k, log_failure, weight > 0, law(log_beta))
        starts = starting_points(log_k, log_failure, weight, law(log_beta))
        return best_of(
            residual, jnp.clip(starts, low[None, :], high[None, :]), low, high, max_steps=SEARCH_STEPS
        )

    over_curves = jax.vmap(one_curve, in_axes=(None, 0, 0, 0))
    steep, shallow, _, _ = jax.vmap(half_slopes)(log_k, log_failure, weight)
    edges = jnp.log(jnp.min(shallow)) - 0.2, jnp.log(jnp.max(steep)) + 0.5
    betas = edges[0] + (edges[1] - edges[0]) * jnp.linspace(0, 1, NUM_TRIAL_BETAS, dtype=dtype)
    trials = jax.vmap(over_curves, in_axes=(0, None, None, None))(betas, log_k, log_failure, weight)

    def residual(params):
        q = expand(params, count)
        curves = jax.vmap(lambda q, log_k: parts_curve(q, log_k, False))(q, log_k)
        return (weight * (curves - log_failure)).ravel()

    free = Law(jnp.asarray(False), jnp.asarray(False), betas[0])
    boxes = jax.vmap(lambda k, f, u: search_box(k, f, u, free))(log_k, log_failure, used)
    low, high = (collapse(box, share) for box in boxes)
    starts = jax.vmap(lambda q: collapse(q, share))(trials.point.params)
    best = best_of(residual, starts, low, high)
    params, cost = best.point.params, best.point.cost
    num_points, num_params = jnp.sum(used), params.shape[0]
    dof = num_points - num_params
    rounding = ROUNDING * jnp.finfo(dtype).eps * jnp.max(jnp.abs(weight * log_failure))
    variance = residual_variance(cost, dof, rounding, how["known_errors"])
    covariance = covariance_from_hessian(best.point.hessian, variance, low < high)
    limits = {"cost": cost, "variance": variance, "critical": at_dof(how["critical"], dof)}
    ends = profile_intervals(
        residual,
        jnp.zeros(1, int),
        jnp.sqrt(covariance[:1, 0]),
        params[None, :],
        low[None, :],
        high[None, :],
        **limits,
    )

    misfit = jnp.where(used, residual(params).reshape(weight.shape) / jnp.where(used, weight, 1.0), 0.0)
    alone = jax.vmap(lambda k, f, w: one_part_cost(k, f, w, law(params[0])))(log_k, log_failure, weight)
    fall = (alone - jnp.sum((weight * misfit) ** 2, axis=1)) / variance
    # Two tests, because β itself has an error: a curve of exponent β alone is not well fitted by a β a little off.
    gammas = slice(1, 1 + count)
    gap_variance = covariance[0, 0] + jnp.diagonal(covariance)[gammas] - 2 * covariance[0, gammas]
    gap = jnp.abs(params[gammas] - params[0])
    separated = fall > two_parameter_limit(dof, how["known_errors"], how["level"])
    separated &= gap > limits["critical"] * jnp.sqrt(gap_variance)
    closed = jnp.isfinite(ends.lower[0]) & jnp.isfinite(ends.upper[0])
    status = jnp.where(closed, FitStatus.OK, FitStatus.NOT_IDENTIFIABLE)
    converged = at_minimum(best, low, high, variance=variance, lowest=ends.lowest)
    status = jnp.where(converged, status, FitStatus.NOT_CONVERGED)
    status = jnp.where(jnp.any(separated), status, FitStatus.NOT_SEPARATED)
    status = jnp.where(dof < 1, FitStatus.TOO_FEW_POINTS, status)
    status = jnp.where(jnp.any(bad), FitStatus.NOT_POSITIVE, status).astype(jnp.int32)
    fine = status < FitStatus.TOO_FEW_POINTS

    def natural(params):
        q = expand(params, count)
        return q.at[:, 2:].add(jnp.exp(q[:, :2]) * mid)

    change = jax.jacfwd(natural)(params)
    log_se = jnp.sqrt(jnp.einsum("qij,jk,qik->qi", change, covariance, change, precision="highest"))
    values = jnp.where(fine, jnp.exp(natural(params)), jnp.nan)
    rms = jnp.sqrt(jnp.sum(misfit**2, axis=1) / jnp.maximum(jnp.sum(used, axis=1), 1).astype(dtype))
    total = jnp.where(fine, 2 * cost, jnp.nan)
    criteria = information_criteria(total, num_points, num_params, how["known_errors"])
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
        beta_lower=jnp.where(fine, jnp.exp(ends.lower[0]), jnp.nan),
        beta_upper=jnp.where(fine, jnp.exp(ends.upper[0]), jnp.nan),
        cost=total,
        dof=dof,
        rms=jnp.where(fine, rms, jnp.nan),
        aic=criteria.aic,
        bic=criteria.bic,
        separated=separated & fine,
        status=status,
    )


@partial(jax.jit, static_argnames="share")
def fit_shared_batch(log_k, log_failure, weight, bad, how, share):
    batch = log_k.shape[:-2]
    flat = [a.reshape((-1, *a.shape[len(batch) :])) for a in (log_k, log_failure, weight, bad)]
    out = jax.vmap(lambda k, f, w, bad: fit_shared(k, f, w, bad, how, share))(*flat)
    return jax.tree.map(lambda leaf: leaf.reshape(batch + leaf.shape[1:]), out)


def fit_two_tail_shared(
    k, failure, *, window=None, standard_error=None, share: str = "beta", log=False, level=0.95
) -> SharedTwoTailFit:
    """Fit Eq. 17 to n curves `failure` (..., n, m) at once: β in common over N, γ and amplitudes free for each.

    share="beta and c1" also holds c1 in common, as Eq. 17 has it (P̃ does not depend on N). Sharing settles
    which of the two exponents is β, so γ_i may lie on either side of it. Other arguments as in `fit_two_tail`. The cost
    of the joint fit grows like n³: meant for tens of curves.
    """
    if share not in SHARES:
        raise InputError(f"share={share!r} is not known; allowed: {', '.join(SHARES)}")
    curve = log_curve(k, failure, window=window, standard_error=standard_error, log=log)
    if curve.log_k.ndim < 2:
        raise InputError(f"failure {curve.log_k.shape} must have two axes at least, (curves, k)")
    known, points = standard_error is not None, curve.log_k.shape[-1] * curve.log_k.shape[-2]
    dtype = curve.log_failure.dtype
    critical = jnp.asarray(critical_values(check_level(level), points, known_errors=known), dtype)
    how = {"known_errors": jnp.asarray(known), "critical": critical, "level": jnp.asarray(level, dtype)}
    return fit_shared_batch(*curve, how, share)
