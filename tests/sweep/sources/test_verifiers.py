"""Sweeps with a verifier that errs: against the quadrature, extended, summarised, drawn; bad input."""

import json

import numpy as np
import pytest
from helpers.figure_layout import layout_problems

import lidjax
from lidjax.cli import main
from lidjax.errors import InputError
from lidjax.figures import verifiers_figure

pytestmark = pytest.mark.xdist_group("verifiers")  # one worker: what its tests share is computed once

K = [1, 10, 100, 1000, 100_000]
GRID = {"n": [8, 20, 200], "k": K, "dim": 4, "ridge": 0.0, "sigma_eta": 1.0, "delta": 0.5, "seed": [0, 1, 2]}
VERIFIER = {"sensitivity": 0.9, "false_accept": [0.0, 0.05]}
TABLE = {"verifier": VERIFIER, "grid": GRID}


@pytest.fixture(scope="module")
def results():
    return lidjax.run_sweep(TABLE)


def test_values_are_those_of_the_quadrature(results):
    one = results.isel(seed=1, drop=True).squeeze(drop=True)
    found = lidjax.verified_pass_at_k(
        [*map(float, K), np.inf],
        one["lgen"].isel(false_accept=0).values[:, None],
        beta=2.5,
        delta=0.5,
        sigma_eta=1.0,
        sensitivity=0.9,
        false_accept=np.array([[0.0, 0.05]]),
    )
    for name, exact in (("failure", found.failure), ("wrong", found.wrong)):
        stored = one[name].transpose("n", "false_accept", "k").values
        np.testing.assert_allclose(stored, np.asarray(exact)[..., :-1], rtol=1e-7, atol=1e-16)
    limit = one["limit"].transpose("n", "false_accept").values
    np.testing.assert_allclose(limit, np.asarray(found.failure)[..., -1], rtol=1e-7, atol=1e-16)


def test_training_losses_are_those_of_the_model(results):
    model = lidjax.run_sweep({"model": {}, "grid": GRID})
    theirs = results["lgen"].isel(sensitivity=0, false_accept=0, drop=True)
    np.testing.assert_array_equal(theirs.transpose(*model["lgen"].dims).values, model["lgen"].values)


def test_summary_and_figure(results):
    summary = lidjax.summarise(results)
    part = summary.squeeze(drop=True).isel(false_accept=1)
    value = 1 - part["failure"] - part["wrong"]
    assert set(part["best_k"].values) <= set(K)
    assert np.all(
        part["best_value"].values >= value.max("k").values - 0.05
    )  # medians of sums, not sums of medians
    assert np.all(part["best_inside"].values)
    tables = lidjax.summary_tables(summary)
    assert [table.record["at"]["false_accept"] for table in tables] == [0.0, 0.05]
    figure = verifiers_figure(summary)
    assert layout_problems(figure) == []


def test_a_store_is_extended_by_verifiers_and_sizes(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = "\n".join(f"{name} = {value}" for name, value in GRID.items())
    spec = tmp_path / "verify.toml"
    spec.write_text(f"verifier = {{ sensitivity = 0.9, false_accept = 0.05 }}\n[grid]\n{lines}\n")
    assert main(["run", str(spec), "--out", "out", "--no-plot", "--json"]) == 0
    capsys.readouterr()
    before = lidjax.open_results("out")["failure"].load()
    more = ["--verifier.false_accept", "0.05", "0.2", "--verifier.cost", "2"]
    assert main(["run", str(spec), "--out", "out", "--no-plot", "--json", *more]) == 0
    record = json.loads(capsys.readouterr().out)
    assert [table["at"]["false_accept"] for table in record["results"]] == [0.05, 0.2]
    assert record["results"][0]["cost"] == 2
    after = lidjax.open_results("out")["failure"].load()
    np.testing.assert_array_equal(after.sel(false_accept=[0.05]), before)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"verifier": {"sensitivity": 1.5}}, r"verifier.sensitivity = 1.5: must be from 0 to 1"),
        ({"verifier": {"false_accept": [0.1, -0.2]}}, r"verifier.false_accept = -0.2: must be from 0 to 1"),
        ({"verifier": {"cost": -1}}, r"verifier.cost = -1.0: must be at least 0"),
        (
            {"verifier": {"sensitivty": 1.0}},
            r"verifier.sensitivty' is not known \(did you mean 'verifier.sensitivity'",
        ),
        ({"verifier": VERIFIER, "run": {"dtype": "float32"}}, r"run.dtype = 'float32': must be 'float64'"),
    ],
)
def test_bad_input_names_the_key(table, words):
    with pytest.raises(InputError, match=words):
        lidjax.plan_sweep({"grid": GRID, **table})


def test_a_verifier_that_misleads_is_said_by_the_plan():
    plan = lidjax.plan_sweep({"grid": GRID, "verifier": {"sensitivity": 0.5, "false_accept": 0.6}})
    assert any("false_accept" in sentence for sentence in plan.warnings)
    assert not lidjax.plan_sweep(TABLE).warnings
