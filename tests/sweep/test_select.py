"""Cells of a sweep chosen by the values of its axes."""

import numpy as np
import pytest
import xarray as xr

from lidjax import InputError, select_cells, split_cells
from lidjax.sweep.select import cell_label, combinations, model_axes, varied_in_spec, varying_axes

BETA, DELTA = [2.5, 4.0], [10**-9 * 2e5, 5e-4, 1e-3]


@pytest.fixture
def data():
    axes = ("beta", "dim", "delta", "n", "seed")
    values = np.arange(2 * 1 * 3 * 4 * 2.0).reshape(2, 1, 3, 4, 2)
    coords = {"beta": BETA, "dim": [8], "delta": DELTA, "n": [1, 2, 3, 4], "seed": [0, 1]}
    grid = {"beta": BETA, "dim": [8], "delta": DELTA}
    return xr.Dataset({"lgen": (axes, values)}, coords, {"kind": "synthetic", "spec": {"grid": grid}})


def test_axes_are_those_of_models_in_their_own_order(data):
    assert model_axes(data) == ["beta", "dim", "delta"]
    assert varying_axes(data) == ["beta", "delta"]
    assert len(combinations(data)) == 6
    assert combinations(data)[1] == {"beta": 0, "dim": 0, "delta": 1}


def test_a_value_is_found_to_rounding_and_keeps_its_axis(data):
    one = select_cells(data, beta=4, delta=2e-4)
    assert one.sizes == {"beta": 1, "dim": 1, "delta": 1, "n": 4, "seed": 2}
    assert one["delta"].item() == DELTA[0]
    np.testing.assert_array_equal(one["lgen"].squeeze(), data["lgen"][1, 0, 0])
    assert varied_in_spec(one.attrs, model_axes(one)) == ["beta", "delta"]


def test_several_values_come_in_the_order_asked_for_and_once(data):
    some = select_cells(data, delta=[1e-3, 2e-4, 1e-3])
    assert some["delta"].values.tolist() == [DELTA[2], DELTA[0]]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"beta": 3}, "beta=3: the store has beta = 2.5, 4"),
        ({"beta": "two"}, "beta=two: the store has beta = 2.5, 4"),
        ({"beta": [2.5, 3]}, "beta=2.5, 3: the store has beta = 2.5, 4"),
        ({"beta": float("nan")}, "beta=nan: the store has beta = 2.5, 4"),
        ({"bta": 4}, r"axis 'bta' is not known \(did you mean 'beta'\?\); allowed: beta, dim, delta"),
        ({"n": 2}, "axis 'n' is not known; allowed: beta, dim, delta"),
    ],
)
def test_what_is_not_there_is_named_with_what_is(data, values, words):
    with pytest.raises(InputError, match=words):
        select_cells(data, **values)


def test_an_axis_of_names_is_chosen_by_name():
    data = xr.Dataset({"c": (("target", "n"), np.zeros((2, 3)))}, {"target": ["truth", "teacher"]})
    assert select_cells(data, target="teacher")["target"].item() == "teacher"
    with pytest.raises(InputError, match="target=fresh: the store has target = truth, teacher"):
        select_cells(data, target="fresh")


def test_cells_are_split_with_the_last_axis_fastest(data):
    cells = split_cells(data)
    at = [(cell["beta"].item(), cell["delta"].item()) for cell in cells]
    assert at == [(beta, delta) for beta in BETA for delta in DELTA]
    assert cell_label({"beta": 2.5, "target": "truth"}) == "beta = 2.5, target = truth"
