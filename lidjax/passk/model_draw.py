"""App. B.4: pass@k by drawing k proposals ŷ + ξ_j from the model against one fixed target y*.

A trial succeeds if |G + ξ_j| ≤ δ, with G = ŷ - y* the gap. The target is y* = m if it is verified at its mean, and
y* = m + η if it is a realised one.

The paper argues that this has the tail k^-β of the target draw. At B → 0 the tail turns out to depend on how the
proposal noise ξ depends on τ, whose near-zero index is β/2:

    y*          noise ξ                      failure as k → ∞
    m           N(0, σ²/τ)                   same distribution as the target draw, k^-β
    m + η       (σ/√τ) t_a                   k^-β: the t density at the miss η√τ/σ is a power of it
    m + η       N(0, σ²/τ)                   k^-min(β, 1), up to logarithms: the miss costs exp(-η²τ/2σ²)
    m + η       ω t_a, same for all          k^-β/(1+a)
    m + η       N(0, ω²), same for all       (log k)^-β/2: no power law
    m           any, same for all            no β at all: B alone decides; k^-ω²/L_gen for N(0, ω²)

So proposal noise that is independent of τ, the paper's condition, changes the exponent or removes the power law;
noise that widens with that of the instance keeps it. Each line is checked by quadrature in
tests/passk/test_model_draw.py.
"""

from typing import Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import betainc, gammaln
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from lidjax.arrays import FINITE, NOT_NEGATIVE, POSITIVE, checked, checked_floats, or_nan
from lidjax.errors import InputError, check_choice
from lidjax.passk.success import success_probability

Proposal = Literal["normal", "student_t"]
"""Distribution of the proposal noise."""
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)  # exact to 1e-14 where h is `narrow` below


def realised_gap(
    key: jax.Array, bias: Float[Array, " m"], tau: Float[Array, " m"], *, sigma_eta: ArrayLike
) -> Float[Array, " m"]:
    """Gap G = B - η between the prediction and one realised target y* = m + η of each instance.

    Args:
        key: JAX random key.
        bias: B of each instance (m,), prediction minus mean of the target. The result has its dtype.
        tau: precision τ > 0 of each instance (m,).
        sigma_eta: noise scale σ_η ≥ 0, scalar: η | τ ~ N(0, σ_η²/τ).

    Returns:
        Gaps (m,), for `model_draw_success`.

    Raises:
        InputError: if an argument is not allowed, or not of its shape. A traced one that is not allowed gives NaN.

    References:
        App. B.4.

    Example:
        >>> import jax
        >>> import jax.numpy as jnp
        >>> import lidjax
        >>> gap = lidjax.realised_gap(jax.random.key(0), jnp.ones(100_000), jnp.full(100_000, 4.0), sigma_eta=0.2)
        >>> round(float(gap.mean()), 2), round(float(gap.std()), 2)
        (1.0, 0.1)
    """
    bias = checked("bias", bias, or_nan(FINITE), shape=("m",))
    tau = checked("tau", tau, or_nan(POSITIVE), shape=bias.shape, dtype=bias.dtype)
    sigma_eta = checked("sigma_eta", sigma_eta, NOT_NEGATIVE, shape=(), dtype=bias.dtype)
    return bias - sigma_eta / jnp.sqrt(tau) * jax.random.normal(key, bias.shape, bias.dtype)


def model_draw_success(
    gap: ArrayLike,
    *,
    delta: ArrayLike,
    scale: ArrayLike,
    proposal: Proposal = "normal",
    df: ArrayLike | None = None,
) -> Float[Array, "..."]:
    """Probability that one proposal ŷ + ξ of the model lands within `delta` of the fixed target.

    A scale of σ_η/√τ gives the proposal the difficulty of the instance. The relative error for Student-t noise is below
    1e-13 for df from 0.3 to 100 and gaps up to 1e8 scales; for normal noise it is that of `success_probability`.

    Args:
        gap: G = ŷ - y*, prediction minus target, of any sign.
        delta: tolerance δ ≥ 0, in the unit of the gap.
        scale: scale of the proposal noise ξ, > 0, in the unit of the gap. These three and `df` broadcast.
        proposal: distribution of ξ/scale, "normal" or "student_t".
        df: degrees of freedom > 0 of Student-t noise; not given for normal noise.

    Returns:
        Probabilities in [0, 1] of the broadcast shape.

    Raises:
        InputError: if an argument is not allowed, if shapes do not broadcast, if `proposal` is not known, or if `df` is
            missing or not wanted. A traced argument that is not allowed gives NaN.

    References:
        Eq. 46, at any δ.

    Example:
        >>> import lidjax
        >>> round(float(lidjax.model_draw_success(0.0, delta=1.0, scale=1.0)), 4)
        0.6827
        >>> round(float(lidjax.model_draw_success(0.0, delta=1.0, scale=1.0, proposal="student_t", df=1.0)), 4)
        0.5
    """
    check_choice("proposal =", proposal, get_args(Proposal))
    if proposal == "normal":
        if df is not None:
            raise InputError(f"df = {df!r}: normal proposals have no degrees of freedom; leave it out")
        gap, delta, scale = checked_floats(
            gap=(gap, or_nan(FINITE)), delta=(delta, NOT_NEGATIVE), scale=(scale, POSITIVE)
        )
        return success_probability(gap, jnp.ones_like(scale), delta=delta, sigma_eta=scale)
    if df is None:
        raise InputError("df = None: student_t proposals need their degrees of freedom, a number > 0")
    gap, delta, scale, df = checked_floats(
        gap=(gap, or_nan(FINITE)), delta=(delta, NOT_NEGATIVE), scale=(scale, POSITIVE), df=(df, POSITIVE)
    )
    return _student_t_success(jnp.abs(gap) / scale, delta / scale, df)


def _student_t_success(
    a: Float[Array, "*s"], h: Float[Array, "*s"], df: Float[Array, "*s"]
) -> Float[Array, "*s"]:
    """P(a - h ≤ t ≤ a + h) for Student's t and a ≥ 0, by integrating the density or by survival functions.

    Over an interval that is `narrow` the density changes by a factor of order one, so that Gauss-Legendre is exact.
    Over any other interval the survival functions at its ends differ enough not to cancel.
    """
    narrow = h * (df + 1) < jnp.sqrt(df + a * a)
    points = [a + jnp.where(narrow, h, 0) * node for node in _NODES.tolist()]
    terms = [
        w * jnp.exp(-(df + 1) / 2 * jnp.log1p(t * t / df))
        for t, w in zip(points, _WEIGHTS.tolist(), strict=True)
    ]
    constant = gammaln((df + 1) / 2) - gammaln(df / 2) - 0.5 * jnp.log(jnp.pi * df)
    by_density = h * sum(terms) * jnp.exp(constant)

    def survival(t: Array) -> Array:
        return 0.5 * betainc(df / 2, jnp.full_like(df, 0.5), df / (df + t * t))

    near, far = survival(jnp.abs(a - h)), survival(a + h)
    by_survival = jnp.where(a >= h, near - far, 1 - near - far)
    return jnp.where(narrow, by_density, by_survival)
