"""The fit of evaluation logs: the population of success rates of each group, and what follows from it."""

from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np
from jaxtyping import Float, Int

from lidjax.errors import InputError, check_choice
from lidjax.evals.arguments import check_distinct, check_level
from lidjax.evals.bootstrap import KINDS, BootstrapFits, bootstrap_family, is_mixed
from lidjax.evals.checks import Finding, check_evals
from lidjax.evals.compare import fit_models
from lidjax.evals.curve import mean_pass_at_k
from lidjax.evals.forecast import forecast_from_posterior
from lidjax.evals.next_attempts import place_attempts
from lidjax.evals.rates.pooling import pool_shapes
from lidjax.evals.rates.posterior import Posterior, sample_posterior
from lidjax.evals.rates.prior import NO_PREFERENCE, Prior
from lidjax.evals.rates.quadrature import COARSE_GRID, CountRows, count_rows
from lidjax.evals.read.files import as_eval_data
from lidjax.evals.report import EvalFits, GroupFit
from lidjax.evals.table import MOST_ATTEMPTS, EvalData, Group
from lidjax.evals.tail_index import tail_indices
from lidjax.progress import Progress, no_progress

FEW_GROUPS = 4
"""Up to this number of groups, models and bootstrap are computed by default, because they take seconds a group."""

LIKELIHOOD_ESTIMATORS = ("beta-binomial", "default")  # tail indices that stay right where c/n is biased


def fit_evals(
    data: EvalData | Path | str | Sequence[Path | str],
    *,
    targets: Sequence[int] | None = None,
    level: float = 0.9,
    pool: bool = False,
    models: bool | None = None,
    bootstrap: str | None = None,
    replicates: int = 200,
    more: int | None = None,
    seed: int = 0,
    progress: Progress = no_progress,
) -> EvalFits:
    """Fit the population of success rates of each group, forecast pass@K, and estimate the tail index.

    This is what `lidjax fit` computes, with the same defaults. The counts are checked first, and each group has its
    findings. Every number comes from a posterior over the success rates of the group's problems; forecasts are for
    these problems. The computation is in float64, whatever the session's setting.

    Args:
        data: Counts from `read_evals`, or paths, which are then read with `read_evals`.
        targets: Numbers of attempts K to forecast pass@K at, each 1 or more; they are sorted, and repeats dropped. By
            default powers of ten up to about a hundred times the median number of attempts of the group.
        level: Probability that each interval should hold its value, 0.5 ≤ level < 1.
        pool: Whether the groups share the shape of their densities of success rates.
        models: Whether to fit and compare the maximum-likelihood models too. By default for up to FEW_GROUPS groups.
        bootstrap: What the intervals of the tail indices resample: "problems", "attempts", or "none". By default
            "problems" for up to FEW_GROUPS groups, else "none".
        replicates: Number of bootstrap replicates, 1 or more.
        more: Number of further attempts a problem whose worth is estimated, 1 or more: as many for each problem, or the
            same total where it tells most. By default the median number of attempts so far.
        seed: Seed of all random numbers. Results do not depend on the other groups, unless pooled.
        progress: Reports progress over the groups.

    Returns:
        A sequence with one `GroupFit` for each group. `to_dict()` gives plain numbers, `to_dataset()` a labelled
        dataset, `training(column)` the tail index against training size.

    Raises:
        InputError: If a path cannot be read, or an argument is out of its range.

    References:
        The default model and its prior were made for this project: `evals/rates/prior.py`; coverage is tested in
        `tests/evals/test_default_model.py`. Baselines and back-test: `lidjax.evals.backtest`.

    Example:
        >>> import numpy as np
        >>> import lidjax.evals
        >>> group = lidjax.evals.Group("small", {}, tuple("abcd"), np.full(4, 50), np.array([0, 2, 9, 50]))
        >>> data = lidjax.evals.EvalData((group,), "by hand")
        >>> (fit,) = lidjax.evals.fit_evals(data, targets=[10, 1000], models=False, bootstrap="none")
        >>> round(float(fit.unbiased[0]), 4), bool(np.isnan(fit.unbiased[1]))
        (0.5635, True)
        >>> bool(fit.forecast.lower[1] <= fit.forecast.prediction[1] <= fit.forecast.upper[1])
        True
    """
    check_level(level)
    if targets is not None and (not len(targets) or min(targets) < 1 or max(targets) > MOST_ATTEMPTS):
        raise InputError(
            f"targets {list(targets)}: one or more numbers of attempts, each at least 1 and at most 2^53"
        )
    for name, value in (("replicates", replicates), ("more", 1 if more is None else more)):
        if not 1 <= value <= MOST_ATTEMPTS:
            raise InputError(f"{name} = {value}: must be at least 1 and at most 2^53")
    if bootstrap is not None:
        check_choice("bootstrap", bootstrap, (*KINDS, "none"))
    data = as_eval_data(data)
    few = len(data.groups) <= FEW_GROUPS
    over = bootstrap or ("problems" if few else "none")
    with_models = few if models is None else models
    findings = check_evals(data)
    groups = data.groups
    for group in groups:
        check_distinct(group.n, group.c, f"group {group.name!r}")
    method = "pooled" if pool and len(groups) > 1 else "default"
    fits: list[GroupFit] = []
    with jax.enable_x64(True):
        counts = [count_rows(group.n, group.c, COARSE_GRID) for group in groups]
        posteriors = sample_posteriors(counts, Prior(), pool=method == "pooled", seed=seed)
        tail_posteriors = sample_posteriors(counts, NO_PREFERENCE, pool=method == "pooled", seed=seed)
        for index in progress("groups", range(len(groups))):
            group, posterior, tail_posterior = groups[index], posteriors[index], tail_posteriors[index]
            own = [finding for finding in findings if finding.group == group.name]
            biased = needs_likelihood(own)
            k = np.array(sorted(set(targets)) if targets else default_targets(group), dtype=np.int64)
            rng = np.random.default_rng(seed)
            forecast = forecast_from_posterior(
                rng, posterior, counts[index], group.n, group.c, k, level=level, fresh=biased
            )
            repeats = resample_group(group, over, replicates, seed, biased=biased)
            tails = tail_indices(group.n, group.c, tail_posterior, repeats, level=level)
            if biased:
                tails = [tail for tail in tails if tail.estimator in LIKELIHOOD_ESTIMATORS]
            following = place_attempts(
                np.random.default_rng(seed),
                posterior,
                counts[index],
                int(next((target for target in k if target > group.n.max()), k[-1])),
                len(group.problems) * (more or max(1, int(np.median(group.n)))),
            )
            fit = GroupFit(
                group=group,
                findings=own,
                method=method,
                posterior=posterior,
                tail_posterior=tail_posterior,
                forecast=forecast,
                unbiased=unbiased_pass_at_k(group, k, biased=biased),
                models=fit_models(count_rows(group.n, group.c)) if with_models else [],
                tail_indices=tails,
                next_attempts=following,
            )
            fits.append(fit)
    return EvalFits(data, level, tuple(fits))


def sample_posteriors(counts: list[CountRows], prior: Prior, *, pool: bool, seed: int) -> list[Posterior]:
    """Posterior of each group under `prior`, pooled if asked for."""
    alone = [sample_posterior(rows, prior=prior, seed=seed) for rows in counts]
    return pool_shapes(alone, prior=prior, seed=seed) if pool else alone


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
