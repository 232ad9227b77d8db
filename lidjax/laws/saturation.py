"""Saturation of the effective exponent with training size (Eq. 20 = Eq. 57)."""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from lidjax.arrays import NOT_NEGATIVE, POSITIVE, checked_floats, or_nan


def unsaturated_share(
    log_n: Float[Array, "..."], log_c: Float[Array, "..."], nu: Float[Array, "..."]
) -> Float[Array, "..."]:
    """1/(1 + c N^ν) from log N and log c, as a logistic curve in log N, so that no power overflows."""
    return jax.nn.sigmoid(-(log_c + nu * log_n))


def saturation_curve(
    log_n: Float[Array, "..."],
    beta: Float[Array, "..."],
    delta: Float[Array, "..."],
    log_c: Float[Array, "..."],
    nu: Float[Array, "..."],
) -> Float[Array, "..."]:
    """`saturating_exponent` from log N and log c: the form in which it is evaluated and fitted."""
    return beta - delta * unsaturated_share(log_n, log_c, nu)


def saturating_exponent(
    n: ArrayLike, beta: ArrayLike, delta: ArrayLike, c: ArrayLike, nu: ArrayLike
) -> Float[Array, "..."]:
    """β_eff(N) = β - Δ/(1 + c N^ν): how the effective exponent rises with the training size N.

    The curve rises from β - Δ to β around N₀ = c^(-1/ν). In log N it is a logistic curve of slope ν. It is an
    empirical summary over a fixed window of k, not a limit law. `fit_saturation` estimates its parameters.

    Args:
        n: Training size N > 0. All arguments broadcast.
        beta: The plateau β > 0.
        delta: The rise Δ > 0. The name is the paper's; it is not the tolerance δ of a trial.
        c: Amplitude c > 0, in units of N^-ν.
        nu: Sharpness ν > 0.

    Returns:
        β_eff(N), of the broadcast shape.

    Raises:
        InputError: If an argument is not allowed, or if shapes do not broadcast. A traced argument that is not allowed
            gives NaN.

    References:
        Eq. 20 = Eq. 57.

    Example:
        >>> from lidjax.laws import saturating_exponent
        >>> round(float(saturating_exponent(100, 2.5, 1.6, 0.01, 1.0)), 4)  # c N^ν = 1: half of the rise
        1.7
    """
    n, beta, delta, c, nu = checked_floats(
        n=(n, POSITIVE),
        beta=(beta, or_nan(POSITIVE)),
        delta=(delta, or_nan(NOT_NEGATIVE)),
        c=(c, or_nan(NOT_NEGATIVE)),
        nu=(nu, or_nan(POSITIVE)),
    )
    return saturation_curve(jnp.log(n), beta, delta, jnp.log(c), nu)
