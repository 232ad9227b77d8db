"""Comparison of models of the success distribution by maximum likelihood, on the counts of one group."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int

from lidjax.errors import check_choice
from lidjax.evals.arguments import check_counts
from lidjax.evals.json_types import ModelJson
from lidjax.evals.rates.families import BETA, LOGISTIC, SCALED_BETA, TWO_TAIL, ZERO_ATOM, Family, with_zero
from lidjax.evals.rates.lid import LID
from lidjax.evals.rates.likelihood import FamilyFit, fit_family, pad_rows, row_posteriors
from lidjax.evals.rates.quadrature import FINE_GRID, CountRows, count_rows

FAMILIES = (BETA, with_zero(BETA), SCALED_BETA, with_zero(SCALED_BETA), TWO_TAIL, LOGISTIC, LID)
MODELS = {family.name: family for family in FAMILIES}
"""Models by name, in the order in which they are fitted."""

NOT_IDENTIFIED = "not identified: one attempt at each problem"
SMALLEST_ATOM = 1e-4  # heuristic: an atom at zero below this weight counts as absent


class ModelFit(NamedTuple):
    """One model of the success distribution, fitted to the counts of one group."""

    family: Family
    """The model; `family.name` is its name."""
    fit: FamilyFit
    """The maximum-likelihood fit: the optimiser's parameters, log-likelihood in nats, information matrix."""
    parameters: dict[str, float]
    """Natural parameters by name."""
    tail_index: float
    """Exponent of the unsolved share as k → ∞. NaN with an atom at zero, because that share then does not vanish."""
    aic: float
    """Akaike's criterion 2p - 2 log L; smaller is better."""
    status: str
    """"ok", "not converged", "at the edge: ..." with the parameters that the data do not bound, or "not identified:
    ..." where there is one attempt at each problem: the numbers are NaN then."""

    def to_dict(self) -> ModelJson:
        """Plain numbers and text, as `lidjax fit --json` prints them."""
        return {
            "model": self.family.name,
            "log_likelihood": float(self.fit.log_likelihood),
            "aic": self.aic,
            "tail_index": self.tail_index,
            "parameters": self.parameters,
            "status": self.status,
        }


def compare_models(
    n: ArrayLike | Sequence[int],
    c: ArrayLike | Sequence[int],
    *,
    models: Sequence[str] = tuple(MODELS),
) -> list[ModelFit]:
    """Models of the success distribution fitted to the counts of one set of problems, best AIC first.

    The likelihood sums over problems the log probability of c correct among n attempts, zero counts included. It needs
    no estimate of each problem's rate, and stays right where sampling stopped at the first success. The computation is
    in float64, whatever the session's setting.

    Args:
        n: Number of attempts at each problem, whole numbers (P,) of 1 or more.
        c: Number of correct answers to each problem, whole numbers (P,) from 0 to `n`.
        models: Names of the models: "beta-binomial", "scaled-beta" (no rate above a largest one), both also with
            "+zero" (some problems are never solved), "two-tail" (Eq. 17), "generalised-logistic", and "lid" (the model
            of this library).

    Returns:
        One fit for each model. `to_dict()` of a fit gives plain numbers.

    Raises:
        InputError: If counts are not whole numbers with 0 ≤ c ≤ n, or a model is not known.

    References:
        Eqs. 13 and 17 for "lid" and "two-tail"; Schaeffer et al. 2025 for the beta distributions. The likelihoods were
        derived for this project and are checked against SciPy and direct quadrature in
        `tests/evals/test_likelihood.py`.

    Example:
        >>> import lidjax.evals
        >>> n, c = [100] * 6, [0, 0, 1, 3, 10, 60]
        >>> (fit,) = lidjax.evals.compare_models(n, c, models=["beta-binomial"])
        >>> fit.status, round(fit.parameters["a"], 2), round(fit.aic, 1)
        ('ok', 0.23, 40.2)
    """
    for name in models:
        check_choice("model", name, MODELS)
    attempts, correct = check_counts(n, c)
    with jax.enable_x64(True):
        return fit_models(count_rows(attempts, correct), [MODELS[name] for name in models])


def fit_models(rows: CountRows, families: Sequence[Family] = FAMILIES) -> list[ModelFit]:
    """Fit `families` to the rows of one group, which are on FINE_GRID. Best AIC first."""
    if rows.n.max() == 1:
        return [unidentified(family) for family in families]
    found: list[ModelFit] = []
    for family in families:
        fit = fit_family(family, rows)
        parameters = dict(zip(family.names, np.asarray(family.natural(fit.params)).tolist(), strict=True))
        has_atom = parameters.get(ZERO_ATOM, 0.0) > SMALLEST_ATOM
        index = float("nan") if has_atom else float(family.tail_index(fit.params))
        aic = 2 * len(family.names) - 2 * float(fit.log_likelihood)
        found.append(ModelFit(family, fit, parameters, index, aic, describe_fit(family, fit)))
    return sorted(found, key=lambda model: model.aic)


def unidentified(family: Family) -> ModelFit:
    """The fit of a model to one attempt at each problem: the likelihood depends on the mean rate alone."""
    nan, size = jnp.asarray(jnp.nan), len(family.names)
    fit = FamilyFit(
        jnp.full(size, nan), nan, jnp.full((size, size), nan), jnp.zeros(size, bool), jnp.asarray(False)
    )
    return ModelFit(family, fit, dict.fromkeys(family.names, math.nan), math.nan, math.nan, NOT_IDENTIFIED)


def describe_fit(family: Family, fit: FamilyFit) -> str:
    """Whether the fit converged, and which parameters the data do not bound."""
    if not bool(fit.converged):
        return "not converged"
    open_ended = [name for name, bound in zip(family.names, np.asarray(fit.at_bound), strict=True) if bound]
    return f"at the edge: {', '.join(open_ended)}" if open_ended else "ok"


def model_pass_at_k(
    family: Family, params: Float[Array, " p"], rows: CountRows, k: Int[np.ndarray, " k"] | int
) -> Float[np.ndarray, " k"]:
    """Expected mean pass@k (K,) of these problems under a fitted family, each problem given its counts."""
    padded = pad_rows(rows)
    used = len(rows.n)
    posteriors = np.asarray(row_posteriors(family, params, FINE_GRID, padded))[:used]
    log_miss = -np.logaddexp(0, FINE_GRID.nodes)
    solved = posteriors @ -np.expm1(np.atleast_1d(np.asarray(k, dtype=float))[:, None] * log_miss[None, :]).T
    if family.has_zero_atom:
        weight = float(family.natural(params)[-1])
        density = np.exp(np.asarray(family.log_density(jnp.asarray(params), FINE_GRID)))
        marginal = (1 - weight) * (padded.likelihood[:used] @ density)
        solved = solved * (marginal / (marginal + weight * padded.unsolved[:used]))[:, None]
    return rows.multiplicity @ solved / rows.multiplicity.sum()
