"""pass@k failure at finite N from the tails of the single-trial success S, with every constant (Eq. 17 = Eq. 54)."""

import jax.numpy as jnp
from jax.scipy.special import gammaln
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from lidjax.arrays import POSITIVE, checked_floats, or_nan
from lidjax.difficulty import Difficulty, check_difficulty
from lidjax.laws.finite_n import compiled_tail
from lidjax.laws.intrinsic import intrinsic_amplitude, intrinsic_failure

EULER_GAMMA = 0.5772156649015329


def failure_from_cdf(log_cdf: Float[Array, "..."], exponent: Float[Array, "..."]) -> Float[Array, "..."]:
    """log L_inf(k) from log P(S ≤ e^-γ_E/k) and the local exponent g there: adds log Γ(1 + g) + γ_E g.

    (1 - S)^k acts like a threshold at s = E/k with E exponential, and e^-γ_E is the geometric mean of E. The correction
    makes a pure power exact (Cor. C.3). It vanishes for a slowly varying tail, where the plain threshold is enough.
    """
    return log_cdf + gammaln(1 + exponent) + EULER_GAMMA * exponent


def checked_arguments(
    k: ArrayLike, lgen: ArrayLike, beta: ArrayLike, delta: ArrayLike, sigma_eta: ArrayLike
) -> list[Float[Array, "..."]]:
    """The arguments that the laws of this module share, broadcast, after a check of their values."""
    return checked_floats(
        k=(k, POSITIVE),
        lgen=(lgen, or_nan(POSITIVE)),
        beta=(beta, POSITIVE),
        delta=(delta, POSITIVE),
        sigma_eta=(sigma_eta, POSITIVE),
    )


def finite_n_failure(
    k: ArrayLike,
    lgen: ArrayLike,
    *,
    beta: ArrayLike,
    delta: ArrayLike,
    sigma_eta: ArrayLike,
    difficulty: Difficulty = "gamma",
    log: bool = False,
) -> Float[Array, "..."]:
    """The finite-N part of L_inf(k; N), the second term of Eq. 17, with its prefactor.

    For the power prior it is C2 k^-γ with γ = σ_η²/L_gen and a slowly varying C2. For the gamma prior it is the
    stretched law of `stretched_tail` with its prefactor.

    Args:
        k: Number of attempts k > 0. All arguments but the last two broadcast.
        lgen: L_gen > 0, generalisation loss of the predictor, in units of σ_η².
        beta: Tail index β > 0 of the difficulty prior.
        delta: Tolerance δ > 0.
        sigma_eta: Noise scale σ_η > 0, in the unit of δ.
        difficulty: Prior of the precision, "gamma" or "power".
        log: Return the logarithm, which stays finite where the value is below the smallest float.

    Returns:
        The finite-N part or its logarithm, of the broadcast shape; NaN where k is too small for the asymptotics.

    Raises:
        InputError: If an argument is not allowed, if shapes do not broadcast, or if `difficulty` is not a prior. A
            traced argument that is not allowed gives NaN.

    References:
        Second term of Eq. 17 = Eq. 54; for the gamma prior, whose tail is not the power of Eq. 17, derived for this
        project. `tests/laws/test_failure.py` compares it with quadrature.

    Example:
        >>> from lidjax.laws import finite_n_failure
        >>> model = {"beta": 2.5, "delta": 0.5, "sigma_eta": 1.0}
        >>> round(float(finite_n_failure(1e12, 0.1, **model, log=True)), 2)
        -40.66
    """
    check_difficulty(difficulty)
    k, lgen, beta, delta, sigma_eta = checked_arguments(k, lgen, beta, delta, sigma_eta)
    tail = compiled_tail(-EULER_GAMMA - jnp.log(k), lgen / sigma_eta**2, beta, delta / sigma_eta, difficulty)
    value = failure_from_cdf(tail.log_tail, tail.exponent)
    return value if log else jnp.exp(value)


