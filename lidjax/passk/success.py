"""Single-trial success: the probability that Gaussian noise lands inside a tolerance window.

With B the bias of the predictor on an instance, τ its precision and σ the noise scale (Eq. 12-14),

    s(B, τ) = Φ((δ - B)√τ/σ) - Φ((-δ - B)√τ/σ) = Φ(a + h) - Φ(a - h),   a = |B|√τ/σ,  h = δ√τ/σ.

As written the difference cancels (small h) and underflows (large a). Three exact forms replace it, each
where its terms do not cancel; m is the Mills ratio Φ(-x)/φ(x) and φ the normal density:

    narrow   h < 1/2, 2ah < 1    s = 2h φ(a) ∫₀¹ cosh(ahu) exp(-h²u²/2) du, Gauss-Legendre
    outside  a ≥ h               s = φ(a - h) [m(a - h) - e^(-2ah) m(a + h)]
    inside   a < h               1 - s = φ(h - a) [m(h - a) + e^(-2ah) m(h + a)]
"""

import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.special import erfcx

from lidjax.arrays import as_float

_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)
NARROW_WIDTH = 0.5  # with 2ah < 1, six Gauss-Legendre nodes leave 5e-16 of relative error up to here
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
    """m(x) = Φ(-x)/φ(x) for x ≥ 0, to 4e-15 relative in float64, its derivatives included in kind.

    `jax.scipy.special.log_ndtr` would do for values, but its derivative exp(-x²/2 - log Φ) has no digit left
    for |x| > 1e8.
    """
    t = (x - _MILLS_CENTRE) / (x + _MILLS_CENTRE)
    high, low = jnp.zeros_like(t), jnp.zeros_like(t)
    for coefficient in _MILLS[:0:-1]:
        high, low = 2 * t * high - low + coefficient, high
    return (t * high - low + _MILLS[0]) / (1 + x)


def log_window(
    a: Float[Array, "..."], h: Float[Array, "..."]
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """(log s, log(1 - s)) for s = Φ(a + h) - Φ(a - h), both accurate; a ≥ 0 and h ≥ 0 of one shape."""
    narrow = (h < NARROW_WIDTH) & (2 * a * h < 1)
    inside = ~narrow & (a < h)

    # Each form sees harmless arguments where it is not chosen: a NaN there would poison the gradient.
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


def success_probability(bias, tau, *, delta, sigma_eta, log: bool = False) -> Float[Array, "..."]:
    """Probability that one trial lands within `delta` of the prediction, s(B, τ), Eq. 14.

    `bias` B (any sign), `tau` ≥ 0, `delta` ≥ 0 and `sigma_eta` > 0 broadcast against each other; the noise of
    a trial has standard deviation σ_η/√τ. `log=True` returns log s, good where s underflows. Measured against
    mpmath for |B|√τ/σ up to 1e8: relative error of log s, and of s where it is a normal float, below 1e-13;
    of the derivatives of log s below 2e-12. s is 0 (log s = -inf) at τ = 0 or δ = 0.
    """
    bias, tau, delta, sigma_eta = jnp.broadcast_arrays(*map(as_float, (bias, tau, delta, sigma_eta)))
    root = jnp.sqrt(tau) / sigma_eta
    log_s, _ = log_window(jnp.abs(bias) * root, delta * root)
    return log_s if log else jnp.exp(log_s)
