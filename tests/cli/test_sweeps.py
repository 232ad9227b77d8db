"""The commands as a user types them: exit codes, what is printed, what is written."""

import json
import subprocess
import sys

import numpy as np
import pytest

from lidjax.cli import main

SPEC = """
[model]
[grid]
n = [20, 30, 40, 80, 160, 320]
ridge = 0
k = { logspace = [1, 1000, 13] }
beta = 3
dim = 8
sigma_eta = 0.1
delta = 0.05
seed = [0, 1]
[fit]
window = [5, 500]
"""


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def spec(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(SPEC)
    return str(path)


def test_run_show_and_plot(spec, tmp_path, capsys):
    assert main(["run", spec]) == 0
    printed = capsys.readouterr()
    assert "β_eff, median (95 %)" in printed.out
    assert "12 cells" in printed.err
    out = tmp_path / "runs" / "small"
    assert {p.name for p in (out / "figures").iterdir()} == {"scaling.pdf", "scaling.png"}

    assert main(["show", str(out), "--json", "--window", "1", "100"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["window"] == [1.0, 100.0]
    (block,) = shown["results"]
    assert [row["n"] for row in block["rows"]] == [20, 30, 40, 80, 160, 320]
    assert set(block["saturation"]) == {"beta", "delta", "c", "nu"}

    assert main(["plot", str(out), "--out", str(tmp_path / "drawn")]) == 0
    assert capsys.readouterr().out.split() == [
        str(tmp_path / "drawn" / f"scaling.{x}") for x in ("pdf", "png")
    ]

    command = ["plot", str(out), "--out", str(tmp_path / "drawn"), "--window", "1", "100", "--figure"]
    assert main([*command, "exponents"]) == 0
    assert (tmp_path / "drawn" / "exponents.pdf").exists()
    assert main([*command, "plane"]) == 2
    assert "'plane' measures no slope" in capsys.readouterr().err


def test_overrides_change_the_spec_and_another_store_is_not_overwritten(spec, tmp_path, capsys):
    assert main(["run", spec, "--no-plot", "--json", "--grid.beta", "2.5", "4"]) == 0
    values = [block["at"]["beta"] for block in json.loads(capsys.readouterr().out)["results"]]
    assert values == [2.5, 4.0]
    assert main(["run", spec]) == 2
    assert "grid.beta: the store has [2.5, 4.0], the spec [3.0]" in capsys.readouterr().err


def test_plan_runs_nothing(spec, tmp_path, capsys):
    assert main(["plan", spec, "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["cells"] == 12
    assert plan["seconds"] > 0
    assert not (tmp_path / "runs").exists()
    assert main(["plan", spec]) == 0
    assert "12 = 6 n x 2 seed" in capsys.readouterr().out


def test_plan_knows_the_store_that_a_run_would_resume_extend_or_refuse(spec, capsys):
    assert main(["run", spec, "--no-plot"]) == 0
    capsys.readouterr()
    assert main(["plan", spec]) == 0
    printed = capsys.readouterr().out
    assert "runs/small has 12 of these cells; none remain" in printed
    assert "nothing to compute" in printed
    assert main(["plan", spec, "--quick", "--json", "--grid.seed", "0", "1", "2"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["command"] == "plan"
    assert plan["stored"] == {"computed": 12, "remaining": 6, "refused": None}
    assert main(["plan", spec, "--grid.beta", "4"]) == 2
    told = capsys.readouterr()
    assert "18" not in told.out  # the plan of the spec by itself
    assert "a run would be refused: runs/small/results.zarr: the store holds another run" in told.err
    assert "grid.beta: the store has [3.0], the spec [4.0]" in told.err
    assert main(["plan", spec, "--grid.beta", "4", "--out", "elsewhere", "--quick"]) == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "missing.toml"], "no such file"),
        (["plan", "missing.toml"], "no such file"),
        (["show", "nowhere"], "no results there"),
        (["plot", "nowhere"], "no results there"),
        (
            ["plot", "nowhere", "--figure", "plane", "--from-n", "5"],
            "--from-n: the figure 'plane' draws no fit",
        ),
        (["plot", "nowhere", "--data-dir", "x"], "--data-dir: the figure 'default' shows no images"),
        (["run", "SPEC", "--out", "small.toml/x"], "cannot be written"),
    ],
)
def test_bad_input_is_one_message_and_exit_code_2(spec, arguments, words, capsys):
    assert main([spec if a == "SPEC" else a for a in arguments]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    "arguments",
    [
        ["run"],
        ["fly"],
        ["show"],
        ["show", "x", "--grid.n", "3"],
        ["run", "SPEC", "--grid.x", "3"],
        ["run", "SPEC", "--grid.beta", "0"],
    ],
)
def test_a_wrong_call_exits_with_2(spec, arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main([spec if a == "SPEC" else a for a in arguments])
    assert stop.value.code == 2


def test_help_teaches(spec, capsys):
    for arguments, words in (
        (["--help"], "a first run"),
        (["run", "--help"], "--grid.beta"),
        (["run", spec, "--help"], "δ"),
    ):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code == 0
        assert words in capsys.readouterr().out


def test_importing_the_package_prints_nothing_and_leaves_the_heavy_libraries_alone():
    heavy = ("xarray", "zarr", "matplotlib", "pandas", "tyro", "rich")
    code = f"import lidjax, sys; print([m for m in {heavy} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
    assert result.stderr == ""


def test_results_open_in_xarray_alone(spec, tmp_path):
    import xarray as xr

    assert main(["run", spec, "--no-plot"]) == 0
    data = xr.open_zarr(tmp_path / "runs" / "small" / "results.zarr", consolidated=False)
    assert np.isfinite(data["failure"]).all()
