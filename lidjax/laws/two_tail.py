"""Two-tail law of pass@k failure at finite N (Eq. 17 = Eq. 54 = Eq. 59) and its exponents (Eq. 18, 19)."""

import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from lidjax.arrays import NOT_NEGATIVE, POSITIVE, checked_floats, or_nan


def two_tail_failure(
    k: ArrayLike, beta: ArrayLike, gamma: ArrayLike, c1: ArrayLike, c2: ArrayLike, *, log: bool = False
) -> Float[Array, "..."]:
    """L_inf(k; N) ≈ c1 k^-β + c2 k^-γ: the sum of an intrinsic tail and a finite-N tail.

    The law is asymptotic in k → ∞ at fixed N. Its amplitudes c1 and c2 are constants only if both tails of the
    single-trial success are pure powers. That holds, up to slowly varying factors, where the precision τ is bounded. It
    does not hold for the Gamma prior, whose finite-N tail is slower than every power (see `stretched_tail`).
    `asymptotic_failure` has the constants in terms of the model, `fit_two_tail` estimates them from a curve.

    Args:
        k: Number of attempts k > 0. All arguments broadcast.
        beta: Exponent β > 0 of the intrinsic tail.
        gamma: Exponent γ > 0 of the finite-N tail.
        c1: Amplitude > 0 of the intrinsic tail.
        c2: Amplitude > 0 of the finite-N tail.
        log: Return log L_inf, which stays finite where L_inf is below the smallest float.

    Returns:
        L_inf(k) or its logarithm, of the broadcast shape.

    Raises:
        InputError: If an argument is not allowed, or if shapes do not broadcast. A traced argument that is not allowed
            gives NaN.

    References:
        Eq. 17 = Eq. 54 = Eq. 59.

    Example:
        >>> from lidjax.laws import two_tail_failure
        >>> round(float(two_tail_failure(100, 2.0, 0.5, 3.0, 0.01)), 4)  # 3/100² + 0.01/10
        0.0013
    """
    k, beta, gamma, c1, c2 = checked_floats(
        k=(k, POSITIVE),
        beta=(beta, or_nan(POSITIVE)),
        gamma=(gamma, or_nan(POSITIVE)),
        c1=(c1, or_nan(NOT_NEGATIVE)),
        c2=(c2, or_nan(NOT_NEGATIVE)),
    )
    log_k, log_c1, log_c2 = jnp.log(k), jnp.log(c1), jnp.log(c2)
    value = jnp.logaddexp(log_c1 - beta * log_k, log_c2 - gamma * log_k)
    return value if log else jnp.exp(value)


def finite_n_exponent(lgen: ArrayLike, sigma_eta: ArrayLike, tau_max: ArrayLike = 1.0) -> Float[Array, "..."]:
    """γ(N) = σ_η²/(τ_max L_gen): the exponent of the finite-N tail where the precision is bounded by τ_max.

    Eq. 18 says γ = Θ(1/L_gen). The constant is derived here. At precision τ the small-window success of Eq. 16 is
    below s where the bias B has B² > (2σ_η²/τ) log(c_δ√τ/s). Since B ~ N(0, L_gen), this has probability
    s^(σ_η²/(τ L_gen)) up to slowly varying factors, and the largest τ has the fattest tail. Where the precision is
    unbounded, as for the Gamma prior, there is no such exponent.

    The slowly varying factors are strong: with v = L_gen/σ_η² the local exponent at k exceeds 1/v by about
    (δ/σ_η)/(v √(2 log k)). `log_finite_n_tail` includes them.

    Args:
        lgen: L_gen > 0, generalisation loss of the predictor. All arguments broadcast.
        sigma_eta: Noise scale σ_η > 0; L_gen is in units of σ_η².
        tau_max: Upper bound of the precision τ; 1 for the power prior of this package.

    Returns:
        γ(N), of the broadcast shape.

    Raises:
        InputError: If an argument is not allowed, or if shapes do not broadcast. A traced argument that is not allowed
            gives NaN.

    References:
        Eq. 18. The constant is derived for this project; `tests/laws/test_finite_n.py` checks that the exact local
        exponent tends to it.

    Example:
        >>> from lidjax.laws import finite_n_exponent
        >>> round(float(finite_n_exponent(0.3, 2.0, 5.0)), 4)
        2.6667
    """
    lgen, sigma_eta, tau_max = checked_floats(
        lgen=(lgen, or_nan(POSITIVE)), sigma_eta=(sigma_eta, POSITIVE), tau_max=(tau_max, POSITIVE)
    )
    return sigma_eta**2 / (tau_max * lgen)


def limiting_exponent(beta: ArrayLike, gamma: ArrayLike) -> Float[Array, "..."]:
    """min{β, γ(N)}: the exponent of the two-tail law as k → ∞.

    At finite k the exponent seen lies above it, because the other tail still contributes.

    Args:
        beta: Exponent β of the intrinsic tail. Both arguments broadcast.
        gamma: Exponent γ(N) of the finite-N tail, for instance from `finite_n_exponent`.

    Returns:
        The smaller of the two, of the broadcast shape.

    Raises:
        InputError: If an argument is not allowed, or if shapes do not broadcast. A traced argument that is not allowed
            gives NaN.

    References:
        Eq. 19.

    Example:
        >>> import jax.numpy as jnp
        >>> from lidjax.laws import limiting_exponent
        >>> limiting_exponent(2.0, jnp.array([0.5, 3.0])).tolist()
        [0.5, 2.0]
    """
    return jnp.minimum(*checked_floats(beta=(beta, or_nan(POSITIVE)), gamma=(gamma, or_nan(POSITIVE))))
