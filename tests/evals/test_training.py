"""The training axis: series of groups, tests of a rise, the fit of Eq. 20."""

import numpy as np
import pytest
from helpers.eval_logs import make_group

from lidjax.errors import InputError
from lidjax.evals import group_by_training_size
from lidjax.evals.rates.posterior import Posterior
from lidjax.evals.training import fit_training_series, flat_p_value, monotone_p_value


def test_series_are_told_apart_by_what_does_not_name_a_group():
    groups = [make_group(f"{p}@{t}", params=float(p), tokens=float(t)) for p in (1, 2) for t in (30, 10, 20)]
    assert group_by_training_size(groups, "tokens") == {"params=1": [1, 2, 0], "params=2": [4, 5, 3]}
    with pytest.raises(InputError, match="'flops' is not known; allowed: model, params, tokens"):
        group_by_training_size(groups, "flops")
    with pytest.raises(InputError, match="no training size"):
        group_by_training_size([make_group("a", tokens="many"), make_group("b", tokens=2.0)], "tokens")


def test_p_values_are_level_under_the_null_and_small_under_its_opposite():
    """400 flat series of five: a p-value below 0.1 comes in 40 ± 6 of them; four deviations allowed, one-sided for
    "never falls", whose null is exact only here."""
    rng = np.random.default_rng(0)
    errors = np.array([0.1, 0.2, 0.1, 0.3, 0.1])
    tests = (monotone_p_value, flat_p_value)
    small = np.zeros(2)
    for _ in range(400):
        values = 0.4 + errors * rng.standard_normal(5)
        small += [test(values, errors, simulations=99) < 0.1 for test in tests]
    assert np.all(np.abs(small - 40) < 24)
    rising = np.array([0.0, 0.5, 1.0, 1.5, 2.0])
    assert monotone_p_value(rising, errors) > 0.5
    assert flat_p_value(rising, errors) < 0.01
    assert monotone_p_value(-rising, errors) < 0.01
    assert flat_p_value(-rising, errors) > 0.5


def posterior(log_index, spread):
    index = np.exp(log_index + spread * np.array([-1, 1]))
    return Posterior(np.ones((2, 1)), np.zeros(2, int), np.zeros(2), index, (), 1000.0, 0.0)


def test_a_saturating_series_gives_its_plateau_and_a_falling_one_is_said_to_fall():
    sizes = 10.0 ** np.arange(1, 9)
    groups = [make_group(f"g{i}", tokens=size) for i, size in enumerate(sizes)]
    curve = 0.9 - 0.6 / (1 + 0.001 * sizes)
    (rising,) = fit_training_series(groups, [posterior(np.log(x), 0.01) for x in curve], "tokens")
    assert rising.verdict.startswith("rises")
    assert rising.saturation is not None
    assert float(rising.saturation.beta) == pytest.approx(0.9, abs=0.02)
    (falling,) = fit_training_series(groups, [posterior(np.log(x), 0.05) for x in curve[::-1]], "tokens")
    assert "falls somewhere" in falling.verdict
