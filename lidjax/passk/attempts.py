"""Expected number of attempts when one stops at the first success, by quadrature.

With at most k attempts of success S each, A(k) = Σ_{j<k} L_inf(j) = E[g_k(Y)] with Y = -log(1 - S) and

    g_k(Y) = (1 - e^(-kY)) / (1 - e^(-Y)),

which is continuous in k. As in `population`, integrating by parts in a = |B|√τ/σ at fixed τ gives two positive terms,
the bias-free mean and what bias adds:

    A(k) = ∫ f(τ) g(Y(0,h)) dτ  +  ∫ f(τ) ∫₀^∞ erfc(a/√(2vτ)) g |∂log Y/∂a| [ψ(kY) - ψ(Y)] da dτ,

with ψ(z) = 1 - z/(e^z - 1), because -dlog g/dlog Y = ψ(kY) - ψ(Y). As A(k) ≥ 1, parts below e^-depth may be left out.

The limit k → ∞ is E[1/S]. It is finite where the tail index of S at zero exceeds 1:

    no bias (N → ∞)         β > 1
    power prior, τ ≤ 1      β > 1 and L_gen ≤ σ²: the second tail has the index σ²/L_gen, and at index 1 the factor
                            e^(-δa/σ) of the success keeps the mean finite
    gamma prior             never for L_gen > 0: given τ the mean is infinite where L_gen τ > σ², and τ has no bound
"""

import functools
import math

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from lidjax.arrays import MEASURED_LOSS, POSITIVE, TAIL_INDEX, Range, checked_floats
from lidjax.difficulty import Difficulty, check_difficulty
from lidjax.passk.population import Rule
from lidjax.passk.quadrature import (
    LOCATING_STEPS,
    coordinate_of,
    edge_of,
    graded_legendre,
    log_prior,
    log_rate_and_slope,
    log_rate_unbiased,
    uniform_nodes,
)
from lidjax.passk.success import log_two_sided_tail

FINE = Rule(512, 160, 256, 30.0)
COARSE = Rule(320, 128, 128, 22.0)
_ATTEMPTS = Range("at least 1, or infinite", lambda k: k >= 1)
_LARGEST_K = 0.8  # power of the largest float that a finite k may reach, as for `pass_at_k_failure`
_LOG_END = 80.0  # e^80 is finite in float32, and z/(e^z - 1) nothing from there on
_BATCH = 16  # values that are computed side by side


