"""Families of success distributions: densities of x = logit p on a grid, as functions of a few real parameters.

A density of x that behaves like exp(a x) at its lower end is a density of p that behaves like p^(a-1). Then a is the
tail index: the share of problems unsolved after k attempts falls like k^-a. All densities are normalised on the grid.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from lidjax.evals.rates.quadrature import LogitGrid

ZERO_ATOM = "never_solved"  # name of the weight of an atom at p = 0; always the last parameter


class Family(NamedTuple):
    """One family of densities, with what a fit of it needs.

    The optimiser sees p unbounded parameters, mostly logarithms and logits; `natural` maps them to the values that
    people know.
    """

    name: str
    """Name in tables and in JSON."""
    log_density: Callable[[Array, LogitGrid], Array]
    """(params (p,), grid) → log density at the nodes (G,), normalised."""
    low: tuple[float, ...]
    """Lower ends of the box that a fit searches."""
    high: tuple[float, ...]
    """Upper ends of that box."""
    starts: tuple[tuple[float, ...], ...]
    """Starting points of a fit."""
    names: tuple[str, ...]
    """Names of the natural parameters."""
    natural: Callable[[Array], Array]
    """params (p,) → natural parameters (p,)."""
    tail_index: Callable[[Array], Array]
    """params (p,) → exponent of the unsolved share as k → ∞."""
    nearby: tuple[float, ...] = (0.5,)
    """Steps, added to all parameters of a fit, that give further starting points for fits to resampled data."""

    @property
    def has_zero_atom(self) -> bool:
        """Whether some problems are never solved: an atom at p = 0, whose weight is the last parameter."""
        return self.names[-1] == ZERO_ATOM


def normalise(log_density: Float[Array, " g"], grid: LogitGrid) -> Float[Array, " g"]:
    """Scale to unit mass.

    The mass beyond either end of the grid is added to the end node. There the density is extrapolated as the
    exponential through its last two nodes.
    """
    nodes, weights = jnp.asarray(grid.nodes), jnp.asarray(grid.weights)
    rise = (log_density[1] - log_density[0]) / (nodes[1] - nodes[0])
    fall = (log_density[-2] - log_density[-1]) / (nodes[-1] - nodes[-2])
    log_density = log_density.at[0].add(jnp.log1p(1 / (jnp.maximum(rise, 1e-3) * weights[0])))
    log_density = log_density.at[-1].add(jnp.log1p(1 / (jnp.maximum(fall, 1e-3) * weights[-1])))
    return log_density - jax.nn.logsumexp(log_density + jnp.log(weights))


def log_rates(grid: LogitGrid) -> tuple[Float[Array, " g"], Float[Array, " g"]]:
    """(log p, log(1-p)) at the nodes."""
    nodes = jnp.asarray(grid.nodes)
    return jax.nn.log_sigmoid(nodes), jax.nn.log_sigmoid(-nodes)


def beta_log_density(params: Float[Array, "2"], grid: LogitGrid) -> Float[Array, " g"]:
    """p ~ Beta(a, b), params = (log a, log b). The counts are then beta-binomial."""
    a, b = jnp.exp(params)
    log_p, log_q = log_rates(grid)
    return normalise(a * log_p + b * log_q, grid)


def scaled_beta_log_density(params: Float[Array, "3"], grid: LogitGrid) -> Float[Array, " g"]:
    """p = s u with u ~ Beta(a, b), params = (log a, log b, logit s): no problem has a higher success rate than s.

    The density jumps at s. On the grid s moves in steps, from the middle of one cell to the middle of another, and the
    density has no gradient with respect to it, so a fit must start from many s. The half cell below s is integrated
    exactly, because ∫ (1-u)^(b-1) is finite also for b < 1, where the density is not.
    """
    nodes = jnp.asarray(grid.nodes)
    a, b = jnp.exp(params[0]), jnp.exp(params[1])
    last = jnp.clip(jnp.searchsorted(nodes, jax.lax.stop_gradient(params[2])), 1, len(nodes) - 1) - 1
    edge = 0.5 * (nodes[last] + nodes[last + 1])
    position = jnp.arange(len(nodes), dtype=last.dtype)
    inside = position <= last
    log_p, log_q = log_rates(grid)
    log_u = jnp.where(inside, log_p - jax.nn.log_sigmoid(edge), -1.0)
    log_rest = jnp.log(-jnp.expm1(log_u))
    low = 0.5 * (nodes[last] + nodes[jnp.maximum(last - 1, 0)])
    low_rest = jnp.log(-jnp.expm1(jax.nn.log_sigmoid(low) - jax.nn.log_sigmoid(edge)))
    # the last cell holds ∫ u^a (1-u)^(b-1) dx over (low, edge), with u^a and dx/du taken at its node
    cell = b * low_rest - jnp.log(b) - log_u[last] - jnp.log(edge - low)
    shape = jnp.where(position == last, cell, (b - 1) * log_rest)
    return normalise(jnp.where(inside, a * log_u + shape + log_q, -1e4 - nodes), grid)


def two_tail_log_density(params: Float[Array, "4"], grid: LogitGrid) -> Float[Array, " g"]:
    """w Beta(a₁, b) + (1-w) Beta(a₁ + d, b), params = (log a₁, log d, log b, logit w): two tails, one upper end.

    P(S ≤ s) then has the two regularly varying parts of Eq. 17. The smaller index a₁ dominates as k → ∞.
    """
    a, d, b = jnp.exp(params[:3])
    log_p, log_q = log_rates(grid)
    heavy = normalise(a * log_p + b * log_q, grid) + jax.nn.log_sigmoid(params[3])
    light = normalise((a + d) * log_p + b * log_q, grid) + jax.nn.log_sigmoid(-params[3])
    return jnp.logaddexp(heavy, light)


def logistic_log_density(params: Float[Array, "4"], grid: LogitGrid) -> Float[Array, " g"]:
    """Generalised logistic in x: slope a below the knee x₀, slope -b above it, sharpness q of the bend.

    log f = a (x-x₀) - (a+b)/q · log(1 + e^(q (x-x₀))), params = (x₀, log a, log b, log q). It is the beta distribution
    for q = 1 and x₀ = 0, and logit-normal for a, b → ∞ with q a b/(a+b) fixed. For b → ∞ it differs from a scaled beta
    only in the last digit.
    """
    x0, (a, b, q) = params[0], jnp.exp(params[1:])
    z = jnp.asarray(grid.nodes) - x0
    return normalise(a * z - (a + b) / q * jnp.logaddexp(0.0, q * z), grid)


def with_zero(family: Family) -> Family:
    """The same family with an atom at p = 0 for problems that are never solved.

    Its weight is one more parameter, as a logit. The likelihood adds the atom to rows with c = 0
    (`likelihood.row_log_likelihood`); the density here is that of the solvable problems.
    """
    starts = [*family.starts[:2], *family.starts[2 :: max(1, len(family.starts) // 20)]]
    return Family(
        name=f"{family.name}+zero",
        log_density=lambda params, grid: family.log_density(params[:-1], grid),
        low=(*family.low, -12.0),
        high=(*family.high, 6.0),
        starts=tuple((*start, logit) for start in starts for logit in (-3.0, -0.5)),
        names=(*family.names, ZERO_ATOM),
        natural=lambda params: jnp.append(family.natural(params[:-1]), jax.nn.sigmoid(params[-1])),
        tail_index=lambda params: family.tail_index(params[:-1]),
        nearby=family.nearby,
    )


BETA = Family(
    name="beta-binomial",
    log_density=beta_log_density,
    low=(-5.0, -3.0),
    high=(4.0, 13.0),
    starts=((-1.0, 2.0), (0.0, 5.0), (-1.0, 6.0), (-1.0, -1.0)),
    names=("a", "b"),
    natural=jnp.exp,
    tail_index=lambda params: jnp.exp(params[0]),
)
SCALED_BETA = Family(
    name="scaled-beta",
    log_density=scaled_beta_log_density,
    low=(-5.0, -0.7, -12.0),
    high=(4.0, 6.0, 8.0),
    starts=tuple((-1.0, log_b, 0.4 * j) for log_b in (0.0, 1.5) for j in range(-25, 16)),
    names=("a", "b", "largest_p"),
    natural=lambda params: jnp.stack([jnp.exp(params[0]), jnp.exp(params[1]), jax.nn.sigmoid(params[2])]),
    tail_index=lambda params: jnp.exp(params[0]),
    nearby=(-0.8, -0.4, -0.2, 0.2, 0.4, 0.8),
)
TWO_TAIL = Family(
    name="two-tail",
    log_density=two_tail_log_density,
    low=(-5.0, -4.0, -3.0, -6.0),
    high=(3.0, 4.0, 13.0, 6.0),
    starts=(
        (-1.5, 0.0, 2.0, 0.0),
        (-1.0, 1.5, 6.0, 3.0),
        (-1.0, 0.5, 5.0, -2.0),
        (-0.5, 0.5, 5.0, 2.0),
        (-1.5, 0.0, 0.0, 0.0),
    ),
    names=("index_1", "index_2", "b", "weight_1"),
    natural=lambda params: jnp.stack(
        [
            jnp.exp(params[0]),
            jnp.exp(params[0]) + jnp.exp(params[1]),
            jnp.exp(params[2]),
            jax.nn.sigmoid(params[3]),
        ]
    ),
    tail_index=lambda params: jnp.exp(params[0]),
)
LOGISTIC = Family(
    name="generalised-logistic",
    log_density=logistic_log_density,
    low=(-25.0, -5.0, -3.0, -3.0),
    high=(8.0, 3.0, 5.0, 3.0),
    starts=(
        (-4.0, -0.9, 1.0, 0.0),
        (-2.0, -0.9, 1.5, 0.5),
        (-6.0, -0.5, 0.5, -0.5),
        (-8.0, -0.7, 0.0, 0.0),
        (1.0, -0.7, 0.0, 0.0),
    ),
    names=("knee", "lower_slope", "upper_slope", "sharpness"),
    natural=lambda params: jnp.concatenate([params[:1], jnp.exp(params[1:])]),
    tail_index=lambda params: jnp.exp(params[1]),
)
