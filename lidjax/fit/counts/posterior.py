"""Posterior of the default model: optimum, metric, Hamiltonian Monte Carlo; says whether the chains agree."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.optimize import minimize

from lidjax.fit.counts.hierarchy import Counts, Prior, negative_log_posterior, num_params
from lidjax.fit.counts.hmc import Chains, run_block, split_rhat
from lidjax.fit.counts.quadrature import COARSE, Grid

NUM_CHAINS = 4
BLOCK = 60  # transitions a block; three to warm up, then the sample
NUM_LEAPFROG = 8
FLAT = 0.3  # the prior's curvature is 1 in these parameters: smaller or negative curvature is not trusted
DIFFERENCE = 1e-4
FIRST_STEP = 0.25
RHAT_LIMIT = 1.1


class Posterior(NamedTuple):
    """`draws` (S, D) of the whitened parameters, chains one after another; `rhat` the worst over parameters."""

    draws: Float[np.ndarray, "s d"]
    rhat: float
    acceptance: float
    prior: Prior
    grid: Grid

    @property
    def converged(self) -> bool:
        return self.rhat < RHAT_LIMIT


@jax.jit
def potential_and_gradient(white, counts: Counts, prior: Prior, grid: Grid):
    return jax.value_and_grad(negative_log_posterior)(white, counts, prior, grid)


def curvature(gradient: Callable[[np.ndarray], np.ndarray], point: np.ndarray) -> Float[np.ndarray, "d d"]:
    """Hessian by central differences of the gradient; only a metric, so its six digits are enough (a compiled Hessian
    of this model takes longer to build than the whole sample takes to draw)."""
    steps = DIFFERENCE * np.eye(len(point))
    columns = [(gradient(point + step) - gradient(point - step)) / (2 * DIFFERENCE) for step in steps]
    return 0.5 * (np.array(columns) + np.array(columns).T)


@partial(jax.jit, static_argnames="length")
def sample_block(key, chains: Chains, factor, adapt, counts: Counts, prior: Prior, grid: Grid, length: int):
    potential = partial(negative_log_posterior, counts=counts, prior=prior, grid=grid)
    return run_block(key, potential, chains, factor, adapt, length=length, num_steps=NUM_LEAPFROG)


def sample_posterior(key, counts: Counts, *, prior: Prior | None = None, grid: Grid = COARSE, blocks: int = 3) -> Posterior:
    """Draw blocks · 60 · 4 parameters of the default model from their posterior given `counts`.

    `blocks` after the warm-up are kept; more are added, up to twice as many, while the chains disagree.
    """
    prior = Prior() if prior is None else prior
    size = num_params(counts.index.shape[0])

    def objective(white):
        value, slope = potential_and_gradient(jnp.asarray(white), counts, prior, grid)
        return float(value), np.asarray(slope)

    found = minimize(objective, np.zeros(size), jac=True, method="L-BFGS-B", options={"maxiter": 150})
    values, axes = np.linalg.eigh(curvature(lambda white: objective(white)[1], found.x))
    factor = np.linalg.cholesky((axes / np.maximum(values, FLAT)) @ axes.T)

    key, start_key = jax.random.split(key)
    noise = np.asarray(jax.random.normal(start_key, (NUM_CHAINS, size)))
    position = found.x + 0.5 * noise @ factor.T
    potential, gradient = (np.stack(x) for x in zip(*map(objective, position), strict=True))
    chains = Chains(*(jnp.asarray(x) for x in (position, potential, gradient, np.log(FIRST_STEP))))
    block = partial(sample_block, counts=counts, prior=prior, grid=grid, length=BLOCK)
    adapt, keep = jnp.asarray(True), jnp.asarray(False)
    warm = []
    for step in range(3):
        key, block_key = jax.random.split(key)
        chains, positions, _ = block(block_key, chains, jnp.asarray(factor), adapt)
        warm.append(np.asarray(positions).reshape(-1, size))
        if step > 0:  # the sample covariance, shrunk towards the curvature it replaces
            spread = np.cov(np.concatenate(warm[1:]).T)
            factor = np.linalg.cholesky(0.9 * spread + 0.1 * factor @ factor.T)
    kept: list[np.ndarray] = []
    acceptance: list[float] = []
    while True:
        key, block_key = jax.random.split(key)
        chains, positions, accept = block(block_key, chains, jnp.asarray(factor), keep)
        kept.append(np.asarray(positions))
        acceptance.append(float(accept))
        rhat = float(jnp.max(split_rhat(jnp.asarray(np.concatenate(kept)))))
        if len(kept) >= blocks and (rhat < RHAT_LIMIT or len(kept) >= 2 * blocks):
            break
    draws = np.concatenate(kept).transpose(1, 0, 2).reshape(-1, size)
    return Posterior(draws, rhat, float(np.mean(acceptance)), prior, grid)
