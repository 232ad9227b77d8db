"""Saturating law of the effective exponent over training size (Eq. 20 = Eq. 57), fitted with its uncertainty.

β_eff(N) = β - Δ/(1 + c N^ν) is a logistic curve in log N. With c = N₀^-ν it falls by Δ/2 at N = N₀, and
(log β, log Δ, log N₀, log ν) are the parameters the optimiser sees. What the data cannot tell: if every N ≫ N₀ only
the tail (Δ/c) N^-ν is seen, and Δ, c trade against each other; if every N ≪ N₀ the plateau β is not seen.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from lidjax.fit.least_squares import best_of
from lidjax.fit.status import FitStatus

NUM_PARAMS = 4
MIN_POINTS = NUM_PARAMS + 1
LOG_RANGE = 14.0  # heuristic box: parameters within e^±14 (10^±6) of the scale of the data
LOG_NU = (-3.0, 3.0)  # heuristic box for ν: 0.05 to 20
WALD_WIDE = 1.0  # an estimate known to no better than a factor e is called undetermined


class SaturationFit(NamedTuple):
    """Estimates of Eq. 20, with the leading axes of `beta_eff`.

    `beta_se` and so on are standard errors of the parameters on their natural scale; `covariance` (..., 4, 4) and
    `identifiable` (..., 4) are in the order β, Δ, c, ν. `cost` is the weighted sum of squared residuals,
    `dof` the points used minus 4, `status` a `FitStatus`.
    """

    beta: Float[Array, "..."]
    delta: Float[Array, "..."]
    c: Float[Array, "..."]
    nu: Float[Array, "..."]
    beta_se: Float[Array, "..."]
    delta_se: Float[Array, "..."]
    c_se: Float[Array, "..."]
    nu_se: Float[Array, "..."]
    covariance: Float[Array, "... 4 4"]
    cost: Float[Array, "..."]
    dof: Int[Array, "..."]
    identifiable: Bool[Array, "... 4"]
    status: Int[Array, "..."]


def saturation_curve(params, log_n):
    """β - Δ sigmoid(-ν (log n - log n₀)) for params = (log β, log Δ, log n₀, log ν)."""
    log_beta, log_delta, log_n0, log_nu = params
    return jnp.exp(log_beta) - jnp.exp(log_delta) * jax.nn.sigmoid(-jnp.exp(log_nu) * (log_n - log_n0))


def natural_params(params):
    """(β, Δ, c, ν) from the optimiser's parameters."""
    log_beta, log_delta, log_n0, log_nu = params
    nu = jnp.exp(log_nu)
    return jnp.stack([jnp.exp(log_beta), jnp.exp(log_delta), jnp.exp(-nu * log_n0), nu])


def starting_points(log_n, beta_eff, weight, low, high):
    """Twelve starts: N₀ and ν on a grid, then β and Δ by linear least squares."""
    first = jnp.min(jnp.where(weight > 0, log_n, jnp.inf))
    last = jnp.max(jnp.where(weight > 0, log_n, -jnp.inf))

    def start(position, log_nu):
        log_n0 = first + position * (last - first)
        shape = jax.nn.sigmoid(-jnp.exp(log_nu) * (log_n - log_n0))
        w = weight**2 / jnp.sum(weight**2)
        mean_s, mean_y = jnp.sum(w * shape), jnp.sum(w * beta_eff)
        spread = jnp.sum(w * (shape - mean_s) ** 2)
        delta = -jnp.sum(w * (shape - mean_s) * (beta_eff - mean_y)) / jnp.where(spread > 0, spread, 1.0)
        beta = mean_y + delta * mean_s
        tiny = jnp.finfo(log_n.dtype).tiny
        point = jnp.stack(
            [jnp.log(jnp.maximum(beta, tiny)), jnp.log(jnp.maximum(delta, tiny)), log_n0, log_nu]
        )
        return jnp.clip(point, low, high)

    positions = jnp.asarray([-0.3, 0.15, 0.5, 0.85], log_n.dtype)
    slopes = jnp.log(jnp.asarray([0.5, 1.0, 2.5], log_n.dtype))
    grid = jnp.stack([g.ravel() for g in jnp.meshgrid(positions, slopes, indexing="ij")])
    return jax.vmap(start)(*grid)


