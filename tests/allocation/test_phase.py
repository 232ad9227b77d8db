"""The phase map is `allocate` over a grid."""

import numpy as np
import pytest
from helpers.made_curves import COSTS, MODEL

from lidjax.allocation import allocate, phase_axes, phase_map
from lidjax.errors import InputError


def test_the_axes_surround_what_is_asked():
    budgets, weights = phase_axes([300, 10**4], **COSTS, weight=[0, 3.0, 5.0], queries=8, side=6)
    np.testing.assert_allclose(budgets[[0, -1]], [4 * 0.5 * 8, 1e5])
    np.testing.assert_allclose(weights[[0, -1]], [3e-8, 3e8])
    assert budgets.shape == weights.shape == (6,)
    _, weights = phase_axes(1000, **COSTS, weight=0.0)
    assert weights.shape == (24,)
    np.testing.assert_allclose(weights[0] * weights[-1], 1)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"side": 3}, "side=3 must be at least 4"),
        ({"budget": 8}, "the largest budget, 8, must be above 8"),
    ],
)
def test_axes_that_would_show_nothing_are_refused(options, words):
    with pytest.raises(InputError, match=words):
        phase_axes(**{"budget": [1000], **COSTS, **options})


def test_the_map_is_allocate_at_every_point():
    budgets, weights = np.array([20.0, 3e3]), np.array([0.0, 1.0, 1e4])
    seen = []

    def progress(stage, steps):
        for step in steps:
            seen.append((stage, step))
            yield step

    found = phase_map(budgets, **COSTS, weight=weights, progress=progress, **MODEL)
    alone = allocate(budgets[:, None], **COSTS, weight=weights, rules=(), **MODEL)
    np.testing.assert_array_equal(found.kind, alone.kind)
    np.testing.assert_array_equal(found.training_share, alone.n * 2.0 / budgets[:, None])
    assert seen == [("phase map", 20.0), ("phase map", 3e3)]
    with pytest.raises(InputError, match=r"weight must be a list of numbers, not of shape \(\)"):
        phase_map(budgets, **COSTS, weight=1.0, **MODEL)
