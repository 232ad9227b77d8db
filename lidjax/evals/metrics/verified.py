"""pass@k with a verifier that errs: the first accepted of at most k attempts is right, and the ceiling.

The verifier is given by its sensitivity and false acceptance, or learnt from a log that has its verdicts beside the
true ones. From a log every problem has rates of its own: some problems have weak tests. They get the same model as the
success rates, false acceptance and missed right answers each with a population of its own.
"""

import jax
import numpy as np
from jaxtyping import Float, Int

from lidjax.errors import InputError
from lidjax.evals.metrics.curve import MetricCurve, Rates, curve_from_draws
from lidjax.evals.rates.draws import draw_problem_rates
from lidjax.evals.rates.posterior import sample_posterior
from lidjax.evals.rates.quadrature import COARSE_GRID, count_rows
from lidjax.evals.table import Group
from lidjax.passk import verified_from_counts
from lidjax.verifiers import first_accepted


def verified_curves(
    group: Group,
    rates: Rates,
    k: Float[np.ndarray, " k"],
    verifier: tuple[float, float] | None,
    *,
    level: float,
    biased: bool,
    rng: np.random.Generator,
) -> list[MetricCurve]:
    """Probabilities that the answer is right, and that it is wrong, at each k and in the limit, the ceiling.

    `verifier` is the sensitivity and the false acceptance; None stands for the verdicts in the log.
    """
    all_k = np.append(k, np.inf)
    unbiased = np.full((2, len(all_k)), np.nan)
    if verifier is None:
        counts = group.details.verifier
        if counts is None:
            raise InputError(
                f"group {group.name!r}: the log has no verdicts of a verifier that were read; name their column with "
                "--columns verifier=COLUMN, or give --verifier SENSITIVITY FALSE_ACCEPTANCE"
            )
        judged, (wrong, right) = counts.judged.sum(axis=1), counts.accepted.T
        for i, size in enumerate(k.tolist()):
            if not biased and size <= judged.min():
                unbiased[0, i] = np.mean(verified_from_counts(judged, right, wrong, int(size)))
                unbiased[1, i] = np.mean(verified_from_counts(judged, wrong, right, int(size)))
        accepts = draw_error_rates(rng, counts.judged[:, 0], wrong, len(rates))
        misses = draw_error_rates(rng, counts.judged[:, 1], counts.judged[:, 1] - right, len(rates))
        sensitivity: Float[np.ndarray, "..."] = 1 - misses
    else:
        sensitivity, accepts = map(np.asarray, verifier)
    draws = np.empty((2, len(rates), len(all_k)))
    with jax.enable_x64(True):
        for i, size in enumerate(all_k.tolist()):
            found = first_accepted(rates, size, sensitivity=sensitivity, false_accept=accepts)
            draws[:, :, i] = np.asarray(found.right).mean(axis=1), np.asarray(found.wrong).mean(axis=1)
    names = ("verified pass@k", "wrong answer accepted")
    return [curve_from_draws(name, all_k, unbiased[j], draws[j], level) for j, name in enumerate(names)]


def draw_error_rates(
    rng: np.random.Generator, judged: Int[np.ndarray, " p"], errors: Int[np.ndarray, " p"], count: int
) -> Rates:
    """Draws of a verifier's error rate on each problem, from its errors among the attempts that it judged.

    A problem without such attempts has a rate from the population of the others.
    """
    known = judged > 0
    if not known.any():
        raise InputError(
            "the log has no right or no wrong attempt that the verifier judged: its errors are unknown"
        )
    with jax.enable_x64(True):
        posterior = sample_posterior(count_rows(judged[known], errors[known], COARSE_GRID))
        with np.errstate(invalid="ignore"):  # problems without attempts have the likelihood 1 everywhere
            rows = count_rows(judged, errors, COARSE_GRID)
        return draw_problem_rates(rng, posterior, rows, count)
