"""The results of `fit_evals`: for programs as objects, plain dictionaries or a labelled dataset."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, overload

import numpy as np
from jaxtyping import Float

from lidjax.evals.density_models import ModelFit
from lidjax.evals.finding import Finding
from lidjax.evals.forecasts.answer import Answer
from lidjax.evals.forecasts.forecast import PassAtKForecast
from lidjax.evals.forecasts.new_problems import NewProblemsForecast
from lidjax.evals.forecasts.problems import ProblemMeans
from lidjax.evals.json_types import FitsJson, GroupJson
from lidjax.evals.placement.advice import Advice, advice_to_dict
from lidjax.evals.placement.next_attempts import NextAttempts
from lidjax.evals.rates.posterior import Posterior
from lidjax.evals.table import EvalData, Group
from lidjax.evals.tail_index import TailIndexEstimate
from lidjax.evals.training import TrainingSeries, fit_training_series

if TYPE_CHECKING:
    import xarray as xr


class GroupFit(NamedTuple):
    """Everything that `fit_evals` says of one group."""

    group: Group
    """The counts."""
    findings: list[Finding]
    """What may be wrong with them."""
    method: str
    """What made the forecast: "default", or "pooled" where groups share how probable each family is."""
    posterior: Posterior
    """Posterior of the population of problems that the forecast comes from."""
    answer: Answer
    """The answer: one pass@K with its interval, and how many problems are expected to stay unsolved."""
    forecast: PassAtKForecast
    """Forecast of pass@K of these problems at the K targets."""
    new_problems: NewProblemsForecast
    """Forecast of pass@K of as many new problems of the same kind, at the K targets."""
    problem_means: ProblemMeans
    """Posterior means of each problem: its success rate, and its pass@K at the K targets."""
    unbiased: Float[np.ndarray, " k"]
    """Unbiased pass@K (K,) where every problem has K attempts and the sampling permits it, else NaN."""
    models: list[ModelFit]
    """Maximum-likelihood models, best AIC first; empty if they were not asked for."""
    tail_indices: list[TailIndexEstimate]
    """Tail index by each estimator; the last one is that of the default model."""
    next_attempts: NextAttempts
    """Which problems should get the next attempts."""
    advice: Advice
    """What the interval of the answer becomes with these attempts, and with as many that are spread evenly."""

    def to_dict(self) -> GroupJson:
        """Plain numbers and text, as `lidjax fit --json` prints them for a group."""
        group, new = self.group, self.new_problems
        return {
            "group": group.name,
            "fields": dict(group.fields),
            "problems": len(group.problems),
            "attempts": int(group.n.sum()),
            "solved": int(np.sum(group.c > 0)),
            "findings": [
                {"code": found.kind, "message": found.message, "likelihood_only": found.likelihood_only}
                for found in self.findings
            ],
            "method": self.method,
            "effective_sample": self.posterior.effective_sample_size,
            "converged": self.posterior.converged,
            "answer": self.answer.to_dict(),
            "pass_at_k": [
                {
                    "k": row["k"],
                    "unbiased": float(self.unbiased[i]),
                    "latent": row["latent"],
                    "latent_lower": row["latent_lower"],
                    "latent_upper": row["latent_upper"],
                    "new_problems": float(new.value[i]),
                    "new_problems_lower": float(new.lower[i]),
                    "new_problems_upper": float(new.upper[i]),
                    "prediction": row["prediction"],
                    "lower": row["lower"],
                    "upper": row["upper"],
                }
                for i, row in enumerate(self.forecast.to_rows())
            ],
            "per_problem": [
                {"problem": problem, "n": n, "c": c, "rate": rate, "pass_at_k": solved}
                for problem, n, c, rate, solved in zip(
                    group.problems,
                    group.n.tolist(),
                    group.c.tolist(),
                    self.problem_means.rate.tolist(),
                    self.problem_means.pass_at_k.tolist(),
                    strict=True,
                )
            ],
            "tail_index": [estimate.to_dict() for estimate in self.tail_indices],
            "models": [model.to_dict() for model in self.models],
            "next_attempts": advice_to_dict(group, self.advice, self.next_attempts),
        }


@dataclass(frozen=True)
class EvalFits(Sequence[GroupFit]):
    """The results of `fit_evals`: a sequence with one `GroupFit` for each group, in the natural order of their names.

    Example:
        >>> import numpy as np
        >>> import lidjax.evals
        >>> group = lidjax.evals.Group("small", {}, tuple("abcd"), np.full(4, 50), np.array([0, 2, 9, 50]))
        >>> data = lidjax.evals.EvalData((group,), "by hand")
        >>> fits = lidjax.evals.fit_evals(data, targets=[10, 1000])
        >>> fits.to_dict()["groups"][0]["pass_at_k"][1]["k"]
        1000
        >>> dict(fits.to_dataset().sizes)
        {'group': 1, 'k': 2, 'estimator': 3}
    """

    data: EvalData
    """The counts that were fitted."""
    level: float
    """Probability that each interval should hold its value."""
    groups: tuple[GroupFit, ...]
    """The results of each group."""

    @overload
    def __getitem__(self, index: int) -> GroupFit: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[GroupFit, ...]: ...
    def __getitem__(self, index: int | slice) -> GroupFit | tuple[GroupFit, ...]:
        return self.groups[index]

    def __len__(self) -> int:
        return len(self.groups)

    def __iter__(self) -> Iterator[GroupFit]:
        return iter(self.groups)

    def training(self, column: str) -> list[TrainingSeries]:
        """Tail index of the default model against training size, with the fit of Eq. 20.

        Args:
            column: Field of the groups that holds the training size, such as "tokens".

        Returns:
            One series for each set of groups that differ in training size alone. A series needs two groups with 20
            correct answers or more.

        Raises:
            InputError: If no group has the field, or it is not a positive number in some group.
        """
        return fit_training_series(self.data.groups, [fit.posterior for fit in self], column)

    def to_dict(self) -> FitsJson:
        """Plain numbers and text, as `lidjax fit --json` prints them, without the training series and figures.

        Returns:
            Keys "format", "notes", "level", "left_aside" and "groups"; `fit_schema` describes every field. Missing
            values are NaN, which is not JSON; the command line prints null instead.
        """
        return {
            "format": self.data.format,
            "notes": list(self.data.notes),
            "level": self.level,
            "left_aside": [
                {
                    "fields": dict(left.fields),
                    "problem": left.problem,
                    "count": left.count,
                    "reason": left.reason,
                }
                for left in self.data.left_aside
            ],
            "groups": [fit.to_dict() for fit in self],
        }

    def to_dataset(self) -> "xr.Dataset":
        """The numbers as a labelled dataset over group, k and estimator.

        Groups whose targets differ have NaN at the K of the others. The fields of the groups (model, tokens, ...) are
        coordinates along `group`. A field with the name of a variable gets the prefix "field_".

        Returns:
            Over (group, k): `prediction`, `lower`, `upper`, `latent`, `latent_lower`, `latent_upper`, `new_problems`,
            `new_problems_lower`, `new_problems_upper`, `unbiased`. Over (group, estimator): `tail_index`,
            `tail_index_lower`, `tail_index_upper`. Over group: `problems`, `attempts`, `solved` (numbers of them),
            `effective_sample_size`, `converged`. Attributes: `format`, `level`, `method`.
        """
        import xarray as xr

        ks = sorted({int(k) for fit in self for k in fit.forecast.k})
        estimators = list(dict.fromkeys(tail.estimator for fit in self for tail in fit.tail_indices))

        def over_k(value: Callable[[GroupFit], Float[np.ndarray, " k"]]) -> tuple[list[str], np.ndarray]:
            table = np.full((len(self), len(ks)), np.nan)
            for row, fit in zip(table, self, strict=True):
                row[[ks.index(int(k)) for k in fit.forecast.k]] = value(fit)
            return ["group", "k"], table

        def over_estimators(name: str) -> tuple[list[str], np.ndarray]:
            table = np.full((len(self), len(estimators)), np.nan)
            for row, fit in zip(table, self, strict=True):
                for tail in fit.tail_indices:
                    row[estimators.index(tail.estimator)] = getattr(tail, name)
            return ["group", "estimator"], table

        names = ("prediction", "lower", "upper", "latent", "latent_lower", "latent_upper")
        variables: dict[str, Any] = {
            name: over_k(lambda fit, name=name: getattr(fit.forecast, name)) for name in names
        }
        variables["unbiased"] = over_k(lambda fit: fit.unbiased)
        for name, part in (("", "value"), ("_lower", "lower"), ("_upper", "upper")):
            variables[f"new_problems{name}"] = over_k(lambda fit, part=part: getattr(fit.new_problems, part))
        for name, part in (
            ("tail_index", "value"),
            ("tail_index_lower", "lower"),
            ("tail_index_upper", "upper"),
        ):
            variables[name] = over_estimators(part)
        variables |= {
            "problems": ("group", [len(fit.group.problems) for fit in self]),
            "attempts": ("group", [int(fit.group.n.sum()) for fit in self]),
            "solved": ("group", [int(np.sum(fit.group.c > 0)) for fit in self]),
            "effective_sample_size": ("group", [fit.posterior.effective_sample_size for fit in self]),
            "converged": ("group", [fit.posterior.converged for fit in self]),
        }
        coordinates: dict[str, Any] = {
            "group": [fit.group.name for fit in self],
            "k": ks,
            "estimator": estimators,
        }
        taken = {*variables, *coordinates}
        for field in dict.fromkeys(field for fit in self for field in fit.group.fields):
            values = [fit.group.fields.get(field) for fit in self]
            numeric = all(value is None or isinstance(value, float) for value in values)
            missing = np.nan if numeric else ""
            column = [missing if value is None else value if numeric else str(value) for value in values]
            coordinates[f"field_{field}" if field in taken else field] = ("group", column)
        attributes = {"format": self.data.format, "level": self.level, "method": self[0].method}
        return xr.Dataset(variables, coordinates, attributes)
