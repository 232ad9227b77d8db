"""App. B.4: pass@k by drawing k proposals ŷ + ξ_j from the model against one fixed target y*.

A trial succeeds if |G + ξ_j| ≤ δ, with G = ŷ - y* the gap: y* = m for a target verified at its mean,
m + η for a realised one.

The paper argues that this has the tail k^-β of the target draw. Carried through at B → 0, the tail
depends on what the proposal noise ξ knows of τ (whose near-zero index is β/2):

    y*          noise ξ                      failure as k → ∞
    m           N(0, σ²/τ)                   the target draw itself: same law, k^-β
    m + η       (σ/√τ) t_a                   k^-β: the t density at the miss η√τ/σ is a power of it
    m + η       N(0, σ²/τ)                   k^-min(β, 1), up to logarithms: the miss costs exp(-η²τ/2σ²)
    m + η       ω t_a, same for all          k^-β/(1+a)
    m + η       N(0, ω²), same for all       (log k)^-β/2: no power law
    m           any, same for all            no β at all: B alone decides; k^-ω²/L_gen for N(0, ω²)

So noise that is independent of τ, the paper's condition, changes the exponent or removes the power law;
noise that widens with the instance's own keeps it. Each line is checked by quadrature in the tests.
"""

from typing import Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import betainc, gammaln
from jaxtyping import Array, Float

from lidjax.arrays import as_float
from lidjax.difficulty import sample_label_noise
from lidjax.passk.draws import first_hit
from lidjax.passk.success import success_probability

Proposal = Literal["normal", "student_t"]
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)  # exact to 1e-14 on a window that is `narrow` below


def realised_gap(key, bias: Float[Array, " m"], tau: Float[Array, " m"], *, sigma_eta) -> Float[Array, " m"]:
    """G = B - η with one target y* = m + η, η | τ ~ N(0, σ²/τ), drawn for each instance."""
    return bias - sigma_eta / jnp.sqrt(tau) * jax.random.normal(key, bias.shape, bias.dtype)


def model_draw_success(gap, *, delta, scale, proposal: Proposal = "normal", df=None) -> Float[Array, "..."]:
    """Probability that one proposal ŷ + ξ lands within `delta` of the fixed target, Eq. 46 at any δ.

    `gap` G = ŷ - y*, half-window `delta` > 0 and `scale` > 0 of the noise broadcast; ξ/scale is standard
    normal or Student-t with `df` > 0 degrees of freedom. A scale of σ/√τ shares the instance's difficulty.
    Relative error below 1e-13 for the t, for df from 0.3 to 100 and gaps up to 1e8 scales.
    """
    check_proposal(proposal, df)
    if df is None:
        return success_probability(gap, jnp.ones_like(as_float(scale)), delta=delta, sigma_eta=scale)
    gap, delta, scale, df = jnp.broadcast_arrays(*map(as_float, (gap, delta, scale, df)))
    return _student_t_window(jnp.abs(gap) / scale, delta / scale, df)


def model_draw_first_success(
    key,
    gap: Float[Array, " m"],
    *,
    delta,
    scale,
    proposal: Proposal = "normal",
    df=None,
    max_draws: int,
    block: int = 256,
) -> Float[Array, " m"]:
    """Index (from 1) of the first of `max_draws` proposals within `delta` of y*; inf if none is.

    `gap` is ŷ - y* of each instance; the other arguments as in `model_draw_success`.
    """
    check_proposal(proposal, df)
    scale = jnp.broadcast_to(jnp.asarray(scale, gap.dtype), gap.shape)

    def hit(key):
        if proposal == "normal":
            noise = jax.random.normal(key, (gap.shape[0], block), gap.dtype)
        else:
            tail = jnp.asarray(df, gap.dtype)
            noise = sample_label_noise(key, tail, jnp.sqrt(tail / 2), (gap.shape[0], block))
        return jnp.abs(gap[:, None] + scale[:, None] * noise) <= delta

    return first_hit(key, hit, gap, max_draws, block)


def check_proposal(proposal: str, df) -> None:
    """Raise ValueError unless `proposal` is a known noise and `df` is given exactly where it has one."""
    if proposal not in get_args(Proposal):
        raise ValueError(f"proposal={proposal!r} is not a noise; allowed: {', '.join(get_args(Proposal))}")
    if (df is None) == (proposal == "student_t"):
        raise ValueError(
            f"df={df!r}: a student_t proposal needs its degrees of freedom, a normal one has none"
        )


def _student_t_window(a, h, df):
    """P(a - h ≤ t ≤ a + h) for Student's t and a ≥ 0: the density's integral, or survival functions.

    The density changes by a factor of order one over a window that is narrow in this sense, so that
    Gauss-Legendre is exact; over any other window the survival functions differ enough not to cancel.
    """
    narrow = h * (df + 1) < jnp.sqrt(df + a * a)
    points = [a + jnp.where(narrow, h, 0) * node for node in _NODES.tolist()]
    terms = [
        w * jnp.exp(-(df + 1) / 2 * jnp.log1p(t * t / df))
        for t, w in zip(points, _WEIGHTS.tolist(), strict=True)
    ]
    constant = gammaln((df + 1) / 2) - gammaln(df / 2) - 0.5 * jnp.log(jnp.pi * df)
    by_density = h * sum(terms) * jnp.exp(constant)

    def survival(t):
        return 0.5 * betainc(df / 2, jnp.full_like(df, 0.5), df / (df + t * t))

    near, far = survival(jnp.abs(a - h)), survival(a + h)
    by_survival = jnp.where(a >= h, near - far, 1 - near - far)
    return jnp.where(narrow, by_density, by_survival)
