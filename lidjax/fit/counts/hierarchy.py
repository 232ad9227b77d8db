"""The default model: one population of success rates a group, a difficulty that a problem keeps across groups.

Group g draws p from a generalised logistic density of x = logit p (`families.py`) with parameters (x₀, a, b, q)_g. Over
groups log a, log b and log q scatter around common means, so a group whose counts do not show its tail borrows it. Problem i
has a difficulty d_i ~ N(0,1), the same in every group; its normal score in group g is λ_g d_i + √(1-λ_g²) e_ig (a
one-factor Gaussian copula), so each group keeps its own density whatever λ is. d_i is integrated out on a grid.

The prior is weak and says so: tail indices of published pass@k curves lie between about 0.1 and 1 (Brown et al. 2024;
Schaeffer et al. 2025). Every scale below is a heuristic; widths were chosen so that beta, logit-normal and two-tail
populations are all within two standard deviations.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtri
from jaxtyping import Array, Float, Int

from lidjax.fit.counts.families import bent_logistic_log_density
from lidjax.fit.counts.quadrature import COARSE, CountRows, Grid, count_rows

PER_GROUP = 6  # x₀, log s, log b, log q, logit r, logit λ
COMMON = 4  # means of log s, log b, log q, logit r over groups
LARGEST_LOADING = 0.97  # closer to 1 the difficulty would need a finer grid
DIFFICULTY = np.linspace(-4.2, 4.2, 25)
LOG_DIFFICULTY_WEIGHT = -0.5 * DIFFICULTY**2 - np.log(np.sum(np.exp(-0.5 * DIFFICULTY**2)))
FLOOR = 1e-100
DENSITY_FLOOR = 1e-14


class Prior(NamedTuple):
    """Means and standard deviations of the unconstrained parameters: `spread` is over groups, `common_*` of their mean."""

    knee: tuple[float, float] = (-4.0, 4.0)
    common_mean: tuple[float, ...] = (-0.9, 1.4, 0.2, 0.0)
    common_scale: tuple[float, ...] = (0.4, 0.7, 0.6, 1.2)
    spread: tuple[float, ...] = (0.25, 0.4, 0.4, 0.4)
    loading: tuple[float, float] = (2.0, 1.0)


class Counts(NamedTuple):
    """G groups over P problems: `likelihood` (G, U, N) rows, `index` (G, P) into them. Absent problems have a row of
    their own, with likelihood 1 whatever p is. Unused rows are likewise 1.
    """

    likelihood: Float[Array, "g u n"]
    index: Int[Array, "g p"]


def stack_counts(groups: list[tuple[Array, Array]], present=None, grid: Grid = COARSE) -> tuple[Counts, list[CountRows]]:
    """Counts of groups over one list of problems; `groups` has (n, c), each (P,), and `present` a mask (P,) for each.

    Rows are padded to a power of two, so that data sets of one size share a compiled program.
    """
    present = [np.ones(len(n), bool) for n, _ in groups] if present is None else present
    tables = [count_rows(np.where(here, n, 0), np.where(here, c, 0), grid) for (n, c), here in zip(groups, present, strict=True)]
    longest = max(len(table.n) for table in tables)
    rows = max(32, 1 << (longest - 1).bit_length())
    likelihood = np.ones((len(tables), rows, len(grid.nodes)))
    for g, table in enumerate(tables):
        likelihood[g, : len(table.n)] = table.likelihood
    index = np.stack([table.index for table in tables])
    return Counts(jnp.asarray(likelihood), jnp.asarray(index)), tables


def num_params(num_groups: int) -> int:
    return PER_GROUP * num_groups + COMMON


def group_params(white: Float[Array, " d"], num_groups: int, prior: Prior) -> Float[Array, "g 6"]:
    """(x₀, log a, log b, log q, logit λ) of each group from parameters that are standard normal under the prior."""
    own = white[: PER_GROUP * num_groups].reshape(num_groups, PER_GROUP)
    mean = jnp.asarray(prior.common_mean) + jnp.asarray(prior.common_scale) * white[PER_GROUP * num_groups :]
    shape = mean[None, :] + jnp.asarray(prior.spread)[None, :] * own[:, 1:5]
    knee = prior.knee[0] + prior.knee[1] * own[:, :1]
    return jnp.concatenate([knee, shape, prior.loading[0] + prior.loading[1] * own[:, 5:]], axis=1)


def normal_scores(log_density: Float[Array, " n"], grid: Grid) -> Float[Array, " n"]:
    """Φ⁻¹(F(x)) at the nodes, from whichever tail is the smaller."""
    mass = jnp.exp(log_density) * jnp.asarray(grid.weights)
    below = jnp.cumsum(mass) - 0.5 * mass
    above = jnp.cumsum(mass[::-1])[::-1] - 0.5 * mass
    lower = ndtri(jnp.clip(below, DENSITY_FLOOR, 0.5))
    upper = -ndtri(jnp.clip(above, DENSITY_FLOOR, 0.5))
    return jnp.where(below < above, lower, upper)


def conditional_density(params: Float[Array, "6"], grid: Grid) -> Float[Array, "n m"]:
    """Density of x at the nodes given each difficulty on its grid; its mean over difficulties is the group's density."""
    log_density = bent_logistic_log_density(params[:5], grid)
    score = normal_scores(log_density, grid)
    loading = LARGEST_LOADING * jax.nn.sigmoid(params[5])
    rest = 1 - loading**2
    shift = score[:, None] - loading * jnp.asarray(DIFFICULTY)[None, :]
    return jnp.exp(log_density[:, None] + 0.5 * (score[:, None] ** 2 - shift**2 / rest - jnp.log(rest)))


