"""The figure of the teacher-student experiment: the curve of Eq. 20 is the law, also where c and N^ν overflow."""

import numpy as np
import pytest
from helpers.figure_results import distillation_summary

from lidjax import InputError
from lidjax.figures import distill_figure


@pytest.mark.parametrize(("c", "nu"), [(0.01, 1.0), (1e-300, 150.0)])
def test_the_curve_is_eq_20(c, nu):
    figure = distill_figure(distillation_summary(c, nu))
    curve = next(line for line in figure.axes[2].lines if len(line.get_xdata()) == 200)
    n = curve.get_xdata()
    expected = 2 - 1 / (1 + np.exp(np.log(c) + nu * np.log(n)))
    np.testing.assert_allclose(curve.get_ydata(), expected, rtol=1e-12)
    assert curve.get_ydata()[0] < 1.5 < curve.get_ydata()[-1]


def test_a_target_that_is_not_there_is_refused():
    with pytest.raises(InputError, match=r"target 'truht' is not known .did you mean 'truth'"):
        distill_figure(distillation_summary(0.01, 1.0), "truht")
