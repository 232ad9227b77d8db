"""Choosing a model among those of a sweep, and its exact twin."""

import numpy as np
import pytest
import xarray as xr
from helpers.made_curves import COSTS, MODEL, power_laws

from lidjax.allocation import allocate, select, sweep_model, sweep_window
from lidjax.errors import InputError


@pytest.fixture
def two_models():
    data = power_laws()
    return xr.concat([data, data.assign_coords(beta=[10**-9 * 4e9])], "beta")


def test_a_value_is_found_to_rounding_and_keeps_its_axis(two_models):
    chosen = select(two_models, beta=4)
    assert chosen.sizes["beta"] == 1
    assert chosen["beta"].item() == two_models["beta"].values[1]
    assert select(two_models)["beta"].size == 2


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"beta": 3}, "beta=3: the store has beta = 2.5, 4"),
        ({"colour": 3}, "colour=3: axis 'colour' is not known; allowed: beta"),
        ({"n": 8}, "n=8: axis 'n' is not known; allowed: beta"),
    ],
)
def test_a_value_that_is_not_there_is_named(two_models, values, words):
    with pytest.raises(InputError, match=words):
        select(two_models, **values)


def test_the_model_of_a_sweep_is_that_of_its_axes_and_spec():
    model = sweep_model(power_laws())
    assert model.pop("difficulty") == "gamma"
    assert set(model) == set(MODEL)
    for name, value in MODEL.items():
        np.testing.assert_array_equal(model[name], value)
    question = {"budget": 2e3, **COSTS, "weight": 1.0, "rules": ()}
    assert allocate(**question, **sweep_model(power_laws())) == allocate(**question, **MODEL)


def test_the_window_is_that_of_the_spec():
    assert sweep_window(power_laws()) == (30.0, 3000.0)
    assert sweep_window(xr.Dataset()) == (100.0, 10_000.0)


def test_only_one_synthetic_model_has_exact_losses(two_models):
    with pytest.raises(InputError, match=r"choose one value of beta \(2 values\)"):
        sweep_model(two_models)
    with pytest.raises(InputError, match="not of the LID model"):
        sweep_model(power_laws().assign_attrs(kind="features"))
