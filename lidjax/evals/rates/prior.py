"""The prior of the default model: what is known about densities of success rates before any counts.

At a hundred attempts a problem the counts determine the upper part of the density of success rates. How the density
continues below, which decides what thousands of attempts will solve, they hardly determine, and maximum likelihood
follows the noise there. The prior states what such densities look like. With all attempts of 45 Pythia checkpoints on
GSM8K, empirical Bayes gives log a = -0.87 ± 0.23, log b = 1.5 ± 0.4, log q = 0.1 ± 0.5 between checkpoints. Power laws
-log pass@k = a k^-b with published exponents (0.2 to 0.5) need smaller slopes. The mean of the prior lies between the
two, and its width covers both. The bend is small in the mean and otherwise free: on GSM8K a straight tail is as likely
(evidence within 3 nats over 45 groups). The knee is nearly free.

The second factor of the prior concerns the pass@k curve. Many published curves are straight in log(-log pass@k) against
log k over four decades (Brown et al. 2024, "Large language monkeys"), which independent normal parameters do not
express. So the normal prior is multiplied by f(c) = exp(-c²/2s²) + h, where c is the second difference of
log(-log pass@k) at k = 1, 100, 10⁴: 0 for a power law, -0.75 ± 0.15 for the Pythia checkpoints on GSM8K. The floor h
lets the counts overrule the preference. With s = 0.07 and h = 0.015 the mean error at K = 10⁴ from 100 attempts fell
from .044 to .031 on power laws and from .061 to .031 on beta distributions (12 synthetic benchmarks each, on which s
from 0.04 to 0.5 and h from 0 to 0.25 were compared; `benchmarks/forecast_evidence.py` makes others), and rose from .099
to .110 on the GSM8K groups with a pass@1 of 20 %. These constants are heuristic; a back-test shows what they are worth.
"""

import math
from functools import cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from scipy import special

from lidjax.evals.rates.families import bent_logistic_log_density
from lidjax.evals.rates.importance import NEARLY_NORMAL, draw_t, log_normal, log_t
from lidjax.evals.rates.likelihood import TINY
from lidjax.evals.rates.quadrature import COARSE_GRID, LogitGrid

PARAMETERS = ("knee", "log_lower", "log_upper", "log_sharpness", "logit_bend")
CURVATURE_AT = (1.0, 1e2, 1e4)  # values of k


class Prior(NamedTuple):
    """Normal priors of the parameters, times the preference for straight curves f(c) = exp(-c²/2s²) + h."""

    mean: tuple[float, ...] = (-4.0, -1.2, 1.65, 0.3, -2.5)
    """Means (5,), in the order of PARAMETERS."""
    scale: tuple[float, ...] = (3.0, 0.42, 0.6, 0.6, 1.2)
    """Standard deviations (5,)."""
    straight: float = 0.07
    """s of f(c): curvature at which the preference has fallen off."""
    floor: float = 0.015
    """h of f(c)."""


NO_PREFERENCE = Prior(straight=math.inf)
"""The prior for tail indices: an estimate of the decay must not come from a preference for one decay."""


def log_prior(params: Float[np.ndarray, "m 5"], prior: Prior, grid: LogitGrid) -> Float[np.ndarray, " m"]:
    """Log density of the prior, normalised."""
    normal = log_normal(params, np.array(prior.mean), np.array(prior.scale))
    return normal + log_preference(params, prior, grid) - log_prior_mass(prior)


@jax.jit
def curvature(params: Float[jax.Array, "m 5"], grid: LogitGrid) -> Float[jax.Array, " m"]:
    """Second difference of log(-log pass@k) over CURVATURE_AT: 0 where -log pass@k = a k^-b."""
    density = jnp.exp(jax.vmap(lambda x: bent_logistic_log_density(x, grid))(params))
    mass = density * jnp.asarray(grid.weights)[None, :]
    log_miss = jnp.asarray(CURVATURE_AT)[:, None] * jax.nn.log_sigmoid(-jnp.asarray(grid.nodes))[None, :]
    solved = jnp.matmul(mass, -jnp.expm1(log_miss).T, precision="highest")
    failed = jnp.matmul(mass, jnp.exp(log_miss).T, precision="highest")
    minus_log = jnp.where(
        solved < 0.5, -jnp.log(jnp.maximum(solved, TINY)), -jnp.log1p(-jnp.minimum(failed, 0.5))
    )
    first, middle, last = jnp.log(jnp.maximum(minus_log, TINY)).T
    return first - 2 * middle + last


def log_preference(
    params: Float[np.ndarray, "m 5"], prior: Prior, grid: LogitGrid
) -> Float[np.ndarray, " m"]:
    """log f(c), between log `floor` and log(1 + `floor`)."""
    c = np.asarray(curvature(jnp.asarray(params), grid))
    return np.log(np.exp(-0.5 * (c / prior.straight) ** 2) + prior.floor)


@cache
def log_prior_mass(prior: Prior) -> float:
    """log ∫ normal prior · f, by quasi-random points. It does not depend on the counts."""
    centre, scale = np.array(prior.mean), np.array(prior.scale)
    proposal = (centre, np.diag(scale), NEARLY_NORMAL)
    drawn = draw_t(*proposal, seed=0)
    log_weight = log_normal(drawn, centre, scale) - log_t(drawn, *proposal)
    return float(
        special.logsumexp(log_weight + log_preference(drawn, prior, COARSE_GRID)) - np.log(len(drawn))
    )
