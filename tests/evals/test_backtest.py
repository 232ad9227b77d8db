"""The back-test: subsamples, groups that are left out, and the summary."""

import jax
import numpy as np
import pytest
from helpers.eval_logs import make_group

from lidjax.errors import InputError
from lidjax.evals import BacktestForecast, EvalData, backtest, summarise_backtest
from lidjax.evals.backtest import subsample_group, usable_groups


def test_thinning_is_without_putting_back_and_belongs_to_the_group():
    group = make_group("a")
    first, again = subsample_group(group, 40, 100, 0), subsample_group(group, 40, 100, 0)
    np.testing.assert_array_equal(first.c, again.c)
    assert np.any(first.c != subsample_group(group, 40, 100, 1).c)
    assert np.all((first.c <= group.c) & (40 - first.c <= group.n - group.c))
    np.testing.assert_array_equal(subsample_group(group, 100, 100, 0).c, group.c)
    assert first.truth == np.mean(group.c > 0)  # pass@n of n attempts is the share solved


def test_groups_without_enough_attempts_are_left_out_and_named():
    data = EvalData((make_group("long", n=200), make_group("short", n=50)), "csv")
    kept, notes = usable_groups(data, 100)
    assert [group.name for group in kept] == ["long"]
    assert "short: left out" in notes[0]


def test_the_summary_counts_errors_and_cover():
    rows = [
        BacktestForecast("g", s, 10, 100, "default", 0.5, 0.4, 0.6, truth)
        for s, truth in enumerate((0.45, 0.7, 0.5, 0.6))
    ]
    rows += [BacktestForecast("g", 0, 10, 100, "other", 0.5, np.nan, np.nan, 0.5)]
    best, line = summarise_backtest(rows)
    assert (best.method, best.error) == ("other", 0)
    assert np.isnan(best.coverage)
    assert line.error == pytest.approx(0.0875)
    assert line.bias == pytest.approx(-0.0625)
    assert line.coverage == 0.75


def test_the_back_test_does_not_depend_on_the_precision_of_the_session():
    data = EvalData((make_group("a"),), "by hand")
    how = {"budget": 10, "target": 100, "seeds": 1, "models": False}
    with jax.enable_x64(False):
        single = backtest(data, **how)
    assert repr(single) == repr(backtest(data, **how))  # repr, because NaN differs from itself
    assert single.to_rows()[0]["method"] == "default"
    with pytest.raises(InputError, match="below the target"):
        backtest(data, budget=10, target=10)
    with pytest.raises(InputError, match="level 2"):
        backtest(data, budget=10, target=100, level=2)
