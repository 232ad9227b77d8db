"""The figure of the teacher-student experiment: the curve of Eq. 20 is the law, also where c and N^ν overflow."""

import numpy as np
import pytest
import xarray as xr

from lidjax import InputError
from lidjax.figures import distill_figure


def summary_with(c: float, nu: float) -> xr.Dataset:
    n, k, targets = np.array([10.0, 100.0, 1000.0]), np.array([1.0, 10.0]), ["truth", "teacher", "fresh"]
    axes, shape = ("target", "n"), (3, 3)
    values = {
        f"{name}{end}": (axes, np.full(shape, value))
        for name in ("greedy_loss", "beta_eff")
        for end, value in (("", 0.5), ("_low", 0.4), ("_high", 0.6))
    }
    parameters = np.broadcast_to([2.0, 1.0, c, nu], (3, 4))
    return xr.Dataset(
        {
            **values,
            "failure": ((*axes, "k"), np.full((*shape, 2), 0.5)),
            "saturation": (("target", "parameter"), parameters),
            "identifiable": (("target", "parameter"), np.ones((3, 4), bool)),
        },
        coords={"n": n, "k": k, "target": targets, "parameter": ["beta", "delta", "c", "nu"]},
        attrs={"spec": {"name": "made up", "fit": {"target": "truth"}}, "window": [2, 8]},
    )


@pytest.mark.parametrize(("c", "nu"), [(0.01, 1.0), (1e-300, 150.0)])
def test_the_curve_is_eq_20(c, nu):
    figure = distill_figure(summary_with(c, nu))
    curve = next(line for line in figure.axes[2].lines if len(line.get_xdata()) == 200)
    n = curve.get_xdata()
    expected = 2 - 1 / (1 + np.exp(np.log(c) + nu * np.log(n)))
    np.testing.assert_allclose(curve.get_ydata(), expected, rtol=1e-12)
    assert curve.get_ydata()[0] < 1.5 < curve.get_ydata()[-1]


def test_a_target_that_is_not_there_is_refused():
    with pytest.raises(InputError, match=r"target 'truht' is not known .did you mean 'truth'"):
        distill_figure(summary_with(0.01, 1.0), "truht")
