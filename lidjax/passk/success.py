"""Single-trial success: the probability that a target with Gaussian noise lies within a tolerance of the prediction.

With B the bias of the predictor on an instance, τ its precision and σ the noise scale (Eq. 12-14),

    s(B, τ) = Φ((δ - B)√τ/σ) - Φ((-δ - B)√τ/σ) = Φ(a + h) - Φ(a - h),   a = |B|√τ/σ,  h = δ√τ/σ.

The difference as written cancels for small h and underflows for large a. Three exact forms replace it, each
where its terms do not cancel; φ is the normal density and m the Mills ratio Φ(-x)/φ(x):

    narrow   h < 1/2, 2ah < 1    s = 2h φ(a) ∫₀¹ cosh(ahu) exp(-h²u²/2) du, Gauss-Legendre
    outside  a ≥ h               s = φ(a - h) [m(a - h) - e^(-2ah) m(a + h)]
    inside   a < h               1 - s = φ(h - a) [m(h - a) + e^(-2ah) m(h + a)]
"""

import math

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float
from scipy.special import erfcx

from lidjax.arrays import FINITE, NOT_NEGATIVE, POSITIVE, checked_floats, or_nan

_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)
_HALF_LOG_2_OVER_PI = 0.5 * math.log(2 / math.pi)
NARROW_WIDTH = 0.5
"""The h up to which, with 2ah < 1, the narrow form is used: six Gauss-Legendre nodes are right to 5e-16 there."""
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(6)
_RULE = [((1 + u) / 2, w / 2) for u, w in zip(_NODES.tolist(), _WEIGHTS.tolist(), strict=True)]  # on [0, 1]
_MILLS_CENTRE = 4.5  # of 3 to 5 in halves, the smallest error at degree 22: 4e-15 over [0, 1e9]


def _mills_coefficients(degree: int) -> list[float]:
    """Chebyshev coefficients of (1 + x) m(x) in t = (x - c)/(x + c), which maps [0, ∞] to [-1, 1]."""
    angle = (np.arange(degree + 1) + 0.5) * np.pi / (degree + 1)
    x = _MILLS_CENTRE / np.tan(angle / 2) ** 2  # exact near t = 1, where (1 + t)/(1 - t) loses digits
    values = (1 + x) * np.sqrt(np.pi / 2) * erfcx(x / np.sqrt(2))
    coefficients = 2 / (degree + 1) * np.cos(np.arange(degree + 1)[:, None] * angle) @ values
    coefficients[0] /= 2
    return coefficients.tolist()  # Python floats: they take the dtype of what they meet


_MILLS = _mills_coefficients(22)


