"""`lidjax allocate` as a user types it."""

import json

import numpy as np
import pytest

from lidjax.cli import main
from lidjax.sweep.run import run_sweep
from lidjax.sweep.spec import Fit, Model, SyntheticGrid, SyntheticSpec


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A small run with two β."""
    out = tmp_path_factory.mktemp("run")
    grid = SyntheticGrid(
        n=(8, 16, 24, 40, 60, 100, 200, 400, 800, 1600, 3000),
        k=tuple(np.geomspace(1, 1e5, 21).tolist()),
        beta=(2.5, 4.0),
        dim=(30,),
        alpha=(1.5,),
        ridge=(1e-9,),
        sigma_eta=(0.1,),
        delta=(0.05,),
        seed=tuple(range(8)),
    )
    run_sweep(SyntheticSpec(name="small", model=Model(), grid=grid, fit=Fit(window=(30.0, 3000.0))), out=out)
    return str(out)


@pytest.fixture(autouse=True)
def _no_cache_in_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path / "cache"))


COSTS = ["--cost-train", "2", "--cost-infer", "0.5"]


def test_a_table_for_people_and_figures(store, tmp_path, capsys):
    call = ["allocate", store, *COSTS, "--budget", "300", "1e3", "4000", "--weight", "1", "--at", "beta=4"]
    assert main([*call, "--out", str(tmp_path / "drawn"), "--bootstrap", "20"]) == 0
    printed = capsys.readouterr().out
    assert "N within 1 %" in printed
    assert "Eq. 24" in printed
    assert max(len(line) for line in printed.splitlines() if "/" not in line) <= 80
    written = {path.name for path in (tmp_path / "drawn").iterdir()}
    assert written == {f"allocation{x}.{kind}" for x in ("", "_regret") for kind in ("pdf", "png")}


def test_json_for_programs_with_the_exact_optimum_beside(store, capsys):
    call = [
        "allocate",
        store,
        *COSTS,
        "--budget",
        "1000",
        "4000",
        "--weight",
        "0.1",
        "10",
        "--at",
        "beta=2.5",
        "--json",
    ]
    assert main([*call, "--no-plot", "--exact", "--queries", "3", "--bootstrap", "50"]) == 0
    table = json.loads(capsys.readouterr().out)
    assert table["queries"] == 3
    assert len(table["results"]) == 4
    for row in table["results"]:
        assert row["n"] * 2 + row["k"] * 1.5 <= row["budget"]
        assert row["n_lower"] <= row["n_upper"]
        assert set(row["rules"]) == {"eq24", "eq24_prefactor", "quasi_static", "constant_beta", "saturated"}
        assert row["exact"]["n"] == pytest.approx(
            row["n"], rel=0.4
        )  # eight training sets, β = 2.5: the median is less
        assert all(split["regret"] >= 0 for split in row["rules"].values())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], r"choose one value of beta (2 values)"),
        (["--at", "beta=3"], "--at beta=3: the store has beta = 2.5, 4"),
        (["--at", "colour=3"], "--at colour=3: the store has no such axis"),
        (["--at", "beta=4", "--budget", "1"], "budget=1 does not pay for one training instance"),
        (["--at", "beta=4", "--budget", "1e9"], "the store holds k = 1 to 100000"),
        (["--at", "beta=4", "--cost-infer", "0"], "cost_infer=0 must be greater than 0"),
        (["--at", "beta=4", "--weight", "-1"], "weight=-1 must be at least 0"),
        (["--at", "beta=4", "--budget", "lots"], "--budget 'lots' is not a number"),
    ],
)
def test_bad_input_is_one_message_and_exit_code_2(store, options, words, capsys):
    assert main(["allocate", store, "--budget", "1000", *COSTS, "--weight", "1", "--no-plot", *options]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert "Traceback" not in error


def test_a_folder_without_results_is_named(tmp_path, capsys):
    assert main(["allocate", str(tmp_path), "--budget", "9", *COSTS, "--weight", "1"]) == 2
    assert "no results there" in capsys.readouterr().err
