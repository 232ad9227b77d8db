"""One setting of a sweep on real features: chosen by its values, and refused by name."""

import numpy as np
import pytest
import xarray as xr

from lidjax.errors import InputError
from lidjax.features import select_setting

AXES = {"scale": [1.0, 4.0], "delta": [0.05, 0.5], "ridge": [0.1]}


def results(kind="features"):
    cells = (tuple(AXES), np.arange(4.0).reshape(2, 2, 1))
    return xr.Dataset({"lgen": cells}, coords=AXES, attrs={"kind": kind})


@pytest.mark.parametrize(
    ("at", "cell"), [(None, 0), ({"delta": 0.5}, 1), ({"scale": 4.0}, 2), ({"scale": 4.0, "delta": 0.5}, 3)]
)
def test_a_setting_is_chosen_by_its_values_and_the_first_by_default(at, cell):
    selected = select_setting(results(), at)
    assert selected["lgen"].dims == tuple(AXES)
    assert selected["lgen"].item() == cell


@pytest.mark.parametrize(
    ("kind", "at", "words"),
    [
        ("synthetic", None, "of kind 'synthetic'; one of kind 'features' is needed"),
        ("features", {"delta": 0.3}, r"delta = 0\.3 is not in this sweep; allowed: 0\.05, 0\.5"),
        ("features", {"n": 10}, r"axis 'n' is not known.*; allowed: scale, delta, ridge"),
    ],
)
def test_what_is_not_in_the_sweep_is_refused(kind, at, words):
    with pytest.raises(InputError, match=words):
        select_setting(results(kind), at)
