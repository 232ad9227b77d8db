"""Back-test: subsample every problem to a budget, forecast pass@K from that alone, score against all the attempts.

The truth is the unbiased pass@K of the full counts, which has sampling noise of its own; at K = n it is the share of
problems solved. The interval of the default method is for that number: a run of n attempts that includes the budget.
"""

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Int

from lidjax.errors import InputError
from lidjax.evals.arguments import check_level
from lidjax.evals.baselines import BASELINES
from lidjax.evals.checks import check_stopping
from lidjax.evals.curve import mean_pass_at_k
from lidjax.evals.density_models import fit_models, model_pass_at_k
from lidjax.evals.fit import needs_likelihood
from lidjax.evals.forecasts.forecast import forecast_from_posterior
from lidjax.evals.rates.pooling import sample_pooled
from lidjax.evals.rates.posterior import Posterior, sample_posterior
from lidjax.evals.rates.quadrature import COARSE_GRID, CountRows, count_rows
from lidjax.evals.read.files import as_eval_data
from lidjax.evals.table import EvalData, Group
from lidjax.progress import Progress, no_progress


class BacktestForecast(NamedTuple):
    """One forecast and what came true."""

    group: str
    """Name of the group."""
    seed: int
    """Seed of the subsample."""
    budget: int
    """Number of attempts at each problem that the forecast is made from."""
    target: int
    """The K of pass@K."""
    method: str
    """"default", "pooled", one of the baselines, or "ml " and the name of a maximum-likelihood model."""
    prediction: float
    """Forecast of pass@K."""
    lower: float
    """Lower end of the interval, NaN where a method has none."""
    upper: float
    """Upper end of the interval, NaN where a method has none."""
    truth: float
    """Unbiased pass@K of all attempts."""


class BacktestResult(NamedTuple):
    """The forecasts of all methods, groups and seeds."""

    forecasts: list[BacktestForecast]
    """One for each method, group and seed."""
    notes: list[str]
    """Sentences on groups and problems that were left out."""

    def to_rows(self) -> list[dict[str, Any]]:
        """One dictionary of plain values for each forecast, as `lidjax backtest --json` prints them."""
        return [forecast._asdict() for forecast in self.forecasts]


class BacktestScore(NamedTuple):
    """How good the forecasts of one method were, over groups and seeds."""

    method: str
    """Name of the method."""
    error: float
    """Mean absolute error of pass@K."""
    bias: float
    """Mean of forecast minus truth."""
    coverage: float
    """Share of the intervals that hold the truth, NaN where a method has none."""
    forecasts: int
    """Number of forecasts that are finite."""


class Subsample(NamedTuple):
    """One group subsampled to the budget, with what it is scored against."""

    name: str
    n: Int[np.ndarray, " p"]
    c: Int[np.ndarray, " p"]
    total: Int[np.ndarray, " p"]
    """Number of attempts in the full counts (P,)."""
    truth: float


def backtest(
    data: EvalData | Path | str | Sequence[Path | str],
    *,
    budget: int,
    target: int,
    seeds: int = 5,
    models: bool = False,
    pool: bool = False,
    level: float = 0.9,
    progress: Progress = no_progress,
) -> BacktestResult:
    """Forecasts of pass@K from a part of the attempts, beside the pass@K of all attempts.

    Every problem is subsampled to `budget` attempts, without replacement. The default model, the published baselines
    and (if asked for) the maximum-likelihood models see only those. Groups without two problems with `target` attempts,
    or whose sampling depended on the outcome, are left out, and a note says so. The computation is in float64, whatever
    the session's setting.

    Args:
        data: Counts from `read_evals`, or paths, which are then read with `read_evals`.
        budget: Number of attempts at each problem to keep, 1 or more.
        target: The K of pass@K, above `budget`.
        seeds: Number of subsamples, 1 or more.
        models: Whether to score the maximum-likelihood models too, which takes longer.
        pool: Whether to score the default model with pooled families too.
        level: Probability that each interval should hold the truth, 0.5 ≤ level < 1.
        progress: Reports progress over the seeds.

    Returns:
        All forecasts, and notes. `summarise_backtest(result.forecasts)` gives one line for each method.

    Raises:
        InputError: If a path cannot be read, an argument is out of its range, or no group can be used.

    References:
        Baselines: Brown et al. 2024; Schaeffer et al. 2025 (`lidjax/evals/baselines.py`).

    Example:
        >>> import numpy as np
        >>> import lidjax.evals
        >>> c = np.random.default_rng(0).binomial(200, np.random.default_rng(1).beta(0.4, 4, 20))
        >>> group = lidjax.evals.Group("small", {}, tuple(map(str, range(20))), np.full(20, 200), c)
        >>> data = lidjax.evals.EvalData((group,), "by hand")
        >>> result = lidjax.evals.backtest(data, budget=20, target=200, seeds=1)
        >>> sorted(forecast.method for forecast in result.forecasts)
        ['beta-binomial', 'default', 'discretised-beta', 'least-squares']
        >>> result.forecasts[0].truth == float(np.mean(c > 0))  # pass@n of n attempts is the share solved
        True
    """
    if not 1 <= budget < target:
        raise InputError(
            f"budget {budget} and target {target}: the budget must be at least 1 and below the target"
        )
    if seeds < 1:
        raise InputError(f"{seeds} seeds: there must be at least one")
    check_level(level)
    data = as_eval_data(data)
    groups, notes = usable_groups(data, target)
    if not groups:
        largest = max(int(group.n.max()) for group in data.groups)
        raise InputError(
            f"no group has two problems with {target} attempts or more, as the truth of pass@{target} needs (the "
            f"largest n is {largest})" + "".join(f"\n  {note}" for note in notes)
        )
    forecasts: list[BacktestForecast] = []
    with jax.enable_x64(True):
        for seed in progress("seeds", range(seeds)):
            subsamples = [subsample_group(group, budget, target, seed) for group in groups]
            counts = [count_rows(sample.n, sample.c, COARSE_GRID) for sample in subsamples]
            posteriors = [sample_posterior(rows, seed=seed) for rows in counts]
            methods = {"default": posteriors}
            if pool and len(groups) > 1:
                methods["pooled"] = sample_pooled(counts, seed=seed)
            for method, found in methods.items():
                for sample, rows, posterior in zip(subsamples, counts, found, strict=True):
                    interval = forecast_subsample(sample, rows, posterior, seed, target, level)
                    forecasts.append(
                        BacktestForecast(
                            sample.name, seed, budget, target, method, *interval, truth=sample.truth
                        )
                    )
            nan = float("nan")
            for sample in subsamples:
                for method, value in point_forecasts(sample, target, models=models).items():
                    forecasts.append(
                        BacktestForecast(
                            sample.name, seed, budget, target, method, value, nan, nan, sample.truth
                        )
                    )
    return BacktestResult(forecasts, notes)


