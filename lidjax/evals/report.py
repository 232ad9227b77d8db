"""Everything `lidjax fit` says of the groups of a file, as data: the command line prints it, the figure draws it."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from lidjax.evals.bootstrap import Resampled, bootstrap
from lidjax.evals.checks import Finding, check_evals
from lidjax.evals.compare import MODELS, ModelFit, fit_models
from lidjax.evals.forecast import Forecast, draw_rates, forecast_run
from lidjax.evals.next_attempts import Advice, next_attempts
from lidjax.evals.rates.pooling import pool_shapes
from lidjax.evals.rates.population import Posterior, resample, sample_posterior
from lidjax.evals.rates.prior import INDIFFERENT, Prior
from lidjax.evals.rates.quadrature import COARSE, count_rows
from lidjax.evals.table import EvalData, Group
from lidjax.evals.tail_index import TailIndex, tail_indices
from lidjax.passk import pass_at_k_from_counts

DRAWS = 400


class Options(NamedTuple):
    """What to compute: targets K (None: 1, 10, ... to a hundred times the largest n), level of the intervals,
    pooled shapes, maximum-likelihood models, bootstrap ("problems", "attempts" or None) with its replicates,
    attempts to advise on."""

    targets: tuple[int, ...] | None = None
    level: float = 0.9
    pool: bool = False
    models: bool = True
    over: str | None = "problems"
    replicates: int = 200
    more: int | None = None
    seed: int = 0


class GroupReport(NamedTuple):
    """One group. `inside` (K,) is the unbiased pass@k where every problem has k attempts and the sampling allows
    it, else NaN; `method` names what made the forecast: "default" or "pooled". `tail_posterior` has no preference for
    straight pass@k curves; tail indices come from it."""

    group: Group
    findings: list[Finding]
    method: str
    posterior: Posterior
    tail_posterior: Posterior
    forecast: Forecast
    inside: np.ndarray
    models: list[ModelFit]
    tails: list[TailIndex]
    advice: Advice
    advice_k: int


def report_groups(
    data: EvalData, options: Options, *, track: Callable[[Sequence[int]], Iterator[int]] = iter
) -> list[GroupReport]:
    """Fit every group. `track` wraps the groups, for a progress bar."""
    findings = check_evals(data)
    groups = data.groups
    counts = [count_rows(group.n, group.c, COARSE) for group in groups]
    method = "pooled" if options.pool and len(groups) > 1 else "default"

    def posteriors_under(prior: Prior) -> list[Posterior]:
        alone = [sample_posterior(rows, prior=prior, seed=options.seed) for rows in counts]
        return pool_shapes(alone, prior=prior, seed=options.seed) if method == "pooled" else alone

    posteriors, for_tails = posteriors_under(Prior()), posteriors_under(INDIFFERENT)
    reports = []
    for index in track(range(len(groups))):
        group, posterior = groups[index], posteriors[index]
        mine = [finding for finding in findings if finding.group == group.name]
        targets = np.array(options.targets or default_targets(group), dtype=np.int64)
        rng = np.random.default_rng(options.seed)
        rates = draw_rates(rng, resample(posterior, DRAWS, rng), counts[index])
        forecast = forecast_run(rng, rates, group.n, group.c, targets, level=options.level)
        biased = any(finding.likelihood_only for finding in mine)
        models = fit_models(count_rows(group.n, group.c), MODELS) if options.models else []
        repeats = resample_group(group, options, biased)
        tails = tail_indices(group.n, group.c, for_tails[index], repeats, level=options.level)
        if biased:
            tails = [tail for tail in tails if tail.estimator in ("beta-binomial", "default")]
        chosen = min(10, len(group.problems))
        more = options.more or max(1, int(np.median(group.n)))
        beyond = int(next((k for k in targets if k > group.n.max()), targets[-1]))
        advice = next_attempts(posterior, counts[index], beyond, more=more, chosen=chosen)
        inside = inside_the_data(group, targets, biased)
        reports.append(
            GroupReport(
                group,
                mine,
                method,
                posterior,
                for_tails[index],
                forecast,
                inside,
                models,
                tails,
                advice,
                beyond,
            )
        )
    return reports


def default_targets(group: Group) -> list[int]:
    largest = max(2, int(np.ceil(np.log10(float(np.median(group.n))))) + 2)
    return [10**power for power in range(largest + 1)]


def inside_the_data(group: Group, targets, biased: bool) -> np.ndarray:
    values = np.full(len(targets), np.nan)
    for i, k in enumerate(targets.tolist()):
        if not biased and k <= group.n.min():
            values[i] = float(np.mean(pass_at_k_from_counts(group.n, group.c, k)))
    return values


def resample_group(group: Group, options: Options, biased: bool) -> Resampled | None:
    """The bootstrap, where it means something: two problems or more, some solved, some attempts failed, and
    attempts that did not stop at a success (replicates of such a run would need its stopping rule)."""
    mixed = 0 < group.c.sum() < group.n.sum() and len(group.problems) > 1
    if options.over is None or not mixed or (biased and options.over == "attempts"):
        return None
    return bootstrap(group.n, group.c, over=options.over, replicates=options.replicates, seed=options.seed)