def difficulty_log_likelihood(params, counts: Counts, grid: Grid) -> Float[Array, "p m"]:
    """log Π_g P(counts of problem i in group g | d), for every problem and difficulty."""

    def of_group(own, likelihood, index):
        rows = jnp.matmul(likelihood, conditional_density(own, grid), precision="highest")
        return jnp.log(rows + FLOOR)[index]

    return jnp.sum(jax.vmap(of_group)(params, counts.likelihood, counts.index), axis=0)


def negative_log_posterior(white: Float[Array, " d"], counts: Counts, prior: Prior, grid: Grid) -> Float[Array, ""]:
    """-log p(parameters, counts) up to a constant. One group needs no difficulty: its density is used as it is."""
    num_groups = counts.index.shape[0]
    params = group_params(white, num_groups, prior)
    if num_groups == 1:
        density = jnp.exp(bent_logistic_log_density(params[0, :5], grid))
        rows = jnp.matmul(counts.likelihood[0], density, precision="highest")
        total = jnp.sum(jnp.log(rows + FLOOR)[counts.index[0]])
    else:
        by_difficulty = difficulty_log_likelihood(params, counts, grid)
        total = jnp.sum(jax.nn.logsumexp(by_difficulty + jnp.asarray(LOG_DIFFICULTY_WEIGHT)[None, :], axis=1))
    return 0.5 * jnp.sum(white**2) - total


def node_probabilities(key, white: Float[Array, " d"], counts: Counts, prior: Prior, grid: Grid) -> Int[Array, "g p"]:
    """Draw the grid node of every problem's rate in every group from its posterior, given the parameters."""
    num_groups, num_problems = counts.index.shape
    params = group_params(white, num_groups, prior)
    difficulty_key, node_key = jax.random.split(key)
    by_difficulty = difficulty_log_likelihood(params, counts, grid) + jnp.asarray(LOG_DIFFICULTY_WEIGHT)[None, :]
    difficulty = jax.random.categorical(difficulty_key, by_difficulty, axis=1)
    uniforms = jax.random.uniform(node_key, (num_groups, num_problems), white.dtype)

    def of_group(own, likelihood, index, uniform):
        given = conditional_density(own, grid) if num_groups > 1 else jnp.exp(bent_logistic_log_density(own[:5], grid))[:, None]
        column = given[:, difficulty] if num_groups > 1 else given
        mass = jnp.cumsum(likelihood[index] * column.T, axis=1)
        return jnp.sum(mass < uniform[:, None] * mass[:, -1:], axis=1)

    return jax.vmap(of_group)(params, counts.likelihood, counts.index, uniforms)
