"""The training axis, and the bookkeeping of the back-test."""

import numpy as np
import pytest

from lidjax.errors import InputError
from lidjax.evals import EvalData, Group
from lidjax.evals.backtest import Row, summarise, thin, usable_groups
from lidjax.evals.rates.population import Posterior
from lidjax.evals.training import flat_p_value, monotone_p_value, training_report, training_series


def make_group(name, n=100, problems=30, **fields):
    c = np.random.default_rng(0).binomial(n, 0.2, problems)
    return Group(name, {"model": name, **fields}, tuple(map(str, range(problems))), np.full(problems, n), c)


def test_series_are_told_apart_by_what_does_not_name_a_group():
    groups = [make_group(f"{p}@{t}", params=float(p), tokens=float(t)) for p in (1, 2) for t in (30, 10, 20)]
    assert training_series(groups, "tokens") == {"params=1": [1, 2, 0], "params=2": [4, 5, 3]}
    with pytest.raises(InputError, match="no column 'flops'"):
        training_series(groups, "flops")
    with pytest.raises(InputError, match="no training size"):
        training_series([make_group("a", tokens="many"), make_group("b", tokens=2.0)], "tokens")


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
    params = np.zeros((2, 5))
    params[:, 1] = log_index + spread * np.array([-1, 1])
    return Posterior(params, np.full(2, 0.5), 1000.0, 0.0)


def test_a_saturating_series_gives_its_plateau_and_a_falling_one_is_said_to_fall():
    sizes = 10.0 ** np.arange(1, 9)
    groups = [make_group(f"g{i}", tokens=size) for i, size in enumerate(sizes)]
    curve = 0.9 - 0.6 / (1 + 0.001 * sizes)
    (rising,) = training_report(groups, [posterior(np.log(x), 0.01) for x in curve], "tokens")
    assert rising.verdict.startswith("rises")
    assert rising.saturation is not None
    assert float(rising.saturation.beta) == pytest.approx(0.9, abs=0.02)
    (falling,) = training_report(groups, [posterior(np.log(x), 0.05) for x in curve[::-1]], "tokens")
    assert "falls somewhere" in falling.verdict


def test_thinning_is_without_putting_back_and_belongs_to_the_group():
    group = make_group("a")
    first, again = thin(group, 40, 100, 0), thin(group, 40, 100, 0)
    np.testing.assert_array_equal(first.c, again.c)
    assert np.any(first.c != thin(group, 40, 100, 1).c)
    assert np.all((first.c <= group.c) & (40 - first.c <= group.n - group.c))
    np.testing.assert_array_equal(thin(group, 100, 100, 0).c, group.c)
    assert first.truth == np.mean(group.c > 0)  # pass@n of n attempts is the share solved


def test_groups_without_enough_attempts_are_left_out_and_named():
    data = EvalData((make_group("long", n=200), make_group("short", n=50)), "csv")
    kept, notes = usable_groups(data, 10, 100)
    assert [group.name for group in kept] == ["long"]
    assert "short: left out" in notes[0]


def test_the_summary_counts_errors_and_cover():
    rows = [
        Row("g", s, 10, 100, "default", 0.5, 0.4, 0.6, truth) for s, truth in enumerate((0.45, 0.7, 0.5, 0.6))
    ]
    rows += [Row("g", 0, 10, 100, "other", 0.5, np.nan, np.nan, 0.5)]
    best, line = summarise(rows)
    assert (best.method, best.error) == ("other", 0)
    assert np.isnan(best.coverage)
    assert line.error == pytest.approx(0.0875)
    assert line.bias == pytest.approx(-0.0625)
    assert line.coverage == 0.75