def expected_attempts(
    k: ArrayLike,
    lgen: ArrayLike,
    *,
    beta: ArrayLike,
    delta: ArrayLike,
    sigma_eta: ArrayLike,
    difficulty: Difficulty = "gamma",
    log: bool = False,
) -> Float[Array, "..."]:
    """Mean number of attempts over test instances, at most k each, when attempts stop at the first success.

    A(k) = Σ_{j<k} L_inf(j), continued to real k as E[(1 - (1 - S)^k)/S]; A(1) = 1, and A(∞) = E[1/S]. The cost does not
    depend on k. In float64 the relative error is below 1e-9 for k up to 1e12. A value costs 41,000 nodes, about 4 ms of
    one core. The function is compiled when it is called; it may be called under `jit` and `vmap`, and differentiated in
    every argument.

    E[1/S] is finite without bias (`lgen` = 0) for β > 1, and for the power prior for β > 1 and L_gen ≤ σ_η². For the
    gamma prior it is infinite at every finite N: with L_gen > 0 there are instances of precision above σ_η²/L_gen, for
    which the mean is infinite. A(k) then grows without bound, though for small L_gen only at astronomical k.

    Args:
        k: largest number of attempts, real, ≥ 1, or infinite. At 1e30 the relative error is up to 1e-7; the infinite k
            was measured for L_gen up to σ_η²/2.
        lgen: L_gen of the predictor, ≥ 0, in squared units of the labels; L_gen/σ_η² up to 1e4. 0 is the limit
            without bias. NaN, for a cell that failed, gives NaN.
        beta: tail index β of the prior on the precision, 0.01 to 100; accuracy measured for 0.5 to 6.
        delta: tolerance δ > 0; δ/σ_η from 1e-3 to 10.
        sigma_eta: noise scale σ_η > 0: the noise of an attempt has variance σ_η²/τ. The five broadcast.
        difficulty: prior on the precision τ, "gamma" (Eq. 1) or "power" (bounded).
        log: return log A.

    Returns:
        A(k) from 1 to k, or its logarithm, of the broadcast shape. It is infinite where k is and E[1/S] does not exist.
        NaN where a traced argument is not allowed, or where the dtype cannot hold k.

    Raises:
        InputError: if an argument is not allowed (one that is traced cannot be looked at), if the shapes do not
            broadcast, or if `difficulty` is not known.

    References:
        Eq. 13 and 14. That attempts may stop at a success follows from Assumption 4.1. The quadrature was derived for
        this project and is compared with sums of L_inf, simulation and mpmath in tests/passk/test_attempts.py.

    Example:
        >>> import jax.numpy as jnp
        >>> import lidjax
        >>> attempts = lidjax.expected_attempts(jnp.array([1, 2, 100]), 0.1, beta=2.5, delta=0.5, sigma_eta=1.0)
        >>> [round(float(a), 4) for a in attempts]  # the second is 1 + L_inf(1)
        [1.0, 1.6449, 3.6088]
    """
    check_difficulty(difficulty)
    arrays = checked_floats(
        k=(k, _ATTEMPTS),
        lgen=(lgen, MEASURED_LOSS),
        beta=(beta, TAIL_INDEX),
        delta=(delta, POSITIVE),
        sigma_eta=(sigma_eta, POSITIVE),
    )
    value = _over_cells(*arrays, difficulty)
    return value if log else jnp.exp(value)


@functools.partial(jax.jit, static_argnames="difficulty")
def _over_cells(
    k: Array, lgen: Array, beta: Array, delta: Array, sigma_eta: Array, difficulty: Difficulty
) -> Array:
    """log A for arrays of one shape, a batch of cells at a time."""
    size = k.size
    # Whole batches, because the cell would be compiled again for a remainder.
    spare = -size % _BATCH if size > _BATCH else 0
    args = [
        jnp.pad(x.reshape(-1), (0, spare), mode="edge")
        for x in (k, lgen / sigma_eta**2, beta, delta / sigma_eta)
    ]

    def cell(args: list[Array]) -> Array:
        k, v, beta, eps = args
        return log_expected_attempts(k, v, beta, eps, difficulty)

    flat = jax.lax.map(jax.checkpoint(cell), args, batch_size=_BATCH)
    return flat[:size].reshape(k.shape)


def log_expected_attempts(
    k: Float[Array, ""],
    v: Float[Array, ""],
    beta: Float[Array, ""],
    eps: Float[Array, ""],
    difficulty: Difficulty,
    rule: Rule = FINE,
) -> Float[Array, ""]:
    """log A(k) of one cell: v = L_gen/σ², eps = δ/σ, all of one dtype."""
    endless = jnp.isinf(k)
    infinite = endless & ((beta <= 1) | (v > (1 if difficulty == "power" else 0)))
    k = jnp.where(infinite, 1.0, k)
    endless = endless & ~infinite
    v_positive = jnp.where(v > 0, v, 1.0)
    added = _added_by_bias(k, v_positive, beta, eps, difficulty, rule)
    total = bias_free_attempts(k, beta, eps, difficulty, rule) + jnp.where(v > 0, added, 0.0)
    largest = jnp.finfo(k.dtype).max ** _LARGEST_K
    known = (v >= 0) & ((k <= largest) | endless)
    return jnp.where(known, jnp.where(infinite, jnp.inf, jnp.log(total)), jnp.nan)


