"""Families of success distributions: densities of x = logit p on the grid, as functions of a few real parameters.

A density of x with exp(a x) at its lower end is a density of p with p^(a-1): a is the tail index, and the share of
problems unsolved after k attempts falls like k^-a. All families are normalised on the grid.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from lidjax.evals.rates.quadrature import Grid


class Family(NamedTuple):
    """`log_density(params, grid)` (G,), normalised; a box and starting points for the fit; what the parameters mean.

    `natural(params)` maps to the values people know, named in `names`; `tail_index(params)` is the exponent of the
    unsolved share as k → ∞. `nearby` are steps from a fit to the further starts of a fit to resampled data.
    """

    name: str
    log_density: Callable[[Array, Grid], Array]
    low: tuple[float, ...]
    high: tuple[float, ...]
    starts: tuple[tuple[float, ...], ...]
    names: tuple[str, ...]
    natural: Callable[[Array], Array]
    tail_index: Callable[[Array], Array]
    nearby: tuple[float, ...] = (0.5,)


def normalise(log_density: Float[Array, " g"], grid: Grid) -> Float[Array, " g"]:
    """Scale to unit mass. What lies beyond either end of the grid is put on the end node: there the density is taken to
    go on as the exponential that its last two nodes show."""
    nodes, weights = jnp.asarray(grid.nodes), jnp.asarray(grid.weights)
    rise = (log_density[1] - log_density[0]) / (nodes[1] - nodes[0])
    fall = (log_density[-2] - log_density[-1]) / (nodes[-1] - nodes[-2])
    log_density = log_density.at[0].add(jnp.log1p(1 / (jnp.maximum(rise, 1e-3) * weights[0])))
    log_density = log_density.at[-1].add(jnp.log1p(1 / (jnp.maximum(fall, 1e-3) * weights[-1])))
    return log_density - jax.nn.logsumexp(log_density + jnp.log(weights))


def log_rates(grid: Grid) -> tuple[Float[Array, " g"], Float[Array, " g"]]:
    """(log p, log(1-p)) at the nodes."""
    nodes = jnp.asarray(grid.nodes)
    return jax.nn.log_sigmoid(nodes), jax.nn.log_sigmoid(-nodes)


def beta_log_density(params: Float[Array, "2"], grid: Grid) -> Float[Array, " g"]:
    """p ~ Beta(a, b), params = (log a, log b): counts are beta-binomial."""
    a, b = jnp.exp(params)
    log_p, log_q = log_rates(grid)
    return normalise(a * log_p + b * log_q, grid)


def scaled_beta_log_density(params: Float[Array, "3"], grid: Grid) -> Float[Array, " g"]:
    """p = s u with u ~ Beta(a, b), params = (log a, log b, logit s): no problem is easier than s.

    The density jumps at s, so s moves in steps, from the middle of one cell of the grid to the middle of another,
    and has no gradient: a fit must start from many s. The half cell below s is integrated: ∫ (1-u)^(b-1) is finite
    for b < 1.
    """
    nodes = jnp.asarray(grid.nodes)
    a, b = jnp.exp(params[0]), jnp.exp(params[1])
    last = jnp.clip(jnp.searchsorted(nodes, jax.lax.stop_gradient(params[2])), 1, len(nodes) - 1) - 1
    edge = 0.5 * (nodes[last] + nodes[last + 1])
    place = jnp.arange(len(nodes), dtype=last.dtype)
    inside = place <= last
    log_p, log_q = log_rates(grid)
    log_u = jnp.where(inside, log_p - jax.nn.log_sigmoid(edge), -1.0)
    log_rest = jnp.log(-jnp.expm1(log_u))
    low = 0.5 * (nodes[last] + nodes[jnp.maximum(last - 1, 0)])
    low_rest = jnp.log(-jnp.expm1(jax.nn.log_sigmoid(low) - jax.nn.log_sigmoid(edge)))
    # the last cell holds ∫ u^a (1-u)^(b-1) dx over (low, edge), with u^a and dx/du taken at its node
    cell = b * low_rest - jnp.log(b) - log_u[last] - jnp.log(edge - low)
    shape = jnp.where(place == last, cell, (b - 1) * log_rest)
    return normalise(jnp.where(inside, a * log_u + shape + log_q, -1e4 - nodes), grid)


def two_tail_log_density(params: Float[Array, "4"], grid: Grid) -> Float[Array, " g"]:
    """Two tails below one upper end: w Beta(a₁, b) + (1-w) Beta(a₁ + d, b); params = (log a₁, log d, log b, logit w).

    P(S ≤ s) then has the two regularly varying parts of Eq. 17; the smaller index rules as k → ∞.
    """
    a, d, b = jnp.exp(params[:3])
    log_p, log_q = log_rates(grid)
    heavy = normalise(a * log_p + b * log_q, grid) + jax.nn.log_sigmoid(params[3])
    light = normalise((a + d) * log_p + b * log_q, grid) + jax.nn.log_sigmoid(-params[3])
    return jnp.logaddexp(heavy, light)


def logistic_log_density(params: Float[Array, "4"], grid: Grid) -> Float[Array, " g"]:
    """Generalised logistic in x: slope a below the knee x₀, slope -b above it, sharpness q of the bend.

    log f = a (x-x₀) - (a+b)/q · log(1 + e^(q (x-x₀))), params = (x₀, log a, log b, log q). q = 1, x₀ = 0 is the beta
    distribution; a, b → ∞ with q a b/(a+b) fixed is logit-normal; b → ∞ is a scaled beta in all but the last digit.
    """
    x0, (a, b, q) = params[0], jnp.exp(params[1:])
    z = jnp.asarray(grid.nodes) - x0
    return normalise(a * z - (a + b) / q * jnp.logaddexp(0.0, q * z), grid)


DEPTH = 5.0  # where the lower slope of the bent logistic is named: a factor e^5 = 150 below the knee


def bent_logistic_log_density(params: Float[Array, "5"], grid: Grid) -> Float[Array, " g"]:
    """The generalised logistic whose lower slope may grow with depth: log f = logistic - ½ κ softplus(x₀-x)².

    params = (x₀, log s, log b, log q, logit r): at DEPTH below the knee the slope is s, of which the share r comes
    from the growth, so a = (1-r) s and κ = r s/DEPTH. r = 0 is a power law for small p, r = 1 falls like a
    logit-normal. A hundred attempts hardly tell them apart; what thousands will solve depends on it.
    """
    x0, (s, b, q), r = params[0], jnp.exp(params[1:4]), jax.nn.sigmoid(params[4])
    z = jnp.asarray(grid.nodes) - x0
    a = (1 - r) * s
    bend = 0.5 * r * s / DEPTH * jax.nn.softplus(-z) ** 2
    return normalise(a * z - (a + b) / q * jax.nn.softplus(q * z) - bend, grid)


def with_zero(family: Family) -> Family:
    """The same family with an atom at p = 0, problems that are never solved; one more parameter, logit of its weight.

    The likelihood adds the atom to rows with c = 0 (`likelihood.py`); the density here is that of the solvable ones.
    """
    starts = [*family.starts[:2], *family.starts[2 :: max(1, len(family.starts) // 20)]]
    return Family(
        f"{family.name}+zero",
        lambda params, grid: family.log_density(params[:-1], grid),
        (*family.low, -12.0),
        (*family.high, 6.0),
        tuple((*start, logit) for start in starts for logit in (-3.0, -0.5)),
        (*family.names, "never_solved"),
        lambda params: jnp.append(family.natural(params[:-1]), jax.nn.sigmoid(params[-1])),
        lambda params: family.tail_index(params[:-1]),
        family.nearby,
    )


BETA = Family(
    "beta-binomial",
    beta_log_density,
    (-5.0, -3.0),
    (4.0, 13.0),
    ((-1.0, 2.0), (0.0, 5.0), (-1.0, 6.0), (-1.0, -1.0)),
    ("a", "b"),
    jnp.exp,
    lambda params: jnp.exp(params[0]),
)
SCALED_BETA = Family(
    "scaled-beta",
    scaled_beta_log_density,
    (-5.0, -0.7, -12.0),
    (4.0, 6.0, 8.0),
    tuple((-1.0, log_b, 0.4 * j) for log_b in (0.0, 1.5) for j in range(-25, 16)),
    ("a", "b", "largest_p"),
    lambda params: jnp.stack([jnp.exp(params[0]), jnp.exp(params[1]), jax.nn.sigmoid(params[2])]),
    lambda params: jnp.exp(params[0]),
    (-0.8, -0.4, -0.2, 0.2, 0.4, 0.8),
)
TWO_TAIL = Family(
    "two-tail",
    two_tail_log_density,
    (-5.0, -4.0, -3.0, -6.0),
    (3.0, 4.0, 13.0, 6.0),
    (
        (-1.5, 0.0, 2.0, 0.0),
        (-1.0, 1.5, 6.0, 3.0),
        (-1.0, 0.5, 5.0, -2.0),
        (-0.5, 0.5, 5.0, 2.0),
        (-1.5, 0.0, 0.0, 0.0),
    ),
    ("index_1", "index_2", "b", "weight_1"),
    lambda params: jnp.stack(
        [
            jnp.exp(params[0]),
            jnp.exp(params[0]) + jnp.exp(params[1]),
            jnp.exp(params[2]),
            jax.nn.sigmoid(params[3]),
        ]
    ),
    lambda params: jnp.exp(params[0]),
)
LOGISTIC = Family(
    "generalised-logistic",
    logistic_log_density,
    (-25.0, -5.0, -3.0, -3.0),
    (8.0, 3.0, 5.0, 3.0),
    (
        (-4.0, -0.9, 1.0, 0.0),
        (-2.0, -0.9, 1.5, 0.5),
        (-6.0, -0.5, 0.5, -0.5),
        (-8.0, -0.7, 0.0, 0.0),
        (1.0, -0.7, 0.0, 0.0),
    ),
    ("knee", "lower_slope", "upper_slope", "sharpness"),
    lambda params: jnp.concatenate([params[:1], jnp.exp(params[1:])]),
    lambda params: jnp.exp(params[1]),
)
