"""Readers trust no coordinate: each is compared with the manifest, and `run` mends what readers refuse."""

import warnings

import pytest
import xarray as xr
import zarr
from helpers.numpy_source import NumpySource, contents, spec_of
from helpers.stores import store_path

from lidjax import InputError, open_results, run_sweep
from lidjax.cli import main
from lidjax.sweep.sources.synthetic.source import AXES

SPEC = spec_of(n=(16, 256), seed=(0, 1))
COORDINATES = (*AXES, "k", "split")


class WithSplits(NumpySource):
    def coordinates(self):
        return {"split": ("seed", self.axes["seed"] // 2 + 3)}


@pytest.fixture
def store(monkeypatch, tmp_path):
    monkeypatch.setattr("lidjax.sweep.run.open_source", WithSplits)
    run_sweep(SPEC, out=tmp_path / "out")
    return store_path(tmp_path / "out")


def flip_bits(path):
    """Flip every bit of a file in turn; the file is whole again at the end."""
    whole = path.read_bytes()
    for at in range(8 * len(whole)):
        data = bytearray(whole)
        data[at // 8] ^= 1 << at % 8
        path.write_bytes(data)
        yield at
    path.write_bytes(whole)


def chunk_of(store, name):
    """The one chunk of a coordinate."""
    return next(path for path in (store / name / "c").rglob("*") if path.is_file())


@pytest.mark.parametrize("name", COORDINATES)
def test_a_removed_chunk_of_a_coordinate_is_refused_and_mended(store, name, capsys):
    whole = contents(store)
    chunk_of(store, name).unlink()
    for word in ("show", "plot"):
        assert main([word, str(store)]) == 2
        assert f"{name} of the store does not agree with its manifest" in capsys.readouterr().err
    run_sweep(SPEC, out=store.parent)
    assert contents(store) == whole


@pytest.mark.parametrize("name", ["n", "beta"])
def test_no_flipped_bit_of_a_coordinate_changes_what_is_read(store, name):
    """Each bit of the file, one after the other: refused, or the same numbers."""
    before = open_results(store)[name].values
    refused = 0
    for _ in flip_bits(chunk_of(store, name)):
        try:
            assert (open_results(store)[name].values == before).all()
        except InputError:
            refused += 1
    assert refused >= 8 * before.nbytes // 2


def test_a_flipped_bit_of_a_coordinate_is_mended_by_the_next_run(store):
    whole = contents(store)
    path = chunk_of(store, "n")
    path.write_bytes(path.read_bytes()[:-3] + b"xyz")
    with pytest.raises(InputError, match="n of the store"):
        open_results(store)
    run_sweep(SPEC, out=store.parent)
    assert contents(store) == whole


@pytest.mark.parametrize("name", ["lgen", "failure", "n"])
def test_an_array_that_is_not_there_is_refused(store, name):
    (store / name / "zarr.json").unlink()
    with pytest.raises(InputError, match=f"{name} of the store"):
        open_results(store)


def test_stores_open_without_a_warning_and_with_their_own_metadata(store):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        zarr.open(store)
        zarr.open_group(store, mode="r")
        assert xr.open_zarr(store)["n"].values.tolist() == [16, 256]
        run_sweep(spec_of(n=(16, 256, 512), seed=(0, 1)), out=store.parent)
        assert xr.open_zarr(store)["n"].values.tolist() == [16, 256, 512]
        assert xr.open_zarr(store)["lgen"].sizes["n"] == 3