def mills_ratio(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """m(x) = Φ(-x)/φ(x) for x ≥ 0, to 4e-15 relative in float64; its derivatives are accurate too.

    `jax.scipy.special.log_ndtr` would be enough for values, but its derivative exp(-x²/2 - log Φ) has no correct digit
    for |x| > 1e8.
    """
    t = (x - _MILLS_CENTRE) / (x + _MILLS_CENTRE)
    high, low = jnp.zeros_like(t), jnp.zeros_like(t)
    for coefficient in _MILLS[:0:-1]:
        high, low = 2 * t * high - low + coefficient, high
    return (t * high - low + _MILLS[0]) / (1 + x)


def log_half_normal(z: Float[Array, "..."]) -> Float[Array, "..."]:
    """Log density of |z| for a standard normal z."""
    return _HALF_LOG_2_OVER_PI - 0.5 * z**2


def log_two_sided_tail(z: Float[Array, "..."]) -> Float[Array, "..."]:
    """log erfc(z/√2), the log probability that a standard normal variable exceeds z ≥ 0 in size."""
    return log_half_normal(z) + jnp.log(mills_ratio(z))


def log_fall_with_bias(a: Float[Array, "..."], h: Float[Array, "..."]) -> Float[Array, "..."]:
    """log(-∂s/∂a) = log[φ(a - h) - φ(a + h)] for s = Φ(a + h) - Φ(a - h)."""
    product = jnp.maximum(
        2 * a * h, jnp.finfo(a.dtype).tiny
    )  # in float32 it may be too small, and its slope NaN
    return -0.5 * (a - h) ** 2 - _HALF_LOG_2PI + jnp.log(-jnp.expm1(-product))


def log_rise_with_width(a: Float[Array, "..."], h: Float[Array, "..."]) -> Float[Array, "..."]:
    """log ∂s/∂h = log[φ(a - h) + φ(a + h)] for s = Φ(a + h) - Φ(a - h)."""
    return -0.5 * (a - h) ** 2 - _HALF_LOG_2PI + jnp.log1p(jnp.exp(-2 * a * h))


def log_success_and_miss(
    a: Float[Array, "..."], h: Float[Array, "..."]
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """(log s, log(1 - s)) for s = Φ(a + h) - Φ(a - h), both accurate; a ≥ 0 and h ≥ 0 of one shape."""
    narrow = (h < NARROW_WIDTH) & (2 * a * h < 1)
    inside = ~narrow & (a < h)

    # Where a form is not chosen it gets arguments that it can handle, because a NaN there would reach the gradient.
    a_n, h_n = jnp.where(narrow, a, 0), jnp.where(narrow, h, NARROW_WIDTH / 2)
    mean = sum(w * jnp.cosh(u * a_n * h_n) * jnp.exp(-0.5 * (u * h_n) ** 2) for u, w in _RULE)
    log_s_narrow = jnp.log(2 * h_n) - 0.5 * a_n**2 - _HALF_LOG_2PI + jnp.log(mean)

    a_w, h_w = jnp.where(narrow, 2, a), jnp.where(narrow, 1, h)
    near = jnp.where(inside, h_w - a_w, a_w - h_w)
    far = jnp.exp(-2 * a_w * h_w) * mills_ratio(a_w + h_w)
    tail = -0.5 * near**2 - _HALF_LOG_2PI + jnp.log(mills_ratio(near) + jnp.where(inside, far, -far))

    log_s_outside = jnp.where(narrow, log_s_narrow, tail)
    complement = jnp.log1p(-jnp.exp(jnp.where(inside, tail, log_s_outside)))
    return jnp.where(inside, complement, log_s_outside), jnp.where(inside, tail, complement)


def success_probability(
    bias: ArrayLike, tau: ArrayLike, *, delta: ArrayLike, sigma_eta: ArrayLike, log: bool = False
) -> Float[Array, "..."]:
    """Probability that one trial lands within `delta` of the prediction, s(B, τ).

    A trial is a draw of the target: the mean plus noise of standard deviation σ_η/√τ. Measured against mpmath for
    |B|√τ/σ up to 1e8, the relative error of log s, and of s where it is a normal float, is below 1e-13, that of the
    derivatives of log s below 2e-12. The function may be called under `jit` and `vmap` and differentiated.

    Args:
        bias: B, prediction minus mean of the target, of any sign.
        tau: precision τ ≥ 0 of the instance.
        delta: tolerance δ ≥ 0, in the unit of the bias.
        sigma_eta: noise scale σ_η > 0, in the unit of the bias. The four broadcast.
        log: return log s, which holds where s underflows.

    Returns:
        s in [0, 1], or its logarithm, of the broadcast shape. It is 0 (log s = -inf) at τ = 0 or δ = 0.

    Raises:
        InputError: if an argument is not allowed, or if shapes do not broadcast. A traced argument that is not allowed
            gives NaN.

    References:
        Eq. 12-14. The three forms in `lidjax.passk.success` were derived for this project and are compared with mpmath
        in tests/passk/test_success.py.

    Example:
        >>> import lidjax
        >>> round(float(lidjax.success_probability(0.0, 1.0, delta=1.0, sigma_eta=1.0)), 4)
        0.6827
        >>> round(float(lidjax.success_probability(60.0, 1.0, delta=0.1, sigma_eta=1.0, log=True)), 1)
        -1799.0
    """
    log_s, _ = log_success_and_miss(*scaled_bias_and_tolerance(bias, tau, delta, sigma_eta))
    return log_s if log else jnp.exp(log_s)


def scaled_bias_and_tolerance(
    bias: ArrayLike, tau: ArrayLike, delta: ArrayLike, sigma_eta: ArrayLike
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """a = |B|√τ/σ and h = δ√τ/σ; arguments broadcast, and are refused where they are not allowed."""
    bias, tau, delta, sigma_eta = checked_floats(
        bias=(bias, or_nan(FINITE)),
        tau=(tau, or_nan(NOT_NEGATIVE)),
        delta=(delta, NOT_NEGATIVE),
        sigma_eta=(sigma_eta, POSITIVE),
    )
    root = jnp.sqrt(tau) / sigma_eta
    return jnp.abs(bias) * root, delta * root
