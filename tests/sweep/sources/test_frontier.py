"""Draws from Zipf laws in the sweep engine: against plain NumPy, the exact law, and the command line."""

import json

import jax
import numpy as np
import pytest
from helpers.figure_layout import layout_problems

from lidjax import run_sweep
from lidjax.cli import main
from lidjax.errors import InputError
from lidjax.figures import frontier_figure
from lidjax.frontier import coverage_loss, first_seen
from lidjax.frontier.report import coverage_report
from lidjax.sweep import Fit, Frontier, FrontierGrid, FrontierSpec
from lidjax.sweep.spec_file import spec_from_dict

SAMPLES = (1, 10, 100, 1000, 10_000)
SEEDS = 48
SPEC = FrontierSpec(
    name="drawn",
    frontier=Frontier(vocabulary=3000),
    grid=FrontierGrid(samples=SAMPLES, exponent=(1.3, 2.0), k=(1.0, 30.0), seed=tuple(range(SEEDS))),
    fit=Fit(window=(5.0, 10_000.0)),
)


@pytest.fixture(scope="module")
def data():
    return run_sweep(SPEC)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def z_scores(values, expected):
    """Student-t with SEEDS - 1 degrees of freedom, over the last axis."""
    error = values.std(axis=-1, ddof=1) / np.sqrt(values.shape[-1])
    return (values.mean(axis=-1) - expected) / error


def test_the_missed_mass_is_the_exact_law_within_its_standard_error(data):
    """30 comparisons at |t| < 4.5, 47 degrees of freedom: false alarms under 30 x 5e-5 = 2e-3. Fixed keys."""
    a, d = data["exponent"].values[:, None], np.array(SAMPLES, float)[None]
    lgen = data["missed_mass"].transpose("exponent", "samples", "seed").values
    assert np.abs(z_scores(lgen, np.asarray(coverage_loss(d, a, 3000)))).max() < 4.5
    failure = data["failure"].transpose("exponent", "samples", "k", "seed").values
    later = d[:, :, None] + np.array([1.0, 30.0])[None, None]  # k attempts are k more draws
    assert np.abs(z_scores(failure, np.asarray(coverage_loss(later, a[..., None], 3000)))).max() < 4.5
    # negative control: the law of another vocabulary, or of a tenth more samples, is far outside
    assert np.abs(z_scores(lgen, np.asarray(coverage_loss(d, a, 6000)))).max() > 10
    assert np.abs(z_scores(lgen, np.asarray(coverage_loss(1.1 * d, a, 3000)))).max() > 10


def test_first_seen_is_what_numpy_finds():
    key, p = jax.random.key(3), np.array([0.5, 0.3, 0.15, 0.049, 1e-3])
    uniform = np.concatenate(
        [np.asarray(jax.random.uniform(jax.random.fold_in(key, i), (4096,), float)) for i in range(2)]
    )
    pattern = np.searchsorted(np.cumsum(p), uniform * np.cumsum(p)[-1], side="right")
    first = np.asarray(first_seen(key, jax.numpy.asarray(p), 5000))
    for j in range(5):
        assert first[j] == np.flatnonzero(pattern == j)[0]
    np.testing.assert_array_less(
        np.asarray(first_seen(key, jax.numpy.asarray(p), 8192)) - 1, first
    )  # never later with more draws


def test_samples_of_a_seed_are_nested(data):
    """More draws never miss more, and a cell does not depend on the others of its sweep."""
    assert (np.diff(data["missed_mass"].transpose("exponent", "seed", "samples").values, axis=-1) <= 0).all()
    grid = FrontierGrid(samples=(100,), exponent=(2.0,), k=(1.0,), seed=(7,))
    alone = run_sweep(FrontierSpec(grid=grid, frontier=SPEC.frontier))["missed_mass"].item()
    np.testing.assert_allclose(
        alone, data["missed_mass"].sel(samples=100, exponent=2.0, seed=7).item(), rtol=1e-12
    )


def test_the_report_and_the_figure_show_the_results(data):
    report = coverage_report(data)
    np.testing.assert_allclose(report["mean"], data["missed_mass"].mean("seed"))
    np.testing.assert_allclose(
        report["standard_error"], data["missed_mass"].std("seed", ddof=1) / np.sqrt(SEEDS)
    )
    np.testing.assert_allclose(report["slope"][1], 0.5, atol=0.05)
    figure = frontier_figure(data)
    assert layout_problems(figure) == []
    assert len(figure.axes) == 4
    left, _, plane, right = figure.axes
    drawn = [container.lines[0].get_ydata() for container in left.containers]
    np.testing.assert_array_equal(drawn, report["mean"])
    (path,) = [line for line in plane.get_lines() if "best use" in str(line.get_label())]
    n, d = path.get_data()
    slopes = np.diff(np.log(n)) / np.diff(np.log(n * d))
    np.testing.assert_allclose(slopes[[3, -3]], [0.73, 0.5], atol=0.01)  # Kaplan's rule, then Chinchilla's
    assert any("two-tail" in str(line.get_label()) for line in right.get_lines())


def test_the_commands_take_a_frontier(tmp_path, capsys):
    spec = tmp_path / "zipf.toml"
    spec.write_text(
        "[frontier]\nvocabulary = 100\n[grid]\nsamples = [1, 10, 100]\nexponent = 1.5\nseed = [0, 1]\n"
    )
    assert main(["run", str(spec), "--no-plot", "--grid.exponent", "2.0"]) == 0
    printed = capsys.readouterr()
    assert "exponent a = 2" in printed.out
    assert "6 cells" in printed.err
    out = tmp_path / "runs" / "zipf"
    assert main(["show", str(out), "--json", "--window", "1", "100"]) == 0
    (block,) = json.loads(capsys.readouterr().out)["results"]
    assert [row["samples"] for row in block["rows"]] == [1, 10, 100]
    assert main(["plot", str(out)]) == 0
    assert (out / "figures" / "frontier.png").exists()
    capsys.readouterr()
    assert main(["plot", str(out), "--figure", "plane"]) == 2
    assert "has no figure of several sweeps" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"frontier": {"vocabulary": 0}}, "frontier.vocabulary = 0"),
        ({"grid": {"samples": [10], "exponent": [1.0]}}, "grid.exponent = 1.0: must be greater than 1"),
        ({"grid": {"samples": [-5]}}, "grid.samples = -5"),
        ({"run": {"dtype": "float32"}}, "run.dtype = 'float32'"),
        ({"model": {}}, "exactly one"),
    ],
)
def test_bad_specs_name_the_value(change, words):
    with pytest.raises(InputError, match=words):
        spec_from_dict({"frontier": {}, "grid": {"samples": [10]}} | change)


def test_the_report_is_of_frontiers_only(data):
    with pytest.raises(InputError, match="kind 'synthetic'"):
        coverage_report(data.assign_attrs(kind="synthetic"))
