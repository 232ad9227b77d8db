"""Stores: interrupted runs end with the same numbers bit for bit, and nothing foreign is touched."""

import dataclasses
import json

import pytest
import xarray as xr
from helpers.stores import open_store, store_path

from lidjax import open_results, run_sweep
from lidjax.errors import InputError
from lidjax.status import CellStatus
from lidjax.sweep import run as run_module


class Interrupted(Exception):
    pass


def stop_after(count):
    """A `track` that breaks the run after `count` tiles."""

    def progress(stage, waiting, *, done=0):
        for index, tile in enumerate(waiting):
            if index == count:
                raise Interrupted
            yield tile

    return progress


def count_tiles(seen):
    def progress(stage, waiting, *, done=0):
        seen.append((len(waiting), done))
        return waiting

    return progress


@pytest.fixture
def cut_spec(small_spec):
    """The small sweep in several tiles."""
    return dataclasses.replace(small_spec, run=dataclasses.replace(small_spec.run, tile_seconds=1e-4))


def test_an_interrupted_run_goes_on_and_ends_with_the_same_bits(cut_spec, tmp_path):
    whole = run_sweep(cut_spec, out=tmp_path / "whole")
    with pytest.raises(Interrupted):
        run_sweep(cut_spec, out=tmp_path / "broken", progress=stop_after(3))
    part = open_results(tmp_path / "broken")
    assert 0 < (part["status"] == CellStatus.PENDING).sum() < part["status"].size
    seen = []
    resumed = run_sweep(cut_spec, out=tmp_path / "broken", progress=count_tiles(seen))
    ((tiles, done),) = seen
    assert done > 0
    assert tiles > 0
    for name in ("lgen", "failure", "status"):
        assert resumed[name].values.tobytes() == whole[name].values.tobytes()


def test_a_finished_run_computes_nothing_more(small_spec, tmp_path):
    first = run_sweep(small_spec, out=tmp_path / "out")
    seen = []
    again = run_sweep(small_spec, out=tmp_path / "out", progress=count_tiles(seen))
    assert seen == [(0, 1)]
    xr.testing.assert_identical(first.load(), again.load())


def test_no_resume_starts_anew(small_spec, tmp_path):
    run_sweep(small_spec, out=tmp_path / "out")
    seen = []
    run_sweep(small_spec, out=tmp_path / "out", resume=False, progress=count_tiles(seen))
    assert seen[0][1] == 0


def test_another_spec_is_refused_with_the_difference(small_spec, tmp_path):
    run_sweep(small_spec, out=tmp_path / "out")
    other = dataclasses.replace(small_spec, grid=dataclasses.replace(small_spec.grid, beta=(2.5, 4.0)))
    with pytest.raises(InputError) as error:
        run_sweep(other, out=tmp_path / "out")
    assert "grid.beta: the store has [2.5, 5.0], the spec [2.5, 4.0]" in str(error.value)
    renamed = dataclasses.replace(small_spec, name="renamed")
    assert run_sweep(renamed, out=tmp_path / "out")["lgen"].size == 24


def test_foreign_folders_are_not_touched(small_spec, tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(InputError, match=r"thesis\.tex"):
        run_sweep(small_spec, out=tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]
    foreign = tmp_path / "other"
    store_path(foreign).mkdir(parents=True)
    (store_path(foreign) / "x").write_text("not a store")
    for resume in (True, False):
        with pytest.raises(InputError, match="not a store"):
            run_sweep(small_spec, out=foreign, resume=resume)
    assert (store_path(foreign) / "x").read_text() == "not a store"


def test_a_path_that_cannot_be_a_folder_is_refused_before_anything_runs(small_spec, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(run_module, "TileComputer", lambda *_: pytest.fail("a tile ran"))
    with pytest.raises(InputError, match="cannot be written"):
        run_sweep(small_spec, out=tmp_path / "file" / "out")


def test_results_carry_their_provenance(small_spec, tmp_path):
    run_sweep(small_spec, out=tmp_path / "out")
    data = open_results(tmp_path / "out")
    assert {"spec", "identity", "versions", "device", "git_commit"} <= data.attrs.keys()
    assert {"jax", "numpy", "lidjax", "zarr"} <= data.attrs["versions"].keys()
    json.dumps(data.attrs)


def test_reading_what_is_not_there_says_what_makes_it(tmp_path):
    with pytest.raises(InputError, match="lidjax run"):
        open_results(tmp_path / "nothing")


def test_a_store_of_another_format_is_refused(small_spec, tmp_path):
    run_sweep(small_spec, out=tmp_path / "out")
    store = open_store(store_path(tmp_path / "out"))
    store.group.attrs["format"] = "lidjax store 0"
    with pytest.raises(InputError, match="lidjax store 0"):
        open_results(tmp_path / "out")
