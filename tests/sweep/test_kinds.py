"""A kind of cell takes one module and one registration; then every command works for it."""

import json

import numpy as np
import pytest
from helpers import toy_kind
from helpers.toy_kind import KIND

import lidjax
from lidjax.cli import main
from lidjax.status import CellStatus
from lidjax.sweep import kinds, register_kind
from lidjax.sweep.sources import SHIPPED

SPEC = """
[coins]
bias = 0.01
[grid]
n = [1, 2, 4]
rate = [0.2, 0.5]
seed = { range = [0, 4] }
[run]
tile_seconds = 1e-9
"""


@pytest.fixture
def spec_file(tmp_path, monkeypatch):
    monkeypatch.setattr(kinds, "_kinds", {kind.name: kind for kind in kinds.all_kinds()})
    register_kind(KIND)
    path = tmp_path / "mine.toml"
    path.write_text(SPEC)
    return path


def test_plan_run_show_and_plot(spec_file, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["plan", str(spec_file), "--out", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["cells"] == 24
    assert main(["run", str(spec_file), "--out", str(out), "--json"]) == 0
    ran = json.loads(capsys.readouterr().out)
    assert [path.rsplit("/", 1)[-1] for path in ran["figures"]] == ["coins.pdf", "coins.png"]
    assert main(["show", str(out), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["results"] == ran["results"]
    assert [table["rate"] for table in shown["results"]] == [0.2, 0.5]
    assert main(["show", str(out)]) == 0
    assert "rate 0.2" in capsys.readouterr().out
    assert main(["plot", str(out), "--out", str(tmp_path / "figures")]) == 0
    assert (tmp_path / "figures" / "coins.pdf").exists()


def test_any_key_can_be_set_on_the_command_line(spec_file, tmp_path, capsys):
    words = ["run", str(spec_file), "--out", str(tmp_path / "out"), "--no-plot", "--json"]
    assert main([*words, "--coins.bias", "1", "--grid.n", "8"]) == 0
    results = json.loads(capsys.readouterr().out)["results"]
    assert [table["mean"] for table in results] == [[0.0], [0.0]]


def test_an_interrupted_run_is_resumed_and_an_extended_one_keeps_its_cells(spec_file, tmp_path):
    class Interrupted(Exception):
        pass

    def break_off(stage, steps, *, done=0):
        for index, step in enumerate(steps):
            if index == 5:
                raise Interrupted
            yield step

    whole = lidjax.run_sweep(spec_file)
    with pytest.raises(Interrupted):
        lidjax.run_sweep(spec_file, out=tmp_path / "out", progress=break_off)
    part = lidjax.open_results(tmp_path / "out")
    assert int((part["status"] == CellStatus.OK).sum()) == 5
    assert list(lidjax.cell_failures(part).values()) == [19]
    resumed = lidjax.run_sweep(spec_file, out=tmp_path / "out")
    np.testing.assert_array_equal(resumed["all_failed"], whole["all_failed"])
    table = resumed.attrs["spec"]
    more = table | {"grid": table["grid"] | {"n": [1, 2, 3, 4]}}
    extended = lidjax.run_sweep(more, out=tmp_path / "out")
    np.testing.assert_array_equal(extended["all_failed"].sel(n=[1, 2, 4]), whole["all_failed"])
    assert extended["all_failed"].attrs["long_name"] == "share of 100 groups in which every coin fails"
    assert lidjax.cell_failures(extended) == {}


def test_a_cell_that_is_not_finite_is_marked_by_its_variable(spec_file, monkeypatch):
    monkeypatch.setattr(
        toy_kind.CoinsSource,
        "evaluate",
        lambda self, coords, sharding=None: {
            "all_failed": np.full([len(coords[name]) for name in ("n", "rate", "seed")], np.inf)
        },
    )
    data = lidjax.run_sweep(spec_file)
    assert (data["status"] == 1).all()
    assert "ALL_FAILED_NOT_FINITE" in data["status"].attrs["flag_meanings"]


def test_names_and_tables_are_not_given_twice(spec_file):
    import dataclasses

    with pytest.raises(ValueError, match=r"table \[coins\] already"):
        register_kind(dataclasses.replace(KIND, name="other"))
    with pytest.raises(ValueError, match="'coins' is registered already"):
        register_kind(dataclasses.replace(KIND, table="other"))


def test_results_of_a_kind_that_is_not_here_say_so(spec_file, tmp_path, monkeypatch):
    lidjax.run_sweep(spec_file, out=tmp_path / "out")
    monkeypatch.setattr(kinds, "_kinds", {kind.name: kind for kind in kinds.all_kinds() if kind is not KIND})
    with pytest.raises(lidjax.InputError, match="results of kind 'coins', which is not registered here"):
        lidjax.open_results(tmp_path / "out")
    with pytest.raises(lidjax.InputError, match=r"exactly one of the tables \[model\]"):
        lidjax.load_spec(spec_file)


def test_an_installed_package_adds_its_kinds_by_an_entry_point(monkeypatch):
    class Entry:
        def load(self):
            return KIND

    monkeypatch.setattr(kinds, "_kinds", {})
    monkeypatch.setattr(kinds, "_loaded", False)
    monkeypatch.setattr(kinds, "entry_points", lambda group: [Entry()] if group == "lidjax.kinds" else [])
    names = [kind.name for kind in kinds.all_kinds()]
    assert names == [*(kind.name for kind in SHIPPED), "coins"]
    assert {"synthetic", "features", "frontier", "random_features", "sgd"} <= set(names)
