"""Extending a store: more grid values compute the new cells only, and the old ones keep every bit."""

import dataclasses

import numpy as np
import pytest
from helpers.numpy_source import NumpySource, spec_of
from helpers.stores import store_path
from hypothesis import given, settings
from hypothesis import strategies as st

from lidjax import open_results, run_sweep
from lidjax.errors import InputError
from lidjax.runs.store import Store
from lidjax.status import CellStatus
from lidjax.sweep import run as run_module


def computed(source):
    """(β, N, seed) of every cell that the source computed, padding left out."""
    return {
        (b, n, s)
        for tile in source.tiles
        for b in tile["beta"].tolist()
        for n in tile["n"].tolist()
        for s in tile["seed"].tolist()
    }


def test_each_axis_grows_and_only_new_cells_are_computed(sources, tmp_path):
    out = tmp_path / "out"
    first = run_sweep(spec_of(), out=out).load()
    old = {(2.5, n, s) for n in (10, 30) for s in (0, 1, 2)}
    steps = [
        spec_of(seed=(0, 1, 2, 3, 4, 5)),
        spec_of(seed=(0, 1, 2, 3, 4, 5), n=(5, 10, 20, 30)),
        spec_of(seed=(0, 1, 2, 3, 4, 5), n=(5, 10, 20, 30), beta=(1.5, 2.5, 4.0)),
    ]
    for spec in steps:
        data = run_sweep(spec, out=out).load()
        now = {(b, n, s) for b in spec.grid.beta for n in spec.grid.n for s in spec.grid.seed}
        assert computed(sources[-1]) == now - old
        old = now
        assert data["n"].values.tolist() == list(spec.grid.n)
        assert data["beta"].values.tolist() == list(spec.grid.beta)
        assert (data["status"] == CellStatus.OK).all()
        same = data.sel(n=first["n"], seed=first["seed"], beta=first["beta"])
        for name in ("lgen", "failure"):
            assert same[name].values.tobytes() == first[name].values.tobytes()
    run_sweep(steps[-1], out=out)
    assert sources[-1].tiles == []


def test_old_cells_are_not_even_written(sources, tmp_path, monkeypatch):
    """The chunks of a finished store stay the files that they were, even where the law has changed under them."""
    out = tmp_path / "out"
    run_sweep(spec_of(), out=out)
    chunks = {p: p.read_bytes() for p in store_path(out).glob("*/c/**/*") if p.is_file() and "lgen" in str(p)}
    assert chunks
    monkeypatch.setattr(NumpySource, "evaluate", shifted(NumpySource.evaluate))
    data = run_sweep(spec_of(seed=(0, 1, 2, 3)), out=out).load()
    for path, content in chunks.items():
        assert path.read_bytes() == content
    assert (data["lgen"].sel(seed=3) > 1000).all()
    assert (data["lgen"].sel(seed=[0, 1, 2]) < 1000).all()


def shifted(evaluate):
    def other(self, coords, sharding=None):
        result = evaluate(self, coords, sharding)
        return {**result, "lgen": result["lgen"] + 1000}

    return other


def test_a_chunk_that_is_part_old_keeps_its_old_cells(sources, tmp_path, monkeypatch):
    """A first run in tiles of two seeds over three leaves half a chunk, which the fourth seed fills."""
    out = tmp_path / "out"
    monkeypatch.setattr(NumpySource, "fixed_tile", {}, raising=False)
    tile = dict.fromkeys(("beta", "alpha", "dim", "ridge", "sigma_eta", "delta", "n"), 1) | {"seed": 2}
    monkeypatch.setattr("lidjax.sweep.plan._cut", lambda *_: tile)
    run_sweep(spec_of(), out=out)
    monkeypatch.setattr(NumpySource, "evaluate", shifted(NumpySource.evaluate))
    lgen = run_sweep(spec_of(seed=(0, 1, 2, 3)), out=out)["lgen"].load()
    assert (lgen.sel(seed=[0, 1, 2]) < 1000).all()
    assert (lgen.sel(seed=3) > 1000).all()


