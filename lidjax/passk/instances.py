"""L_inf(k) from test instances, for whatever law the pairs (bias, τ) have.

Given the instance, k fresh trials all fail with probability (1 - s)^k. Averaging that, instead of an
all-fail indicator over k draws (Sec. 4.2), integrates the draws out (Rao-Blackwell): the same mean, never
a larger variance, one pass for every k. What remains is the rarity of the instances: at large k the
mean rests on the few with s ≲ 1/k. `instance_failure` says how few, and `sample_success` draws more of
them where the law is the model's own.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln, logsumexp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Num

from lidjax.arrays import as_float
from lidjax.difficulty import Difficulty, check_difficulty, sample_precision
from lidjax.passk.success import log_window

MIN_EFFECTIVE = 30  # under this many effective instances the standard error itself is off by more than 13 %

# Mixture behind `sample_success`. The shares are a heuristic; any positive ones give an unbiased mean.
_NOMINAL, _SMALL_TAU, _FINITE_N = 0.25, 0.35, (0.1, 0.1, 0.1, 0.1)


class InstanceFailure(NamedTuple):
    """L_inf(k) from m instances; every field has the shape of k.

    failure         mean of w (1 - s)^k
    standard_error  of that mean over independent instances, at a fixed training set
    effective       (Σ c)² / Σ c² (Kish) of the terms c = w (1 - s)^k: how many instances carry the mean
    thin            effective < 30: neither the value nor its standard error should be trusted
    """

    failure: Float[Array, " k"]
    standard_error: Float[Array, " k"]
    effective: Float[Array, " k"]
    thin: Bool[Array, " k"]


def log_miss_probability(bias, tau, *, delta, sigma_eta) -> Float[Array, "..."]:
    """log(1 - s(B, τ)), the log chance that one trial fails; accurate at both ends. Arguments broadcast."""
    bias, tau, delta, sigma_eta = jnp.broadcast_arrays(*map(as_float, (bias, tau, delta, sigma_eta)))
    root = jnp.sqrt(tau) / sigma_eta
    return log_window(jnp.abs(bias) * root, delta * root)[1]


def instance_failure(
    k: Num[ArrayLike, " k"],
    success: Float[ArrayLike, " m"] | None = None,
    *,
    log_miss: Float[ArrayLike, " m"] | None = None,
    log_weight: Float[ArrayLike, " m"] | None = None,
) -> InstanceFailure:
    """Mean of (1 - s_i)^k over m test instances, for k > 0 of any size (Eq. 13).

    Give `success` s, or `log_miss` = log(1 - s) where s may be so near 1 that 1 - s is lost. `log_weight`
    are the logarithms of importance weights with mean 1 (`sample_success` returns them). Works from
    k·log(1 - s): stable for k up to the largest float. Memory O(m), whatever the number of k.
    The effective count sees only what was drawn: a class of instances with s ≪ 1/k that is absent from all m
    cannot be missed by any statistic of them.
    """
    if success is not None and log_miss is None:
        log_miss = jnp.log1p(-jnp.asarray(success))
    elif success is not None or log_miss is None:
        raise ValueError("give exactly one of success and log_miss")
    log_miss = jnp.asarray(log_miss)
    count = log_miss.shape[0]
    # Powers are taken relative to the instance most likely to fail: k·log_miss minus its own maximum
    # would lose all digits at large k, and with a fused multiply-add not even be ≤ 0.
    hardest = _finite_or_zero(jnp.max(log_miss))
    relative = log_miss - hardest

    def one(k):
        log_terms = k * relative if log_weight is None else k * relative + log_weight
        peak = _finite_or_zero(jnp.max(log_terms))
        terms = jnp.exp(log_terms - peak)
        mean = jnp.mean(terms)
        square = jnp.mean(terms**2)
        spread = jnp.sqrt(jnp.mean((terms - mean) ** 2) / max(count - 1, 1))
        effective = count * mean**2 / jnp.where(square > 0, square, 1)
        level = jnp.exp(k * hardest + peak)
        return level * mean, level * spread, effective

    failure, error, effective = jax.lax.map(one, jnp.asarray(k, log_miss.dtype))
    return InstanceFailure(failure, error, effective, ~(effective >= MIN_EFFECTIVE))


def _finite_or_zero(x):
    """-inf, the maximum over instances that cannot fail, as 0; NaN stays."""
    return jnp.where(jnp.isneginf(x), jnp.zeros_like(x), x)


def thin_tail_warning(k, result: InstanceFailure) -> str | None:
    """What to tell a person whose tail rests on too few instances; None when it does not. Host only."""
    thin = np.asarray(result.thin)
    if not thin.any():
        return None
    k, effective = np.asarray(k), np.asarray(result.effective)
    first = int(np.argmax(thin))
    worst = int(np.argmin(effective))
    return (
        f"L_inf(k) rests on fewer than {MIN_EFFECTIVE} effective instances at {thin.sum()} of {thin.size} "
        f"values of k, from k = {k[first]:.4g} on ({effective[worst]:.1f} at k = {k[worst]:.4g}): "
        "use more instances, importance sampling, or a smaller k"
    )


class InstanceSample(NamedTuple):
    """Test instances of the LID model: bias B, precision τ and log importance weight of each."""

    bias: Float[Array, " m"]
    tau: Float[Array, " m"]
    log_weight: Float[Array, " m"]


def sample_instances(
    key, lgen, *, beta, num_instances: int, difficulty: Difficulty = "gamma"
) -> InstanceSample:
    """Draw (B, τ) from the model's own law, B ~ N(0, L_gen) independent of τ ~ prior; unit weights."""
    bias_key, tau_key = jax.random.split(key)
    beta = as_float(beta)
    z = jax.random.normal(bias_key, (num_instances,), beta.dtype)
    tau = sample_precision(tau_key, beta, (num_instances,), difficulty)
    return InstanceSample(jnp.sqrt(lgen) * z, tau, jnp.zeros_like(tau))


