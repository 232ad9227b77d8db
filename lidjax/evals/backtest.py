"""Back-test: thin every problem to a budget, forecast pass@K from that alone, score against all the attempts.

The truth is the unbiased pass@K of the full counts, so it has sampling noise of its own, and at K = n it is the
share of problems solved; the interval of the default method is for that number, a run of n attempts of which the
budget is a part.
"""

import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from lidjax.errors import InputError
from lidjax.evals.baselines import BASELINES
from lidjax.evals.checks import check_stopping
from lidjax.evals.compare import MODELS, fit_models, model_pass_at_k
from lidjax.evals.forecast import draw_rates, forecast_run
from lidjax.evals.rates.pooling import pool_shapes
from lidjax.evals.rates.population import Posterior, resample, sample_posterior
from lidjax.evals.rates.quadrature import COARSE, CountRows, count_rows
from lidjax.evals.table import EvalData, Group
from lidjax.passk import pass_at_k_from_counts

DRAWS = 400
LEVEL = 0.9


class Row(NamedTuple):
    """One forecast and what came true; the interval is NaN where a method has none."""

    group: str
    seed: int
    budget: int
    target: int
    method: str
    prediction: float
    lower: float
    upper: float
    truth: float


class Task(NamedTuple):
    """One group thinned to the budget: what a method may see (`n`, `c`), the size of the run to come, and the truth."""

    name: str
    n: np.ndarray
    c: np.ndarray
    total: np.ndarray
    truth: float


def backtest(
    data: EvalData,
    *,
    budget: int,
    target: int,
    seeds: int = 5,
    models: bool = True,
    pool: bool = False,
    level: float = LEVEL,
    track: Callable[[Sequence[int]], Iterator[int]] = iter,
) -> tuple[list[Row], list[str]]:
    """Rows of every method, and notes on groups left out. `track` wraps the seeds, for a progress bar."""
    if not 1 <= budget < target:
        raise InputError(
            f"budget {budget} and target {target}: the budget is at least 1 and below the target"
        )
    if seeds < 1:
        raise InputError(f"{seeds} seeds: at least one")
    groups, notes = usable_groups(data, budget, target)
    if not groups:
        largest = max(int(group.n.max()) for group in data.groups)
        raise InputError(
            f"no group has two problems with {target} attempts or more, as the truth of pass@{target} needs (the "
            f"largest n is {largest})" + "".join(f"\n  {note}" for note in notes)
        )
    rows = []
    for seed in track(range(seeds)):
        tasks = [thin(group, budget, target, seed) for group in groups]
        counts = [count_rows(task.n, task.c, COARSE) for task in tasks]
        posteriors = [sample_posterior(row, seed=seed) for row in counts]
        methods = {"default": posteriors}
        if pool and len(groups) > 1:
            methods["pooled"] = pool_shapes(posteriors, seed=seed)
        for method, found in methods.items():
            for task, count, posterior in zip(tasks, counts, found, strict=True):
                rows.append(score(task, count, posterior, method, seed, budget, target, level))
        for task in tasks:
            forecasts = {name: float(f(task.n, task.c, target)) for name, f in BASELINES.items()}
            if models:
                fine = count_rows(task.n, task.c)
                for model in fit_models(fine, MODELS):
                    value = model_pass_at_k(model.family, model.fit.params, fine, target)
                    forecasts[f"ml {model.family.name}"] = float(value[0])
            nan = float("nan")
            rows += [
                Row(task.name, seed, budget, target, method, value, nan, nan, task.truth)
                for method, value in forecasts.items()
            ]
    return rows, notes


def usable_groups(data: EvalData, budget: int, target: int) -> tuple[list[Group], list[str]]:
    """Groups cut to the problems with at least `target` attempts; what was left out, in words."""
    groups, notes = [], []
    for group in data.groups:
        enough = group.n >= target
        if enough.sum() < 2:
            notes.append(f"{group.name}: left out, {enough.sum()} problems have {target} attempts")
        elif any(finding.likelihood_only for finding in check_stopping(group)):
            notes.append(
                f"{group.name}: left out, sampling depended on the outcome, so its pass@k is no truth"
            )
        else:
            if not enough.all():
                notes.append(
                    f"{group.name}: {np.sum(~enough)} problems with fewer than {target} attempts left out"
                )
            problems = tuple(p for p, here in zip(group.problems, enough, strict=True) if here)
            groups.append(Group(group.name, group.fields, problems, group.n[enough], group.c[enough]))
    return groups, notes


def thin(group: Group, budget: int, target: int, seed: int) -> Task:
    """Draw `budget` of each problem's attempts without putting back; the draw depends on the group's name and the
    seed."""
    rng = np.random.default_rng([seed, zlib.crc32(group.name.encode())])
    c = rng.hypergeometric(group.c, group.n - group.c, budget)
    truth = float(np.mean(pass_at_k_from_counts(group.n, group.c, target)))
    return Task(group.name, np.full(len(c), budget), c, group.n, truth)


def score(
    task: Task,
    rows: CountRows,
    posterior: Posterior,
    method: str,
    seed: int,
    budget: int,
    target: int,
    level: float,
) -> Row:
    rng = np.random.default_rng([seed, zlib.crc32(task.name.encode()), 1])
    rates = draw_rates(rng, resample(posterior, DRAWS, rng), rows)
    found = forecast_run(rng, rates, task.n, task.c, target, task.total, level=level)
    middle, low, high = (float(x[0]) for x in (found.prediction, found.lower, found.upper))
    return Row(task.name, seed, budget, target, method, middle, low, high, task.truth)


class Summary(NamedTuple):
    """Mean absolute error and bias of one method over groups and seeds, and the share of intervals that cover."""

    method: str
    error: float
    bias: float
    coverage: float
    forecasts: int


def summarise(rows: Sequence[Row]) -> list[Summary]:
    """One line a method, smallest error first."""
    lines = []
    for method in dict.fromkeys(row.method for row in rows):
        mine = [row for row in rows if row.method == method]
        error = np.array([row.prediction - row.truth for row in mine])
        covered = [row.lower <= row.truth <= row.upper for row in mine if np.isfinite(row.lower)]
        coverage = float(np.mean(covered)) if covered else float("nan")
        sound = error[np.isfinite(error)]
        if len(sound):
            lines.append(
                Summary(method, float(np.abs(sound).mean()), float(sound.mean()), coverage, len(sound))
            )
    return sorted(lines, key=lambda line: line.error)