def test_a_small_store_grows_in_large_tiles(sources, tmp_path):
    """One seed at first: a hundred more are not computed one by one."""
    out = tmp_path / "out"
    run_sweep(spec_of(seed=(0,)), out=out)
    run_sweep(spec_of(seed=tuple(range(101))), out=out)
    assert len(sources[-1].tiles) <= 3
    assert (open_results(out)["status"] == CellStatus.OK).all()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"beta": (4.0,)}, "grid.beta: the store has [2.5], the spec [4.0]"),
        ({"seed": (0, 1)}, "grid.seed: the store has [0, 1, 2], the spec [0, 1]"),
        ({"k": (1.0, 10.0, 100.0)}, "grid.k: the store has [1.0, 3.0, 10.0], the spec [1.0, 10.0, 100.0]"),
        ({"root_key": 7, "seed": (0, 1, 2, 3)}, "run.root_key: the store has 0, the spec 7"),
        ({"dtype": "float32"}, "run.dtype"),
    ],
)
def test_what_changes_the_identity_of_a_cell_is_refused_and_nothing_is_touched(
    sources, tmp_path, changes, words
):
    out = tmp_path / "out"
    run_sweep(spec_of(), out=out)
    before = snapshot(out)
    with pytest.raises(InputError) as error:
        run_sweep(spec_of(**changes), out=out)
    assert words in str(error.value)
    assert "name another --out" in str(error.value)
    assert snapshot(out) == before


def snapshot(out):
    return {p: p.read_bytes() for p in store_path(out).rglob("*") if p.is_file()}


class Killed(BaseException):
    pass


@pytest.mark.parametrize("after", range(8))
def test_a_kill_while_a_store_is_made_or_extended_is_mended_by_the_next_run(
    sources, tmp_path, monkeypatch, after
):
    """`lay_out` broken off after any number of its steps, at the making and at the extension."""
    out = tmp_path / "out"
    steps = []

    def dying(method):
        def step(self, *args):
            steps.append(1)
            if len(steps) > after:
                raise Killed
            return method(self, *args)

        return step

    for spec in (spec_of(), spec_of(seed=(7, 0, 1, 2), n=(30, 20, 10))):
        with monkeypatch.context() as patch:
            steps.clear()
            for name in ("_coordinate", "_cell_array"):
                patch.setattr(Store, name, dying(getattr(Store, name)))
            with pytest.raises(Killed):
                run_sweep(spec, out=out)
        data = run_sweep(spec, out=out)
        assert (data["status"] == CellStatus.OK).all()
        assert data["seed"].values.tolist() == list(spec.grid.seed)
    expected = run_sweep(spec)
    np.testing.assert_array_equal(data["lgen"], expected["lgen"])


def test_real_cells_keep_their_bits(small_spec, tmp_path):
    """The same with the engine's own kernels."""
    first = run_sweep(small_spec, out=tmp_path / "out").load()
    grid = dataclasses.replace(small_spec.grid, seed=(9, 0, 1, 5, 7))
    more = run_sweep(dataclasses.replace(small_spec, grid=grid), out=tmp_path / "out").load()
    for name in ("lgen", "failure", "status"):
        assert more[name].sel(seed=[0, 1, 5]).values.tobytes() == first[name].values.tobytes()
    assert np.isfinite(more["lgen"]).all()
    assert more.attrs["spec"]["grid"]["seed"] == [9, 0, 1, 5, 7]


values = st.lists(st.integers(0, 9), min_size=1, max_size=5, unique=True)


@settings(max_examples=8, deadline=None, derandomize=True)
@given(st.lists(st.tuples(values, values), min_size=1, max_size=4), st.integers(1, 3), st.integers(1, 3))
def test_any_chain_of_extensions_ends_where_one_run_would(tmp_path_factory, chain, chunk_n, chunk_seed):
    out = tmp_path_factory.mktemp("chain") / "out"
    sizes, seeds = [], []
    tile = dict.fromkeys(("beta", "alpha", "dim", "ridge", "sigma_eta", "delta"), 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_module, "open_source", NumpySource)
        patch.setattr(
            "lidjax.sweep.plan._cut",
            lambda source, run, lengths, *_: (
                tile | {"n": min(chunk_n, lengths["n"]), "seed": min(chunk_seed, lengths["seed"])}
            ),
        )
        for more_n, more_seeds in chain:
            sizes = more_n + [x for x in sizes if x not in more_n]
            seeds = [x for x in seeds if x not in more_seeds] + more_seeds
            spec = spec_of(n=tuple(x + 1 for x in sizes), seed=tuple(seeds))
            data = run_sweep(spec, out=out)
        expected = run_sweep(spec)
        for name in ("n", "seed", "lgen", "failure", "status"):
            np.testing.assert_array_equal(data[name], expected[name])
