"""Stores written by version 0.1.0: they open, and a run that it left unfinished is resumed.

`stores_0_1_0.zip` holds two unfinished stores: a sweep of the LID model with 4 of 6 tiles done, and a sweep of Zipf
draws with 2 of 4, whose missed mass was called `lgen` then.
"""

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.numpy_source import NumpySource, spec_of
from helpers.stores import open_store, store_path

import lidjax
from lidjax.status import CellStatus
from lidjax.sweep import Model
from lidjax.sweep import run as run_module

OPTIONAL = "effective_sample_size"
VARIABLES = {"synthetic": ("lgen", "failure"), "frontier": ("missed_mass", "failure")}


@pytest.fixture(params=VARIABLES)
def old(request, tmp_path):
    """(kind, folder of the unfinished store)"""
    with zipfile.ZipFile(Path(__file__).with_name("stores_0_1_0.zip")) as file:
        file.extractall(tmp_path)
    return request.param, tmp_path / f"{request.param}_cut"


def test_it_opens_under_the_present_names(old):
    kind, folder = old
    data = lidjax.open_results(folder)
    assert data.attrs["kind"] == kind
    assert set(data.data_vars) == {*VARIABLES[kind], "status"}
    done = data["status"] == CellStatus.OK
    assert 0 < int(done.sum()) < done.size
    status = lidjax.run_status(folder)
    assert (status.kind, status.cells_done, status.cells) == (kind, int(done.sum()), done.size)
    assert np.isfinite(data[VARIABLES[kind][0]].where(done, 0)).all()


def test_it_is_resumed_and_keeps_every_bit_it_had(old):
    kind, folder = old
    before = lidjax.open_results(folder).load()
    spec = lidjax.spec_from_dict(before.attrs["spec"])
    after = lidjax.run_sweep(spec, out=folder)
    fresh = lidjax.run_sweep(spec)
    done = (before["status"] == CellStatus.OK).values
    assert (after["status"] == CellStatus.OK).all()
    for name in VARIABLES[kind]:
        assert after[name].values[done].tobytes() == before[name].values[done].tobytes()
        assert after[name].values[~done].tobytes() == fresh[name].values[~done].tobytes()
        # another processor or another compiler may change the last bits of the cells that are in the file
        np.testing.assert_allclose(after[name].values[done], fresh[name].values[done], rtol=1e-9)


def test_it_is_extended_and_then_written_in_the_present_format(old):
    kind, folder = old
    before = lidjax.open_results(folder).load()
    table = before.attrs["spec"]
    more = table | {"grid": table["grid"] | {"seed": [*table["grid"]["seed"], 7]}}
    lidjax.run_sweep(lidjax.spec_from_dict(more), out=folder)
    after = lidjax.open_results(folder)
    assert after.attrs["format"] == "lidjax store 3"
    assert after["seed"].values.tolist() == more["grid"]["seed"]
    done = before["status"] == CellStatus.OK
    kept = after.sel(seed=before["seed"])
    for name in VARIABLES[kind]:
        assert kept[name].values[done.values].tobytes() == before[name].values[done.values].tobytes()


def test_another_spec_is_refused_with_the_difference(old):
    _, folder = old
    table = lidjax.open_results(folder).attrs["spec"]
    other = lidjax.spec_from_dict(table | {"run": table["run"] | {"root_key": 9}})
    with pytest.raises(lidjax.InputError, match=r"run\.root_key: the store has 0, the spec 9"):
        lidjax.run_sweep(other, out=folder)


def test_a_store_without_sample_sizes_opens_and_is_resumed(tmp_path, monkeypatch):
    """Sampled sweeps of versions before this variable: their stores keep the variables they have."""

    class Sampled(NumpySource):
        def evaluate(self, coords, sharding=None):
            found = super().evaluate(coords, sharding)
            return found | {"effective_sample_size": 10_000 * found["failure"]}

    monkeypatch.setattr(run_module, "open_source", Sampled)
    spec, more = (
        replace(spec_of(seed=seed), model=Model(failure="instances")) for seed in ((0, 1), (0, 1, 2))
    )
    lidjax.run_sweep(spec, out=tmp_path)
    store = open_store(store_path(tmp_path))
    arrays = {name: array for name, array in store.manifest["arrays"].items() if name != OPTIONAL}
    assert len(arrays) == len(store.manifest["arrays"]) - 1
    store.group.attrs["arrays"] = arrays
    del store.group[OPTIONAL]
    assert OPTIONAL not in lidjax.open_results(tmp_path)
    data = lidjax.run_sweep(more, out=tmp_path)
    assert OPTIONAL not in data
    assert data.sizes["seed"] == 3
    np.testing.assert_array_equal(data["low_ess"], ~(10_000 * data["failure"] >= 30))
