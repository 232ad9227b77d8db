"""L_inf(k) for many values of L_gen at one (β, δ/σ): a mixture over the bias, exact in v = L_gen/σ².

At a given bias the failure R_k(α), α = (B/σ)²/2, does not depend on v. v enters only through the distribution of
α, which is v times a Gamma(1/2) variable. With L_0 the bias-free failure,

    L_inf(k; v) = L_0(k) + ∫ g(α/v) [R_k(α) - L_0(k)] dlog α,    g(u) = √(u/π) e^-u.

`build_curve` tabulates R_k - L_0 once, on nodes that serve every v of a range. `eval_curve` is then one
weighted sum of positive terms, at any v, with exact derivatives. Nothing is interpolated in v, in which the crossover
between the two tails is very sharp.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from lidjax.arrays import POSITIVE, TAIL_INDEX, check_values, common_dtype, known_value
from lidjax.difficulty import Difficulty, check_difficulty
from lidjax.errors import InputError
from lidjax.passk.instances import checked_attempts
from lidjax.passk.population import Rule, log_bias_free, log_failure, precision_range, tail_threshold
from lidjax.passk.quadrature import graded_nodes, log_prior, log_rate, log_rate_unbiased

BIAS_NODES = 320
"""Nodes in log α."""
TAU_NODES = 640
"""Nodes in y(τ)."""
_RULE = Rule(free=256, outer=0, inner=0, depth=24.0)  # for the bias-free failure and the range of τ
_LEFT, _RIGHT = 8.0, 45.0  # g is below e^-12 left of v e^-8, where a series takes over, and e^-45 beyond 45 v
_ROWS = 8  # rows of the table that are computed side by side: 8 · 64 · 640 values fit the cache


class FailureCurve(NamedTuple):
    """Table from which `eval_curve` computes L_inf(k) at any v: one failure curve for each of n biases."""

    alpha: Float[Array, " n"]
    """(B/σ)²/2 of each bias (n,)."""
    weight: Float[Array, " n"]
    """Step of log α at each node (n,)."""
    free: Float[Array, " k"]
    """L_inf(k) without bias (k,)."""
    rise: Float[Array, "n k"]
    """What each bias adds, R_k(α) - free ≥ 0, (n, k)."""
    v_low: Float[Array, ""]
    """Lower end of the range of v = L_gen/σ² that the table was built for."""
    v_high: Float[Array, ""]
    """Upper end of that range."""
    error: Float[Array, ""]
    """Largest relative error at the check points, against `pass_at_k_failure`; NaN without checks."""


def build_curve(
    log_v_low: Float[Array, ""],
    log_v_high: Float[Array, ""],
    k: Float[Array, " k"],
    *,
    beta: Float[Array, ""],
    delta_over_sigma: Float[Array, ""],
    difficulty: Difficulty = "gamma",
    bias_nodes: int = BIAS_NODES,
    tau_nodes: int = TAU_NODES,
    checks: int = 12,
) -> FailureCurve:
    """Table of L_inf(k) at given bias, from which `eval_curve` computes L_inf(k) at any v of a range.

    One call is one cell: `vmap` it over β and δ/σ, and wrap it in `jit`. Measured over v in three blocks from 1e-10 to
    1e4, β from 0.1 to 20, δ/σ from 1e-6 to 10, both priors: to k = 1e12 the median error is below 2e-11 and nine in ten
    errors are below 2e-6; twice the nodes bring those to 2e-13 and 3e-11. Errors stay large for β ≥ 6 with δ/σ = 10 and
    for values below the smallest float; `FailureCurve.error` shows it. Cost: bias_nodes · tau_nodes · len(k)
    exponentials, 0.04 s of one core for 64 values of k, and 1 ms a check.

    Args:
        log_v_low: log of the lower end of the range of v = L_gen/σ², scalar array.
        log_v_high: log of its upper end.
        k: numbers of trials (k,), increasing, ≥ 1.
        beta: tail index β of the prior on the precision, scalar array.
        delta_over_sigma: tolerance δ/σ_η, scalar array.
        difficulty: prior on the precision, "gamma" or "power"; static, as the numbers of nodes and checks are.
        bias_nodes: nodes in the bias.
        tau_nodes: nodes in the precision.
        checks: number of values that are compared with `pass_at_k_failure`, half of them at the largest k, which is the
            hardest; 0 for none.

    Returns:
        `FailureCurve` for `eval_curve`.

    Raises:
        InputError: if an argument is not allowed, or if `difficulty` is not known. A traced argument is not looked at.

    References:
        Eq. 13. The mixture was derived for this project and is compared with `pass_at_k_failure` in
        tests/passk/test_curve.py.

    Example:
        >>> import jax
        >>> import jax.numpy as jnp
        >>> from lidjax.passk import build_curve, eval_curve
        >>> cell = {"beta": jnp.array(2.5), "delta_over_sigma": jnp.array(0.5)}
        >>> ends = jnp.log(jnp.array([0.01, 1.0]))
        >>> curve = jax.jit(lambda k: build_curve(*ends, k, **cell, checks=0))(jnp.array([1.0, 100.0]))
        >>> [float(f"{x:.4g}") for x in eval_curve(curve, jnp.array(0.1))]
        [0.6449, 0.0002789]
    """
    check_difficulty(difficulty)
    k = checked_attempts(k, common_dtype([k]))
    _check_grid(log_v_low, log_v_high, k)
    check_values("beta", beta, TAIL_INDEX)
    check_values("delta_over_sigma", delta_over_sigma, POSITIVE)
    log_alpha, weight = nodes_in_bias(
        log_v_low, log_v_high, k[-1], beta, delta_over_sigma, difficulty, bias_nodes
    )
    free = jnp.exp(jax.vmap(lambda k: log_bias_free(k, beta, delta_over_sigma, difficulty, _RULE))(k))
    y, dy = nodes_in_precision(
        log_v_low, log_v_high, k[-1], free[-1], beta, delta_over_sigma, difficulty, tau_nodes
    )
    log_tau, log_f = log_prior(y, beta, difficulty)
    root = jnp.exp(log_tau / 2)
    h, f = delta_over_sigma * root, jnp.exp(log_f) * dy

    def failure(rate: Array) -> Array:
        return jnp.matmul(jnp.exp(-k[:, None] * rate[None, :]), f, precision="highest")

    unbiased = failure(jnp.exp(log_rate_unbiased(h)))

    def added_by_bias(log_alpha: Array) -> Array:
        return failure(jnp.exp(log_rate(jnp.exp(0.5 * (math.log(2) + log_alpha)) * root, h))) - unbiased

    rise = jax.lax.map(added_by_bias, log_alpha, batch_size=_ROWS)
    v_low, v_high = jnp.exp(log_v_low), jnp.exp(log_v_high)
    curve = FailureCurve(jnp.exp(log_alpha), weight, free, rise, v_low, v_high, jnp.full_like(v_low, jnp.nan))
    if checks == 0:
        return curve
    return curve._replace(error=_check(curve, k, beta, delta_over_sigma, difficulty, checks))


def _check_grid(log_v_low: ArrayLike, log_v_high: ArrayLike, k: Float[Array, " k"]) -> None:
    """Raise InputError unless the ends of v and the k, where they are known, increase, and k begins at 1 or later."""
    low, high, known = (known_value(x) for x in (log_v_low, log_v_high, k))
    if low is not None and high is not None and not -np.inf < low < high < np.inf:
        raise InputError(f"log_v_low = {low:g}, log_v_high = {high:g}: must be finite and increase")
    if k.shape[0] == 0 or (known is not None and not (known[0] >= 1 and np.all(np.diff(known) > 0))):
        raise InputError("k: must be one or more numbers of at least 1 that increase")


def eval_curve(curve: FailureCurve, v: Float[Array, ""]) -> Float[Array, " k"]:
    """L_inf(k) at v = L_gen/σ², for the k of the curve.

    One call is one value of v: `vmap` it over v. Its derivatives in v are exact.

    Args:
        curve: table from `build_curve`.
        v: L_gen/σ² ≥ 0, scalar array.

    Returns:
        L_inf(k) (k,). Below the range of the curve what bias adds is taken as proportional to v, which is exact in the
        limit v → 0 and wrong by at most what bias adds at the lower end. Above the range, and for v < 0: NaN.

    References:
        As for `build_curve`.

    Example:
        >>> import jax
        >>> import jax.numpy as jnp
        >>> from lidjax.passk import build_curve, eval_curve
        >>> cell = {"beta": jnp.array(2.5), "delta_over_sigma": jnp.array(0.5)}
        >>> ends = jnp.log(jnp.array([0.01, 1.0]))
        >>> curve = jax.jit(lambda k: build_curve(*ends, k, **cell, checks=0))(jnp.array([1.0, 100.0]))
        >>> failure = jax.vmap(eval_curve, (None, 0))(curve, jnp.array([0.1, 0.5, 2.0]))
        >>> failure.shape, bool(jnp.isnan(failure[2]).all())
        ((3, 2), True)
    """
    v_inside = jnp.maximum(v, curve.v_low)
    u = curve.alpha / v_inside
    density = jnp.sqrt(u / math.pi) * jnp.exp(-u) * curve.weight
    # Left of the first node the integrand is ∝ α^(3/2), so the sum there is a geometric series.
    density = density.at[0].multiply(1 + 1 / jnp.expm1(1.5 * curve.weight[0]))
    added = jnp.matmul(density, curve.rise, precision="highest") * jnp.minimum(v / curve.v_low, 1)
    return jnp.where((v >= 0) & (v <= curve.v_high), curve.free + added, jnp.nan)


def nodes_in_bias(
    log_v_low: Array,
    log_v_high: Array,
    k: Array,
    beta: Array,
    eps: Array,
    difficulty: Difficulty,
    count: int,
) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
    """Nodes in q = log α, and their weights. The densities are heuristic; only their ratios matter.

    3 a unit on the left, where bias only perturbs the instances of small τ. 17 from (2/β) e^-1.5 on, where the
    finite-N tail may dominate; for the gamma prior that is a feature as narrow as (β log k)^(-1/2). For the power prior
    1.3√β α more, up to the α at which its easiest instances begin to fail at the largest k, within β^(-1/2).
    """
    turn = jnp.log(2 / beta) - 1.5
    start = jnp.minimum(log_v_low, turn) - _LEFT  # left of it what bias adds is ∝ α
    all_fail = (eps + jnp.sqrt(2 * (1 + jnp.log(k)))) ** 2 / 2
    edge = 1.3 * jnp.sqrt(beta) if difficulty == "power" else 0.0

    def position(q: Array) -> Array:
        bump = all_fail * jnp.arctan(jnp.exp(q) / all_fail)
        return 3 * q + 14 * jax.nn.softplus(q - turn) + edge * bump

    return graded_nodes(position, start, log_v_high + math.log(_RIGHT), count)


def nodes_in_precision(
    log_v_low: Array,
    log_v_high: Array,
    k: Array,
    free: Array,
    beta: Array,
    eps: Array,
    difficulty: Difficulty,
    count: int,
) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
    """Nodes in y(τ), and their weights, for every k up to this one and every v of the range.

    Densities (heuristic): 4 a unit, and 18 where ατ > 1 for the largest α but τ < 1. There the failure of an instance
    of given bias rises to 1 within 1/log k in log τ.
    """
    log_free = jnp.log(free)
    smallest = jnp.maximum(jnp.exp(log_v_low), tail_threshold(k, eps, log_free, difficulty, _RULE))
    low, _ = precision_range(k, jnp.exp(log_v_high), beta, eps, log_free, difficulty, _RULE)
    _, high = precision_range(k, smallest, beta, eps, log_free, difficulty, _RULE)
    start = -jnp.maximum(log_v_high + math.log(_RIGHT), 0)

    def position(y: Array) -> Array:
        return 4 * y + 14 * (jax.nn.softplus(y - start) - jax.nn.softplus(y - 1))

    return graded_nodes(position, low, high, count)


def _check(
    curve: FailureCurve, k: Float[Array, " k"], beta: Array, eps: Array, difficulty: Difficulty, checks: int
) -> Float[Array, ""]:
    """Largest relative error over `checks` pairs (k, v) spread over the range, away from the nodes."""
    number = np.arange(checks)
    v = curve.v_low * (curve.v_high / curve.v_low) ** jnp.asarray((number + 0.5) / checks, k.dtype)
    index = np.where(number % 2 == 0, k.size - 1, (number * 0.618 % 1 * k.size).astype(int))
    fast = jax.vmap(eval_curve, (None, 0))(curve, v)[number, index]

    def exact(args: tuple[Array, Array]) -> Array:
        k, v = args
        return log_failure(k, v, beta, eps, difficulty)

    slow = jax.lax.map(exact, (k[index], v), batch_size=4)
    return jnp.max(jnp.abs(fast / jnp.exp(slow) - 1))
