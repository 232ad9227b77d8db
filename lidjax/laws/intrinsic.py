"""Intrinsic tail: how precisions near zero shape pass@k whatever the predictor (Eq. 14-16, 52).

Let P(τ ≤ t) ~ t^(β/2)/Γ(β/2 + 1) for the gamma prior and t^(β/2) for the power prior. At small τ a trial succeeds with
probability s ≈ c_δ √τ, whatever the bias. Hence P(S ≤ s) has a part A s^β, and L_inf(k) a part P̃ k^-β.
"""

import math

import jax.numpy as jnp
from jax.scipy.special import gammaln
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from lidjax.arrays import FINITE, NOT_NEGATIVE, POSITIVE, check_values, checked_floats, or_nan
from lidjax.difficulty import Difficulty, check_difficulty

_LOG_SQRT_2_OVER_PI = 0.5 * math.log(2 / math.pi)


def window_constant(delta: ArrayLike, sigma_eta: ArrayLike) -> ArrayLike:
    """c_δ = √(2/π) δ/σ_η: the success of one trial per √τ, for a small tolerance δ and no bias.

    Args:
        delta: Tolerance δ ≥ 0, the half-width of the interval that counts as success. Both arguments broadcast.
        sigma_eta: Noise scale σ_η > 0, in the unit of δ.

    Returns:
        c_δ, of the broadcast shape; a Python float where both arguments are.

    Raises:
        InputError: If an argument is not allowed. A traced argument that is not allowed
            gives NaN.

    References:
        Eq. 14.

    Example:
        >>> from lidjax.laws import window_constant
        >>> round(window_constant(0.3, 0.7), 4)
        0.342
    """
    delta = check_values("delta", delta, NOT_NEGATIVE)
    sigma_eta = check_values("sigma_eta", sigma_eta, POSITIVE)
    return math.exp(_LOG_SQRT_2_OVER_PI) * delta / sigma_eta


def small_window_success(
    bias: ArrayLike, tau: ArrayLike, *, delta: ArrayLike, sigma_eta: ArrayLike, log: bool = False
) -> Float[Array, "..."]:
    """s ≈ c_δ √τ exp(-bias² τ/(2σ_η²)): `success_probability` to leading order in the tolerance δ.

    With h = δ√τ/σ_η and a = |bias|√τ/σ_η the exact s is larger by the factor 1 + h²(a² - 1)/6 + O(h⁴(1 + a⁴)). The
    formula therefore needs h ≪ 1 and a·h ≪ 1. The second condition fails in the finite-N tail at fixed δ, where a grows
    without bound.

    Args:
        bias: Bias B of the predictor on an instance, of any sign. All arguments broadcast.
        tau: Precision τ > 0 of the instance.
        delta: Tolerance δ > 0, in the unit of the bias.
        sigma_eta: Noise scale σ_η > 0, in the unit of the bias.
        log: Return log s, which stays finite where s is below the smallest float.

    Returns:
        s or log s, of the broadcast shape.

    Raises:
        InputError: If an argument is not allowed, or if shapes do not broadcast. A traced argument that is not allowed
            gives NaN.

    References:
        Eq. 16 = Eq. 51. The size of the first correction is checked in `tests/laws/test_intrinsic.py`.

    Example:
        >>> import lidjax
        >>> from lidjax.laws import small_window_success
        >>> exact = lidjax.success_probability(0.5, 1.0, delta=0.02, sigma_eta=1.0)
        >>> approximate = small_window_success(0.5, 1.0, delta=0.02, sigma_eta=1.0)
        >>> bool(abs(approximate / exact - 1) < 1e-4)
        True
    """
    bias, tau, delta, sigma_eta = checked_floats(
        bias=(bias, or_nan(FINITE)),
        tau=(tau, or_nan(POSITIVE)),
        delta=(delta, POSITIVE),
        sigma_eta=(sigma_eta, POSITIVE),
    )
    log_s = jnp.log(window_constant(delta, sigma_eta)) + jnp.log(tau) / 2 - (bias / sigma_eta) ** 2 * tau / 2
    return log_s if log else jnp.exp(log_s)


def intrinsic_amplitude(
    beta: ArrayLike,
    *,
    delta: ArrayLike,
    sigma_eta: ArrayLike,
    difficulty: Difficulty = "gamma",
    log: bool = False,
) -> Float[Array, "..."]:
    """A of P(S ≤ s) ~ A s^β: c_δ^-β/Γ(β/2 + 1) for the gamma prior, c_δ^-β for the power prior.

    Asymptotic in s → 0 for the intrinsic part of the distribution of S. The next term is smaller by a factor of
    order s²(1 + L_gen/σ_η² + 1/c_δ²).

    Args:
        beta: Tail index β > 0 of the difficulty prior. All arguments but the last two broadcast.
        delta: Tolerance δ > 0.
        sigma_eta: Noise scale σ_η > 0, in the unit of δ.
        difficulty: Prior of the precision, "gamma" or "power".
        log: Return log A.

    Returns:
        A or log A, of the broadcast shape.

    Raises:
        InputError: If an argument is not allowed, if shapes do not broadcast, or if `difficulty` is not a prior. A
            traced argument that is not allowed gives NaN.

    References:
        Eq. 52.

    Example:
        >>> from lidjax.laws import intrinsic_amplitude
        >>> round(float(intrinsic_amplitude(2.0, delta=0.5, sigma_eta=1.0)), 4)  # Γ(2) = 1: 2π
        6.2832
    """
    check_difficulty(difficulty)
    beta, delta, sigma_eta = checked_floats(
        beta=(beta, POSITIVE), delta=(delta, POSITIVE), sigma_eta=(sigma_eta, POSITIVE)
    )
    value = -beta * jnp.log(window_constant(delta, sigma_eta))
    if difficulty == "gamma":
        value = value - gammaln(beta / 2 + 1)
    return value if log else jnp.exp(value)


