"""A figure draws a fit as far as its status stands behind it, and its legend says so."""

import numpy as np
import pytest
from helpers.figure_results import distillation_summary

from lidjax.evals import TrainingSeries
from lidjax.figures import distill_figure, training_figure
from lidjax.figures.fits import NOT_DRAWN, UNDETERMINED, FittedValue, draw_fit
from lidjax.figures.style import new_figure
from lidjax.fitting import FitStatus, describe_status, fit_saturation

X = np.geomspace(1, 100, 5)
VALUES = (FittedValue(r"\hat\beta", 17.41, False), FittedValue(r"\hat\nu", 2.5, True))


@pytest.mark.parametrize("status", FitStatus)
def test_the_line_follows_the_status(status):
    _, (axes,) = new_figure(1)
    draw_fit(axes, X, X, status=status, name="Eq. 20", values=VALUES, color="C1")
    (line,) = axes.get_lines()
    if status == FitStatus.OK:
        assert (line.get_color(), line.get_linestyle()) == ("C1", "-")
        assert "not determined" not in line.get_label()
    elif status == FitStatus.NOT_IDENTIFIABLE:
        assert (line.get_color(), line.get_linestyle()) == (UNDETERMINED["color"], UNDETERMINED["ls"])
        assert line.get_label() == r"Eq. 20 (not determined): $\hat\nu=2.50$"  # and not β = 17.41
    else:
        assert len(line.get_xdata()) == 0
        assert line.get_label() == f"Eq. 20: {NOT_DRAWN[status]}"


def test_every_fit_that_the_text_disowns_has_no_curve():
    for status in FitStatus:
        if "do not use" in describe_status(status):
            assert status in NOT_DRAWN


@pytest.mark.parametrize(
    ("status", "words"),
    [(FitStatus.NOT_IDENTIFIABLE, "(not determined)"), (FitStatus.NOT_CONVERGED, "did not converge")],
)
def test_the_figure_of_the_distillation_marks_its_fits(status, words):
    summary = distillation_summary()
    summary["fit_status"][:] = status
    summary["identifiable"][:] = False
    labels = [text.get_text() for text in distill_figure(summary).axes[2].get_legend().get_texts()]
    assert sum(words in label for label in labels) == 2
    assert not any(r"\hat\beta" in label for label in labels)


@pytest.mark.parametrize(("p_falls", "drawn"), [(0.5, True), (0.01, False)])
def test_eq_20_is_not_drawn_through_an_index_that_falls(p_falls, drawn):
    sizes = np.geomspace(1e8, 1e10, 6)
    index = 0.6 - 0.3 / (1 + (sizes / 1e9) ** 2)
    fit = fit_saturation(sizes, index)
    names = tuple("abcdef")
    series = TrainingSeries("all", sizes, names, index, np.full(6, 0.01), p_falls, 0.01, fit, "")
    labels = [str(line.get_label()) for line in training_figure([series], "tokens").axes[0].get_lines()]
    assert any("Eq. 20" in label for label in labels) == drawn
