"""The tail figures show the sweeps they are given, and the reference that belongs to each prior."""

import dataclasses

import numpy as np
import pytest

from lidjax import comparison_figure, run_sweep
from lidjax.errors import InputError
from lidjax.figures import exponents_figure, plane_figure, protocols_figure, success_figure
from lidjax.figures.tails import local_exponent, typical
from lidjax.fitting import effective_exponent
from lidjax.sweep import Model, SyntheticGrid, SyntheticSpec

pytestmark = pytest.mark.xdist_group("tails")  # one worker: what its tests share is computed once

GRID = SyntheticGrid(
    n=(20, 40, 160, 640),
    k=tuple(np.geomspace(1, 1e6, 13).tolist()),
    dim=(16,),
    ridge=(0.0,),
    sigma_eta=(1.0,),
    delta=(0.5,),
    seed=(0, 1, 2),
)


@pytest.fixture(scope="module")
def results():
    return [run_sweep(SyntheticSpec(model=Model(difficulty=d), grid=GRID)) for d in ("gamma", "power")]


@pytest.fixture(scope="module")
def success(results):
    """Seconds of quadrature, for two tests."""
    return success_figure(results, curves=3)


def test_local_exponent_of_a_power_law():
    k = np.geomspace(1, 1e6, 13)
    np.testing.assert_allclose(local_exponent(k, np.log(3 * k**-1.7)), 1.7, rtol=1e-12)


def test_one_panel_a_sweep_with_its_prior_named(results, success):
    for figure in (plane_figure(results), success, exponents_figure(results)):
        titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
        assert len(titles) == 2
        assert "Gamma" in titles[0]
        assert "power law" in titles[1]


def test_the_plane_holds_the_exponents_and_the_crossover_rises(results):
    figure = plane_figure(results)
    mesh = figure.axes[0].collections[0]
    sweep = typical(results[0])
    np.testing.assert_allclose(mesh.get_array().ravel(), local_exponent(sweep.k, sweep.log_failure).T.ravel())
    (line,) = [line for line in figure.axes[0].lines if "k_c" in str(line.get_label())]
    crossover = np.asarray(line.get_ydata())
    assert np.all(np.diff(crossover[np.isfinite(crossover)]) > 0)


def test_only_the_bounded_prior_comes_to_min_beta_gamma(results):
    """At the smallest γ = 1/v, slopes of farther windows settle above it for τ ≤ 1, and pass below it for Gamma."""
    figure = exponents_figure(results)
    for axes, bounded in zip(figure.axes, (False, True), strict=True):
        reference = axes.lines[0]
        far = axes.lines[-1]
        gamma, slope = np.asarray(far.get_xdata()), np.asarray(far.get_ydata())
        limit = np.interp(gamma, np.asarray(reference.get_xdata()), np.asarray(reference.get_ydata()))
        ruled = gamma < 1.5
        assert ruled.any()
        assert np.all((slope > limit)[ruled] == bounded)


def test_slopes_are_measured_over_the_window_that_is_asked_for(results):
    axes = comparison_figure("exponents", results[:1], window=(100, 1e4)).axes[0]
    _, points = axes.get_lines()
    sweep = typical(results[0])
    fit = effective_exponent(sweep.k, sweep.log_failure, window=(99.9, 10_010), log=True)
    np.testing.assert_allclose(points.get_ydata(), fit.beta_eff)
    assert points.get_label() == r"$k=100$ to $10{,}000$"
    with pytest.raises(InputError, match=r"the window 2 to 3 contains 0 of the sweep's values of k"):
        exponents_figure(results, window=(2, 3))
    with pytest.raises(InputError, match=r"'plane' measures no slope.*that take one: exponents"):
        comparison_figure("plane", results, window=(100, 1e4))


def test_each_window_has_a_shape_of_its_own(results):
    lines = exponents_figure(results).axes[0].get_lines()
    assert len({line.get_marker() for line in lines}) == len(lines) == 3


def test_the_labels_of_protocols_differ(results):
    changed = results[0].assign_attrs(spec=results[0].attrs["spec"] | {"name": "second"})
    figure = protocols_figure([results[0], changed, changed])
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()][:3]
    assert labels == [f"target draws (name = {name})" for name in ("sweep", "second")] + [
        f"{labels[1]}, sweep 3"
    ]
    low, high = figure.axes[0].get_ylim()
    drawn = np.concatenate([np.asarray(line.get_ydata()) for line in figure.axes[0].get_lines()])
    assert low > drawn.min() / 3  # the range of the data, and not of what could be resolved
    assert high < 3


def test_the_curves_of_the_success_are_distributions(success):
    axes = success.axes[0]
    for line in axes.lines:
        if line.get_linestyle() == "-" and len(line.get_xdata()):  # not the entries of the legend
            values = np.asarray(line.get_ydata())
            assert np.all(np.diff(values) >= 0)
            assert 0 < values[-1] <= 1


def test_what_cannot_be_drawn_is_said(results):
    two = SyntheticSpec(grid=dataclasses.replace(GRID, beta=(2.5, 4.0)))
    with pytest.raises(InputError, match=r"several values of beta \(2\); allowed: one value of each"):
        plane_figure([run_sweep(two)])


@pytest.mark.parametrize(  # one program each: the others are compiled in the slow run
    "proposal",
    ["matched_t", *(pytest.param(p, marks=pytest.mark.slow) for p in ("matched", "normal", "student_t"))],
)
def test_proposals_against_one_target_fail_more_often_than_fresh_targets(proposal):
    grid = dataclasses.replace(GRID, n=(160, 320, 640), k=(1.0, 10.0, 100.0, 1000.0))
    model = Model(failure="proposals", proposal=proposal, num_instances=4000)
    proposals = run_sweep(SyntheticSpec(model=model, grid=grid))
    targets = run_sweep(SyntheticSpec(model=dataclasses.replace(model, failure="instances"), grid=grid))
    fails, fresh = (data.failure.sel(k=100.0).mean().item() for data in (proposals, targets))
    assert fails > 2 * fresh
    figure = protocols_figure([targets, proposals])
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels[0] == "target draws"
    assert labels[1].startswith("proposals")