def asymptotic_failure(
    k: ArrayLike,
    lgen: ArrayLike,
    *,
    beta: ArrayLike,
    delta: ArrayLike,
    sigma_eta: ArrayLike,
    difficulty: Difficulty = "gamma",
    log: bool = False,
) -> Float[Array, "..."]:
    """P̃ k^-β plus the finite-N part: the two-tail law as k → ∞ with all its constants and the right second tail.

    At k = 1e6 and 1e9 it is within 10 % of `pass_at_k_failure` in all cases tested; the worst, 9 %, is the power prior
    at 1e6. Below the crossover (`log_crossover_k`) the intrinsic part is the larger, beyond it the finite-N part.

    Args:
        k: Number of attempts k > 0. All arguments but the last two broadcast.
        lgen: L_gen > 0, generalisation loss of the predictor, in units of σ_η².
        beta: Tail index β > 0 of the difficulty prior.
        delta: Tolerance δ > 0.
        sigma_eta: Noise scale σ_η > 0, in the unit of δ.
        difficulty: Prior of the precision, "gamma" or "power".
        log: Return log L_inf, which stays finite where L_inf is below the smallest float.

    Returns:
        L_inf(k; N) or its logarithm, of the broadcast shape; NaN where k is too small for the asymptotics.

    Raises:
        InputError: If an argument is not allowed, if shapes do not broadcast, or if `difficulty` is not a prior. A
            traced argument that is not allowed gives NaN.

    References:
        Eq. 17 = Eq. 54; the finite-N part as in `finite_n_failure`.

    Example:
        >>> import lidjax
        >>> from lidjax.laws import asymptotic_failure
        >>> model = {"beta": 2.5, "delta": 0.5, "sigma_eta": 1.0}
        >>> exact = lidjax.pass_at_k_failure(1e12, 0.1, **model)
        >>> bool(abs(asymptotic_failure(1e12, 0.1, **model) / exact - 1) < 0.05)
        True
    """
    check_difficulty(difficulty)
    k, lgen, beta, delta, sigma_eta = checked_arguments(k, lgen, beta, delta, sigma_eta)
    intrinsic = intrinsic_failure(k, beta, delta=delta, sigma_eta=sigma_eta, difficulty=difficulty, log=True)
    finite_n = finite_n_failure(
        k, lgen, beta=beta, delta=delta, sigma_eta=sigma_eta, difficulty=difficulty, log=True
    )
    value = jnp.logaddexp(intrinsic, finite_n)
    return value if log else jnp.exp(value)


def threshold_failure(
    k: ArrayLike,
    lgen: ArrayLike,
    *,
    beta: ArrayLike,
    delta: ArrayLike,
    sigma_eta: ArrayLike,
    difficulty: Difficulty = "gamma",
    log: bool = False,
) -> Float[Array, "..."]:
    """P(S ≤ e^-γ_E/k): L_inf(k) with (1 - S)^k replaced by a threshold on S.

    This is `asymptotic_failure` without the correction for the local exponent, the leading order where the tail varies
    slowly. It is good for the gamma prior beyond the crossover only: at β = 2.5, δ = 0.5σ_η and L_gen = σ_η² it is 0.93
    of the exact integral at k = 1e6 and 0.987 at k = 1e30. A power k^-g comes out wrong by the factor
    e^(-γ_E g)/Γ(1 + g), which is 0.07 at g = 2.5. γ_E = 0.5772 is Euler's constant.

    Args:
        k: Number of attempts k > 0. All arguments but the last two broadcast.
        lgen: L_gen > 0, generalisation loss of the predictor, in units of σ_η².
        beta: Tail index β > 0 of the difficulty prior.
        delta: Tolerance δ > 0.
        sigma_eta: Noise scale σ_η > 0, in the unit of δ.
        difficulty: Prior of the precision, "gamma" or "power".
        log: Return the logarithm, which stays finite where the value is below the smallest float.

    Returns:
        P(S ≤ e^-γ_E/k) or its logarithm, of the broadcast shape; NaN where k is too small for the asymptotics.

    Raises:
        InputError: If an argument is not allowed, if shapes do not broadcast, or if `difficulty` is not a prior. A
            traced argument that is not allowed gives NaN.

    References:
        Derived for this project; `tests/laws/test_failure.py` compares it with quadrature.

    Example:
        >>> import lidjax
        >>> from lidjax.laws import threshold_failure
        >>> model = {"beta": 2.5, "delta": 0.5, "sigma_eta": 1.0}
        >>> share = threshold_failure(1e6, 1.0, **model) / lidjax.pass_at_k_failure(1e6, 1.0, **model)
        >>> bool(0.91 < share < 0.95)
        True
    """
    check_difficulty(difficulty)
    k, lgen, beta, delta, sigma_eta = checked_arguments(k, lgen, beta, delta, sigma_eta)
    log_s = -EULER_GAMMA - jnp.log(k)
    amplitude = intrinsic_amplitude(beta, delta=delta, sigma_eta=sigma_eta, difficulty=difficulty, log=True)
    tail = compiled_tail(log_s, lgen / sigma_eta**2, beta, delta / sigma_eta, difficulty)
    value = jnp.logaddexp(amplitude + beta * log_s, tail.log_tail)
    return value if log else jnp.exp(value)
