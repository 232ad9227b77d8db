"""`lidjax backtest` as a user types it."""

import json
from pathlib import Path

import numpy as np
import pytest
from helpers.eval_logs import write_counts, write_training_table

from lidjax.cli import main


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def table(tmp_path):
    return write_training_table(tmp_path / "counts.csv")


def test_rows_have_the_promised_keys_and_do_not_depend_on_the_other_groups(table, tmp_path, capsys):
    command = ["--budget", "50", "--target", "1000", "--seeds", "2", "--no-models", "--json"]
    assert main(["backtest", table, *command, "--csv", "scores.csv"]) == 0
    assert len(Path("scores.csv").read_text().splitlines()) == 1 + 4
    assert len(Path("scores-forecasts.csv").read_text().splitlines()) == 1 + 4 * 4 * 2
    found = json.loads(capsys.readouterr().out)
    assert found["command"] == "backtest"
    assert {score["method"] for score in found["scores"]} >= {"default", "least-squares"}
    rows = found["forecasts"]
    assert {"group", "seed", "budget", "target", "method", "prediction", "lower", "upper", "truth"} == set(
        rows[0]
    )
    assert {row["method"] for row in rows} == {
        "default",
        "least-squares",
        "beta-binomial",
        "discretised-beta",
    }
    default = [row for row in rows if row["method"] == "default"]
    assert len(default) == 8
    assert all(0 <= row["lower"] <= row["prediction"] <= row["upper"] <= 1 for row in default)
    assert np.mean([abs(row["prediction"] - row["truth"]) for row in default]) < 0.15

    other = tmp_path / "three.csv"
    lines = Path(table).read_text().splitlines(True)
    other.write_text("".join([lines[0], *lines[61:]]))
    assert main(["backtest", str(other), *command]) == 0
    again = json.loads(capsys.readouterr().out)["forecasts"]
    assert [row for row in rows if row["group"] >= "m2" and row["method"] == "default"] == [
        row for row in again if row["method"] == "default"
    ]


@pytest.mark.slow
def test_every_model_is_scored(table, capsys):
    assert (
        main(
            [
                "backtest",
                table,
                "--budget",
                "50",
                "--target",
                "1000",
                "--seeds",
                "1",
                "--pool",
                "--figure",
                "f",
            ]
        )
        == 0
    )
    printed = capsys.readouterr().out
    for method in (
        "default",
        "pooled",
        "ml beta-binomial",
        "ml scaled-beta+zero",
        "ml two-tail",
        "ml lid",
        "least-squares",
    ):
        assert method in printed


def test_groups_whose_sampling_stopped_at_a_success_have_no_truth(tmp_path, capsys):
    counts = [(32, 1), (64, 1)] * 10 + [(96, 0)] * 5
    path = write_counts(tmp_path / "x.csv", {("m", 1): counts})
    assert main(["backtest", path, "--budget", "5", "--target", "20"]) == 2
    assert "depended on the outcome" in capsys.readouterr().err


BAD = {
    "a target beyond the data": (
        ["backtest", "good.csv", "--budget", "5", "--target", "50"],
        "largest n is 40",
    ),
    "a budget beyond the target": (
        ["backtest", "good.csv", "--budget", "50", "--target", "5"],
        "below the target",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_message_and_exit_code_2(case, tmp_path, capsys):
    write_counts(tmp_path / "good.csv", {("m", 1): [(40, 3), (40, 0)]})
    command, message = BAD[case]
    assert main(command) == 2
    assert message in capsys.readouterr().err


def test_a_count_that_is_none_is_refused_by_the_parser(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["backtest", "x.csv", "--budget", "0", "--target", "10"])
    assert stopped.value.code == 2
    assert "not a whole number of 1 or more" in capsys.readouterr().err
