"""All models of the success distribution on one group: fitted, compared, and what each says of pass@K."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from lidjax.evals.rates.families import BETA, LOGISTIC, SCALED_BETA, TWO_TAIL, Family, with_zero
from lidjax.evals.rates.lid import LID
from lidjax.evals.rates.likelihood import FamilyFit, fit_family, pad_rows, row_posteriors
from lidjax.evals.rates.quadrature import FINE, CountRows

MODELS = (BETA, with_zero(BETA), SCALED_BETA, with_zero(SCALED_BETA), TWO_TAIL, LOGISTIC, LID)
BY_NAME = {family.name: family for family in MODELS}


class ModelFit(NamedTuple):
    """One model on one group. `values` are its parameters by name, `aic` is 2p - 2 log L, `tail_index` the
    exponent of the unsolved share as k → ∞ (NaN with an atom at zero, whose unsolved share does not vanish)."""

    family: Family
    fit: FamilyFit
    values: dict[str, float]
    tail_index: float
    aic: float
    status: str


def fit_models(rows: CountRows, families=MODELS) -> list[ModelFit]:
    """Fit `families` to the rows of one group (on the grid FINE), best AIC first."""
    found = []
    for family in families:
        fit = fit_family(family, rows)
        values = dict(zip(family.names, np.asarray(family.natural(fit.params)).tolist(), strict=True))
        atom = values.get("never_solved", 0.0) > 1e-4
        index = float("nan") if atom else float(family.tail_index(fit.params))
        aic = 2 * len(family.names) - 2 * float(fit.log_likelihood)
        found.append(ModelFit(family, fit, values, index, aic, describe(family, fit)))
    return sorted(found, key=lambda model: model.aic)


def describe(family: Family, fit: FamilyFit) -> str:
    """Did it converge, and which parameters does the data not bound?"""
    if not bool(fit.converged):
        return "not converged"
    held = [name for name, stuck in zip(family.names, np.asarray(fit.held).tolist(), strict=True) if stuck]
    return f"at the edge: {', '.join(held)}" if held else "ok"


def model_pass_at_k(family: Family, params, rows: CountRows, k) -> Float[np.ndarray, " k"]:
    """Expected pass@k (K,) of these problems under a fitted family: every problem through its posterior given its
    counts."""
    table = pad_rows(rows)
    used = len(rows.n)
    nodes = np.asarray(row_posteriors(family, params, FINE, table))[:used]
    log_miss = -np.logaddexp(0, FINE.nodes)
    solved = nodes @ -np.expm1(np.atleast_1d(np.asarray(k, dtype=float))[:, None] * log_miss[None, :]).T
    if family.names[-1] == "never_solved":
        weight = float(family.natural(params)[-1])
        density = np.exp(np.asarray(family.log_density(jnp.asarray(params), FINE)))
        marginal = (1 - weight) * (table.likelihood[:used] @ density)
        solved = solved * (marginal / (marginal + weight * table.unsolved[:used]))[:, None]
    return rows.multiplicity @ solved / rows.multiplicity.sum()