def _log_one_less_exp(log_z: Float[Array, "..."]) -> Float[Array, "..."]:
    """log(1 - e^-z), which holds where z underflows."""
    small = log_z < -15
    z = jnp.exp(jnp.where(small, 0.0, jnp.minimum(log_z, math.log(_LOG_END))))
    return jnp.where(small, log_z - jnp.exp(jnp.minimum(log_z, 0.0)) / 2, jnp.log(-jnp.expm1(-z)))


def _log_mean_at(log_y: Float[Array, "..."], log_k: Float[Array, ""]) -> Float[Array, "..."]:
    """log g_k(Y), the mean number of attempts of one instance; log k may be infinite."""
    return _log_one_less_exp(log_k + log_y) - _log_one_less_exp(log_y)


def _fall(log_z: Float[Array, "..."]) -> Float[Array, "..."]:
    """ψ(z) = 1 - z/(e^z - 1), from 0 at z = 0 to 1."""
    z = jnp.exp(jnp.clip(log_z, -_LOG_END, math.log(_LOG_END)))
    return 1 - z / jnp.expm1(z)


def bias_free_attempts(
    k: Array, beta: Array, eps: Array, difficulty: Difficulty, rule: Rule
) -> Float[Array, ""]:
    """∫ f(τ) g(Y(0,h)) dτ; left of the grid Y ∝ e^(y/2) and the density is e^(βy/2), which makes geometric series."""
    log_k = jnp.log(k)
    endless = jnp.isinf(k)
    log_kc = jnp.where(endless, 0.0, log_k) + jnp.log(eps) + 0.5 * math.log(2 / math.pi)
    if difficulty == "gamma":
        prior_end = 2 * jnp.log(jnp.sqrt(beta / 2) + math.sqrt(rule.depth))
    else:
        prior_end = jnp.full_like(beta, -1e-15)
    high = coordinate_of(prior_end, difficulty)
    low = jnp.minimum(-rule.depth - 4, -2 * (log_kc + rule.depth / 2 + 2))
    y, step = uniform_nodes(*jax.lax.stop_gradient((low, high)), rule.free)
    log_tau, log_f = log_prior(y, beta, difficulty)
    log_y = log_rate_unbiased(eps * jnp.exp(log_tau / 2))
    terms = jnp.exp(log_f + _log_mean_at(log_y, log_k))
    k_kept, log_k_kept = jnp.where(endless, 1.0, k), jnp.where(endless, 0.0, log_k)
    few = k_kept * jnp.exp(log_f[0]) / jnp.expm1(beta / 2 * step)
    few -= (k_kept - 1) / 2 * jnp.exp(log_k_kept + log_f[0] + log_y[0]) / jnp.expm1((beta + 1) / 2 * step)
    many = terms[0] / jnp.expm1(jnp.where(endless & (beta > 1), beta - 1, 1.0) / 2 * step)
    return step * (jnp.sum(terms) + jnp.where(endless, many, few))


def _added_by_bias(
    k: Array, v: Array, beta: Array, eps: Array, difficulty: Difficulty, rule: Rule
) -> Float[Array, ""]:
    """∫ f(τ) ∫ erfc(a/√(2vτ)) g |∂log Y/∂a| [ψ(kY) - ψ(Y)] da dτ for v > 0."""
    log_k = jnp.log(k)
    y, step = uniform_nodes(*_precision_range(log_k, v, beta, difficulty, rule.depth), rule.outer)
    log_tau, log_f = log_prior(y, beta, difficulty)
    h, c = eps * jnp.exp(log_tau / 2), v * jnp.exp(log_tau)
    low, high = (_position(a) for a in _bias_range(log_k, h, c, rule.depth))
    nodes, weights = (jnp.asarray(x, h.dtype) for x in graded_legendre(rule.inner, 0.0))
    position = low[:, None] + (high - low)[:, None] * nodes[None, :]
    a = 2 * position / (1 + jnp.sqrt(1 + 2 * position))
    log_y, log_slope = log_rate_and_slope(a, jnp.broadcast_to(h[:, None], a.shape))
    log_erfc = log_two_sided_tail(a / jnp.sqrt(c)[:, None])
    terms = jnp.exp(log_f[:, None] + log_erfc + _log_mean_at(log_y, log_k) + log_slope - log_y)
    terms *= (_fall(log_k + log_y) - _fall(log_y)) / (1 + a)
    return step * jnp.sum((high - low) * jnp.matmul(terms, weights, precision="highest"))


