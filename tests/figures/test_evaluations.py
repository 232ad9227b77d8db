"""The figure of evaluation forecasts: what is drawn, how far it reaches, and what is said of what is not."""

import dataclasses

import numpy as np
import pytest

from lidjax.evals import EvalData, Group, fit_evals, forecast_curve
from lidjax.figures import evaluation_figure

NAMES = ("70M", "1B")


@pytest.fixture(scope="module")
def fits():
    rng = np.random.default_rng(0)
    problems = tuple(map(str, range(24)))
    groups = tuple(
        Group(name, {}, problems, np.full(24, 60), rng.binomial(60, rng.beta(0.4, 4, 24))) for name in NAMES
    )
    return fit_evals(EvalData(groups, "by hand"), targets=[30_000])


def lines_and_dots(axes):
    lines = [line for line in axes.get_lines() if line.get_linestyle() != "None"]
    return lines, [line for line in axes.get_lines() if line.get_linestyle() == "None"]


def test_one_continuous_line_reaches_from_one_attempt_to_the_largest_target(fits):
    left, _ = evaluation_figure(fits).axes
    lines, dots = lines_and_dots(left)
    assert len(lines) == len(dots) == len(NAMES)
    for line, points in zip(lines, dots, strict=True):
        k = line.get_xdata()
        assert (k[0], k[-1]) == (1, 30_000)
        assert np.max(np.diff(np.log10(k))) < 0.31  # 1, 2: the widest step between whole numbers
        assert np.all(np.diff(line.get_ydata()) >= 0)
        assert (min(points.get_xdata()), max(points.get_xdata())) == (
            1,
            60,
        )  # where every problem has k attempts


def test_the_line_passes_by_the_points_and_inside_its_band(fits):
    for fit in fits:
        curve = forecast_curve(fit)
        assert np.all((curve.lower <= curve.value) & (curve.value <= curve.upper))
        assert np.all(curve.new_upper - curve.new_lower > curve.upper - curve.lower - 0.02)
        median = np.interp(np.log(curve.known_k), np.log(curve.k), curve.value)
        assert np.max(np.abs(median - curve.unbiased)) < 0.03
        at_target = fit.forecast.latent[-1]
        assert curve.lower[-1] < at_target < curve.upper[-1]


def test_failure_is_one_minus_pass_at_k(fits):
    success, failure = (evaluation_figure(fits, failure=how).axes[0] for how in (False, True))
    for drawn, other in zip(lines_and_dots(success), lines_and_dots(failure), strict=True):
        for one, two in zip(drawn, other, strict=True):
            np.testing.assert_allclose(one.get_ydata() + two.get_ydata(), 1, atol=1e-12)
    assert "1 - pass" in failure.get_ylabel()


def test_axes_have_numbers_that_can_be_read(fits):
    for failure in (False, True):
        figure = evaluation_figure(fits, failure=failure)
        figure.draw_without_rendering()
        for axis in (figure.axes[0].xaxis, figure.axes[0].yaxis):
            low, high = sorted(axis.get_view_interval())
            shown = [
                tick
                for tick in axis.get_major_ticks()
                if low <= tick.get_loc() <= high and tick.label1.get_text()
            ]
            assert len(shown) >= 2


@pytest.mark.parametrize(("groups", "said"), [(2, False), (8, False), (20, True)])
def test_groups_that_are_not_drawn_are_said(fits, groups, said):
    many = [fits[0]._replace(group=dataclasses.replace(fits[0].group, name=f"g{i}")) for i in range(groups)]
    figure = evaluation_figure(many)
    assert len(lines_and_dots(figure.axes[0])[0]) == min(groups, 8)
    title = figure.get_suptitle()
    assert (f"8 of {groups} groups" in title) == said


def test_points_that_would_be_biased_are_left_out_and_said():
    """Batches of 8 until a success: every problem with fewer attempts is solved."""
    n = np.array([8] * 30 + [16] * 10 + [48] * 20)
    c = np.array([2] * 30 + [1] * 10 + [0] * 20)
    group = Group("stopped", {}, tuple(map(str, range(60))), n, c)
    figure = evaluation_figure(fit_evals(EvalData((group,), "by hand"), targets=[1000]))
    _, (dots,) = lines_and_dots(figure.axes[0])
    assert len(dots.get_xdata()) == 0
    said = [text.get_text() for text in figure.legends[0].get_texts()]
    assert "stopped (biased: no points)" in said
    assert not any("unbiased" in text for text in said)
