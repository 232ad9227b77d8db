"""`fit_evals` from Python: results, defaults, and the same numbers by every way to them."""

import subprocess
import sys

import jax
import numpy as np
import pytest
from helpers.eval_logs import draw_counts, write_training_table

import lidjax.evals
from lidjax.errors import InputError
from lidjax.evals import (
    EvalData,
    Group,
    fit_evals,
    forecast_new_problems,
    forecast_pass_at_k,
    read_evals,
)


def group_of(name, n, c, **fields):
    return Group(name, {"model": name, **fields}, tuple(map(str, range(len(n)))), n, c)


@pytest.fixture(scope="module")
def data():
    n, c = draw_counts(0, 0.4, 8.0, problems=30)
    more, some = draw_counts(1, 0.8, 8.0, problems=20, n=5000)
    return EvalData((group_of("a", n, c, tokens=1e9), group_of("b", more, some)), "by hand")


@pytest.fixture(scope="module")
def fits(data):
    return fit_evals(data)


def test_bare_counts_give_the_same_forecast(data, fits):
    for group, fit in zip(data.groups, fits, strict=True):
        forecast = forecast_pass_at_k(group.n.tolist(), group.c, fit.forecast.k)
        for ours, theirs in zip(forecast, fit.forecast, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_results_do_not_depend_on_the_precision_of_the_session(data, fits):
    with jax.enable_x64(False):
        single = fit_evals(data)
    assert repr(single.to_dict()) == repr(fits.to_dict())  # repr, because NaN differs from itself


def test_the_dataset_holds_the_same_numbers(fits):
    found = fits.to_dataset()
    assert found["group"].values.tolist() == ["a", "b"]
    assert found["k"].values.tolist() == [10**power for power in range(7)]  # default targets differ by group
    assert np.isnan(found["prediction"].sel(group="a", k=10**6))
    for fit in fits:
        own = found.sel(group=fit.group.name)
        for name in ("prediction", "lower", "upper", "latent", "latent_lower", "latent_upper"):
            np.testing.assert_array_equal(own[name].sel(k=fit.forecast.k), getattr(fit.forecast, name))
        np.testing.assert_array_equal(own["unbiased"].sel(k=fit.forecast.k), fit.unbiased)
        for tail in fit.tail_indices:
            assert own["tail_index"].sel(estimator=tail.estimator) == tail.value
        assert own["problems"] == len(fit.group.problems)
    assert found["tokens"].sel(group="a") == 1e9
    assert np.isnan(found["tokens"].sel(group="b"))
    assert found["model"].values.tolist() == ["a", "b"]
    assert found.attrs == {"format": "by hand", "level": 0.9, "method": "default"}


def test_a_field_with_the_name_of_a_variable_is_kept_apart(data):
    group = Group("a", {"attempts": 3.0}, ("p",) * 2, np.array([5, 5]), np.array([0, 2]))
    found = fit_evals(EvalData((group,), "by hand"), targets=[10]).to_dataset()
    assert found["attempts"].item() == 10
    assert found["field_attempts"].item() == 3.0


def test_paths_are_read(tmp_path):
    path = write_training_table(tmp_path / "counts.csv")
    by_path = fit_evals(path, targets=[100, 10, 100])
    by_data = fit_evals(read_evals([path]), targets=[10, 100])
    assert repr(by_path.to_dict()) == repr(by_data.to_dict())  # repr, because NaN differs from itself
    (series,) = by_path.training("tokens")
    assert series.groups == tuple(fit.group.name for fit in by_path)
    with pytest.raises(InputError, match=r"'flops' is not known; allowed: model, tokens"):
        by_path.training("flops")


def test_models_and_a_bootstrap_are_made_when_asked_for(data, monkeypatch):
    asked = []
    monkeypatch.setattr(lidjax.evals.fit, "fit_models", lambda rows: asked.append("models") or [])
    monkeypatch.setattr(
        lidjax.evals.fit, "bootstrap_family", lambda *counts, **how: asked.append(how["over"])
    )
    one = EvalData(data.groups[:1], "by hand")
    fit_evals(one, targets=[10])
    assert asked == []
    fit_evals(one, targets=[10], models=True, bootstrap="problems")
    assert asked == ["problems", "models"]


def test_groups_are_in_their_natural_order():
    counts = np.array([5, 5]), np.array([0, 2])
    names = ["12B", "1B", "160M", "70M"]
    fits = fit_evals(EvalData(tuple(group_of(name, *counts) for name in names), "by hand"), targets=[10])
    assert [fit.group.name for fit in fits] == names[::-1]
    assert [group.name for group in fits.data.groups] == names[::-1]


def test_new_problems_are_forecast_as_from_bare_counts(data, fits):
    for group, fit in zip(data.groups, fits, strict=True):
        found = forecast_new_problems(group.n, group.c, fit.forecast.k)
        for ours, theirs in zip(found, fit.new_problems, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_progress_sees_every_group_once(data):
    seen = []

    def progress(stage, steps, *, done=0):
        seen.append((stage, len(steps), done))
        return steps

    fit_evals(data, targets=[10], progress=progress)
    assert seen == [("groups", 2, 0)]


def test_progress_sees_every_file(tmp_path):
    seen = []

    def progress(stage, steps, *, done=0):
        seen.append((stage, len(steps)))
        return steps

    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").write_text("problem,n,c\np,10,3\nq,10,0\n")
    read_evals(tmp_path, progress=progress)
    assert seen == [("files", 2)]


BAD = {
    "level": ({"level": 90}, "level 90: must be at least 0.5"),
    "targets": ({"targets": [0]}, "each at least 1"),
    "no targets": ({"targets": []}, "one or more"),
    "replicates": ({"replicates": 0}, "replicates = 0"),
    "more": ({"more": 0}, "more = 0"),
    "bootstrap": ({"bootstrap": "problem"}, "did you mean 'problems'"),
}


@pytest.mark.parametrize("case", BAD)
def test_arguments_out_of_range(case, data):
    how, message = BAD[case]
    with pytest.raises(InputError, match=message):
        fit_evals(data, **how)


@pytest.mark.parametrize(
    ("n", "c", "message"),
    [
        ([3, 3], [1], "one value for each problem"),
        ([3], [4], "index 0: c = 4"),
        ([0], [0], "at least one"),
        (np.array([2.5]), [1], "n must hold whole numbers"),
        ([], [], "one value for each problem"),
    ],
)
def test_bare_counts_are_checked(n, c, message):
    with pytest.raises(InputError, match=message):
        forecast_pass_at_k(n, c, 10)


def test_the_package_is_quick_to_import_and_draws_nothing():
    code = """
import sys
import lidjax.evals
slow = {"matplotlib", "scipy.stats", "scipy.optimize", "xarray", "rich"}
assert not slow & set(sys.modules), slow & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=100)
