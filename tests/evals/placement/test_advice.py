"""What further attempts are worth: which interval is said, and when nothing is."""

import numpy as np
import pytest

from lidjax.evals import Answer, NextAttempts
from lidjax.evals.placement.advice import make_advice
from lidjax.evals.placement.next_attempts import place_attempts
from lidjax.evals.rates.draws import draw_problem_rates
from lidjax.evals.rates.posterior import sample_posterior
from lidjax.evals.rates.quadrature import COARSE_GRID, count_rows

ANSWER = Answer(1000, 0.73, 0.66, 0.79, 0.9, 4, 10_000, 1, 0, 2, made=False)


def advice(sd_uniform, sd_placed, answer=ANSWER, sd=0.04):
    attempts = np.array([300, 100, 0, 0])
    return make_advice(answer, NextAttempts(attempts, np.zeros(4), 1000, sd, sd_placed, sd_uniform))


def test_the_interval_shrinks_like_the_standard_deviation():
    found = advice(0.02, 0.01)
    assert found.now == (0.66, 0.79)
    assert found.uniform == pytest.approx((0.695, 0.76))
    assert found.placed == pytest.approx((0.7125, 0.745))
    assert (found.total, found.chosen, found.problems) == (400, 2, 4)
    assert found.sentence == (
        "400 more attempts are expected to narrow the interval to 0.695 to 0.760 if spread evenly, to 0.713 to 0.745 "
        "where they tell most (2 of 4 problems)."
    )


@pytest.mark.parametrize(
    ("uniform", "placed", "worthwhile", "placing"),
    [
        (0.037, 0.0365, False, False),
        (0.037, 0.0355, True, False),
        (0.0301, 0.028, True, False),
        (0.039, 0.03, True, True),
        (0.03, 0.02, True, True),
    ],
)
def test_a_gain_below_a_tenth_is_not_worth_a_sentence(uniform, placed, worthwhile, placing):
    found = advice(uniform, placed)
    assert (found.worthwhile, found.placing_helps) == (worthwhile, placing)
    assert ("interval by less than a tenth" in found.sentence) == (not worthwhile)
    assert ("they gain no tenth more" in found.sentence) == (worthwhile and not placing)


def test_a_known_pass_at_k_has_nothing_to_gain():
    known = ANSWER._replace(lower=0.73, upper=0.73)
    found = advice(0.0, 0.0, known, 0.0)
    assert found.now == found.uniform == found.placed


@pytest.mark.slow
def test_the_expectation_is_what_refits_find():
    """24 futures drawn from the posterior and fitted anew: the root mean square of their standard deviations, within
    20 %, which is about three of its standard errors."""
    rng = np.random.default_rng(4)
    n = np.full(64, 40)
    c = rng.binomial(n, rng.beta(0.35, 4, 64))
    rows = count_rows(n, c, COARSE_GRID)
    posterior = sample_posterior(rows)
    more = np.full(64, 160)
    expected = place_attempts(rng, posterior, rows, 1000, int(more.sum()))

    def spread(posterior, rows):
        return (
            (-np.expm1(1000 * np.log1p(-draw_problem_rates(rng, posterior, rows, 1000)))).mean(axis=1).std()
        )

    assert expected.sd == pytest.approx(spread(posterior, rows), rel=0.12)
    variances = []
    for rates in draw_problem_rates(rng, posterior, rows, 24):
        later = count_rows(n + more, c + rng.binomial(more, rates), COARSE_GRID)
        variances.append(spread(sample_posterior(later), later) ** 2)
    found = np.sqrt(np.mean(variances))
    print(f"\nnow {expected.sd:.4f}, expected {expected.sd_uniform:.4f}, refits {found:.4f}")
    assert expected.sd_uniform == pytest.approx(found, rel=0.2)
    assert expected.sd_uniform < 0.85 * expected.sd
