"""Maximum likelihood of a family on counts: the sum over problems, zero counts included, started from several
points."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from lidjax.evals.rates.families import Family
from lidjax.evals.rates.maximise import maximise
from lidjax.evals.rates.quadrature import FINE, CountRows, Grid

TINY = 1e-290
SMALLEST_TABLE = 32


class FamilyFit(NamedTuple):
    """One fit: `params` (p,), the optimiser's; `log_likelihood` in nats, binomial coefficients included;
    `information` at the maximum; `held`: which parameters stopped at their box; `converged`.
    """

    params: Float[Array, " p"]
    log_likelihood: Float[Array, ""]
    information: Float[Array, "p p"]
    held: Bool[Array, " p"]
    converged: Bool[Array, ""]


class Table(NamedTuple):
    """`CountRows` padded to a power of two, so that data sets of about one size share a compiled program. Padding has
    likelihood 1 and multiplicity 0. `unsolved` (U,) is 1 where c = 0."""

    likelihood: Float[np.ndarray, "u g"] | Float[Array, "u g"]
    log_scale: Float[np.ndarray, " u"] | Float[Array, " u"]
    unsolved: Float[np.ndarray, " u"] | Float[Array, " u"]
    multiplicity: Float[np.ndarray, " u"] | Float[Array, " u"]


def pad_rows(rows: CountRows) -> Table:
    size = max(SMALLEST_TABLE, 1 << (len(rows.n) - 1).bit_length())
    more = (0, size - len(rows.n))
    return Table(
        np.pad(rows.likelihood, (more, (0, 0)), constant_values=1.0),
        np.pad(rows.log_scale, more),
        np.pad((rows.c == 0).astype(float), more),
        np.pad(rows.multiplicity, more),
    )


def row_log_likelihood(family: Family, params, grid: Grid, table: Table) -> Float[Array, " u"]:
    """log P(c | n) of each row, up to the row's log scale.

    An atom at p = 0 adds to the rows with c = 0 alone: their scale is their likelihood at p = 0, so it is 1 there.
    """
    density = jnp.exp(family.log_density(params, grid))
    values = jnp.matmul(jnp.asarray(table.likelihood), density, precision="highest")
    if family.names[-1] == "never_solved":
        weight = jax.nn.sigmoid(params[-1])
        values = (1 - weight) * values + weight * jnp.asarray(table.unsolved)
    return jnp.log(jnp.maximum(values, TINY))


def fit_family_cell(
    family: Family, grid: Grid, table: Table, starts: Float[Array, "s p"], max_steps=60
) -> FamilyFit:
    """The best of the fits from `starts`."""
    low, high = jnp.asarray(family.low), jnp.asarray(family.high)
    multiplicity = jnp.asarray(table.multiplicity)

    def log_rows(params):
        return row_log_likelihood(family, params, grid, table)

    maxima = jax.vmap(lambda start: maximise(log_rows, multiplicity, start, low, high, max_steps=max_steps))(
        starts
    )
    best = jnp.argmax(jnp.where(jnp.isfinite(maxima.value), maxima.value, -jnp.inf))
    maximum = jax.tree.map(lambda leaf: leaf[best], maxima)
    total = maximum.value + jnp.sum(multiplicity * jnp.asarray(table.log_scale))
    return FamilyFit(maximum.params, total, *maximum[2:])


@partial(jax.jit, static_argnums=0)
def fit_table(family: Family, grid: Grid, table: Table, starts, max_steps) -> FamilyFit:
    return fit_family_cell(family, grid, table, starts, max_steps)


def fit_family(family: Family, rows: CountRows, grid: Grid = FINE) -> FamilyFit:
    """Fit one family to counts by maximum likelihood. Not converged is said (`converged`), never raised."""
    table, starts = pad_rows(rows), jnp.asarray(family.starts)
    fit = fit_table(family, grid, table, starts, 60)
    if not bool(fit.converged):
        # the LID model's β, c_δ and v trade off along a valley that takes half of its fits to real counts longer;
        # as many starts as before, so that nothing compiles anew
        fit = fit_table(family, grid, table, jnp.broadcast_to(fit.params, starts.shape), 300)
    return fit


@partial(jax.jit, static_argnums=0)
def refit_table(family: Family, grid: Grid, tables: Table, start) -> FamilyFit:
    """Fits to many data sets at once, each leaf of `tables` (R, ...) or shared, from `start` (p,) and points near
    it."""
    starts = jnp.stack([start, *(start + step for step in family.nearby)])
    batched = [0 if leaf.ndim > rank else None for leaf, rank in zip(tables, (2, 1, 1, 1), strict=True)]
    axes: Any = Table(*batched)  # pyright: ignore[reportArgumentType]
    return jax.vmap(lambda table: fit_family_cell(family, grid, table, starts), in_axes=(axes,))(tables)


def row_posteriors(family: Family, params, grid: Grid, table: Table) -> Float[Array, "u g"]:
    """Posterior weights of the nodes for each row, given the family's parameters; an atom at zero is not among them."""
    mass = jnp.asarray(table.likelihood) * jnp.exp(family.log_density(params, grid))[None, :]
    return mass / jnp.sum(mass, axis=1, keepdims=True)