def tauberian_amplitude(amplitude: ArrayLike, exponent: ArrayLike) -> Float[Array, "..."]:
    """C of L_inf(k) ~ C k^-g where P(S ≤ s) ~ amplitude · s^g: C = amplitude · Γ(g + 1).

    Exact in the limit k → ∞ for every regularly varying tail with index g > 0.

    Args:
        amplitude: Amplitude > 0 of the tail of the success S. Both arguments broadcast.
        exponent: Its exponent g > 0.

    Returns:
        C, of the broadcast shape.

    Raises:
        InputError: If an argument is not allowed, or if shapes do not broadcast. A traced argument that is not allowed
            gives NaN.

    References:
        Corollary C.3.

    Example:
        >>> from lidjax.laws import intrinsic_amplitude, intrinsic_prefactor, tauberian_amplitude
        >>> window = {"delta": 0.3, "sigma_eta": 0.7}
        >>> amplitude = tauberian_amplitude(intrinsic_amplitude(2.5, **window), 2.5)
        >>> bool(abs(amplitude / intrinsic_prefactor(2.5, **window) - 1) < 1e-4)
        True
    """
    amplitude, exponent = checked_floats(
        amplitude=(amplitude, or_nan(NOT_NEGATIVE)), exponent=(exponent, or_nan(POSITIVE))
    )
    return amplitude * jnp.exp(gammaln(exponent + 1))


def intrinsic_prefactor(
    beta: ArrayLike,
    *,
    delta: ArrayLike,
    sigma_eta: ArrayLike,
    difficulty: Difficulty = "gamma",
    log: bool = False,
) -> Float[Array, "..."]:
    """P̃ = Γ(β + 1) A, the prefactor of the intrinsic tail P̃ k^-β; A is `intrinsic_amplitude`.

    For the gamma prior it is 2Γ(β)/(Γ(β/2) c_δ^β), which is also C1 of Eq. 54.

    Args:
        beta: Tail index β > 0 of the difficulty prior. All arguments but the last two broadcast.
        delta: Tolerance δ > 0.
        sigma_eta: Noise scale σ_η > 0, in the unit of δ.
        difficulty: Prior of the precision, "gamma" or "power".
        log: Return log P̃.

    Returns:
        P̃ or log P̃, of the broadcast shape.

    Raises:
        InputError: If an argument is not allowed, if shapes do not broadcast, or if `difficulty` is not a prior. A
            traced argument that is not allowed gives NaN.

    References:
        Eq. 15, Eq. 54.

    Example:
        >>> from lidjax.laws import intrinsic_prefactor
        >>> round(float(intrinsic_prefactor(2.0, delta=0.5, sigma_eta=1.0)), 4)  # 4π
        12.5664
    """
    check_difficulty(difficulty)
    beta, delta, sigma_eta = checked_floats(
        beta=(beta, POSITIVE), delta=(delta, POSITIVE), sigma_eta=(sigma_eta, POSITIVE)
    )
    amplitude = intrinsic_amplitude(beta, delta=delta, sigma_eta=sigma_eta, difficulty=difficulty, log=True)
    value = amplitude + gammaln(beta + 1)
    return value if log else jnp.exp(value)


def intrinsic_failure(
    k: ArrayLike,
    beta: ArrayLike,
    *,
    delta: ArrayLike,
    sigma_eta: ArrayLike,
    difficulty: Difficulty = "gamma",
    log: bool = False,
) -> Float[Array, "..."]:
    """L_inf(k) ~ P̃ k^-β: pass@k failure without bias (L_gen → 0) as k → ∞.

    It needs k c_δ ≫ 1: at β = 2.5 and δ = 0.5σ_η the exact integral is 0.165 of it at k = 3 and 0.986 at k = 300. With
    bias it is the intrinsic part of the two-tail law, the larger part for k well below `log_crossover_k`.

    Args:
        k: Number of attempts k > 0. All arguments but the last two broadcast.
        beta: Tail index β > 0 of the difficulty prior.
        delta: Tolerance δ > 0.
        sigma_eta: Noise scale σ_η > 0, in the unit of δ.
        difficulty: Prior of the precision, "gamma" or "power".
        log: Return log L_inf, which stays finite where L_inf is below the smallest float.

    Returns:
        L_inf(k) or its logarithm, of the broadcast shape.

    Raises:
        InputError: If an argument is not allowed, if shapes do not broadcast, or if `difficulty` is not a prior. A
            traced argument that is not allowed gives NaN.

    References:
        Eq. 15.

    Example:
        >>> from lidjax.laws import intrinsic_failure
        >>> round(float(intrinsic_failure(100, 2.0, delta=0.5, sigma_eta=1.0)), 6)  # 4π/100²
        0.001257
    """
    check_difficulty(difficulty)
    k, beta, delta, sigma_eta = checked_floats(
        k=(k, POSITIVE), beta=(beta, POSITIVE), delta=(delta, POSITIVE), sigma_eta=(sigma_eta, POSITIVE)
    )
    prefactor = intrinsic_prefactor(beta, delta=delta, sigma_eta=sigma_eta, difficulty=difficulty, log=True)
    value = prefactor - beta * jnp.log(k)
    return value if log else jnp.exp(value)
