"""Posterior of the default model: a bent logistic density of x = logit p, with the prior of `prior.py`.

The posterior of one group is sampled by adaptive importance sampling: population Monte Carlo with t proposals and
deterministic mixture weights (Cappé et al. 2004; Owen and Zhou 2000), in four rounds of quasi-random points. There are
no chains, and the effective sample size says whether the sample can be trusted.
"""

# pyright: reportPossiblyUnboundVariable=false
# (the loop over rounds runs at least once)

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from scipy import special

from lidjax.evals.rates.families import bent_logistic_log_density
from lidjax.evals.rates.importance import NEARLY_NORMAL, draw_t, log_t, temper
from lidjax.evals.rates.likelihood import TINY, PaddedRows, pad_rows
from lidjax.evals.rates.prior import Prior, log_prior
from lidjax.evals.rates.quadrature import COARSE_GRID, CountRows, LogitGrid

ROUNDS = 4
PROPOSAL_DF = 6.0
WIDER = 1.15  # heuristic: covariance of the next proposal over that of the sample so far
FEWEST_TRUSTED = 100.0  # heuristic: effective sample size below which the sample has not converged


class Posterior(NamedTuple):
    """Posterior of the default model's parameters, as weighted points."""

    params: Float[np.ndarray, "m 5"]
    """Points (M, 5), in the order of `prior.PARAMETERS`."""
    weights: Float[np.ndarray, " m"]
    """Weights of the points (M,), which sum to 1."""
    effective_sample_size: float
    """Number of equally weighted points that would be worth as much."""
    log_evidence: float
    """log P(counts) in nats, binomial coefficients included."""

    @property
    def converged(self) -> bool:
        """Whether the effective sample size is large enough to trust the sample."""
        return self.effective_sample_size >= FEWEST_TRUSTED


@jax.jit
def log_likelihood(
    params: Float[jax.Array, "m 5"], rows: PaddedRows, grid: LogitGrid
) -> Float[jax.Array, " m"]:
    """log P(counts | params) for M parameter vectors at once, up to the rows' log scales."""
    density = jnp.exp(jax.vmap(lambda x: bent_logistic_log_density(x, grid))(params))
    values = jnp.matmul(density, jnp.asarray(rows.likelihood).T, precision="highest")
    return jnp.matmul(jnp.log(jnp.maximum(values, TINY)), jnp.asarray(rows.multiplicity), precision="highest")


def sample_posterior(
    rows: CountRows, *, prior: Prior | None = None, seed: int = 0, grid: LogitGrid = COARSE_GRID
) -> Posterior:
    """Posterior of one group from its rows, `count_rows(n, c, grid)`."""
    prior = Prior() if prior is None else prior
    padded = pad_rows(rows)
    location, factor, df = np.array(prior.mean), np.diag(prior.scale), NEARLY_NORMAL
    proposals: list[tuple[np.ndarray, np.ndarray, float]] = []
    points: list[np.ndarray] = []
    targets: list[np.ndarray] = []
    for step in range(ROUNDS):
        proposals.append((location, factor, df))
        drawn = draw_t(location, factor, df, seed=ROUNDS * seed + step)
        points.append(drawn)
        likelihood = np.asarray(log_likelihood(jnp.asarray(drawn), padded, grid))
        targets.append(likelihood + log_prior(drawn, prior, grid))
        params = np.concatenate(points)
        mixture = special.logsumexp([log_t(params, *proposal) for proposal in proposals], axis=0)
        log_weight = np.concatenate(targets) - mixture + np.log(len(proposals))
        tempered = temper(log_weight)
        location = tempered @ params
        spread = params - location
        covariance = WIDER * (spread * tempered[:, None]).T @ spread + 1e-6 * np.eye(len(location))
        factor, df = np.linalg.cholesky(covariance), PROPOSAL_DF
    weights = special.softmax(log_weight)
    evidence = (
        special.logsumexp(log_weight) - np.log(len(log_weight)) + np.sum(rows.multiplicity * rows.log_scale)
    )
    return Posterior(params, weights, float(1 / np.sum(weights**2)), float(evidence))


def draw_parameters(posterior: Posterior, count: int, rng: np.random.Generator) -> Float[np.ndarray, "s 5"]:
    """`count` equally weighted draws from a posterior, in random order (systematic resampling)."""
    levels = (np.arange(count) + rng.random()) / count
    chosen = np.searchsorted(np.cumsum(posterior.weights), levels).clip(0, len(posterior.weights) - 1)
    return posterior.params[rng.permutation(chosen)]
