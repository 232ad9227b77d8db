"""`lidjax allocate` as a user types it."""

import json

import jax
import numpy as np
import pytest
from helpers.stores import write_results

from lidjax.allocation.losses import ExactLosses, LossParameters
from lidjax.cli import main
from lidjax.sweep import Fit, Model, SyntheticGrid, SyntheticSpec
from lidjax.sweep.sources.synthetic.source import AXES

N = (8, 16, 24, 40, 60, 100, 200, 400, 800, 1600, 3000)
K = np.geomspace(1, 1e5, 21)
SEEDS = 8


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A run's folder with two β: the exact losses, on training sets that differ by 5 %."""
    grid = SyntheticGrid(
        n=N,
        k=tuple(K.tolist()),
        beta=(2.5, 4.0),
        dim=(30,),
        alpha=(1.5,),
        ridge=(1e-9,),
        sigma_eta=(0.1,),
        delta=(0.05,),
        seed=tuple(range(SEEDS)),
    )
    spec = SyntheticSpec(name="small", model=Model(), grid=grid, fit=Fit(window=(30.0, 3000.0)))
    shape = tuple(len(getattr(grid, name)) for name in AXES)
    losses = ExactLosses(np.arange(1, 31.0) ** -2.5, np.full(30, 30**-0.5), "gamma")
    log_n, log_k = (x.ravel() for x in np.meshgrid(np.log(N), np.log(K), indexing="ij"))
    spread = np.exp(0.05 * np.random.default_rng(1).normal(size=SEEDS))
    lgen, failure = [], []
    for beta in grid.beta:
        with jax.enable_x64(True):
            values = losses.values(log_n, log_k, LossParameters(0.01 * 2 / (beta - 2), 1e-9, beta, 0.05, 0.1))
        lgen.append(np.exp(values.log_lgen).reshape(len(N), 1, len(K))[..., 0] * spread)
        failure.append(np.exp(values.log_failure).reshape(len(N), 1, len(K)) * spread[:, None])
    values = np.array(lgen).reshape(shape), np.array(failure).reshape(*shape, len(K))
    return write_results(tmp_path_factory.mktemp("run"), spec, *values)


COSTS = ["--cost-train", "2", "--cost-infer", "0.5"]


def test_a_table_for_people_and_figures(store, tmp_path, capsys):
    call = ["allocate", store, *COSTS, "--budget", "300", "1e3", "4000", "--weight", "1", "--at", "beta=4"]
    files = ["--csv", str(tmp_path / "split.csv"), "--latex", str(tmp_path / "split.tex")]
    assert main([*call, *files, "--out", str(tmp_path / "drawn"), "--bootstrap", "20"]) == 0
    printed = capsys.readouterr().out
    assert "N within 1 %" in printed
    assert "Eq. 24" in printed
    assert max(len(line) for line in printed.splitlines() if "/" not in line) <= 80
    optima, rules = ((tmp_path / f"split{x}.csv").read_text().splitlines() for x in ("", "-rules"))
    assert len(optima) == 1 + 3
    assert len(rules) == 1 + 3 * 5
    assert rules[0].startswith("budget,weight,rule,")
    assert (tmp_path / "split.tex").read_text().count(r"\toprule") == 2
    written = {path.name for path in (tmp_path / "drawn").iterdir()}
    assert written == {f"allocation{x}.{kind}" for x in ("", "_regret") for kind in ("pdf", "png")}


def test_the_phase_map_is_drawn_and_a_small_one_refused(store, tmp_path, capsys):
    call = [
        "allocate",
        store,
        *COSTS,
        "--budget",
        "1000",
        "--weight",
        "1",
        "--at",
        "beta=4",
        "--bootstrap",
        "20",
    ]
    assert main([*call, "--phase", "4", "--out", str(tmp_path / "drawn")]) == 0
    assert (tmp_path / "drawn" / "allocation_phase.pdf").exists()
    assert main([*call, "--phase", "3"]) == 2
    assert "--phase 3" in capsys.readouterr().err


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


def test_attempts_that_stop_at_the_first_success(store, tmp_path, capsys):
    call = [
        "allocate",
        store,
        *COSTS,
        "--budget",
        "300",
        "--weight",
        "1",
        "--at",
        "beta=2.5",
        "--stop-at-success",
    ]
    assert main([*call, "--exact", "--bootstrap", "0", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "E[k]" in printed
    assert "stop at the first success" in printed
    assert main([*call, "--bootstrap", "0", "--no-plot", "--json"]) == 0
    table = json.loads(capsys.readouterr().out)
    assert table["stop_at_success"] is True
    (row,) = table["results"]
    assert row["expected_attempts"] < row["k"]
    assert row["n"] * 2 + row["expected_attempts"] * 0.5 <= 300 * (1 + 1e-6)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], r"choose one value of beta (2 values)"),
        (["--at", "beta=3"], "--at beta=3: the store has beta = 2.5, 4"),
        (["--at", "colour=3"], "--at colour=3: axis 'colour' is not known; allowed: beta,"),
        (["--at", "beta"], "--at beta: write AXIS=VALUE, such as beta=2.5"),
        (["--at", "beta=4", "--budget", "1"], "budget=1 does not pay for one training instance"),
        (["--at", "beta=4", "--budget", "1e9"], "the store holds k = 1 to 100000"),
        (["--at", "beta=4", "--cost-infer", "0"], "cost_infer=0 must be greater than 0"),
        (["--at", "beta=4", "--queries", "0.5"], "queries=0.5 must be at least 1"),
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
