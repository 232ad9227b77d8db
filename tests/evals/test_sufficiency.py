"""Checks of few attempts and of runs that share their luck."""

import numpy as np
import pytest

from lidjax.evals import EvalData, Group, check_evals


def group_of(outcomes):
    rows = tuple(bytes(row) for row in np.asarray(outcomes, dtype=np.uint8))
    n, c = np.array([len(row) for row in rows]), np.array([sum(row) for row in rows])
    return Group("g", {}, tuple(map(str, range(len(rows)))), n, c, rows)


def findings(group):
    return {finding.kind: finding.message for finding in check_evals(EvalData((group,), "by hand"))}


def test_few_attempts_are_said_to_be_few():
    rng = np.random.default_rng(0)
    one = findings(group_of(rng.random((50, 1)) < 0.5))["one_attempt"]
    assert "nothing says how success spreads" in one
    assert "1.00 (all are equally hard)" in one
    assert "4 attempts" in findings(group_of(rng.random((50, 4)) < 0.5))["few_attempts"]
    assert not findings(group_of(rng.random((50, 5)) < 0.5))


def test_runs_that_differ_are_found_and_equal_ones_are_not():
    """Cochran's Q at 1e-3: of 300 groups of equal runs more than 3 alarm with probability 4e-3 if the level is right.

    The control has one run of eight with an outage: a fifth of its problems fail whatever their rate.
    """
    rng = np.random.default_rng(0)
    rates = rng.beta(0.5, 0.5, (300, 80, 1))
    runs = rng.random((300, 80, 8)) < rates
    assert sum("run_effect" in findings(group_of(one)) for one in runs) <= 3
    runs[:40, :, 3] &= rng.random((40, 80)) < 0.5
    found = [findings(group_of(one)).get("run_effect") for one in runs[:40]]
    assert sum(message is not None for message in found) > 30
    assert "8 runs over all problems differ" in next(message for message in found if message)


def test_the_statistic_is_that_of_the_binary_analysis_of_variance():
    """Q by its textbook formula with sums over rows and columns (Cochran 1950)."""
    table = np.array([[1, 0, 0], [1, 1, 0], [1, 0, 0], [1, 1, 0], [1, 0, 0]] * 8)
    columns, rows = table.sum(axis=0), table.sum(axis=1)
    k, total = 3, table.sum()
    q = (k - 1) * (k * np.sum(columns**2) - total**2) / (k * total - np.sum(rows**2))
    message = findings(group_of(table))["run_effect"]
    assert float(message.split("p = ")[1].split(")")[0]) == pytest.approx(np.exp(-q / 2), rel=0.06)
