"""Maximum likelihood of a family: the sum over problems of log P(c | n), zero counts included, from several starts."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from lidjax.evals.rates.families import Family
from lidjax.evals.rates.maximise import maximise
from lidjax.evals.rates.quadrature import FINE_GRID, CountRows, LogitGrid

TINY = 1e-290  # stands for zero under a logarithm
FEWEST_ROWS = (
    32  # heuristic: smaller data sets are padded to this number of rows, and share a compiled program
)
STEPS, MORE_STEPS = 60, 300  # of the optimiser: at first, and once more where it has not converged


class FamilyFit(NamedTuple):
    """The maximum-likelihood fit of one family with p parameters."""

    params: Float[Array, " p"]
    """The optimiser's parameters (p,); `Family.natural` gives the natural ones."""
    log_likelihood: Float[Array, ""]
    """Log-likelihood in nats, binomial coefficients included."""
    information: Float[Array, "p p"]
    """Information matrix at the maximum."""
    at_bound: Bool[Array, " p"]
    """Whether each parameter stopped at an end of its box."""
    converged: Bool[Array, ""]
    """Whether the optimiser converged."""


class PaddedRows(NamedTuple):
    """`CountRows` padded to a power of two, so that data sets of similar size share a compiled program.

    Padding has likelihood 1 and multiplicity 0. `unsolved` (U,) is 1 where c = 0.
    """

    likelihood: Float[np.ndarray, "u g"] | Float[Array, "u g"]
    log_scale: Float[np.ndarray, " u"] | Float[Array, " u"]
    unsolved: Float[np.ndarray, " u"] | Float[Array, " u"]
    multiplicity: Float[np.ndarray, " u"] | Float[Array, " u"]


def power_of_two(count: int) -> int:
    """The smallest power of two that is at least `count`."""
    return 1 << (count - 1).bit_length()


def pad_rows(rows: CountRows) -> PaddedRows:
    """Pad to a power of two."""
    padding = (0, max(FEWEST_ROWS, power_of_two(len(rows.n))) - len(rows.n))
    return PaddedRows(
        np.pad(rows.likelihood, (padding, (0, 0)), constant_values=1.0),
        np.pad(rows.log_scale, padding),
        np.pad((rows.c == 0).astype(float), padding),
        np.pad(rows.multiplicity, padding),
    )


def row_log_likelihood(
    family: Family, params: Float[Array, " p"], grid: LogitGrid, rows: PaddedRows
) -> Float[Array, " u"]:
    """log P(c | n) of each row, up to the row's log scale.

    An atom at p = 0 adds to rows with c = 0 alone. The scale of such a row is its likelihood at p = 0, so the atom adds
    its weight times 1.
    """
    density = jnp.exp(family.log_density(params, grid))
    values = jnp.matmul(jnp.asarray(rows.likelihood), density, precision="highest")
    if family.has_zero_atom:
        weight = jax.nn.sigmoid(params[-1])
        values = (1 - weight) * values + weight * jnp.asarray(rows.unsolved)
    return jnp.log(jnp.maximum(values, TINY))


def fit_from_starts(
    family: Family,
    grid: LogitGrid,
    rows: PaddedRows,
    starts: Float[Array, "s p"],
    max_steps: int | Array = STEPS,
) -> FamilyFit:
    """The best of the fits from `starts`. To be compiled."""
    low, high = jnp.asarray(family.low), jnp.asarray(family.high)
    multiplicity = jnp.asarray(rows.multiplicity)

    def log_rows(params: Float[Array, " p"]) -> Float[Array, " u"]:
        return row_log_likelihood(family, params, grid, rows)

    maxima = jax.vmap(lambda start: maximise(log_rows, multiplicity, start, low, high, max_steps=max_steps))(
        starts
    )
    best = jnp.argmax(jnp.where(jnp.isfinite(maxima.value), maxima.value, -jnp.inf))
    maximum = jax.tree.map(lambda leaf: leaf[best], maxima)
    total = maximum.value + jnp.sum(multiplicity * jnp.asarray(rows.log_scale))
    return FamilyFit(maximum.params, total, maximum.information, maximum.at_bound, maximum.converged)


@partial(jax.jit, static_argnums=0)
def fit_padded(
    family: Family, grid: LogitGrid, rows: PaddedRows, starts: Float[Array, "s p"], max_steps: int | Array
) -> FamilyFit:
    """`fit_from_starts`, compiled once for each family and padded size."""
    return fit_from_starts(family, grid, rows, starts, max_steps)


def fit_family(family: Family, rows: CountRows, grid: LogitGrid = FINE_GRID) -> FamilyFit:
    """Fit one family to counts by maximum likelihood. `converged` says whether it succeeded; nothing is raised."""
    padded, starts = pad_rows(rows), jnp.asarray(family.starts)
    fit = fit_padded(family, grid, padded, starts, STEPS)
    if not bool(fit.converged):
        # β, c_δ and v of the LID model trade off along a valley, so half of its fits to real counts need more steps;
        # the number of starts stays the same, so that nothing is compiled again
        fit = fit_padded(family, grid, padded, jnp.broadcast_to(fit.params, starts.shape), MORE_STEPS)
    return fit


@partial(jax.jit, static_argnums=0)
def refit_padded(family: Family, grid: LogitGrid, rows: PaddedRows, start: Float[Array, " p"]) -> FamilyFit:
    """Fits to R data sets at once, from `start` and points near it.

    Each leaf of `rows` has a leading axis of length R, or is shared by all data sets.
    """
    starts = jnp.stack([start, *(start + step for step in family.nearby)])
    batched = [0 if leaf.ndim > rank else None for leaf, rank in zip(rows, (2, 1, 1, 1), strict=True)]
    axes: Any = PaddedRows(*batched)  # pyright: ignore[reportArgumentType]  # vmap takes axes in the same structure
    return jax.vmap(lambda data: fit_from_starts(family, grid, data, starts), in_axes=(axes,))(rows)


def row_posteriors(
    family: Family, params: Float[Array, " p"], grid: LogitGrid, rows: PaddedRows
) -> Float[Array, "u g"]:
    """Posterior weights of the nodes for each row, given the parameters. An atom at zero is not among the nodes."""
    mass = jnp.asarray(rows.likelihood) * jnp.exp(family.log_density(params, grid))[None, :]
    return mass / jnp.sum(mass, axis=1, keepdims=True)
