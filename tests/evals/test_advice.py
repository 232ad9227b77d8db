"""What further attempts are worth: which interval is said, and when nothing is."""

import numpy as np
import pytest

from lidjax.evals import Answer, NextAttempts
from lidjax.evals.advice import narrow_interval

ANSWER = Answer(1000, 0.73, 0.66, 0.79, 0.9, 4, 10_000, 1, 0, 2, made=False)


FOLLOWING = NextAttempts(np.array([300, 100, 0, 0]), np.zeros(4), 1000, 0.04, 0.03, 0.03)


def advice(sd_uniform, sd_placed):
    return narrow_interval(ANSWER, FOLLOWING, 0.04, sd_uniform, sd_placed)


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
    found = narrow_interval(known, FOLLOWING, 0.0, 0.0, 0.0)
    assert found.now == found.uniform == found.placed
