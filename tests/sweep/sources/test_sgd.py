"""Sweeps of SGD: cells against single runs, one program for all values, divergence, and the commands."""

import json

import jax
import numpy as np
import pytest
from helpers.figure_layout import layout_problems

import lidjax
from lidjax.cli import main
from lidjax.errors import InputError
from lidjax.figures import sgd_figure
from lidjax.status import OK
from lidjax.sweep.run import open_source
from lidjax.sweep.sources.sgd.source import STEP, TRACES

pytestmark = pytest.mark.xdist_group("sgd")  # one worker: what its tests share is computed once

GRID = {
    "steps": [5, 20, 200],
    "k": {"logspace": [1, 1e4, 9]},
    "learning_rate": [0.05, 0.2, 4.0],
    "batch": [1, 9],
    "beta": [2.5, 12.0],
    "dim": 6,
    "sigma_eta": 0.3,
    "delta": [0.1, 0.15],
    "seed": {"range": [0, 24]},
}
SPEC = {"name": "small", "sgd": {}, "grid": GRID, "fit": {"window": [10, 10_000]}}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    out = tmp_path_factory.mktemp("sgd") / "small"
    lidjax.run_sweep(SPEC, out=out)
    return str(out)


@pytest.fixture(scope="module")
def data(store):
    return lidjax.open_results(store).load()


@pytest.fixture(scope="module")
def summary(data):
    return lidjax.summarise(data)


def test_a_cell_is_one_run_whatever_else_is_in_the_grid(data):
    """And L_inf(k) follows from its L_gen alone."""
    at = {"beta": 2.5, "delta": 0.15, "learning_rate": 0.2, "batch": 1, "seed": 3}
    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(0, impl="threefry2x32"), 6), 3)
    model = {"eigenvalues": lidjax.power_law_spectrum(6, 1.0), "theta": lidjax.power_law_teacher(6)}
    law = {"beta": 2.5, "sigma_eta": 0.3, "learning_rate": 0.2, "batch": 1}
    own = data.sel(at).squeeze(drop=True)
    np.testing.assert_allclose(own["lgen"], lidjax.sgd_lgen(key, [5, 20, 200], **model, **law), rtol=1e-9)
    failure = lidjax.pass_at_k_failure(
        data["k"].values[None, :], own["lgen"].values[:, None], beta=2.5, delta=0.15, sigma_eta=0.3
    )
    np.testing.assert_allclose(own["failure"], failure, rtol=1e-6)


def test_every_value_of_the_grid_is_one_program_and_another_value_the_same(data):
    assert max(TRACES.values()) == 1
    before = TRACES.total()
    changed = GRID | {
        "learning_rate": [0.07, 0.1, 1.2],
        "batch": [3, 12],
        "steps": [3, 7, 50],
        "beta": [3.0, 4.0],
    }
    lidjax.run_sweep(SPEC | {"grid": changed})
    assert TRACES.total() == before


def test_divergence_is_a_status_and_the_plan_warns_of_it(data, summary):
    """η = 4 is twice the edge of gradient descent: all runs get worse than an untrained head, for both batches."""
    edge = summary["edge"].squeeze()
    assert (edge < 2).all()
    assert (edge > 0.2).all()
    diverged = data["status"].sel(learning_rate=4.0) != OK
    assert diverged.isel(steps=-1).all()
    assert np.isnan(data["lgen"].where(data["status"] != OK)).all()
    assert (data["status"].sel(learning_rate=[0.05, 0.2]) == OK).all()
    (message,) = lidjax.cell_failures(data)
    assert "training diverged" in message
    assert "grid.learning_rate" in message
    warnings = lidjax.plan_sweep(SPEC).warnings
    assert len(warnings) == 2  # one for each batch
    assert "grid.learning_rate = 4: at or above the edge of stability, 0." in warnings[0]
    assert "batch = 1" in warnings[0]
    assert not lidjax.plan_sweep(SPEC | {"grid": GRID | {"learning_rate": 0.05}}).warnings


def test_the_plan_counts_that_every_tile_takes_all_the_steps():
    spec = lidjax.spec_from_dict(SPEC)
    source = open_source(spec)
    whole = {name: len(values) for name, values in source.axes.items()}
    one, four = (source.run_cost(whole | {"seed": seeds}).evaluations for seeds in (24, 6))
    np.testing.assert_allclose(four - one, 3 * 200 * STEP)


