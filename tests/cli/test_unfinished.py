"""Commands that read a store say first whether it is finished, and work on what is complete."""

import json

import numpy as np
import pytest
from helpers.numpy_source import spec_of

from lidjax import InputError, complete_part, run_sweep
from lidjax.cli import main
from lidjax.status import PENDING

SPEC = spec_of(
    n=(10, 20, 40, 80, 160, 320), seed=(0, 1), k=(1.0, 2.0, 4.0, 8.0), tile_seconds=1e-9
)  # 12 tiles of a cell


class Killed(BaseException):
    pass


def run_until(out, tiles):
    def progress(stage, steps, *, done=0):
        for index, step in enumerate(steps):
            if index == tiles:
                raise Killed
            yield step

    with pytest.raises(Killed):
        run_sweep(SPEC, out=out, progress=progress)


ALLOCATE = ["--budget", "100", "--cost-train", "1", "--cost-infer", "1", "--weight", "1"]


def test_every_reader_says_what_is_done_and_strict_stops_it(sources, tmp_path, capsys):
    out = tmp_path / "out"
    run_until(out, 4)
    for words in (
        ["show", str(out)],
        ["plot", str(out)],
        ["allocate", str(out), *ALLOCATE],
        ["features", "report", str(out)],
    ):
        assert main([*words, "--strict"]) == 1
        printed = capsys.readouterr()
        assert f"{out}: 4 of 12 tiles are done; `lidjax run SPEC.toml --out {out}`" in printed.err
        assert not printed.out
    assert not (out / "figures").exists()


def test_show_works_on_the_complete_cells_alone(sources, tmp_path, capsys):
    out = tmp_path / "out"
    run_until(out, 7)  # three sizes of two seeds, and one seed of the fourth size
    assert main(["show", str(out), "--json", "--from-n", "1"]) == 0
    printed = capsys.readouterr()
    assert printed.err.startswith(f"lidjax: {out}: 7 of 12 tiles are done")
    assert "the part that is complete: 3 of 6 n x 2 of 2 seed" in printed.err
    shown = json.loads(printed.out)
    assert (shown["tiles_done"], shown["tiles"]) == (7, 12)
    rows = shown["results"][0]["rows"]
    assert [row["n"] for row in rows] == [10, 20, 40]
    assert all(row["beta_eff"] is not None for row in rows)
    run_sweep(SPEC, out=out)
    assert main(["show", str(out), "--json", "--strict", "--from-n", "1"]) == 0
    finished = capsys.readouterr()
    assert "tiles are done" not in finished.err
    assert json.loads(finished.out)["results"][0]["rows"][:3] == rows


def test_allocate_does_not_speak_of_failed_cells(sources, tmp_path, capsys):
    run_until(tmp_path / "out", 4)
    assert main(["allocate", str(tmp_path / "out"), *ALLOCATE]) == 2
    error = capsys.readouterr().err
    assert "4 of 12 tiles are done" in error
    assert "failed" not in error


def test_nothing_is_complete_before_the_first_tile(sources, tmp_path, capsys):
    run_until(tmp_path / "out", 0)
    assert main(["show", str(tmp_path / "out")]) == 2
    assert "no part of the sweep is complete yet" in capsys.readouterr().err


@pytest.mark.parametrize("seed", range(20))
def test_no_cell_of_the_complete_part_is_pending_and_whole_results_stay(sources, seed):
    """Any pattern of pending cells."""
    rng = np.random.default_rng(seed)
    data = run_sweep(SPEC).load()
    assert complete_part(data) is data
    assert (data.attrs["tiles_done"], data.attrs["tiles"]) == (12, 12)
    data["status"].values[rng.random(data["status"].shape) < rng.random()] = PENDING
    try:
        part = complete_part(data)
    except InputError:
        # a cell that is computed could be kept alone; then most of its rows and columns are not
        assert (data["status"] == PENDING).mean() > 0.3
        return
    assert part["status"].size
    assert (part["status"] != PENDING).all()
    assert set(part["n"].values) <= set(data["n"].values)
