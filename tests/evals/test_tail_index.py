"""Tail indices: slopes of known curves, and the estimators side by side."""

import numpy as np
import pytest

from lidjax.evals import estimate_tail_indices
from lidjax.evals.bootstrap import bootstrap_family
from lidjax.evals.rates.posterior import sample_posterior
from lidjax.evals.rates.quadrature import COARSE_GRID, count_rows
from lidjax.evals.tail_index import log_failure_slope, log_log_pass_slope, tail_indices


@pytest.fixture(scope="module")
def counts():
    rng = np.random.default_rng(0)
    return np.full(100, 60), rng.binomial(60, rng.beta(0.5, 5, 100))


def test_slopes_of_known_curves():
    """40,000 problems with rates Beta(0.4, 1): the failure falls like k^-0.4. The slope's standard error is 0.007."""
    rng = np.random.default_rng(0)
    n = np.full(40_000, 1000)
    c = rng.binomial(1000, rng.beta(0.4, 1.0, 40_000))
    assert log_failure_slope(n, c) == pytest.approx(0.4, abs=0.03)
    # another quantity: -log pass@k is the failure only where the failure is small
    assert 0.4 < log_log_pass_slope(n, c) < 0.6
    assert np.isnan(log_failure_slope(np.array([5, 5]), np.array([5, 5])))


def test_estimators_are_named_and_disagree(counts):
    posterior = sample_posterior(count_rows(*counts, COARSE_GRID))
    found = {tail.estimator: tail for tail in tail_indices(*counts, posterior, bootstrap_family(*counts))}
    assert list(found) == ["slope-log-failure", "slope-log-log-pass", "beta-binomial", "default"]
    for name, tail in found.items():
        if name.startswith("slope"):
            assert tail.interval == "description"
            assert np.isnan(tail.lower)
        else:
            assert tail.lower <= tail.value <= tail.upper
    assert found["default"].interval == "posterior"


def test_estimates_from_counts_are_those_from_posterior_and_bootstrap(counts):
    posterior = sample_posterior(count_rows(*counts, COARSE_GRID))
    expected = tail_indices(*counts, posterior, bootstrap_family(*counts), level=0.8)
    assert estimate_tail_indices(*counts, level=0.8) == expected
    n, c = counts[0].tolist(), np.zeros(100, int)
    assert [tail.interval for tail in estimate_tail_indices(n, c)] == [
        "description",
        "description",
        "posterior",
    ]
