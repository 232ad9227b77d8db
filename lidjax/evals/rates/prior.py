"""The prior of the default model: what densities of success rates look like.

At a hundred attempts a problem the counts show the upper part of the density of success rates; how it goes on below,
which decides what thousands of attempts will solve, they hardly show, and maximum likelihood follows the noise. The
prior says what such densities look like. With all attempts of 45 Pythia checkpoints on GSM8K one finds log a
-0.87 ± 0.23, log b 1.5 ± 0.4, log q 0.1 ± 0.5 between checkpoints (empirical Bayes); power laws -log pass@k = a k^-b
with published exponents (0.2 to 0.5) ask for smaller slopes. The mean lies between the two and the width takes in both.
The bend is small in the mean and free: a straight tail is as likely on GSM8K (evidence within 3 nats over 45 groups).
The knee is left nearly free.

That is half of the prior; the other half is about the curve the density makes. Many published pass@k curves are
straight in log(-log pass@k) against log k over four decades (Brown et al. 2024, "Large language monkeys"), which
independent parameters do not know. So the normal prior is multiplied by f(c) = exp(-c²/2s²) + h, where c is the second
difference of log(-log pass@k) at k = 1, 100, 10⁴: 0 for a power law, -0.75 ± 0.15 for the Pythia checkpoints on GSM8K.
The floor h lets counts that are bent say so. With s = 0.07, h = 0.015 the mean error at K = 10⁴ from 100 attempts fell
from .044 to .031 on power laws and from .061 to .031 on beta distributions (12 made-up benchmarks each, on which s from
0.04 to 0.5 and h from 0 to 0.25 were compared; `benchmarks/forecast_evidence.py` makes others), and rose from .099 to
.110 on the GSM8K groups that pass 20 %. Heuristic constants; the back-test says what they are worth.
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
from lidjax.evals.rates.quadrature import COARSE, Grid

PARAMETERS = ("knee", "log_lower", "log_upper", "log_sharpness", "logit_bend")
CURVATURE_AT = (1.0, 1e2, 1e4)  # values of k


class Prior(NamedTuple):
    """Normal priors of (knee x₀, log s, log b, log q, logit r), means and standard deviations, times the preference for
    straight curves f(c) = exp(-c²/2 `straight`²) + `floor`."""

    mean: tuple[float, ...] = (-4.0, -1.2, 1.65, 0.3, -2.5)
    scale: tuple[float, ...] = (3.0, 0.42, 0.6, 0.6, 1.2)
    straight: float = 0.07
    floor: float = 0.015


INDIFFERENT = Prior(
    straight=math.inf
)  # for the tail index: a rate of decay should not be read off a preference for one


def log_prior(params: Float[np.ndarray, "m 5"], prior: Prior, grid: Grid) -> Float[np.ndarray, " m"]:
    """Log density of the prior, normalised."""
    normal = log_normal(params, np.array(prior.mean), np.array(prior.scale))
    return normal + log_preference(params, prior, grid) - log_prior_mass(prior)


@jax.jit
def curvature(params: Float[jax.Array, "m 5"], grid: Grid) -> Float[jax.Array, " m"]:
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


def log_preference(params: Float[np.ndarray, "m 5"], prior: Prior, grid: Grid) -> Float[np.ndarray, " m"]:
    """log f(c), between log `floor` and log(1 + `floor`)."""
    c = np.asarray(curvature(jnp.asarray(params), grid))
    return np.log(np.exp(-0.5 * (c / prior.straight) ** 2) + prior.floor)


@cache
def log_prior_mass(prior: Prior) -> float:
    """log ∫ normal prior · f, by quasi-random points; the same for all counts."""
    centre, scale = np.array(prior.mean), np.array(prior.scale)
    proposal = (centre, np.diag(scale), NEARLY_NORMAL)
    drawn = draw_t(*proposal, seed=0)
    log_weight = log_normal(drawn, centre, scale) - log_t(drawn, *proposal)
    return float(special.logsumexp(log_weight + log_preference(drawn, prior, COARSE)) - np.log(len(drawn)))
