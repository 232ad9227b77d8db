"""What clusters do to a run: damaged files, full disks, no memory, signals."""

import errno
import random
import signal

import jax
import numpy as np
import pytest
from helpers.numpy_source import SPEC, NumpySource, contents, spec_of
from helpers.stores import open_store, store_path

from lidjax import open_results, run_sweep
from lidjax.cli import main
from lidjax.errors import InputError
from lidjax.runs.interrupt import Stopped, stop_on_signals
from lidjax.runs.store import Store
from lidjax.status import CellStatus


def chunks_of(out):
    return sorted(
        p
        for name in ("lgen", "failure", "status")
        for p in (store_path(out) / name / "c").rglob("*")
        if p.is_file()
    )


def flip_a_bit(path, rng):
    data = bytearray(path.read_bytes())
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)


def truncate(path, rng):
    path.write_bytes(path.read_bytes()[: rng.randrange(path.stat().st_size)])


def remove(path, rng):
    path.unlink()


def zeros(path, rng):
    path.write_bytes(bytes(path.stat().st_size))


def garbage(path, rng):
    path.write_bytes(rng.randbytes(rng.randrange(1, 200)))


DAMAGE = [flip_a_bit, truncate, remove, zeros, garbage]


def damage_and_repair(out, whole, damage, path, rng, sources, capfd):
    """The damage is found, only its tile computed, and the store ends with the bits it had."""
    damage(path, rng)
    if damage is not remove:  # without a status chunk a tile is one that was never computed
        with pytest.raises(InputError, match="1 chunks are damaged"):
            open_results(out)
    run_sweep(SPEC, out=out)
    assert len(sources[-1].tiles) == 1
    assert contents(out) == whole


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda f: f.__name__)
def test_a_damaged_chunk_is_found_and_computed_again(sources, tmp_path, damage, capfd):
    out, rng = tmp_path / "out", random.Random(3)
    run_sweep(SPEC, out=out)
    whole = contents(out)
    for name in ("lgen", "failure", "status"):
        path = next(p for p in chunks_of(out) if p.relative_to(store_path(out)).parts[0] == name)
        damage_and_repair(out, whole, damage, path, rng, sources, capfd)


@pytest.mark.slow
def test_every_one_of_250_random_damages_is_found(sources, tmp_path, capfd):
    out, rng = tmp_path / "out", random.Random(8)
    run_sweep(SPEC, out=out)
    whole = contents(out)
    for trial in range(250):
        damage_and_repair(out, whole, DAMAGE[trial % 5], rng.choice(chunks_of(out)), rng, sources, capfd)


def test_a_chunk_with_another_content_than_its_status_says_is_found(sources, tmp_path):
    """Its checksum is right; its numbers do not fit its status."""
    out = tmp_path / "out"
    run_sweep(SPEC, out=out)
    store = open_store(store_path(out))
    store.group["lgen"][0, 0, 0, 0, 0, 0, 0, 0] = np.nan
    with pytest.raises(InputError, match="damaged"):
        open_results(out)


def test_a_full_disk_leaves_a_readable_store_and_a_message(sources, tmp_path, capsys, monkeypatch):
    """The disk fills at some tile; with room made the run ends with the same bits. (On a real tmpfs: test_cluster.)"""
    out = tmp_path / "out"
    whole = run_sweep(SPEC, out=tmp_path / "whole").load()
    writes = []
    write = Store.write

    def failing(self, *args):
        writes.append(1)
        if len(writes) == 7:
            raise OSError(errno.ENOSPC, "No space left on device", str(out / "x"))
        write(self, *args)

    (tmp_path / "spec.toml").write_text(TOML)
    with monkeypatch.context() as patch:
        patch.setattr(Store, "write", failing)
        assert main(["run", str(tmp_path / "spec.toml"), "--out", str(out), "--no-plot"]) == 1
    assert "the disk is full" in capsys.readouterr().err
    assert (open_results(out)["status"] != CellStatus.PENDING).sum() == 6
    data = run_sweep(SPEC, out=out).load()
    assert data["failure"].values.tobytes() == whole["failure"].values.tobytes()


