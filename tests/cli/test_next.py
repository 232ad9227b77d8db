"""`lidjax next` as a user types it."""

import csv
import json

import numpy as np
import pytest
from helpers.eval_logs import write_counts

from lidjax.cli import main


@pytest.fixture
def log(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    counts = [(30, 0)] * 6 + [(30, 1), (30, 3), (30, 9), (30, 30)]
    return write_counts(tmp_path / "counts.csv", {("small", 1): counts, ("large", 1): counts[::-1]})


def test_a_table_of_problems_and_attempts(log, capsys):
    assert main(["next", log, "--attempts", "500", "--csv", "plan.csv"]) == 0
    printed = capsys.readouterr().out
    assert "small: 500 next attempts" in printed
    assert "spread evenly" in printed
    assert "pass@100" in printed  # the first power of ten above n = 30
    with open("plan.csv") as file:
        rows = [row for row in csv.DictReader(file) if row["group"] == "small"]
    placed = {row["problem"]: int(row["next_attempts"]) for row in rows}
    assert sum(placed.values()) == 500
    assert len(placed) == 10
    assert min(placed[f"q{i}"] for i in range(6)) > placed["q9"] == 0  # q9 is always solved


def test_json_has_every_problem_and_limits_hold(log, capsys):
    assert main(["next", log, "--attempts", "500", "--target", "1e4", "--at-most", "20", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["command"] == "next"
    for group in found["groups"]:
        assert group["k"] == 10_000
        assert max(row["next_attempts"] for row in group["problems"]) == 20
        assert group["attempts"] == sum(row["next_attempts"] for row in group["problems"]) == 200
        assert group["sd_placed"] <= group["sd"]
        assert np.all(np.diff([row["next_attempts"] for row in group["problems"]]) <= 0)


def test_afterwards_only_likelihoods_are_used(log, capsys):
    """Counts whose sampling depended on outcomes in a way that no test of the counts finds."""
    assert main(["fit", log, "--no-models", "--bootstrap", "none", "--target", "10", "--json"]) == 0
    plain = json.loads(capsys.readouterr().out)["groups"][0]
    assert plain["pass_at_k"][0]["unbiased"] is not None
    assert (
        main(["fit", log, "--no-models", "--bootstrap", "none", "--target", "10", "--json", "--adaptive"])
        == 0
    )
    said = json.loads(capsys.readouterr().out)["groups"][0]
    assert said["pass_at_k"][0]["unbiased"] is None
    assert "adaptive_sampling" in {finding["code"] for finding in said["findings"]}


def test_bad_input_gets_one_message(log, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["next", log])
    assert stopped.value.code == 2
    assert "--attempts" in capsys.readouterr().err
    assert main(["next", "nowhere.csv", "--attempts", "5"]) == 2
    assert "no such file" in capsys.readouterr().err
