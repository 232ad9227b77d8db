"""What a run refuses or removes before it computes: a window without values, another run's store, stale figures."""

import dataclasses

import pytest
from helpers.numpy_source import NumpySource, contents, spec_of

from lidjax import InputError, open_results, run_sweep
from lidjax.cli import main
from lidjax.sweep import Model

TOML = """
name = "x"
[model]
[grid]
n = [10, 20]
k = [1, 2, 4, 8]
dim = 8
[fit]
window = [10, 1000]
"""


@pytest.mark.parametrize("command", ["run", "plan"])
def test_a_window_outside_of_the_grid_is_found_before_anything_runs(
    sources, tmp_path, monkeypatch, capsys, command
):
    monkeypatch.setattr(NumpySource, "evaluate", lambda *_: pytest.fail("a tile ran"))
    (tmp_path / "x.toml").write_text(TOML)
    assert main([command, str(tmp_path / "x.toml"), "--out", str(tmp_path / "out")]) == 2
    assert (
        "fit.window = [10, 1000]: contains 0 of the sweep's values of k (from 1 to 8)"
        in capsys.readouterr().err
    )
    assert not (tmp_path / "out").exists()


def test_starting_anew_replaces_the_same_run_alone(sources, tmp_path):
    out = tmp_path / "out"
    run_sweep(spec_of(), out=out)
    run_sweep(spec_of(n=(5, 7)), out=out, resume=False)  # the grid may be another one
    assert open_results(out)["n"].values.tolist() == [5, 7]
    whole = contents(out)
    renamed = dataclasses.replace(spec_of(n=(5, 7)), name="renamed")
    other = dataclasses.replace(spec_of(n=(5, 7)), model=Model(difficulty="power"))
    for spec, words in (
        (renamed, "the store holds the run 'x', not 'renamed'"),
        (other, "model.difficulty: the store has gamma, the spec power"),
        (spec_of(n=(5, 7), root_key=3), "run.root_key: the store has 0, the spec 3"),
    ):
        with pytest.raises(InputError) as error:
            run_sweep(spec, out=out, resume=False)
        assert words in str(error.value)
        assert f"rm -r {out}/results.zarr" in str(error.value)
        assert contents(out) == whole


def test_figures_of_the_store_as_it_was_go_when_cells_are_added(sources, tmp_path, caplog):
    out = tmp_path / "out"
    run_sweep(spec_of(), out=out)
    (out / "figures").mkdir()
    for name in ("scaling.pdf", "scaling.png", "allocation.pdf", "allocation.png", "mine.png", "notes.txt"):
        (out / "figures" / name).write_text("")
    run_sweep(spec_of(), out=out)
    assert len(list((out / "figures").iterdir())) == 6  # nothing was computed
    with caplog.at_level("INFO"):
        run_sweep(spec_of(seed=(0, 1, 2, 3)), out=out)
    assert {path.name for path in (out / "figures").iterdir()} == {"mine.png", "notes.txt"}
    assert "figures of the store as it was are removed: allocation, scaling" in caplog.text
