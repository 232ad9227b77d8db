"""The default model of one group: a bent logistic density of x = logit p, its parameters with a prior.

At a hundred attempts a problem the counts show the upper part of the density of success rates; how it goes on below,
which decides what thousands of attempts will solve, they hardly show, and maximum likelihood follows the noise. The
prior says what such densities look like. With all attempts of 45 Pythia checkpoints on GSM8K one finds log a
-0.87 ± 0.23, log b 1.5 ± 0.4, log q 0.1 ± 0.5 between checkpoints (empirical Bayes); power laws -log pass@k = a k^-b
with published exponents (0.2 to 0.5) ask for smaller slopes. The mean lies between the two and the width takes in both.
The bend is small in the mean and free: a straight tail is as likely on GSM8K (evidence within 3 nats over 45 groups).
The knee is left nearly free. These are heuristic constants; the back-test says what they are worth.

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
from scipy.stats import qmc

from lidjax.fit.counts.families import bent_logistic_log_density
from lidjax.fit.counts.likelihood import TINY, Table, pad_rows
from lidjax.fit.counts.quadrature import COARSE, CountRows, Grid

PARAMETERS = ("knee", "log_lower", "log_upper", "log_sharpness", "logit_bend")
ROUNDS, POINTS = 4, 1024
PROPOSAL_DF = 6.0
WIDER = 1.15  # the proposal's covariance over that of the sample so far
FEWEST = 60.0  # weights are tempered until this many points count
TRUSTED = 100.0  # effective sample size below which the sample is said not to have converged


class Prior(NamedTuple):
    """Independent normal priors of (knee x₀, log s, log b, log q, logit r): means and standard deviations."""

    mean: tuple[float, ...] = (-4.0, -1.2, 1.65, 0.3, -2.5)
    scale: tuple[float, ...] = (3.0, 0.42, 0.6, 0.6, 1.2)


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
    centre, scale = np.array(prior.mean), np.array(prior.scale)
    location, factor, df = centre, np.diag(scale), 50.0
    proposals: list[tuple[np.ndarray, np.ndarray, float]] = []
    points: list[np.ndarray] = []
    targets: list[np.ndarray] = []
    for step in range(ROUNDS):
        proposals.append((location, factor, df))
        drawn = draw_t(location, factor, df, seed=ROUNDS * seed + step)
        log_prior = -0.5 * np.sum(((drawn - centre) / scale) ** 2 + np.log(2 * np.pi * scale**2), axis=1)
        points.append(drawn)
        targets.append(np.asarray(log_likelihood(jnp.asarray(drawn), table, grid)) + log_prior)
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


def draw_t(location, factor, df: float, *, seed: int) -> Float[np.ndarray, "m d"]:
    """POINTS quasi-random points of a multivariate t."""
    sobol = qmc.Sobol(len(location) + 1, seed=seed)  # pyright: ignore[reportCallIssue]
    uniform = sobol.random(POINTS)
    radius = np.sqrt(special.gammaincinv(df / 2, uniform[:, -1:]) * 2 / df)
    return location + (special.ndtri(uniform[:, :-1]) / radius) @ factor.T


def log_t(points, location, factor, df: float) -> Float[np.ndarray, " m"]:
    """Log density of that multivariate t."""
    dim = len(location)
    square = np.sum(np.linalg.solve(factor, (points - location).T) ** 2, axis=0)
    norm = special.gammaln((df + dim) / 2) - special.gammaln(df / 2) - 0.5 * dim * np.log(df * np.pi)
    return norm - np.sum(np.log(np.diag(factor))) - 0.5 * (df + dim) * np.log1p(square / df)


def temper(log_weight) -> Float[np.ndarray, " m"]:
    """Normalised weights, raised to the largest power ≤ 1 at which FEWEST points count: the next proposal is then
    fitted to more than a lucky point or two."""
    low, high, power = 0.0, 1.0, 1.0
    for _ in range(20):
        weights = special.softmax(power * log_weight)
        enough = 1 / np.sum(weights**2) >= FEWEST
        if enough and power == 1.0:
            return weights
        low, high = (power, high) if enough else (low, power)
        power = 0.5 * (low + high)
    return special.softmax(low * log_weight)


def resample(posterior: Posterior, count: int, rng: np.random.Generator) -> Float[np.ndarray, "s 5"]:
    """`count` equally weighted draws, in random order (systematic resampling)."""
    places = (np.arange(count) + rng.random()) / count
    chosen = np.searchsorted(np.cumsum(posterior.weights), places).clip(0, len(posterior.weights) - 1)
    return posterior.params[rng.permutation(chosen)]
