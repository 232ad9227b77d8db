"""The default model of one group: a bent logistic density of x = logit p, its parameters with a prior (`prior.py`).

The posterior is sampled by adaptive importance sampling (a population Monte Carlo with t proposals, deterministic
mixture weights; Cappé et al. 2004, Owen and Zhou 2000), four rounds of quasi-random points: no chains, and the
effective sample size says whether to trust it.
"""

# pyright: reportPossiblyUnboundVariable=false
# (the loops over rounds run at least once)

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from scipy import special

from lidjax.evals.rates.families import bent_logistic_log_density
from lidjax.evals.rates.importance import NEARLY_NORMAL, draw_t, log_t, temper
from lidjax.evals.rates.likelihood import TINY, Table, pad_rows
from lidjax.evals.rates.prior import Prior, log_prior
from lidjax.evals.rates.quadrature import COARSE, CountRows, Grid

ROUNDS = 4
PROPOSAL_DF = 6.0
WIDER = 1.15  # the proposal's covariance over that of the sample so far
TRUSTED = 100.0  # effective sample size below which the sample is said not to have converged


class Posterior(NamedTuple):
    """Weighted points of the parameters. `log_evidence` is log P(counts), binomial coefficients included."""

    params: Float[np.ndarray, "m 5"]
    weights: Float[np.ndarray, " m"]
    effective: float
    log_evidence: float

    @property
    def converged(self) -> bool:
        return self.effective >= TRUSTED


@jax.jit
def log_likelihood(params: Float[jax.Array, "m 5"], table: Table, grid: Grid) -> Float[jax.Array, " m"]:
    """log P(counts | params) of many parameters at once, up to the rows' log scales."""
    density = jnp.exp(jax.vmap(lambda x: bent_logistic_log_density(x, grid))(params))
    rows = jnp.matmul(density, jnp.asarray(table.likelihood).T, precision="highest")
    return jnp.matmul(jnp.log(jnp.maximum(rows, TINY)), jnp.asarray(table.multiplicity), precision="highest")


def sample_posterior(
    rows: CountRows, *, prior: Prior | None = None, seed: int = 0, grid: Grid = COARSE
) -> Posterior:
    """Posterior of one group from its `rows` on `grid` (`count_rows(n, c, COARSE)`)."""
    prior = Prior() if prior is None else prior
    table = pad_rows(rows)
    location, factor, df = np.array(prior.mean), np.diag(prior.scale), NEARLY_NORMAL
    proposals: list[tuple[np.ndarray, np.ndarray, float]] = []
    points: list[np.ndarray] = []
    targets: list[np.ndarray] = []
    for step in range(ROUNDS):
        proposals.append((location, factor, df))
        drawn = draw_t(location, factor, df, seed=ROUNDS * seed + step)
        points.append(drawn)
        likelihood = np.asarray(log_likelihood(jnp.asarray(drawn), table, grid))
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


def resample(posterior: Posterior, count: int, rng: np.random.Generator) -> Float[np.ndarray, "s 5"]:
    """`count` equally weighted draws, in random order (systematic resampling)."""
    places = (np.arange(count) + rng.random()) / count
    chosen = np.searchsorted(np.cumsum(posterior.weights), places).clip(0, len(posterior.weights) - 1)
    return posterior.params[rng.permutation(chosen)]
