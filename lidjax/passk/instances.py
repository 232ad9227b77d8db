"""L_inf(k) from test instances, for any joint distribution of bias and precision.

Given the instance, k fresh trials all fail with probability (1 - s)^k. The average of that has the same mean as the
average of an all-fail indicator over k draws (Sec. 4.2) and never a larger variance (Rao-Blackwell), and one pass
serves every k. The remaining difficulty is that hard instances are rare: at large k the mean depends on the few with s
≲ 1/k. `instance_failure` reports the effective sample size, and `sample_success` draws more hard instances from the
LID model.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln, logsumexp
from jax.typing import ArrayLike, DTypeLike
from jaxtyping import Array, Bool, Float, Num

from lidjax.arrays import (
    MEASURED_LOSS,
    NOT_NEGATIVE,
    POSITIVE,
    Range,
    as_float,
    check_values,
    check_whole,
    checked,
    or_nan,
)
from lidjax.difficulty import Difficulty, check_difficulty, sample_precision
from lidjax.errors import InputError
from lidjax.passk.success import log_success_and_miss, scaled_bias_and_tolerance

MIN_EFFECTIVE_SAMPLE_SIZE = 30
"""Effective sample size below which the standard error itself is off by more than 13 %."""

_SHARE = or_nan(Range("from 0 to 1", lambda x: (x >= 0) & (x <= 1)))
_LOG_SHARE = or_nan(Range("at most 0", lambda x: x <= 0))
_LOG_WEIGHT = or_nan(Range("less than infinity", lambda x: x < math.inf))
_REACH = Range("at least 1, and finite", lambda x: (x >= 1) & (x < math.inf))
# Mixture of `sample_success`. The shares are a heuristic; any positive ones give an unbiased mean.
_NOMINAL, _SMALL_TAU, _FINITE_N = 0.25, 0.35, (0.1, 0.1, 0.1, 0.1)


class InstanceFailure(NamedTuple):
    """L_inf(k) from m instances; every field has the shape of k."""

    failure: Float[Array, " k"]
    """Mean of w (1 - s)^k, w the importance weights."""
    standard_error: Float[Array, " k"]
    """Standard error of that mean over independent instances, at a fixed training set."""
    effective_sample_size: Float[Array, " k"]
    """(Σ c)² / Σ c² (Kish) of the terms c = w (1 - s)^k: the number of instances on which the mean depends."""
    low_ess: Bool[Array, " k"]
    """Whether the effective sample size is below 30. Then neither the mean nor its standard error can be trusted: use
    more instances, importance sampling (`sample_success`) or a smaller k."""


def log_miss_probability(
    bias: ArrayLike, tau: ArrayLike, *, delta: ArrayLike, sigma_eta: ArrayLike
) -> Float[Array, "..."]:
    """log(1 - s(B, τ)), the log probability that one trial fails.

    It is accurate where s is near 0 and where it is near 1, unlike the logarithm of 1 - `success_probability`.

    Args:
        bias: B, prediction minus mean of the target, of any sign.
        tau: precision τ ≥ 0 of the instance.
        delta: tolerance δ ≥ 0, in the unit of the bias.
        sigma_eta: noise scale σ_η > 0, in the unit of the bias. The four broadcast.

    Returns:
        log(1 - s) ≤ 0, of the broadcast shape.

    Raises:
        InputError: if an argument is not allowed, or if shapes do not broadcast. A traced argument that is not allowed
            gives NaN.

    References:
        Eq. 12-14, as `success_probability`.

    Example:
        >>> from lidjax.passk import log_miss_probability
        >>> round(float(log_miss_probability(0.0, 1.0, delta=9.0, sigma_eta=1.0)), 3)
        -42.935
    """
    return log_success_and_miss(*scaled_bias_and_tolerance(bias, tau, delta, sigma_eta))[1]


def instance_failure(
    k: Num[ArrayLike, " k"],
    success: Float[ArrayLike, " m"] | None = None,
    *,
    log_miss: Float[ArrayLike, " m"] | None = None,
    log_weight: Float[ArrayLike, " m"] | None = None,
) -> InstanceFailure:
    """Mean of (1 - s_i)^k over m test instances, with its standard error and effective sample size.

    It is computed from k·log(1 - s), which is stable for k up to the largest float. Memory is O(m), whatever the number
    of k. The effective sample size depends on what was drawn: it cannot show that a kind of instance with s ≪ 1/k is
    absent from all m.

    Args:
        k: numbers of trials (k,), ≥ 0, of any size, real.
        success: success probability s of one trial for each instance (m,).
        log_miss: log(1 - s) instead (m,), for s so near 1 that 1 - s is lost (see `log_miss_probability`).
        log_weight: logarithms of importance weights (m,) of mean 1, as `sample_success` returns them; 0 by default.

    Returns:
        `InstanceFailure`, each field (k,).

    Raises:
        InputError: unless exactly one of `success` and `log_miss` is given, and if an argument is not allowed or not of
            its shape. NaN is allowed for what was not measured, and gives NaN, as a traced value that is not allowed.

    References:
        Eq. 13. That averaging (1 - s)^k does not raise the variance is measured in tests/passk/test_draws.py; the
        coverage of the standard error in tests/passk/test_instances.py.

    Example:
        >>> import jax.numpy as jnp
        >>> import lidjax
        >>> estimate = lidjax.instance_failure(jnp.array([1.0, 2.0]), jnp.array([0.1, 0.5]))
        >>> [round(float(x), 4) for x in estimate.failure], bool(estimate.low_ess.all())
        ([0.7, 0.53], True)
    """
    if success is not None and log_miss is None:
        log_miss = jnp.log1p(-checked("success", success, _SHARE, shape=("m",)))
    elif success is not None or log_miss is None:
        raise InputError("give exactly one of success and log_miss")
    log_miss = checked("log_miss", log_miss, _LOG_SHARE, shape=("m",))
    k = checked_attempts(k, log_miss.dtype)
    if log_weight is not None:
        log_weight = checked(
            "log_weight", log_weight, _LOG_WEIGHT, shape=log_miss.shape, dtype=log_miss.dtype
        )
    count = log_miss.shape[0]
    # Powers are taken relative to the instance that is most likely to fail. k·log_miss minus its own maximum would lose
    # all digits at large k, and with a fused multiply-add might not even be ≤ 0.
    hardest = _finite_or_zero(jnp.max(log_miss))
    relative = log_miss - hardest

    def one(k: Array) -> tuple[Array, Array, Array]:
        log_terms = k * relative if log_weight is None else k * relative + log_weight
        peak = _finite_or_zero(jnp.max(log_terms))
        terms = jnp.exp(log_terms - peak)
        mean = jnp.mean(terms)
        square = jnp.mean(terms**2)
        spread = jnp.sqrt(jnp.mean((terms - mean) ** 2) / max(count - 1, 1))
        ess = count * mean**2 / jnp.where(square > 0, square, 1)
        level = jnp.exp(k * hardest + peak)
        return level * mean, level * spread, ess

    failure, error, ess = jax.lax.map(one, k)
    return InstanceFailure(failure, error, ess, ~(ess >= MIN_EFFECTIVE_SAMPLE_SIZE))


def checked_attempts(k: ArrayLike, dtype: DTypeLike) -> Float[Array, " k"]:
    """Numbers of trials as floats of `dtype`; InputError unless they have one axis and are not negative."""
    k = as_float(check_values("k", k, NOT_NEGATIVE, np.dtype(dtype)), "k").astype(dtype)
    if k.ndim != 1:
        raise InputError(f"k of shape {k.shape}: must have shape (k,)")
    return k


def _finite_or_zero(x: Float[Array, ""]) -> Float[Array, ""]:
    """-inf, the maximum over instances that cannot fail, becomes 0; NaN stays."""
    return jnp.where(jnp.isneginf(x), jnp.zeros_like(x), x)


class InstanceSample(NamedTuple):
    """Test instances of the LID model."""

    bias: Float[Array, " m"]
    """B of each instance (m,), prediction minus mean of the target."""
    tau: Float[Array, " m"]
    """Precision τ of each instance (m,)."""
    log_weight: Float[Array, " m"]
    """Log importance weight of each instance (m,)."""


def sample_instances(
    key: jax.Array,
    lgen: ArrayLike,
    *,
    beta: ArrayLike,
    num_instances: int,
    difficulty: Difficulty = "gamma",
) -> InstanceSample:
    """Draw test instances (B, τ) of the LID model: B ~ N(0, L_gen), independent of τ ~ prior.

    Args:
        key: JAX random key.
        lgen: L_gen of the predictor, ≥ 0, scalar: the variance of B.
        beta: tail index β > 0 of the prior, scalar. The result has its dtype.
        num_instances: number of instances m, a Python int.
        difficulty: prior on the precision, "gamma" (Eq. 1) or "power" (bounded).

    Returns:
        `InstanceSample` with unit weights.

    Raises:
        InputError: if an argument is not allowed or not a scalar, or if `difficulty` is not known. A traced argument
            that is not allowed gives NaN.

    References:
        Definition 3.1. That B is exactly N(0, L_gen) given the training set holds because x is Gaussian.

    Example:
        >>> import jax
        >>> import lidjax
        >>> sample = lidjax.sample_instances(jax.random.key(0), 0.25, beta=2.5, num_instances=100_000)
        >>> round(float(sample.bias.var()), 2), round(float(sample.tau.mean()), 2)
        (0.25, 1.25)
    """
    check_difficulty(difficulty)
    check_whole("num_instances", num_instances, 1)
    lgen = checked("lgen", lgen, MEASURED_LOSS, shape=())
    beta = checked("beta", beta, POSITIVE, shape=())
    bias_key, tau_key = jax.random.split(key)
    z = jax.random.normal(bias_key, (num_instances,), beta.dtype)
    tau = sample_precision(tau_key, beta, (num_instances,), difficulty)
    return InstanceSample(jnp.sqrt(lgen) * z, tau, jnp.zeros_like(tau))


def sample_success(
    key: jax.Array,
    lgen: ArrayLike,
    *,
    beta: ArrayLike,
    delta: ArrayLike,
    sigma_eta: ArrayLike,
    reach: ArrayLike,
    num_instances: int,
    difficulty: Difficulty = "gamma",
) -> InstanceSample:
    """Draw test instances (B, τ) with importance weights, so that L_inf(k) is resolved for every k up to `reach`.

    Each instance is drawn from a mixture of three parts and weighted by the density of the model over that of the
    mixture. No weight exceeds 4:

        nominal    0.25  the model itself, which bounds every weight by 4
        small τ    0.35  near-zero index lowered from β/2 so that log τ is nearly uniform down to c_δ√τ = 1/reach
        finite N   0.40  four tilts towards B²τ = 2σ² log k, k up to `reach`, where biased instances fail: larger
                         |B| and, for the gamma prior, larger τ, at the saddle τ = √(log k / v), v = L_gen/σ²
                         (no further than where that is as rare as the small τ that fail at k)

    Args:
        key: JAX random key.
        lgen: L_gen of the predictor, ≥ 0, scalar.
        beta: tail index β > 0 of the prior, scalar. The result has its dtype.
        delta: tolerance δ > 0, scalar.
        sigma_eta: noise scale σ_η > 0, scalar.
        reach: largest k that is to be resolved, ≥ 1, scalar.
        num_instances: number of instances m, a Python int.
        difficulty: prior on the precision, "gamma" (Eq. 1) or "power" (bounded).

    Returns:
        `InstanceSample`, for `log_miss_probability` and `instance_failure`.

    Raises:
        InputError: if an argument is not allowed or not a scalar, or if `difficulty` is not known. A traced argument
            that is not allowed gives NaN.

    References:
        Derived for this project; compared with quadrature in tests/passk/test_instances.py.

    Example:
        >>> import jax
        >>> import jax.numpy as jnp
        >>> import lidjax
        >>> from lidjax.passk import log_miss_probability
        >>> tolerance = {"delta": 0.5, "sigma_eta": 1.0}
        >>> key = jax.random.key(0)
        >>> sample = lidjax.sample_success(key, 0.1, beta=2.5, **tolerance, reach=1e6, num_instances=10_000)
        >>> log_miss = log_miss_probability(sample.bias, sample.tau, **tolerance)
        >>> got = lidjax.instance_failure(jnp.array([1e6]), log_miss=log_miss, log_weight=sample.log_weight)
        >>> exact = lidjax.pass_at_k_failure(1e6, 0.1, beta=2.5, **tolerance)
        >>> bool(abs(got.failure[0] - exact) < 4 * got.standard_error[0])
        True
    """
    check_difficulty(difficulty)
    check_whole("num_instances", num_instances, 1)
    beta = checked("beta", beta, POSITIVE, shape=())
    lgen = checked("lgen", lgen, MEASURED_LOSS, shape=(), dtype=beta.dtype)
    delta = checked("delta", delta, POSITIVE, shape=(), dtype=beta.dtype)
    sigma_eta = checked("sigma_eta", sigma_eta, POSITIVE, shape=(), dtype=beta.dtype)
    reach = checked("reach", reach, _REACH, shape=(), dtype=beta.dtype)
    nominal_shape = beta / 2
    log_reach = jnp.log1p(reach * jnp.sqrt(2 / jnp.pi) * delta / sigma_eta)
    levels = log_reach * jnp.arange(1, len(_FINITE_N) + 1, dtype=beta.dtype) / len(_FINITE_N)
    power = 0.5 if difficulty == "gamma" else 1.0
    cost = jnp.minimum((levels / (lgen / sigma_eta**2)) ** power, power * beta * levels)

    def components(nominal: Array, small: Array, finite: Array) -> Array:
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
        # log of the density of a component over that of the prior, up to the factors that are added below
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