def fit_saturation_cell(n, beta_eff, weight, *, known_errors: bool) -> SaturationFit:
    """One fit of Eq. 20: `n`, `beta_eff`, `weight` (m,); weight 0 leaves a point out."""
    used = (weight > 0) & jnp.isfinite(beta_eff) & jnp.isfinite(weight)
    weight = jnp.where(used, weight, 0.0)
    beta_eff = jnp.where(used, beta_eff, 0.0)
    log_n = jnp.log(n)
    num_points = jnp.sum(used)

    scale = jnp.log(jnp.maximum(jnp.max(jnp.abs(beta_eff)), jnp.finfo(n.dtype).tiny))
    first = jnp.min(jnp.where(used, log_n, jnp.inf))
    last = jnp.max(jnp.where(used, log_n, -jnp.inf))
    nu_low, nu_high = (jnp.asarray(edge, n.dtype) for edge in LOG_NU)
    low = jnp.stack([scale - LOG_RANGE, scale - LOG_RANGE, first - LOG_RANGE, nu_low])
    high = jnp.stack([scale + LOG_RANGE, scale + LOG_RANGE, last + LOG_RANGE, nu_high])

    def residual(params):
        return weight * (saturation_curve(params, log_n) - beta_eff)

    starts = starting_points(log_n, beta_eff, weight, low, high)
    best = best_of(residual, starts, low, high)

    dof = num_points - NUM_PARAMS
    cost = 2 * best.cost
    variance = jnp.asarray(1.0, n.dtype) if known_errors else cost / jnp.maximum(dof, 1).astype(n.dtype)
    hessian = jnp.matmul(best.jacobian.T, best.jacobian, precision="highest")
    diagonal = jnp.diagonal(hessian)
    root = jnp.sqrt(jnp.where(diagonal > 0, diagonal, 1.0))
    log_covariance = (
        variance * jnp.linalg.inv(hessian / (root[:, None] * root[None, :])) / (root[:, None] * root[None, :])
    )
    bend = jax.jacfwd(natural_params)(best.params)
    covariance = bend @ log_covariance @ bend.T

    values = natural_params(best.params)
    errors = jnp.sqrt(jnp.diagonal(covariance))
    at_bound = (best.params <= low) | (best.params >= high)
    identifiable = ~(jnp.stack([at_bound[0], at_bound[1], at_bound[2] | at_bound[3], at_bound[3]]))
    identifiable &= errors < WALD_WIDE * jnp.abs(values)
    status = jnp.where(jnp.all(identifiable), int(FitStatus.OK), int(FitStatus.NOT_IDENTIFIABLE))
    status = jnp.where(best.converged, status, int(FitStatus.NOT_CONVERGED))
    status = jnp.where(dof < 1, int(FitStatus.TOO_FEW_POINTS), status)
    fine = status < int(FitStatus.TOO_FEW_POINTS)
    return SaturationFit(
        *jnp.where(fine, values, jnp.nan),
        *jnp.where(fine, errors, jnp.nan),
        jnp.where(fine, covariance, jnp.nan),
        jnp.where(fine, cost, jnp.nan),
        dof,
        identifiable & fine,
        status,
    )


@partial(jax.jit, static_argnames="known_errors")
def fit_saturation_batch(n, beta_eff, weight, known_errors):
    batch = beta_eff.shape[:-1]
    flat = [a.reshape(-1, a.shape[-1]) for a in (n, beta_eff, weight)]
    fits = jax.vmap(partial(fit_saturation_cell, known_errors=known_errors))(*flat)
    return jax.tree.map(lambda leaf: leaf.reshape(batch + leaf.shape[1:]), fits)


def fit_saturation(n, beta_eff, *, standard_error=None) -> SaturationFit:
    """Fit β_eff(N) = β - Δ/(1 + c N^ν), β, Δ, c, ν > 0 (Eq. 20), to `beta_eff` (..., m) at sizes `n` (..., m).

    `standard_error` (..., m): one known standard error a point; the reported errors are then the usual chi-square ones.
    Without it all points weigh the same and errors are scaled by the misfit, cost/dof. For curves without sampling
    noise (population integrals) that is all an error can mean: how well the *form* of Eq. 20 holds over this range
    of N. It is no statement about the range beyond.

    Points with a NaN value or a non-positive or non-finite error are left out; under five usable points the result
    is NaN with a status. Weakly determined parameters are flagged in `identifiable`, never silently reported as sharp.
    """
    beta_eff = jnp.asarray(beta_eff)
    n = jnp.asarray(n).astype(beta_eff.dtype)
    error = (
        jnp.ones_like(beta_eff)
        if standard_error is None
        else jnp.asarray(standard_error).astype(beta_eff.dtype)
    )
    shape = jnp.broadcast_shapes(n.shape, beta_eff.shape, error.shape)
    n, beta_eff, error = (jnp.broadcast_to(a, shape) for a in (n, beta_eff, error))
    sound = jnp.isfinite(error) & (error > 0) & jnp.isfinite(beta_eff)
    weight = jnp.where(sound, 1 / jnp.where(sound, error, 1.0), 0.0)
    return fit_saturation_batch(n, beta_eff, weight, standard_error is not None)
