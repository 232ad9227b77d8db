"""The answer in one sentence: which numbers it has, and how they are written."""

import numpy as np
import pytest

from lidjax.evals import EvalData, Group, fit_evals, format_interval


def answer(n, c, targets=None):
    group = Group("g", {}, tuple(map(str, range(len(n)))), np.array(n), np.array(c))
    return fit_evals(EvalData((group,), "by hand"), targets=targets)[0].answer


def test_the_answer_is_of_the_first_target_beyond_the_attempts_and_the_last():
    n, c = [20] * 30, [0] * 12 + [1, 2, 3] * 6
    found = answer(n, c, [10, 100, 1000])
    assert (found.k, found.unsolved_at, found.made) == (100, 1000, False)
    assert found.lower < found.pass_at_k < found.upper
    assert 0 <= found.unsolved_lower <= found.unsolved <= found.unsolved_upper <= 12
    assert found.unsolved_lower < found.unsolved_upper
    low, high = found.unsolved_lower, found.unsolved_upper
    assert f"{found.unsolved} problem" in found.sentence
    assert f"({low} to {high})" in found.sentence
    assert found.sentence.startswith("pass@100 of these 30 problems is 0.")


def test_what_is_known_is_said_as_known():
    n, c = [20] * 30, [0] * 12 + [1, 2, 3] * 6
    made = answer(n, c, [10])
    assert (made.k, made.unsolved, made.unsolved_at) == (10, 12, 20)
    assert made.sentence.endswith("12 problems unsolved so far.")
    every = answer(n, [5] * 30, [100])
    assert (every.unsolved, every.made) == (0, True)
    assert every.sentence.endswith("every problem is solved already.")
    assert "of this problem is" in answer([20], [3], [100]).sentence


def test_solved_problems_stay_solved_where_sampling_stopped():
    """Batches of 8 until a success: the forecast is of new runs, the number of unsolved problems of the old ones."""
    n = [8] * 30 + [16] * 10 + [48] * 20
    c = [2] * 30 + [1] * 10 + [0] * 20
    found = answer(n, c, [49, 10_000])
    assert found.unsolved_upper <= 20
    assert found.k == 49


@pytest.mark.parametrize(
    ("numbers", "written"),
    [
        ((0.5, 0.25, 0.75), ("0.50", "0.25", "0.75")),
        ((0.9, 0.89, 0.912), ("0.900", "0.890", "0.912")),
        ((0.0003, 0.000272, 0.000324), ("0.000300", "0.000272", "0.000324")),
        ((1.0, 1.0, 1.0), ("1.0000", "1.0000", "1.0000")),
    ],
)
def test_intervals_are_written_as_precisely_as_they_are_known(numbers, written):
    assert format_interval(*numbers) == written
