"""The fit of evaluation logs: the population of success rates of each group, and what follows from it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
from jaxtyping import Float, Int

from lidjax.errors import InputError, check_choice
from lidjax.evals.arguments import check_distinct, check_level
from lidjax.evals.bootstrap import KINDS, BootstrapFits, bootstrap_family, is_mixed
from lidjax.evals.checks import check_evals
from lidjax.evals.curve import mean_pass_at_k
from lidjax.evals.density_models import fit_models
from lidjax.evals.finding import Finding
from lidjax.evals.forecasts.answer import Answer, make_answer
from lidjax.evals.forecasts.forecast import PassAtKForecast, forecast_from_posterior
from lidjax.evals.forecasts.new_problems import new_problems_from_posterior
from lidjax.evals.forecasts.problems import problem_means
from lidjax.evals.order import natural_order
from lidjax.evals.placement.advice import make_advice
from lidjax.evals.placement.next_attempts import place_attempts
from lidjax.evals.rates.pooling import sample_pooled
from lidjax.evals.rates.posterior import Posterior, sample_posterior
from lidjax.evals.rates.predictive import predictive_p_value
from lidjax.evals.rates.quadrature import COARSE_GRID, CountRows, count_rows
from lidjax.evals.read.files import as_eval_data
from lidjax.evals.report import EvalFits, GroupFit
from lidjax.evals.table import MOST_ATTEMPTS, EvalData, Group
from lidjax.evals.tail_index import tail_indices
from lidjax.progress import Progress, no_progress

MISFIT = 2e-3  # heuristic level of the posterior predictive check, which is conservative
LIKELIHOOD_ESTIMATORS = ("beta-binomial", "default")  # tail indices that stay right where c/n is biased


def fit_evals(
    data: EvalData | Path | str | Sequence[Path | str],
    *,
    targets: Sequence[int] | None = None,
    level: float = 0.9,
    pool: bool = False,
    models: bool = False,
    bootstrap: str = "none",
    replicates: int = 200,
    more: int | None = None,
    seed: int = 0,
    progress: Progress = no_progress,
) -> EvalFits:
    """Fit the population of success rates of each group, forecast pass@K, and estimate the tail index.

    This is what `lidjax fit` computes, with the same defaults. The counts are checked first, and each group has its
    findings. Every number comes from a posterior over the success rates of the group's problems. There are forecasts
    for these problems and for new problems of the same kind. The computation is in float64, whatever the session's
    setting.

    Args:
        data: Counts from `read_evals`, or paths, which are then read with `read_evals`.
        targets: Numbers of attempts K to forecast pass@K at, each 1 or more; they are sorted, and repeats dropped. By
            default powers of ten up to about a hundred times the median number of attempts of the group.
        level: Probability that each interval should hold its value, 0.5 ≤ level < 1.
        pool: Whether the groups share how probable each family of success rates is.
        models: Whether to fit and compare the maximum-likelihood models too, which takes seconds a group.
        bootstrap: What the intervals of the tail indices resample: "problems", "attempts", or "none". A bootstrap takes
            seconds a group.
        replicates: Number of bootstrap replicates, 1 or more.
        more: Number of further attempts a problem whose worth is estimated, 1 or more: as many for each problem, or the
            same total where it tells most. By default the median number of attempts so far.
        seed: Seed of all random numbers. Results do not depend on the other groups, unless pooled.
        progress: Reports progress over the groups.

    Returns:
        A sequence with one `GroupFit` for each group, in the natural order of their names (70M before 1B). `to_dict()`
        gives plain numbers, `to_dataset()` a labelled dataset, `training(column)` the tail index against training size.

    Raises:
        InputError: If a path cannot be read, or an argument is out of its range.

    References:
        The default model averages over families of success rates and was made for this project:
        `evals/rates/members.py`; coverage is tested in `tests/evals/forecasts/test_forecast.py`. Baselines and
        back-test: `lidjax.evals.backtest`.

    Example:
        >>> import numpy as np
        >>> import lidjax.evals
        >>> group = lidjax.evals.Group("small", {}, tuple("abcd"), np.full(4, 50), np.array([0, 2, 9, 50]))
        >>> data = lidjax.evals.EvalData((group,), "by hand")
        >>> (fit,) = lidjax.evals.fit_evals(data, targets=[10, 1000])
        >>> round(float(fit.unbiased[0]), 4), bool(np.isnan(fit.unbiased[1]))
        (0.5635, True)
        >>> bool(fit.forecast.lower[1] <= fit.forecast.prediction[1] <= fit.forecast.upper[1])
        True
        >>> fit.answer.k, fit.answer.problems
        (1000, 4)
    """
    check_level(level)
    if targets is not None and (not len(targets) or min(targets) < 1 or max(targets) > MOST_ATTEMPTS):
        raise InputError(
            f"targets {list(targets)}: one or more numbers of attempts, each at least 1 and at most 2^53"
        )
    for name, value in (("replicates", replicates), ("more", 1 if more is None else more)):
        if not 1 <= value <= MOST_ATTEMPTS:
            raise InputError(f"{name} = {value}: must be at least 1 and at most 2^53")
    check_choice("bootstrap", bootstrap, (*KINDS, "none"))
    data = in_natural_order(as_eval_data(data))
    findings = check_evals(data)
    groups = data.groups
    for group in groups:
        check_distinct(group.n, group.c, f"group {group.name!r}")
    pooled = pool and len(groups) > 1
    fits: list[GroupFit] = []
    with jax.enable_x64(True):
        together = [rows_of(group) for group in groups] if pooled else []
        posteriors = sample_pooled(together, seed=seed) if pooled else []
        for index in progress("groups", range(len(groups))):
            group = groups[index]
            rows = rows_of(group)
            posterior = posteriors[index] if pooled else sample_posterior(rows, seed=seed)
            own = [finding for finding in findings if finding.group == group.name]
            own += check_model(group, posterior, rows, seed)
            biased = needs_likelihood(own)
            k = np.array(sorted(set(targets)) if targets else default_targets(group), dtype=np.int64)
            forecast, answer = forecast_group(
                group, rows, posterior, k, level=level, biased=biased, seed=seed
            )
            repeats = resample_group(group, bootstrap, replicates, seed, biased=biased)
            tails = tail_indices(group.n, group.c, posterior, repeats, level=level)
            if biased:
                tails = [tail for tail in tails if tail.estimator in LIKELIHOOD_ESTIMATORS]
            following = place_attempts(
                np.random.default_rng(seed),
                posterior,
                rows,
                answer.k,
                len(group.problems) * (more or max(1, int(np.median(group.n)))),
            )
            fit = GroupFit(
                group=group,
                findings=own,
                method="pooled" if pooled else "default",
                posterior=posterior,
                answer=answer,
                forecast=forecast,
                new_problems=new_problems_from_posterior(
                    np.random.default_rng(seed), posterior, k, problems=len(group.n), level=level
                ),
                problem_means=problem_means(np.random.default_rng(seed), posterior, rows, k),
                unbiased=unbiased_pass_at_k(group, k, biased=biased),
                models=fit_models(count_rows(group.n, group.c)) if models else [],
                tail_indices=tails,
                next_attempts=following,
                advice=make_advice(answer, following),
            )
            fits.append(fit)
    return EvalFits(data, level, tuple(fits))


def in_natural_order(data: EvalData) -> EvalData:
    """The same data with its groups in the natural order of their names."""
    order = natural_order([group.name for group in data.groups])
    return replace(data, groups=tuple(data.groups[i] for i in order))


def rows_of(group: Group) -> CountRows:
    """The distinct counts of a group on the grid of the posterior."""
    return count_rows(group.n, group.c, COARSE_GRID)


def forecast_group(
    group: Group,
    rows: CountRows,
    posterior: Posterior,
    k: Int[np.ndarray, " k"],
    *,
    level: float,
    biased: bool,
    seed: int,
) -> tuple[PassAtKForecast, Answer]:
    """The forecast of these problems, and its answer."""
    counts = (posterior, rows, group.n, group.c)
    forecast = forecast_from_posterior(np.random.default_rng(seed), *counts, k, level=level, fresh=biased)
    run = forecast
    if biased:  # for new runs; the number of unsolved problems is that of the run that goes on
        run = forecast_from_posterior(np.random.default_rng(seed), *counts, k[-1:], level=level)
    return forecast, make_answer(group, forecast, run)


def check_model(group: Group, posterior: Posterior, rows: CountRows, seed: int) -> list[Finding]:
    """The finding "no_model_fits", where counts like these are not to be expected under any family of the average."""
    p_value = predictive_p_value(np.random.default_rng(seed), posterior, rows)
    if not p_value < MISFIT:
        return []
    message = (
        f"no model fits: the counts spread over problems in a way that no family of success rates gives (posterior "
        f"predictive p = {p_value:.1g}); forecasts far beyond the attempts made should not be relied on"
    )
    return [Finding("no_model_fits", group.name, message)]


def needs_likelihood(findings: Sequence[Finding]) -> bool:
    """Whether one of the findings says that c/n and the unbiased pass@k are biased."""
    return any(finding.likelihood_only for finding in findings)


def default_targets(group: Group) -> list[int]:
    """Powers of ten from 1 to about a hundred times the median number of attempts."""
    largest = max(2, int(np.ceil(np.log10(float(np.median(group.n))))) + 2)
    return [10**power for power in range(largest + 1) if 10**power <= MOST_ATTEMPTS]


def unbiased_pass_at_k(group: Group, k: Int[np.ndarray, " k"], *, biased: bool) -> Float[np.ndarray, " k"]:
    """Unbiased pass@k where every problem has k attempts; NaN elsewhere, and where the sampling makes it biased."""
    values = np.full(len(k), np.nan)
    for i, attempts in enumerate(k.tolist()):
        if not biased and attempts <= group.n.min():
            values[i] = mean_pass_at_k(group.n, group.c, attempts)
    return values


def resample_group(
    group: Group, over: str, replicates: int, seed: int, *, biased: bool
) -> BootstrapFits | None:
    """The bootstrap of one group, or None where it is not asked for or means nothing.

    Where sampling stopped at a success, the attempts cannot be resampled: that would need the stopping rule.
    """
    if over == "none" or not is_mixed(group.n, group.c) or (biased and over == "attempts"):
        return None
    return bootstrap_family(group.n, group.c, over=over, replicates=replicates, seed=seed)
