"""Difficulty that depends on the features: the leading-order loss of least squares where τ and x are correlated.

τ keeps its prior and x its normal law; a Gaussian copula of correlation ρ joins τ with one number of an instance:
the projection z of its whitened features on a direction, or the normal score of their squared norm q ~ χ²_d. To leading
order in 1/N, with Σ the covariance of the features,

    L_gen ≈ (σ²/N) E[xᵀΣ⁻¹x / τ],

where xᵀΣ⁻¹x = q. With t the normal score of τ, E[z² | τ] = 1 - ρ² + ρ² t², so that along a direction the factor against
independent τ is 1 + ρ² (E[t²/τ]/E[1/τ] - 1)/d; with the norm E[q/τ] is an integral over the copula.
"""

from typing import Literal, get_args

import jax
import jax.numpy as jnp
from jax.scipy.special import gammaincc, ndtri
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from lidjax.arrays import Range, check_whole, checked
from lidjax.difficulty import Difficulty, check_difficulty, log_precision_cdf
from lidjax.errors import check_choice
from lidjax.passk.quadrature import coordinate_of, log_prior, uniform_nodes

Dependence = Literal["direction", "norm"]
"""What τ is correlated with: a projection of the features, or their norm."""
CORRELATION = Range("from -0.95 to 0.95", lambda x: (x >= -0.95) & (x <= 0.95))
RESOLVED_INDEX = Range("from 2.2 to 100, where the mean of 1/τ is finite", lambda x: (x >= 2.2) & (x <= 100))
_DEPTH = 37.0
_NODES = 480


def correlated_lgen_factor(
    correlation: ArrayLike,
    *,
    beta: ArrayLike,
    dim: int,
    dependence: Dependence = "norm",
    difficulty: Difficulty = "gamma",
) -> Float[Array, ""]:
    """L_gen of least squares at large N with τ and x correlated, over that with independent τ.

    The factor is of the leading order in 1/N. It does not depend on the spectrum or on the teacher, and tends to 1 like
    1/d along a direction and like 1/√d with the norm.

    Args:
        correlation: ρ of the Gaussian copula, -0.95 to 0.95, scalar; positive where easy instances (large τ) have a
            large projection or norm.
        beta: tail index β of the prior on the precision, 2.2 to 100, scalar.
        dim: number of features d ≥ 1, a Python int.
        dependence: "direction" (a projection of the whitened features) or "norm" (their squared norm).
        difficulty: prior on the precision, "gamma" (Eq. 1) or "power" (bounded).

    Returns:
        The factor, a scalar; NaN where a traced argument is out of its range.

    Raises:
        InputError: if an argument is out of its range, or a name is not known.

    References:
        Derived for this project; tests/test_correlated.py compares it with simulated least squares.

    Example:
        >>> import lidjax
        >>> round(float(lidjax.correlated_lgen_factor(0.5, beta=4.0, dim=10)), 3) < 1
        True
    """
    check_choice("dependence =", dependence, get_args(Dependence))
    check_difficulty(difficulty)
    check_whole("dim", dim, 1)
    rho = checked("correlation", correlation, CORRELATION, shape=())
    beta = checked("beta", beta, RESOLVED_INDEX, shape=(), dtype=rho.dtype)
    log_weight, score = _inverse_precision(beta, difficulty)
    weight = jnp.exp(log_weight - jax.scipy.special.logsumexp(log_weight))
    if dependence == "direction":
        return 1 + rho**2 * (jnp.sum(weight * score**2) - 1) / dim
    y, step = uniform_nodes(*_range(jnp.asarray(float(dim), rho.dtype), "gamma"), _NODES)
    half_square, log_density = log_prior(y, jnp.asarray(float(dim), rho.dtype), "gamma")
    norm_score = _score(half_square, jnp.asarray(float(dim), rho.dtype), "gamma")
    left = 1 - rho**2
    t, n = score[:, None], norm_score[None, :]
    log_copula = -(rho**2 * (t**2 + n**2) - 2 * rho * t * n) / (2 * left) - 0.5 * jnp.log(left)
    mean_square = 2 * jnp.exp(half_square)
    joint = jnp.exp(log_copula + log_density[None, :]) * step
    return jnp.sum(weight * jnp.matmul(joint, mean_square, precision="highest")) / dim


def _inverse_precision(beta: Float[Array, ""], difficulty: Difficulty) -> tuple[Array, Array]:
    """Nodes of τ: logarithms of the weights of the mean of 1/τ, and normal scores."""
    y, _ = uniform_nodes(*_range(beta, difficulty, shift=1), _NODES)
    log_tau, log_f = log_prior(y, beta, difficulty)
    return log_f - log_tau, _score(log_tau, beta, difficulty)


def _range(beta: Float[Array, ""], difficulty: Difficulty, shift: int = 0) -> tuple[Array, Array]:
    """Ends of y outside which less than e^-37 of the prior, times τ^-shift, is left."""
    beta = jax.lax.stop_gradient(beta)
    low = -_DEPTH / jnp.maximum(beta / 2 - shift, 0.05) - 2
    if difficulty == "power":
        return low, jnp.full_like(beta, _DEPTH)
    return low, coordinate_of(2 * jnp.log(jnp.sqrt(beta / 2) + jnp.sqrt(_DEPTH)), difficulty)


def _score(log_tau: Float[Array, " n"], beta: Float[Array, ""], difficulty: Difficulty) -> Float[Array, " n"]:
    """The normal score of τ, from whichever tail is the smaller."""
    log_cdf = log_precision_cdf(log_tau, beta, difficulty)
    above = -jnp.expm1(beta / 2 * log_tau) if difficulty == "power" else gammaincc(beta / 2, jnp.exp(log_tau))
    lower = log_cdf < jnp.log(0.5)
    tiny = jnp.finfo(log_tau.dtype).tiny
    return jnp.where(
        lower,
        ndtri(jnp.maximum(jnp.exp(log_cdf), tiny)),
        -ndtri(jnp.maximum(jnp.where(lower, 0.5, above), tiny)),
    )
