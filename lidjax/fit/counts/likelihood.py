"""Maximum likelihood of a family on counts: the sum over problems, zero counts included, started from several points."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from lidjax.fit.counts.families import Family
from lidjax.fit.counts.newton import minimise
from lidjax.fit.counts.quadrature import Grid

TINY = 1e-290


class FamilyFit(NamedTuple):
    """One fit: `params` (p,), the optimiser's; `log_likelihood` in nats, binomial coefficients included; `hessian` of its
    negative; `held`: which parameters stopped at their box; `converged`.
    """

    params: Float[Array, " p"]
    log_likelihood: Float[Array, ""]
    hessian: Float[Array, "p p"]
    held: Bool[Array, " p"]
    converged: Bool[Array, ""]


def row_log_likelihood(family: Family, params, grid, likelihood, unsolved) -> Float[Array, " u"]:
    """log P(c | n) of each row, up to the row's log scale. `unsolved` (U,) is exp(-log scale) where c = 0, else 0: what an
    atom at p = 0 adds (the scale of a row with c = 0 is its likelihood at p = 0, so it is 1 there).
    """
    values = jnp.matmul(likelihood, jnp.exp(family.log_density(params, grid)), precision="highest")
    if family.names[-1] == "never_solved":
        weight = jax.nn.sigmoid(params[-1])
        values = (1 - weight) * values + weight * unsolved
    return jnp.log(jnp.maximum(values, TINY))


def fit_family_cell(family: Family, grid, likelihood, unsolved, log_scale, multiplicity, starts) -> FamilyFit:
    """The best of the fits from `starts` (s, p) to rows `likelihood` (U, G) that count `multiplicity` (U,) times."""

    def objective(params):
        return -jnp.sum(multiplicity * row_log_likelihood(family, params, grid, likelihood, unsolved))

    def outer_product(params):
        scores = jax.jacfwd(lambda x: row_log_likelihood(family, x, grid, likelihood, unsolved))(params)
        weighted = multiplicity[:, None] * scores
        return -jnp.sum(weighted, axis=0), jnp.matmul(weighted.T, scores, precision="highest")

    low, high = jnp.asarray(family.low), jnp.asarray(family.high)
    derivatives = outer_product if family.outer_product else None
    optima = jax.vmap(lambda start: minimise(objective, start, low, high, derivatives=derivatives))(starts)
    best = jnp.argmin(jnp.where(jnp.isfinite(optima.value), optima.value, jnp.inf))
    optimum = jax.tree.map(lambda leaf: leaf[best], optima)
    total = -optimum.value + jnp.sum(multiplicity * log_scale)
    return FamilyFit(optimum.params, total, optimum.hessian, optimum.held, optimum.converged)


@partial(jax.jit, static_argnums=0)
def fit_family(family: Family, grid: Grid, likelihood, log_scale, solved, multiplicity) -> FamilyFit:
    """Fit one family to the rows of a `CountRows`; `solved` (U,) is c > 0."""
    unsolved = jnp.where(solved, 0.0, 1.0)
    return fit_family_cell(family, grid, likelihood, unsolved, log_scale, multiplicity, jnp.asarray(family.starts))


@partial(jax.jit, static_argnums=0)
def refit_family(family: Family, grid: Grid, likelihood, log_scale, solved, multiplicity, start) -> FamilyFit:
    """Fits to many reweighted data sets at once, `multiplicity` (R, U), each from `start` (p,) and points near it."""
    unsolved = jnp.where(solved, 0.0, 1.0)
    starts = jnp.stack([start, *(start + step for step in family.nearby)])
    return jax.vmap(
        lambda weights: fit_family_cell(family, grid, likelihood, unsolved, log_scale, weights, starts)
    )(multiplicity)