def test_the_summary_has_the_exact_mean_the_floor_and_its_cap(summary):
    """Two learning rates and batches at three times, |t| < 5 with 23 degrees of freedom: false alarms under 12 x 5e-5
    < 1e-3. β = 12, whose moments exist."""
    part = summary.sel(beta=12.0, learning_rate=[0.05, 0.2], delta=0.1).squeeze()
    z = (part["lgen_mean"] - part["exact"]) / part["lgen_se"]
    assert float(np.abs(z).max()) < 5
    model = {"eigenvalues": lidjax.power_law_spectrum(6, 1.0), "noise_variance": 0.3**2 * 2 / 0.5}
    floor = lidjax.sgd_noise_floor(**model, learning_rate=0.2, batch=1)
    at = {"beta": 2.5, "learning_rate": 0.2, "batch": 1, "delta": 0.1}
    own = summary.sel(at).squeeze()
    np.testing.assert_allclose(own["floor"], floor, rtol=1e-12)
    window = {"window": (10, 10_000), "num_k": 7}
    cap = lidjax.window_exponent(2.5, float(floor), delta=0.1, sigma_eta=0.3, **window)
    np.testing.assert_allclose(own["cap"], cap, rtol=1e-3)
    assert np.isinf(summary["floor"].sel(learning_rate=4.0)).all()
    assert np.isnan(summary["cap"].sel(learning_rate=4.0)).all()
    # a smaller learning rate has a lower floor, and β_eff comes nearer to β
    cap = summary["cap"].sel(beta=2.5, batch=1)
    assert (cap.sel(learning_rate=0.05) > cap.sel(learning_rate=0.2)).all()


def test_the_figure_shows_the_results(summary):
    one = summary.sel(beta=[2.5], delta=[0.1])
    figure = sgd_figure(one)
    assert layout_problems(figure) == []
    assert len(figure.axes) == 6  # a row for each batch
    lines = {str(line.get_label()): line for line in figure.axes[0].get_lines()}
    drawn = lines[r"$\eta=0.05$"].get_ydata()
    np.testing.assert_array_equal(drawn, one["lgen_median"].sel(learning_rate=0.05, batch=1).squeeze())
    assert any("above the edge: diverged" in name for name in lines)
    with pytest.raises(InputError, match="8 models do not fit a figure"):
        sgd_figure(summary)


def test_the_commands_take_it(store, tmp_path, capsys):
    spec = tmp_path / "mine.toml"
    spec.write_text("[sgd]\n[grid]\nsteps = 5\nk = [1, 10, 100]\ndim = 6\n[fit]\nwindow = [1, 100]\n")
    overrides = ["--grid.learning-rate", "0.1", "4.0", "--sgd.decay-steps", "10"]
    assert main(["plan", str(spec), *overrides, "--quick", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["warnings"]) == 1
    assert main(["show", store, "--json", "--at", "learning_rate=4.0", "beta=2.5", "delta=0.1"]) == 0
    last = json.loads(capsys.readouterr().out)["results"][0]["rows"][-1]
    assert last["steps"] == 200
    assert last["diverged"] == 24
    where = ["--at", "beta=2.5", "delta=0.1", "batch=1"]
    assert main(["plot", store, *where, "--out", str(tmp_path)]) == 0
    assert (tmp_path / "training.png").exists()
    assert main(["show", store, "--from-n", "5"]) == 2
    assert "from_n" in capsys.readouterr().err


def test_a_store_is_extended_along_steps_batches_and_seeds(tmp_path):
    """Old cells keep every bit, and the new ones are those of a sweep of all."""
    small = GRID | {"seed": [0, 1], "delta": 0.1, "learning_rate": [0.05, 4.0]}
    first = lidjax.run_sweep(SPEC | {"grid": small}, out=tmp_path / "out").load()
    more = small | {"seed": [0, 1, 2], "batch": [1, 9, 33], "steps": [5, 20, 200, 300]}
    grown = lidjax.run_sweep(SPEC | {"grid": more}, out=tmp_path / "out").load()
    same = grown.sel(seed=[0, 1], batch=[1, 9], steps=[5, 20, 200])
    for name in ("lgen", "failure"):
        assert same[name].values.tobytes() == first[name].values.tobytes()
    at_once = lidjax.run_sweep(SPEC | {"grid": more})
    stable = {"learning_rate": 0.05}
    np.testing.assert_allclose(grown["lgen"].sel(stable), at_once["lgen"].sel(stable), rtol=1e-9)
    np.testing.assert_array_equal(grown["status"], at_once["status"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"learning_rate": [0.1, 0.0]}, r"grid\.learning_rate = 0\.0: must be greater than 0"),
        ({"learning_rate": -0.1}, r"grid\.learning_rate = -0\.1: must be greater than 0"),
        ({"batch": 0}, r"grid\.batch = 0: must be at least 1"),
        ({"batch": 100_000}, r"grid\.batch = 100000: must be at least 1, at most 2¹⁶"),
        ({"steps": [20, 5]}, r"grid\.steps = \[20, 5\]: must ascend"),
        ({"steps": [0]}, r"grid\.steps = 0: must be at least 1"),
        ({"momentum": 1.0}, r"grid\.momentum = 1\.0: must be at least 0, below 1"),
        ({"decay": -1.0}, r"grid\.decay = -1\.0: must be at least 0"),
        ({"n": [10]}, "n"),
    ],
)
def test_bad_values_are_named(change, words):
    with pytest.raises(InputError, match=words):
        lidjax.spec_from_dict(SPEC | {"grid": GRID | change})
    with pytest.raises(InputError, match=r"sgd\.decay_steps = 0"):
        lidjax.spec_from_dict(SPEC | {"sgd": {"decay_steps": 0.0}})