def sample_success(
    key, lgen, *, beta, delta, sigma_eta, reach, num_instances: int, difficulty: Difficulty = "gamma"
) -> InstanceSample:
    """Draw (B, τ) so that L_inf(k) is resolved for every k from 1 to `reach`; weights bounded by 4.

    A defensive mixture, drawn instance by instance, weighted by prior density over mixture density:

    nominal    0.25  the model's own law, which bounds every weight by 4
    small τ    0.35  near-zero index lowered from β/2 so that log τ is nearly uniform down to c_δ√τ = 1/reach
    finite N   0.40  four tilts towards B²τ = 2σ² log k, k up to `reach`, where biased instances fail: larger
                     |B| and, for the gamma prior, larger τ, at the saddle τ = √(log k / v), v = L_gen/σ²
                     (no further than where that is as rare as the small τ that fail at k)

    `lgen` ≥ 0, `beta`, `delta`, `sigma_eta` > 0 and `reach` ≥ 1 are scalar arrays.
    """
    check_difficulty(difficulty)
    beta = as_float(beta)
    nominal_shape = beta / 2
    log_reach = jnp.log1p(reach * jnp.sqrt(2 / jnp.pi) * delta / sigma_eta)
    levels = log_reach * jnp.arange(1, len(_FINITE_N) + 1, dtype=beta.dtype) / len(_FINITE_N)
    power = 0.5 if difficulty == "gamma" else 1.0
    cost = jnp.minimum((levels / (lgen / sigma_eta**2)) ** power, power * beta * levels)

    def components(nominal, small, finite):
        return jnp.concatenate([jnp.stack([nominal, small]), finite])

    one, tilted = jnp.ones_like(beta), jnp.maximum(nominal_shape, 1)
    low = jnp.minimum(nominal_shape, 1 / (2 * log_reach))
    shape = components(nominal_shape, low, jnp.full_like(cost, tilted))
    rate = components(one, one, tilted / (tilted + cost) if difficulty == "gamma" else jnp.ones_like(cost))
    stretch = components(one, one, jnp.sqrt(1 + 2 * cost))
    log_share = jnp.log(jnp.array([_NOMINAL, _SMALL_TAU, *_FINITE_N], beta.dtype))

    choice_key, bias_key, tau_key = jax.random.split(key, 3)
    choice = jax.random.categorical(choice_key, log_share, shape=(num_instances,))
    z = stretch[choice] * jax.random.normal(bias_key, (num_instances,), beta.dtype)
    if difficulty == "gamma":
        draw = jax.random.loggamma(tau_key, shape[choice], (num_instances,), beta.dtype)
        log_tau = draw - jnp.log(rate[choice])
        # log of component density over prior density, factor by factor
        log_ratio = gammaln(nominal_shape) - gammaln(shape) + shape * jnp.log(rate)
    else:
        log_tau = -jax.random.exponential(tau_key, (num_instances,), beta.dtype) / shape[choice]
        log_ratio = jnp.log(shape / nominal_shape)
    tau = jnp.exp(log_tau)
    log_ratio = (
        (log_share + log_ratio - jnp.log(stretch))[:, None]
        + (shape - nominal_shape)[:, None] * log_tau[None, :]
        + (1 - rate)[:, None] * tau[None, :]
        + 0.5 * (1 - stretch**-2)[:, None] * (z**2)[None, :]
    )
    return InstanceSample(jnp.sqrt(lgen) * z, tau, -logsumexp(log_ratio, axis=0))