def usable_groups(data: EvalData, target: int) -> tuple[list[Group], list[str]]:
    """Groups reduced to the problems with at least `target` attempts, and sentences on what was left out."""
    groups: list[Group] = []
    notes: list[str] = []
    for group in data.groups:
        enough = group.n >= target
        if enough.sum() < 2:
            notes.append(f"{group.name}: left out, {enough.sum()} problems have {target} attempts")
        elif needs_likelihood(check_stopping(group)):
            notes.append(
                f"{group.name}: left out, sampling depended on the outcome, so its pass@k is no truth"
            )
        else:
            if not enough.all():
                notes.append(
                    f"{group.name}: {np.sum(~enough)} problems with fewer than {target} attempts left out"
                )
            problems = tuple(name for name, kept in zip(group.problems, enough, strict=True) if kept)
            groups.append(Group(group.name, group.fields, problems, group.n[enough], group.c[enough]))
    return groups, notes


def subsample_group(group: Group, budget: int, target: int, seed: int) -> Subsample:
    """`budget` of each problem's attempts, without replacement. The draw depends on the group's name and the seed."""
    rng = np.random.default_rng([seed, zlib.crc32(group.name.encode())])
    c = rng.hypergeometric(group.c, group.n - group.c, budget)
    truth = mean_pass_at_k(group.n, group.c, target)
    return Subsample(group.name, np.full(len(c), budget), c, group.n, truth)


def forecast_subsample(
    sample: Subsample, rows: CountRows, posterior: Posterior, seed: int, target: int, level: float
) -> tuple[float, float, float]:
    """Prediction and interval of the default method, for the run that the full counts come from."""
    rng = np.random.default_rng([seed, zlib.crc32(sample.name.encode()), 1])
    found = forecast_from_posterior(
        rng, posterior, rows, sample.n, sample.c, target, sample.total, level=level
    )
    return float(found.prediction[0]), float(found.lower[0]), float(found.upper[0])


def point_forecasts(sample: Subsample, target: int, *, models: bool) -> dict[str, float]:
    """Forecasts without an interval, by method: the baselines, and the maximum-likelihood models if asked for."""
    forecasts = {name: baseline(sample.n, sample.c, target) for name, baseline in BASELINES.items()}
    if models:
        rows = count_rows(sample.n, sample.c)
        for model in fit_models(rows):
            value = model_pass_at_k(model.family, model.fit.params, rows, target)
            forecasts[f"ml {model.family.name}"] = float(value[0])
    return forecasts


def summarise_backtest(forecasts: Sequence[BacktestForecast]) -> list[BacktestScore]:
    """Error, bias and coverage of each method over groups and seeds, smallest error first.

    Forecasts that are NaN (least squares gives none where nothing was solved) do not count; `forecasts` of a score says
    how many did. A method without any is left out.

    Args:
        forecasts: The forecasts of `backtest`.

    Returns:
        One score for each method.

    Example:
        >>> import lidjax.evals
        >>> made = lidjax.evals.BacktestForecast("g", 0, 10, 100, "default", 0.5, 0.4, 0.6, truth=0.45)
        >>> (score,) = lidjax.evals.summarise_backtest([made])
        >>> score.method, round(score.error, 4), score.coverage
        ('default', 0.05, 1.0)
    """
    scores: list[BacktestScore] = []
    for method in dict.fromkeys(forecast.method for forecast in forecasts):
        own = [forecast for forecast in forecasts if forecast.method == method]
        error = np.array([forecast.prediction - forecast.truth for forecast in own])
        covered = [f.lower <= f.truth <= f.upper for f in own if np.isfinite(f.lower)]
        coverage = float(np.mean(covered)) if covered else float("nan")
        finite = error[np.isfinite(error)]
        if len(finite):
            scores.append(
                BacktestScore(
                    method, float(np.abs(finite).mean()), float(finite.mean()), coverage, len(finite)
                )
            )
    return sorted(scores, key=lambda score: score.error)
