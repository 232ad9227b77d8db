"""The training axis: tail index against training size, the fit of Eq. 20 to it, and tests whether the index rises."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from lidjax.errors import InputError, check_choice
from lidjax.evals.json_types import TrainingJson
from lidjax.evals.rates.posterior import Posterior
from lidjax.evals.table import Group, format_field
from lidjax.fitting.saturation import SaturationFit, fit_saturation
from lidjax.fitting.status import FitStatus, describe_status

FEWEST_SUCCESSES = 20  # heuristic: with fewer, the posterior of the tail index is the prior
FEWEST_SIZES = 5  # Eq. 20 has four parameters
SIMULATIONS = 1000
SIGNIFICANT = 0.05  # level of the two tests in `describe_training`
PARAMETERS = ("beta", "delta", "c", "nu")  # of Eq. 20

Values = Float[np.ndarray, " m"]


class TrainingSeries(NamedTuple):
    """Tail index against training size for m groups that differ in nothing else."""

    series: str
    """Name of the series: the fields that set it apart from the other series, or "all"."""
    sizes: Values
    """Training sizes (m,), ascending, in the unit of the column."""
    groups: tuple[str, ...]
    """Names of the m groups."""
    index: Values  # pyright: ignore[reportIncompatibleMethodOverride]  # hides tuple.index
    """Tail index of the default model (m,): exp of the posterior mean of its logarithm."""
    se: Values
    """Standard error of the index (m,)."""
    p_falls: float
    """p-value of "the index never falls"; a small value speaks against it."""
    p_flat: float
    """p-value of "the index is the same everywhere" against "it rises"; a small value speaks against it."""
    saturation: SaturationFit | None
    """Fit of Eq. 20, or None with fewer than five sizes."""
    verdict: str
    """What the tests and the fit say, in words."""

    @property
    def shows_saturation(self) -> bool:
        """Whether Eq. 20 was fitted with estimates that can be shown."""
        return self.saturation is not None and int(self.saturation.status) <= FitStatus.NOT_IDENTIFIABLE

    def to_dict(self) -> TrainingJson:
        """Plain numbers and text, as `lidjax fit --training COLUMN --json` prints them."""
        fit = self.saturation
        return {
            "series": self.series,
            "sizes": self.sizes.tolist(),
            "tail_index": self.index.tolist(),
            "se": self.se.tolist(),
            "p_never_falls": self.p_falls,
            "p_flat": self.p_flat,
            "saturation": None if fit is None else {name: float(getattr(fit, name)) for name in PARAMETERS},
            "saturation_se": None
            if fit is None
            else {name: float(getattr(fit, f"{name}_se")) for name in PARAMETERS},
            "verdict": self.verdict,
        }


def group_by_training_size(groups: Sequence[Group], column: str) -> dict[str, list[int]]:
    """Positions of the groups of each series, in the order of their training sizes.

    Groups belong to one series if they agree in all fields other than `column`. A field with a different value in every
    group, such as a name, does not count.

    Args:
        groups: The groups, `EvalData.groups`.
        column: Name of the field that holds the training size.

    Returns:
        Name of each series → positions in `groups`.

    Raises:
        InputError: If no group has the field, or it is not a positive number in some group.

    Example:
        >>> import numpy as np
        >>> from lidjax.evals import Group, group_by_training_size
        >>> counts = np.array([10]), np.array([3])
        >>> groups = [Group(f"g{t:g}", {"tokens": t}, ("p",), *counts) for t in (3e9, 1e9, 2e9)]
        >>> group_by_training_size(groups, "tokens")
        {'all': [1, 2, 0]}
    """
    fields = {name for group in groups for name in group.fields}
    check_choice("column of training size", column, sorted(fields))
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
                f"group {group.name!r}: {column} = {size!r} is no training size; it must be a number above 0"
            )
        name = ", ".join(f"{field}={format_field(group.fields.get(field))}" for field in varied) or "all"
        series.setdefault(name, []).append(position)
    return {
        name: sorted(positions, key=lambda i: float(groups[i].fields[column]))
        for name, positions in series.items()
    }


def fit_training_series(
    groups: Sequence[Group], posteriors: Sequence[Posterior], column: str
) -> list[TrainingSeries]:
    """Each series that has at least two groups with FEWEST_SUCCESSES correct answers or more."""
    found: list[TrainingSeries] = []
    for name, members in group_by_training_size(groups, column).items():
        used = [i for i in members if groups[i].c.sum() >= FEWEST_SUCCESSES]
        if len(used) < 2:
            continue
        sizes = np.array([float(groups[i].fields[column]) for i in used])
        mean, sd = np.array([log_index(posteriors[i]) for i in used]).T
        index, se = np.exp(mean), np.exp(mean) * sd
        p_falls, p_flat = monotone_p_value(mean, sd), flat_p_value(mean, sd)
        with jax.enable_x64(True):
            fit = fit_saturation(sizes, index, standard_error=se) if len(used) >= FEWEST_SIZES else None
        names = tuple(groups[i].name for i in used)
        verdict = describe_training(p_falls, p_flat, fit)
        found.append(TrainingSeries(name, sizes, names, index, se, p_falls, p_flat, fit, verdict))
    return found


def log_index(posterior: Posterior) -> tuple[float, float]:
    """Posterior mean and standard deviation of the log tail index."""
    values = np.log(posterior.tail_index)
    return float(values.mean()), float(values.std())


def monotone_p_value(
    values: Values, errors: Values, *, simulations: int = SIMULATIONS, seed: int = 0
) -> float:
    """p-value of "never falls": the weighted squared distance to the best rising curve against its simulated null.

    The null is simulated at the flat curve, the least favourable one (Robertson, Wright and Dykstra 1988).
    """
    draws = np.random.default_rng(seed).standard_normal((simulations, len(values))) * errors
    observed = rising_distance(values, errors)
    null = np.array([rising_distance(draw, errors) for draw in draws])
    return float((1 + np.sum(null >= observed)) / (1 + simulations))


def flat_p_value(values: Values, errors: Values, *, simulations: int = SIMULATIONS, seed: int = 0) -> float:
    """p-value of "the same everywhere" against "rises": how much of the spread a rising curve explains."""

    def gain(row: Values) -> float:
        centre = np.average(row, weights=errors**-2.0)
        return float(np.sum(((row - centre) / errors) ** 2) - rising_distance(row, errors))

    draws = np.random.default_rng(seed).standard_normal((simulations, len(values))) * errors
    null = np.array([gain(draw) for draw in draws])
    return float((1 + np.sum(null >= gain(values))) / (1 + simulations))


def rising_distance(values: Values, errors: Values) -> float:
    """Weighted squared distance of the values to the nearest curve that never falls."""
    from scipy.optimize import isotonic_regression  # here, because scipy.optimize takes long to import

    fitted = isotonic_regression(values, weights=errors**-2.0).x
    return float(np.sum(((values - fitted) / errors) ** 2))


def describe_training(p_falls: float, p_flat: float, fit: SaturationFit | None) -> str:
    """What the tests and the fit say, in words."""
    if p_falls < SIGNIFICANT:
        said = (
            f"the index falls somewhere (p = {p_falls:.2g}): Eq. 20, which only rises, does not describe it"
        )
    elif p_flat < SIGNIFICANT:
        said = f"rises (flat: p = {p_flat:.2g})"
    else:
        said = f"no rise can be told from none (p = {p_flat:.2g})"
    if fit is None:
        return f"{said}; too few sizes for Eq. 20"
    return f"{said}; Eq. 20: {describe_status(int(fit.status))}"
