"""Nodes for integrals over the precision τ and over the scaled bias a = |B|√τ/σ.

**Precision.** The coordinate y runs over the whole line. In it either prior is a smooth bump, and every feature of the
integrand is a few tenths wide or wider, so that the trapezoid rule converges geometrically:

    gamma   τ = S + S²/4, S = log(1 + e^y): y is log τ on the left and 2√τ on the right, where e^(-τ - A/τ) has width 1
    power   τ = 1/(1 + e^-y): the edge τ = 1 lies at infinity, and a layer e^(-G(1 - τ)) becomes a bump

**Bias.** At fixed τ the failure (1 - s)^k = e^(-kY) rises to 1 over a narrow range of a, which is found by inverting
Y(a) twice. A fixed Gauss-Legendre rule, graded towards its lower end, covers that range.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln
from jaxtyping import Array, Float

from lidjax.difficulty import Difficulty
from lidjax.passk.success import log_fall_with_bias, log_success_and_miss, mills_ratio

LOCATING_STEPS = 6
"""Newton steps for the places of nodes, where an error of a tenth in log Y does no harm."""
EXACT_STEPS = 12
"""Newton steps to rounding for h up to 100 (10 measured)."""
_FAR = -36.0  # below it log(1 + e^y) = e^y to the last digit of a float64
_GRADING = 2.0  # heuristic: of 0 to 3 the fewest nodes for 1e-10 over the range of c and k (48; 60 ungraded)


def log_tau_of(y: Float[Array, "..."], difficulty: Difficulty) -> tuple[Array, Array]:
    """(log τ, log of d log τ/dy) at coordinate y."""
    if difficulty == "power":
        return -jax.nn.softplus(-y), -jax.nn.softplus(y)
    far = y < _FAR
    y_near = jnp.where(far, 0, y)
    s = jax.nn.softplus(y_near)
    log_tau = jnp.log(s) + jnp.log1p(s / 4)
    log_slope = jnp.log1p(s / 2) - jax.nn.softplus(-y_near) - log_tau
    return jnp.where(far, y, log_tau), jnp.where(far, 0, log_slope)


def coordinate_of(log_tau: Float[Array, "..."], difficulty: Difficulty) -> Float[Array, "..."]:
    """y at log τ, the inverse of `log_tau_of`; at and beyond the edge of the power prior, inf."""
    if difficulty == "power":
        inside = log_tau < 0
        log_tau = jnp.where(inside, log_tau, -1)
        return jnp.where(inside, log_tau - jnp.log(-jnp.expm1(log_tau)), jnp.inf)
    far = log_tau < _FAR
    tau = jnp.exp(jnp.where(far, 0, log_tau))
    s = 2 * tau / (1 + jnp.sqrt(1 + tau))
    return jnp.where(far, log_tau, s + jnp.log(-jnp.expm1(-s)))


def log_prior(y: Float[Array, "..."], beta: Float[Array, ""], difficulty: Difficulty) -> tuple[Array, Array]:
    """(log τ, log density of y) under the prior."""
    # `log_precision_density` written out: its sum in another order would change the last bit of every result.
    log_tau, log_slope = log_tau_of(y, difficulty)
    if difficulty == "power":
        return log_tau, log_slope + beta / 2 * log_tau + jnp.log(beta / 2)
    return log_tau, log_slope + beta / 2 * log_tau - jnp.exp(log_tau) - gammaln(beta / 2)


def uniform_nodes(low: Array, high: Array, count: int) -> tuple[Float[Array, " n"], Float[Array, ""]]:
    """`count` equally spaced nodes from low to high, and their step."""
    step = (high - low) / (count - 1)
    return low + step * jnp.arange(count, dtype=step.dtype), step


def graded_nodes(
    density_integral: Callable[[Array], Array], low: Array, high: Array, count: int
) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
    """Nodes x of a trapezoid rule that is uniform in t(x), and their weights dx.

    `density_integral` is t, a smooth increasing elementwise function. Its slope is the density of the nodes, up to a
    factor.
    """
    low, high = jax.lax.stop_gradient((low, high))
    t, step = uniform_nodes(density_integral(low), density_integral(high), count)

    def halve(_: Array, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        left, right = ends
        middle = (left + right) / 2
        below = density_integral(middle) < t
        return jnp.where(below, middle, left), jnp.where(below, right, middle)

    steps = jnp.finfo(t.dtype).nmant + 6  # to rounding, for ranges up to a few tens
    x = jax.lax.fori_loop(0, steps, halve, (jnp.full_like(t, low), jnp.full_like(t, high)))[0]
    return x, step / jax.vmap(jax.grad(density_integral))(x)


def log_rate(a: Float[Array, "..."], h: Float[Array, "..."]) -> Float[Array, "..."]:
    """log Y with Y = -log(1 - s): k trials all fail with probability e^(-kY)."""
    return _log_rate(*log_success_and_miss(a, h))


def log_rate_and_slope(a: Float[Array, "..."], h: Float[Array, "..."]) -> tuple[Array, Array]:
    """(log Y, log(-∂Y/∂a)) with Y = -log(1 - s)."""
    log_s, log_miss = log_success_and_miss(a, h)
    return _log_rate(log_s, log_miss), log_fall_with_bias(a, h) - log_miss


def _log_rate(log_s: Float[Array, "..."], log_miss: Float[Array, "..."]) -> Float[Array, "..."]:
    small = log_s < -20
    # log Y = log s + s/2 + O(s²) is exact to rounding there, and holds where s underflows.
    return jnp.where(small, log_s + jnp.exp(log_s) / 2, jnp.log(-jnp.where(small, -1, log_miss)))


def log_rate_unbiased(h: Float[Array, "..."]) -> Float[Array, "..."]:
    """log Y(0, h), where s is largest: Y = -log erfc(h/√2)."""
    wide = h > 0.5
    h_wide, h_narrow = jnp.where(wide, h, 1), jnp.where(wide, 0.5, h)
    y_wide = 0.5 * h_wide**2 + 0.5 * math.log(math.pi / 2) - jnp.log(mills_ratio(h_wide))
    return jnp.log(jnp.where(wide, y_wide, -jnp.log1p(-jax.scipy.special.erf(h_narrow / math.sqrt(2)))))


def edge_of(log_y: Float[Array, "..."], h: Float[Array, "..."], steps: int) -> Float[Array, "..."]:
    """The a ≥ 0 at which log Y(a, h) = log_y; 0 where Y is below that without bias. Not differentiable.

    Newton steps in w = a²/2. In it log Y is concave or nearly so, and linear for small h, so the steps come down to the
    root from a start right of it. The start solves s ≤ min(1/2, s_max e^(h²/2)) e^(-(a - h)²/2).
    """
    log_y, h = jax.lax.stop_gradient((log_y, h))
    tiny = jnp.finfo(h.dtype).tiny
    log_peak = log_rate_unbiased(h)
    reachable = log_y < log_peak
    log_y = jnp.where(reachable, log_y, log_peak - 1)
    log_s, log_s_peak = (jnp.log(-jnp.expm1(-jnp.exp(x))) for x in (log_y, log_peak))
    log_bound = jnp.minimum(-math.log(2), log_s_peak + h**2 / 2)
    start = h + jnp.sqrt(2 * jnp.maximum(log_bound - log_s, 0) + 1e-6)

    def newton(_: Array, a: Array) -> Array:
        level, log_slope = log_rate_and_slope(a, h)
        w = a**2 / 2 + (level - log_y) * a * jnp.exp(level - log_slope)
        return jnp.sqrt(2 * jnp.maximum(w, tiny))

    return jnp.where(reachable, jax.lax.fori_loop(0, steps, newton, start), 0)


def bias_range(log_k: Array, h: Array, c: Array, depth: float) -> tuple[Array, Array]:
    """[low, high] in a outside which erfc(a/√(2c)) d(e^(-kY)) is below e^-depth of its peak; c is Var a.

    With m = kY the integrand behaves like m^(1+g) e^-m, with g = 1/c for small h and more for large h.
    Its peak is at m = 1 + g. Both the x with x - log(1 + x) = r and the t with t + e^-t - 1 = r are at most r + √(2r).
    """
    log_k, h, c = jax.lax.stop_gradient((log_k, h, c))
    power = 1 + 1 / c
    power_wide = 1 + (1 + h / jnp.sqrt(2 * jnp.maximum(log_k, 0.5))) / c
    levels = jnp.log(jnp.stack([power, power_wide + depth + jnp.sqrt(2 * depth * power_wide)])) - log_k
    peak, low = edge_of(levels, jnp.stack([h, h]), LOCATING_STEPS)
    top = jnp.minimum(jnp.exp(log_rate_unbiased(h) + log_k), power)
    drop = depth / power + jnp.sqrt(2 * depth / power)
    by_rate = h + jnp.sqrt(jnp.maximum(peak - h, 0) ** 2 + 2 * drop)
    by_bias = jnp.sqrt(peak**2 + 2 * c * (depth + top))
    return low, jnp.minimum(by_rate, by_bias)


def graded_legendre(
    count: int, grading: float = _GRADING
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Nodes u and weights on [0, 1]: Gauss-Legendre in t, u = sinh(gt)/sinh(g), which is denser near 0 for g > 0."""
    t, w = np.polynomial.legendre.leggauss(count)
    t = (1 + t) / 2
    if grading == 0:
        return t, w / 2
    nodes = np.sinh(grading * t) / np.sinh(grading)
    return nodes, w / 2 * grading * np.cosh(grading * t) / np.sinh(grading)
