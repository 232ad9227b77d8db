"""The training axis: tail index against training size, Eq. 20 fitted to it, and whether it rises at all."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.optimize import isotonic_regression

from lidjax.errors import InputError
from lidjax.evals.rates.population import Posterior
from lidjax.evals.table import Group
from lidjax.fitting.saturation import SaturationFit, fit_saturation
from lidjax.fitting.status import describe_status

FEWEST_SUCCESSES = 20  # below, the posterior of the tail index is the prior
SIMULATIONS = 1000


class Training(NamedTuple):
    """One series of groups that differ in training size alone. `index` (m,) is the default model's tail index
    (posterior mean of log a, as exp), `se` (m,) its standard error. `p_falls` tests that the index never falls,
    `p_flat` that it is the same everywhere (against rising): small values speak against that. `saturation` is the
    fit of Eq. 20, or None with fewer than five sizes."""

    series: str
    sizes: Float[np.ndarray, " m"]
    groups: tuple[str, ...]
    index: Float[np.ndarray, " m"]  # pyright: ignore[reportIncompatibleMethodOverride]
    se: Float[np.ndarray, " m"]
    p_falls: float
    p_flat: float
    saturation: SaturationFit | None
    verdict: str


def training_series(groups: Sequence[Group], column: str) -> dict[str, list[int]]:
    """Positions of groups in each series, by training size. Fields that differ in every group (a name) set no
    series apart."""
    fields = {name for group in groups for name in group.fields}
    if column not in fields:
        raise InputError(
            f"no column {column!r} among the groups; they have {', '.join(sorted(fields)) or 'none'}"
        )
    names = [
        name
        for name in fields
        if len({g.fields.get(name) for g in groups}) == len(groups) > 1 and name != column
    ]
    kept = sorted(fields - {column, *names})
    varied = [name for name in kept if len({g.fields.get(name) for g in groups}) > 1]
    series: dict[str, list[int]] = {}
    for position, group in enumerate(groups):
        size = group.fields.get(column)
        if not isinstance(size, float) or not size > 0:
            raise InputError(
                f"group {group.name!r}: {column} = {size!r} is no training size (a number above 0)"
            )
        label = ", ".join(f"{name}={show(group.fields.get(name))}" for name in varied) or "all"
        series.setdefault(label, []).append(position)
    return {k: sorted(v, key=lambda i: float(groups[i].fields[column])) for k, v in series.items()}


def show(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def training_report(groups: Sequence[Group], posteriors: Sequence[Posterior], column: str) -> list[Training]:
    """One `Training` for each series with at least two groups of FEWEST_SUCCESSES right answers or more."""
    reports = []
    for label, members in training_series(groups, column).items():
        used = [i for i in members if groups[i].c.sum() >= FEWEST_SUCCESSES]
        if len(used) < 2:
            continue
        sizes = np.array([float(groups[i].fields[column]) for i in used])
        logs = np.array([log_index(posteriors[i]) for i in used])
        index, se = np.exp(logs[:, 0]), np.exp(logs[:, 0]) * logs[:, 1]
        falls = monotone_p_value(logs[:, 0], logs[:, 1])
        flat = flat_p_value(logs[:, 0], logs[:, 1])
        fit = fit_saturation(sizes, index, standard_error=se) if len(used) >= 5 else None
        names = tuple(groups[i].name for i in used)
        reports.append(Training(label, sizes, names, index, se, falls, flat, fit, verdict(falls, flat, fit)))
    return reports


def log_index(posterior: Posterior) -> tuple[float, float]:
    """Posterior mean and standard deviation of the log tail index."""
    values = posterior.params[:, 1]
    mean = posterior.weights @ values
    return float(mean), float(np.sqrt(posterior.weights @ (values - mean) ** 2))


def monotone_p_value(values, errors, *, simulations: int = SIMULATIONS, seed: int = 0) -> float:
    """P-value of "never falls": weighted squared distance to the best rising curve, its null simulated at the flat
    curve (the least favourable one; Robertson, Wright and Dykstra 1988)."""
    draws = np.random.default_rng(seed).standard_normal((simulations, len(values))) * errors
    observed = rising_distance(values, errors)
    null = np.array([rising_distance(row, errors) for row in draws])
    return float((1 + np.sum(null >= observed)) / (1 + simulations))


def flat_p_value(values, errors, *, simulations: int = SIMULATIONS, seed: int = 0) -> float:
    """P-value of "the same everywhere" against "rises": how much of the spread a rising curve takes up."""

    def gain(row):
        centre = np.average(row, weights=errors**-2.0)
        return np.sum(((row - centre) / errors) ** 2) - rising_distance(row, errors)

    draws = np.random.default_rng(seed).standard_normal((simulations, len(values))) * errors
    null = np.array([gain(row) for row in draws])
    return float((1 + np.sum(null >= gain(values))) / (1 + simulations))


def rising_distance(values, errors) -> float:
    fitted = isotonic_regression(values, weights=errors**-2.0).x
    return float(np.sum(((values - fitted) / errors) ** 2))


def verdict(p_falls: float, p_flat: float, fit: SaturationFit | None) -> str:
    """What the series says, in words, at a level of 5 %."""
    if p_falls < 0.05:
        said = (
            f"the index falls somewhere (p = {p_falls:.2g}): Eq. 20, which only rises, does not describe it"
        )
    elif p_flat < 0.05:
        said = f"rises (flat: p = {p_flat:.2g})"
    else:
        said = f"no rise can be told from none (p = {p_flat:.2g})"
    if fit is None:
        return f"{said}; too few sizes for Eq. 20"
    return f"{said}; Eq. 20: {describe_status(int(fit.status))}"
