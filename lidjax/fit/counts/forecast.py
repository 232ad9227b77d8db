"""Forecasts of pass@K of the same problems from posterior draws, with the noise of what will be observed.

Two intervals are told apart. The *latent* one is for pass@K of these problems itself, mean_i [1 - (1-p_i)^K]. The *predictive* one
is for the number a run would report: the unbiased estimate from `total` attempts a problem, of which the n in hand are
a part. It is wider by the luck of the attempts to come, and it is what a back-test is scored against.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int
from scipy.special import expit

from lidjax.fit.counts.hierarchy import Counts, Prior, node_probabilities
from lidjax.fit.counts.posterior import Posterior
from lidjax.fit.counts.quadrature import Grid
from lidjax.passk import failure_from_counts

SUBDIVISIONS = 32  # points between two neighbouring nodes when a rate is drawn


class Forecast(NamedTuple):
    """pass@K of one group: the median prediction, its interval for a run, and that of the latent pass@K."""

    k: Int[np.ndarray, " k"]
    prediction: Float[np.ndarray, " k"]
    lower: Float[np.ndarray, " k"]
    upper: Float[np.ndarray, " k"]
    latent: Float[np.ndarray, " k"]
    latent_lower: Float[np.ndarray, " k"]
    latent_upper: Float[np.ndarray, " k"]
    level: float


@jax.jit
def draw_nodes(keys, draws, counts: Counts, prior: Prior, grid: Grid) -> Int[jax.Array, "s g p"]:
    cell = partial(node_probabilities, counts=counts, prior=prior, grid=grid)
    return jax.lax.map(lambda pair: cell(*pair), (keys, draws))


def draw_rates(key, posterior: Posterior, counts: Counts, n, c, *, num_draws: int = 400) -> Float[np.ndarray, "s g p"]:
    """Success rates of all problems in all groups, `num_draws` joint draws from the posterior.

    `n`, `c` (G, P) are the counts themselves (0, 0 where a problem is absent). A node is drawn first, then a point near it
    with the weight of the exact likelihood and of the node's hat function, so sharp likelihoods stay sharp.
    """
    chosen = np.linspace(0, len(posterior.draws) - 1, num_draws).round().astype(int)
    node_key, point_key = jax.random.split(key)
    keys = jax.random.split(node_key, num_draws)
    nodes = np.asarray(draw_nodes(keys, jnp.asarray(posterior.draws[chosen]), counts, posterior.prior, posterior.grid))
    rng = np.random.default_rng(np.asarray(jax.random.key_data(point_key)).tolist())
    x = np.asarray(posterior.grid.nodes)
    gaps = np.concatenate([[0.0], np.diff(x), [0.0]])
    share = (np.arange(SUBDIVISIONS) + 0.5) / SUBDIVISIONS
    offsets = np.concatenate([-share[::-1], share])
    rates = np.empty(nodes.shape)
    for s in range(num_draws):
        node = nodes[s][..., None]
        width = np.where(offsets < 0, gaps[node], gaps[node + 1])
        points = x[node] + offsets * width
        log_weight = -c[..., None] * np.logaddexp(0, -points) - (n - c)[..., None] * np.logaddexp(0, points)
        weight = np.exp(log_weight - log_weight.max(-1, keepdims=True)) * (1 - np.abs(offsets)) * width
        mass = np.cumsum(weight, axis=-1)
        index = np.sum(mass < rng.random(nodes[s].shape)[..., None] * mass[..., -1:], axis=-1)
        rates[s] = expit(np.take_along_axis(points, index[..., None], axis=-1)[..., 0])
    return rates


def forecast_run(rng: np.random.Generator, rates, n, c, k, total, *, level: float = 0.9) -> Forecast:
    """Forecast pass@k (K,) for one group from `rates` (S, P) and counts (P,), of a run of `total` attempts a problem.

    `total` is a number, an array (P,), or None for "as many as K (or n, where that is more)". Attempts already made count.
    """
    k = np.atleast_1d(np.asarray(k, dtype=np.int64))
    edges = [(1 - level) / 2, 0.5, (1 + level) / 2]
    latent = np.stack([-np.expm1(size * np.log1p(-rates)).mean(axis=1) for size in k])
    run = np.empty_like(latent)
    for j, size in enumerate(k):
        attempts = np.maximum(n, size if total is None else total)
        found = c + rng.binomial(attempts - n, rates)
        run[j] = 1 - failure_from_counts(np.broadcast_to(attempts, found.shape), found, int(size)).mean(axis=1)
    low, middle, high = np.quantile(run, edges, axis=1)
    latent_low, latent_middle, latent_high = np.quantile(latent, edges, axis=1)
    return Forecast(k, middle, low, high, latent_middle, latent_low, latent_high, level)