def _position(a: Float[Array, "..."]) -> Float[Array, "..."]:
    """The variable of the integral over a: for large a log Y falls like a²/2, near 0 the integrand is smooth in a."""
    return a + a**2 / 2


def _precision_range(
    log_k: Array, v: Array, beta: Array, difficulty: Difficulty, depth: float
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """[low, high] in y for the integral over the bias; what is left out is below e^-depth of the whole.

    On the left what bias adds is a share vτ of the bias-free part, which is at most e^(βy/2 - y/2). On the right the
    inner integral is at most k^(1 - 1/(vτ)) where vτ > 1, and the gamma prior is e^-τ. With L = log k the exponent
    -τ + L - L/(vτ) has its peak at τ = √(L/v).
    """
    log_k, v, beta = jax.lax.stop_gradient((log_k, v, beta))
    depth += 3
    low = -(depth + jnp.log1p(v)) * 2 / (beta + 1) - 2
    if difficulty == "power":
        return low, depth + jnp.log1p(jnp.where(v > 1, jnp.minimum(log_k, _LOG_END) / v, 0.0))
    gain = jnp.where(jnp.isinf(log_k), 0.0, log_k)
    saddle = jnp.sqrt(gain / v)
    beyond = (math.sqrt(depth) + jnp.sqrt(depth + 4 * saddle)) / 2
    square = (gain + depth) ** 2 - 4 * gain / v
    some = jnp.sqrt((gain + depth + jnp.sqrt(jnp.maximum(square, 0.0))) / 2)
    rises = gain * v > 4
    root = jnp.where(rises, beyond, jnp.where(square > 0, some, 0.0))
    root = jnp.sqrt(beta / 2) + jnp.maximum(root, math.sqrt(depth))
    return low, coordinate_of(2 * jnp.log(root), difficulty)


def _bias_range(log_k: Array, h: Array, c: Array, depth: float) -> tuple[Array, Array]:
    """[low, high] in a that holds the integral over the bias to e^-depth; c is Var a.

    The integrand behaves like erfc(a/√(2c)) e^((a-h)²/2) up to the a at which kY = 1, and like e^(-a²(1 + 1/c)/2) from
    there on. For c > 1 it rises until there, so that what lies far to the left can be left out; for c < 1 it falls.
    """
    log_k, h, c = jax.lax.stop_gradient((log_k, h, c))
    depth += 3
    finite_log_k = jnp.where(jnp.isinf(log_k), 1.0, log_k)
    last = edge_of(jnp.broadcast_to(-finite_log_k, h.shape), h, LOCATING_STEPS)
    by_rate = h + jnp.sqrt(jnp.maximum(last - h, 0) ** 2 + 2 * depth)
    excess = 1 / c - 1
    square = h**2 + excess * (h**2 + 2 * depth)
    # erfc e^((a-h)²/2) = e^-depth, or erfc = e^-depth where that is left of h
    by_bias = (h**2 + 2 * depth) / (h + jnp.sqrt(jnp.maximum(square, 0.0)))
    by_bias = jnp.where(excess >= 0, by_bias, jnp.inf)
    by_bias = jnp.where(jnp.sqrt(2 * c * depth) <= h, jnp.sqrt(2 * c * depth), by_bias)
    high = jnp.where(jnp.isinf(log_k), by_bias, jnp.minimum(by_rate, by_bias))
    risen = jnp.where(c > 1, 2 * depth / jnp.where(c > 1, 1 - 1 / c, 1.0), jnp.inf)
    low = jnp.sqrt(jnp.maximum(jnp.maximum(last - h, 0) ** 2 - risen, 0.0))
    return jnp.minimum(low, 0.9 * high), high
