"""pass@k by drawing: k trials an instance, for the target-draw and the model-draw protocol.

Everything follows from the index T of an instance's first success: all of the first k trials failed
if and only if T > k, so one stream of draws serves every k.

    target draw   Sec. 4.2: fresh targets y_j = m + η_j against the fixed prediction;  |B - η_j| ≤ δ
    model draw    App. B.4: fresh proposals ŷ + ξ_j against one fixed target y*;       |G + ξ_j| ≤ δ

with bias B = ŷ - m and gap G = ŷ - y* (y* = m for a target verified at its mean, m + η for a realised one).

App. B.4 argues that both have the tail k^-β. Carried through at B → 0, for the near-zero index β/2 of τ,
the tail of the model draw depends on what the proposal noise ξ knows of τ:

    y*          noise ξ                      failure as k → ∞
    m           N(0, σ²/τ)                   the target draw itself: same law, k^-β
    m + η       (σ/√τ) t_a                   k^-β: the t density at the miss η√τ/σ is a power of it
    m + η       N(0, σ²/τ)                   k^-min(β, 1), up to logarithms: the miss costs exp(-η²τ/2σ²)
    m + η       ω t_a, same for all          k^-β/(1+a)
    m + η       N(0, ω²), same for all       (log k)^-β/2: no power law
    m           any, same for all            no β at all: B alone decides; k^-ω²/L_gen for N(0, ω²)

So noise that is independent of τ, the paper's condition, changes the exponent or removes the power law;
noise that widens with the instance's own keeps it. The tests check each line by quadrature.
"""

from typing import Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import betainc, gammaln
from jaxtyping import Array, Float, Num

from lidjax.difficulty import Difficulty, sample_label_noise
from lidjax.passk.instances import log_miss_probability, sample_instances
from lidjax.passk.success import success_probability

Proposal = Literal["normal", "student_t"]
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(
    12
)  # 1e-14 on windows that `_student_t_window` calls narrow


class DrawFailure(NamedTuple):
    """All-fail frequency over the instances at each k, and its standard error over instances."""

    failure: Float[Array, " k"]
    standard_error: Float[Array, " k"]


def target_draw_first_success(
    key,
    bias: Float[Array, " m"],
    tau: Float[Array, " m"],
    *,
    delta,
    sigma_eta,
    max_draws: int,
    block: int = 256,
) -> Float[Array, " m"]:
    """Index (from 1) of the first of `max_draws` target draws within `delta` of ŷ; inf if none is.

    The literal protocol of Sec. 4.2, and the slow twin of `instance_failure`. Draws come `block` at a time
    and stop when every instance has succeeded: memory O(m · block), not O(m · max_draws).
    """
    scale = sigma_eta / jnp.sqrt(tau)

    def hit(key):
        noise = scale[:, None] * jax.random.normal(key, (bias.shape[0], block), bias.dtype)
        return jnp.abs(bias[:, None] - noise) <= delta

    return _first_hit(key, hit, bias, max_draws, block)


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

    return _first_hit(key, hit, gap, max_draws, block)


def geometric_first_success(key, log_miss: Float[Array, "*m"]) -> Float[Array, "*m"]:
    """Draw the index of the first success from its law, geometric with miss probability exp(log_miss).

    Equal in law to drawing trials until one succeeds, at the cost of one draw; inf where s = 0.
    """
    wait = jax.random.exponential(key, log_miss.shape, log_miss.dtype)
    trials = wait / jnp.where(log_miss == 0, 1, -log_miss)  # NaN stays NaN
    return jnp.where(log_miss == 0, jnp.inf, 1 + jnp.floor(trials))


def draw_failure(
    key,
    k: Num[Array, " k"],
    lgen,
    *,
    beta,
    delta,
    sigma_eta,
    num_instances: int,
    difficulty: Difficulty = "gamma",
) -> Float[Array, " k"]:
    """L_inf(k) of the LID model as Sec. 4.2 measures it: the share of fresh instances whose k draws all miss.

    The index of the first success is drawn from its own law, so k costs nothing. The standard error is
    √(L_inf/num_instances) at best: below 1/num_instances nothing is seen, and 0 is returned.
    """
    instance_key, trial_key = jax.random.split(key)
    sample = sample_instances(
        instance_key, lgen, beta=beta, num_instances=num_instances, difficulty=difficulty
    )
    log_miss = log_miss_probability(sample.bias, sample.tau, delta=delta, sigma_eta=sigma_eta)
    return failure_from_first_success(k, geometric_first_success(trial_key, log_miss)).failure


def failure_from_first_success(
    k: Num[Array, " k"], first_success: Float[Array, " m"], *, max_draws: float = float("inf")
) -> DrawFailure:
    """Fraction of instances whose first k trials all failed, T > k, for every k at once.

    `max_draws` is the number of trials the indices were drawn from: beyond it the answer is NaN, not a guess.
    """
    count = first_success.shape[0]
    k = k.astype(first_success.dtype)
    failed = count - jnp.searchsorted(jnp.sort(first_success), k, side="right")
    known = (k <= max_draws) & ~jnp.any(jnp.isnan(first_success))
    failure = jnp.where(known, failed.astype(k.dtype) / count, jnp.nan)
    return DrawFailure(failure, jnp.sqrt(failure * (1 - failure) / max(count - 1, 1)))


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
    if proposal == "normal":
        return success_probability(gap, jnp.ones_like(jnp.asarray(scale)), delta=delta, sigma_eta=scale)
    gap, delta, scale, df = jnp.broadcast_arrays(*map(jnp.asarray, (gap, delta, scale, df)))
    return _student_t_window(jnp.abs(gap) / scale, delta / scale, df)


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


def _first_hit(key, hit, like, max_draws: int, block: int):
    """First index at which `hit(key)`, an (m, block) mask, holds; block i has its own key."""
    if max_draws < 1 or block < 1:
        raise ValueError(f"max_draws={max_draws} and block={block} must be at least 1")

    def unfinished(state):
        index, first = state
        return (index * block < max_draws) & jnp.any(jnp.isinf(first))

    def draw(state):
        index, first = state
        hits = hit(jax.random.fold_in(key, index))
        position = index * block + 1 + jnp.argmax(hits, axis=1)
        found = jnp.any(hits, axis=1) & jnp.isinf(first) & (position <= max_draws)
        return index + 1, jnp.where(found, position.astype(first.dtype), first)

    never = jnp.full(like.shape, jnp.inf, like.dtype)
    return jax.lax.while_loop(unfinished, draw, (0, never))[1]
