"""L_inf(k) for many training losses at one (β, δ/σ): a mixture over the bias, exact in v = L_gen/σ².

At a given bias the failure R_k(α), α = (B/σ)²/2, does not depend on v, and v enters only through the law of
α, which is v times a Gamma(1/2) variable. With L_0 the bias-free failure,

    L_inf(k; v) = L_0(k) + ∫ g(α/v) [R_k(α) - L_0(k)] dlog α,    g(u) = √(u/π) e^-u.

`build_curve` tabulates R_k - L_0 once, on nodes that serve every v of a range; `eval_curve` is then one
weighted sum of positive terms, at any v, with exact derivatives. No interpolation: the crossover between the
two tails, very sharp in v, is the sum's own.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from lidjax.difficulty import Difficulty, check_difficulty
from lidjax.passk.population import Rule, log_bias_free, log_failure, precision_range, tail_threshold
from lidjax.passk.quadrature import graded_nodes, log_prior, log_rate, log_rate_unbiased

BIAS_NODES = 320
TAU_NODES = 640
_DEPTH = Rule(free=256, outer=0, inner=0, depth=24.0)
_LEFT, _RIGHT = 8.0, 45.0  # g is below e^-12 left of v e^-8, where a series takes over, and e^-45 beyond 45 v
_ROWS = 8  # rows of the table computed side by side: 8 · 64 · 640 values fit the cache


class FailureCurve(NamedTuple):
    """What `eval_curve` needs: n biases, one failure curve of length k each.

    alpha   (n,)   (B/σ)²/2
    weight  (n,)   step of log α at each node
    free    (k,)   L_inf(k) without bias
    rise    (n, k) R_k(α) - free, ≥ 0
    v_low, v_high  the range of v it was built for
    error          largest relative error at the check points, against the rule of `pass_at_k_failure`
    """

    alpha: Float[Array, " n"]
    weight: Float[Array, " n"]
    free: Float[Array, " k"]
    rise: Float[Array, "n k"]
    v_low: Float[Array, ""]
    v_high: Float[Array, ""]
    error: Float[Array, ""]


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
    """Tabulate the failure at given bias, for v from e^log_v_low to e^log_v_high and increasing k ≥ 1.

    One cell: vmap it over β and δ/σ (bounds, k, β, δ/σ are traced; node counts are static). `checks` values
    are compared with the full quadrature, half of them at the largest k, the hardest; with checks = 0
    `error` is NaN. Measured over v in three blocks from 1e-10 to 1e4, β from 0.1 to 20, δ/σ from 1e-6 to 10, both
    priors: to k = 1e12 the median error is below 2e-11, nine in ten are below 2e-6, and twice the nodes bring
    those to 2e-13 and 3e-11. What stays bad is β ≥ 6 with δ/σ = 10, and values below the smallest float;
    `error` says so.
    Cost: bias_nodes · tau_nodes · len(k) exponentials, 0.04 s of one core for 64 k, and 1 ms a check.
    """
    check_difficulty(difficulty)
    log_alpha, weight = _bias_nodes(
        log_v_low, log_v_high, k[-1], beta, delta_over_sigma, difficulty, bias_nodes
    )
    free = jnp.exp(jax.vmap(lambda k: log_bias_free(k, beta, delta_over_sigma, difficulty, _DEPTH))(k))
    y, dy = _precision_nodes(
        log_v_low, log_v_high, k[-1], free[-1], beta, delta_over_sigma, difficulty, tau_nodes
    )
    log_tau, log_f = log_prior(y, beta, difficulty)
    root = jnp.exp(log_tau / 2)
    h, f = delta_over_sigma * root, jnp.exp(log_f) * dy

    def failure(rate):
        return jnp.matmul(jnp.exp(-k[:, None] * rate[None, :]), f, precision="highest")

    unbiased = failure(jnp.exp(log_rate_unbiased(h)))

    def row(log_alpha):
        return failure(jnp.exp(log_rate(jnp.exp(0.5 * (math.log(2) + log_alpha)) * root, h)[0])) - unbiased

    rise = jax.lax.map(row, log_alpha, batch_size=_ROWS)
    v_low, v_high = jnp.exp(log_v_low), jnp.exp(log_v_high)
    curve = FailureCurve(jnp.exp(log_alpha), weight, free, rise, v_low, v_high, jnp.full_like(v_low, jnp.nan))
    if checks == 0:
        return curve
    return curve._replace(error=_check(curve, k, beta, delta_over_sigma, difficulty, checks))


def eval_curve(curve: FailureCurve, v: Float[Array, ""]) -> Float[Array, " k"]:
    """L_inf(k) at v = L_gen/σ² for the k of the curve; one cell, vmap it over v.

    Below the curve's range what bias adds is taken as proportional to v: exact in the limit v → 0, and wrong
    by at most what it is at the lower end. Above the range: NaN.
    """
    held = jnp.maximum(v, curve.v_low)
    u = curve.alpha / held
    density = jnp.sqrt(u / math.pi) * jnp.exp(-u) * curve.weight
    # Left of the first node the integrand is ∝ α^(3/2): a geometric series.
    density = density.at[0].multiply(1 + 1 / jnp.expm1(1.5 * curve.weight[0]))
    added = jnp.matmul(density, curve.rise, precision="highest") * jnp.minimum(v / curve.v_low, 1)
    return jnp.where((v >= 0) & (v <= curve.v_high), curve.free + added, jnp.nan)


def _bias_nodes(log_v_low, log_v_high, k, beta, eps, difficulty: Difficulty, count: int):
    """Nodes in q = log α and their weights. The densities are heuristic; what counts is their ratio.

    3 a unit on the left, where bias only perturbs the small-τ instances. 17 from (2/β) e^-1.5 on, where the
    finite-N tail may rule, for the gamma prior a feature as narrow as (β log k)^(-1/2). For the power prior
    also 1.3√β α, up to the α where its easiest instances turn hopeless at the largest k: within β^(-1/2).
    """
    turn = jnp.log(2 / beta) - 1.5
    start = jnp.minimum(log_v_low, turn) - _LEFT  # where what bias adds is ∝ α
    hopeless = (eps + jnp.sqrt(2 * (1 + jnp.log(k)))) ** 2 / 2
    edge = 1.3 * jnp.sqrt(beta) if difficulty == "power" else 0.0

    def position(q):
        bump = hopeless * jnp.arctan(jnp.exp(q) / hopeless)
        return 3 * q + 14 * jax.nn.softplus(q - turn) + edge * bump

    return graded_nodes(position, start, log_v_high + math.log(_RIGHT), count)


def _precision_nodes(log_v_low, log_v_high, k, free, beta, eps, difficulty: Difficulty, count: int):
    """Nodes in y(τ), and their weights, for every k up to this one and every v of the range.

    Densities (heuristic): 4 a unit, and 18 where ατ > 1 for the largest α but τ < 1: there an instance of
    given bias turns hopeless within 1/log k in log τ.
    """
    log_free = jnp.log(free)
    smallest = jnp.maximum(jnp.exp(log_v_low), tail_threshold(k, eps, log_free, difficulty, _DEPTH))
    low, _ = precision_range(k, jnp.exp(log_v_high), beta, eps, log_free, difficulty, _DEPTH)
    _, high = precision_range(k, smallest, beta, eps, log_free, difficulty, _DEPTH)
    start = -jnp.maximum(log_v_high + math.log(_RIGHT), 0)

    def position(y):
        return 4 * y + 14 * (jax.nn.softplus(y - start) - jax.nn.softplus(y - 1))

    return graded_nodes(position, low, high, count)


def _check(curve: FailureCurve, k, beta, eps, difficulty: Difficulty, checks: int):
    """Largest relative error over `checks` pairs (k, v) spread over the range, off any node."""
    row = np.arange(checks)
    v = curve.v_low * (curve.v_high / curve.v_low) ** jnp.asarray((row + 0.5) / checks, k.dtype)
    index = np.where(row % 2 == 0, k.size - 1, (row * 0.618 % 1 * k.size).astype(int))
    fast = jax.vmap(eval_curve, (None, 0))(curve, v)[row, index]

    def exact(args):
        k, v = args
        return log_failure(k, v, beta, eps, difficulty)

    slow = jax.lax.map(exact, (k[index], v), batch_size=4)
    return jnp.max(jnp.abs(fast / jnp.exp(slow) - 1))