TOML = """
name = "x"
[model]
[grid]
n = [10, 20, 30, 40]
k = [1, 3, 10]
beta = 2.5
dim = 8
ridge = 1e-2
seed = { range = [0, 6] }
[run]
tile_seconds = 1e-9
[fit]
window = [1, 10]
"""


def out_of_memory(limit, error):
    """An evaluation that fails for more than `limit` cells at once."""
    evaluate = NumpySource.evaluate

    def limited(self, coords, sharding=None):
        if np.prod([len(values) for values in coords.values()]) > limit:
            raise error
        return evaluate(self, coords, sharding)

    return limited


@pytest.mark.parametrize(
    "error",
    [jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 1 bytes"), MemoryError()],
)
def test_out_of_memory_halves_the_tile_and_says_so_once(sources, tmp_path, monkeypatch, caplog, error):
    spec = spec_of(n=(10, 20, 30), seed=tuple(range(20)), beta=(2.0, 3.0))
    whole = run_sweep(spec)
    monkeypatch.setattr(NumpySource, "evaluate", out_of_memory(13, error))
    data = run_sweep(spec, out=tmp_path / "out")
    np.testing.assert_array_equal(data["failure"], whole["failure"])
    assert sum("out of memory" in record.getMessage() for record in caplog.records) == 1
    monkeypatch.setattr(NumpySource, "evaluate", out_of_memory(0, error))
    with pytest.raises(InputError, match="out of memory with a single cell"):
        run_sweep(spec)


def test_other_errors_of_the_device_are_not_taken_for_it(sources, monkeypatch):
    error = jax.errors.JaxRuntimeError("INTERNAL: something else")
    monkeypatch.setattr(NumpySource, "evaluate", out_of_memory(0, error))
    with pytest.raises(jax.errors.JaxRuntimeError, match="INTERNAL"):
        run_sweep(SPEC)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_after_the_tile_in_hand(sources, tmp_path, number):
    def progress(stage, waiting, *, done=0):
        for index, tile in enumerate(waiting):
            if index == 3:
                signal.raise_signal(number)
            yield tile

    before = signal.getsignal(number)
    with pytest.raises(Stopped), stop_on_signals() as stop:
        run_sweep(SPEC, out=tmp_path / "out", progress=progress, stop=stop)
    assert signal.getsignal(number) is before
    assert (open_results(tmp_path / "out")["status"] == CellStatus.OK).sum() == 3
    assert (run_sweep(SPEC, out=tmp_path / "out")["status"] == CellStatus.OK).all()
    assert len(sources[-1].tiles) == 21


def test_a_second_interrupt_drops_the_tile(sources, monkeypatch):
    evaluate = NumpySource.evaluate

    def slow(self, coords, sharding=None):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        return evaluate(self, coords, sharding)

    monkeypatch.setattr(NumpySource, "evaluate", slow)
    with pytest.raises(KeyboardInterrupt) as raised, stop_on_signals() as stop:
        run_sweep(SPEC, stop=stop)
    assert not isinstance(raised.value, Stopped)


def test_the_command_line_says_what_to_type_to_go_on(sources, tmp_path, capsys, monkeypatch):
    evaluate = NumpySource.evaluate

    def interrupted(self, coords, sharding=None):
        signal.raise_signal(signal.SIGINT)
        return evaluate(self, coords, sharding)

    (tmp_path / "my spec.toml").write_text(TOML)
    words = ["run", str(tmp_path / "my spec.toml"), "--out", str(tmp_path / "out")]
    monkeypatch.setattr(NumpySource, "evaluate", interrupted)
    monkeypatch.setattr("sys.argv", ["/usr/bin/lidjax", *words])
    assert main(words) == 128 + signal.SIGINT
    assert f"lidjax run '{tmp_path}/my spec.toml' --out {tmp_path}/out" in capsys.readouterr().err
