"""Crossover k_c(N) between the intrinsic and the finite-N part of L_inf(k; N)."""

from functools import partial

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from lidjax.arrays import POSITIVE, checked_floats, or_nan
from lidjax.difficulty import Difficulty, check_difficulty
from lidjax.errors import InputError
from lidjax.laws.failure import EULER_GAMMA, failure_from_cdf
from lidjax.laws.finite_n import compiled_tail
from lidjax.laws.intrinsic import intrinsic_prefactor

NUM_NEWTON = 25  # heuristic: from a start far to the right it needs about ten


def log_crossover_k(
    lgen: ArrayLike,
    *,
    beta: ArrayLike,
    delta: ArrayLike,
    sigma_eta: ArrayLike,
    difficulty: Difficulty = "gamma",
    leading: bool = False,
) -> Float[Array, "..."]:
    """log k_c(N): the number of attempts where the finite-N part of L_inf equals the intrinsic part.

    Beyond k_c the finite-N tail is the larger. For the gamma prior the local exponent falls there from β to about 2/u²,
    near β/2, and not through a corner at min{β, γ}. Here v = L_gen/σ_η² and u is the root of β u³ = 4u + 2δ/σ_η.

    `leading=True` gives u³(u + δ/σ_η)/(4v), the limit of log k_c as v → 0; for a small tolerance it is 4/(β² v). It
    leaves prefactors out, which are not small at reachable v: with v = 0.1, β = 2.5 and δ = 0.05σ_η log k_c is 10.94
    and not 6.9. Quadrature gives 10.88 for the k at which L_inf is twice P̃ k^-β.

    Args:
        lgen: L_gen > 0, generalisation loss of the predictor, in units of σ_η². The first four arguments broadcast.
        beta: Tail index β > 0 of the difficulty prior.
        delta: Tolerance δ > 0.
        sigma_eta: Noise scale σ_η > 0, in the unit of δ.
        difficulty: Prior of the precision, "gamma" or "power".
        leading: Return the leading order as L_gen → 0, known for the gamma prior only.

    Returns:
        log k_c, of the broadcast shape. It is +inf for the power prior where γ = σ_η²/L_gen ≥ β, since then the
        intrinsic tail falls more slowly. It is -inf where the finite-N part is the larger at every k that the
        asymptotics reach.

    Raises:
        InputError: If an argument is not allowed, if shapes do not broadcast, if `difficulty` is not a prior, or if
            `leading` is asked for with the power prior. A traced argument that is not allowed gives NaN.

    References:
        Derived for this project from the two parts of Eq. 17; `tests/laws/test_crossover.py` compares it with
        quadrature.

    Example:
        >>> from lidjax.laws import log_crossover_k
        >>> round(float(log_crossover_k(0.1, beta=2.5, delta=0.05, sigma_eta=1.0)), 2)
        10.94
    """
    check_difficulty(difficulty)
    lgen, beta, delta, sigma_eta = checked_floats(
        lgen=(lgen, or_nan(POSITIVE)),
        beta=(beta, POSITIVE),
        delta=(delta, POSITIVE),
        sigma_eta=(sigma_eta, POSITIVE),
    )
    v = lgen / sigma_eta**2
    if leading:
        if difficulty != "gamma":
            raise InputError(f"leading=True with difficulty={difficulty!r} is not known; allowed: gamma")
        return leading_crossover(beta, delta / sigma_eta) / v
    log_k = compiled_crossover(lgen, beta, delta, sigma_eta, difficulty)
    return log_k if difficulty == "gamma" else jnp.where(v * beta > 1, log_k, jnp.inf)


def leading_crossover(beta: Float[Array, "..."], width: Float[Array, "..."]) -> Float[Array, "..."]:
    """u³(u + δ')/4 at the root u of β u³ = 4u + 2δ', where `width` is δ' = δ/σ.

    Newton's method comes down from the right, where the function is convex.
    """

    def newton(_: jax.Array, u: Float[Array, "..."]) -> Float[Array, "..."]:
        return u - (beta * u**3 - 4 * u - 2 * width) / (3 * beta * u**2 - 4)

    u = jax.lax.fori_loop(0, NUM_NEWTON, newton, jnp.sqrt(4 / beta) + (2 * width / beta) ** (1 / 3))
    return u**3 * (u + width) / 4


@partial(jax.jit, static_argnames="difficulty")
def compiled_crossover(
    lgen: Float[Array, "..."],
    beta: Float[Array, "..."],
    delta: Float[Array, "..."],
    sigma_eta: Float[Array, "..."],
    difficulty: Difficulty,
) -> Float[Array, "..."]:
    """The largest root of log(finite-N part) - log(intrinsic part), or -inf."""
    log_prefactor = intrinsic_prefactor(
        beta, delta=delta, sigma_eta=sigma_eta, difficulty=difficulty, log=True
    )

    def excess(log_k: Float[Array, "..."]) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        """log(finite-N part/intrinsic part) and its slope in log k."""
        log_s = -EULER_GAMMA - log_k
        tail = compiled_tail(log_s, lgen / sigma_eta**2, beta, delta / sigma_eta, difficulty)
        finite_n = failure_from_cdf(tail.log_tail, tail.exponent)
        return finite_n - (log_prefactor - beta * log_k), beta - tail.exponent

    # The excess is convex in log k: Newton's method comes down from the right and stays to the right of the root.
    def newton(_: jax.Array, log_k: Float[Array, "..."]) -> Float[Array, "..."]:
        value, slope = excess(log_k)
        return jnp.where(slope > 0, log_k - value / slope, -jnp.inf)

    far = 5 * leading_crossover(beta, delta / sigma_eta) * sigma_eta**2 / lgen + 200
    log_k = jax.lax.fori_loop(0, NUM_NEWTON, newton, far)
    value, _ = excess(log_k)
    tolerance = 1e3 * jnp.finfo(value.dtype).eps * (1 + jnp.abs(log_prefactor) + beta * jnp.abs(log_k))
    return jnp.where(jnp.abs(value) < tolerance, log_k, -jnp.inf)
