"""`lidjax fit` as a user types it."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers.eval_logs import write_counts, write_lines, write_training_table

from lidjax.cli import main


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def table(tmp_path):
    return write_training_table(tmp_path / "counts.csv")


def test_fit_answers_with_intervals_and_figures(table, tmp_path, capsys):
    assert (
        main(
            [
                "fit",
                table,
                "--no-models",
                "--replicates",
                "20",
                "--training",
                "tokens",
                "--figure",
                "drawn",
                "--json",
                "--target",
                "100",
                "1e5",
            ]
        )
        == 0
    )
    found = json.loads(capsys.readouterr().out)
    assert [group["group"] for group in found["groups"]] == [
        f"m{s} tokens={10 ** (9 + s / 2):g}" for s in range(4)
    ]
    for group in found["groups"]:
        inside, beyond = group["pass_at_k"]
        assert inside["lower"] == pytest.approx(inside["unbiased"], abs=1e-12)  # n attempts are made already
        assert beyond["unbiased"] is None  # beyond n there is no estimate without a model
        assert beyond["lower"] <= beyond["prediction"] <= beyond["upper"]
        assert group["method"] == "default"
        advice = group["next_attempts"]
        assert advice["lower"] <= advice["placed_lower"] <= advice["placed_upper"] <= advice["upper"]
    (series,) = found["training"]
    assert len(series["sizes"]) == 4
    assert "too few sizes for Eq. 20" in series["verdict"]
    assert {p.name for p in (tmp_path / "drawn").iterdir()} == {
        f"{name}.{kind}" for name in ("evaluations", "training") for kind in ("pdf", "png")
    }


def test_fit_prints_a_report_for_people(table, tmp_path, capsys):
    single = tmp_path / "one.csv"
    single.write_text("".join(Path(table).read_text().splitlines(True)[:31]))
    assert main(["fit", str(single), "--details", "--no-models", "--replicates", "20"]) == 0
    printed = capsys.readouterr().out
    words = (
        "30 problems, 2,000 attempts each",
        "pass@k of these 30 problems, and of 30 new problems of the same kind",
        "beyond n",
        "pass@10,000 of these 30 problems is 0.",
        "60,000 more attempts",
        "slope-log-failure",
        "bootstrap over problems",
    )
    for word in words:
        assert word in printed
    places = [printed.index(word) for word in words]
    assert places == sorted(places)  # the answer comes before the details
    assert main(["fit", str(single)]) == 0
    assert "slope-log-failure" not in capsys.readouterr().out

    many = write_counts(tmp_path / "many.csv", {(f"m{i}", i): [(20, 3), (20, 0), (20, 1)] for i in range(5)})
    assert main(["fit", many, "--csv", "many.csv", "--latex", "many.tex"]) == 0  # many groups: one line each
    printed = capsys.readouterr().out
    for i in range(5):
        assert f"m{i} tokens={i}: pass@100 of these 3 problems is" in printed
    forecasts, tails = (
        list(csv.DictReader(Path(f"many{x}.csv").read_text().splitlines())) for x in ("", "-tail_index")
    )
    assert (
        {row["group"] for row in forecasts}
        == {row["group"] for row in tails}
        == {f"m{i} tokens={i}" for i in range(5)}
    )
    assert all(0 <= float(row["prediction"]) <= 1 for row in forecasts)
    assert Path("many.tex").read_text().count(r"\begin{tabular}") == 2


EXTREME = {"none solved": 0, "all solved": 40}


@pytest.mark.parametrize("case", EXTREME)
def test_extremes_are_reported_not_refused(case, tmp_path, capsys):
    path = write_counts(tmp_path / "x.csv", {("m", 1): [(40, EXTREME[case])] * 30})
    assert main(["fit", path, "--no-models", "--json"]) == 0
    (group,) = json.loads(capsys.readouterr().out)["groups"]
    assert case.replace(" ", "_") in {finding["code"] for finding in group["findings"]}


def test_one_problem_is_reported_not_refused(tmp_path, capsys):
    path = write_counts(tmp_path / "x.csv", {("m", 1): [(40, 3)]})
    assert main(["fit", path, "--no-models"]) == 0
    assert "nothing can be said about a population" in " ".join(capsys.readouterr().out.split())


def test_stopped_sampling_is_answered_by_likelihoods_alone(tmp_path, capsys):
    rng = np.random.default_rng(1)
    counts = []
    for rate in rng.beta(0.4, 5, 60):
        n, c = 0, 0
        while c == 0 and n < 320:
            n, c = n + 32, c + int(rng.binomial(32, rate))
        counts.append((n, c))
    path = write_counts(tmp_path / "x.csv", {("m", 1): counts})
    asked = ["--bootstrap", "problems", "--replicates", "10", "--target", "10"]
    assert main(["fit", path, *asked, "--json"]) == 0
    (group,) = json.loads(capsys.readouterr().out)["groups"]
    assert "stopped_sampling" in {finding["code"] for finding in group["findings"]}
    assert group["pass_at_k"][0]["unbiased"] is None
    assert [tail["estimator"] for tail in group["tail_index"]] == ["beta-binomial", "default"]


BAD = {
    "no such file": (["fit", "nowhere.csv"], "no such file"),
    "an empty file": (["fit", "empty.csv"], "empty"),
    "a truncated zip": (["fit", "cut.eval"], "cut.eval"),
    "an unknown column": (
        ["fit", "good.csv", "--columns", "n=samples"],
        "column 'samples' is not known",
    ),
    "a wrong mapping": (["fit", "good.csv", "--columns", "count=n"], "problem=COLUMN"),
    "no training column": (
        ["fit", "good.csv", "--training", "flops"],
        "'flops' is not known; allowed: model, tokens",
    ),
    "a level of 90": (["fit", "good.csv", "--level", "90"], "--level 90"),
    "more attempts than float64 counts": (["fit", "huge.csv"], "at most 2^53"),
    "counts in a folder that is not there": (
        ["fit", "good.csv", "--counts", "nowhere/out.csv"],
        "its folder does not exist",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_message_and_exit_code_2(case, tmp_path, capsys):
    write_counts(tmp_path / "good.csv", {("m", 1): [(40, 3), (40, 0)]})
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "huge.csv").write_text("problem,n,c\np,1e21,3\n")
    (tmp_path / "cut.eval").write_bytes(b"PK\x03\x04 not much of a zip")
    command, message = BAD[case]
    assert main(command) == 2
    assert message in capsys.readouterr().err


def test_real_inspect_logs(real_data, tmp_path, capsys):
    log = real_data / "evals" / "log_formats.eval"
    shutil.copy(log, tmp_path / "log.eval")
    assert main(["fit", "log.eval", "--no-models", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["groups"]


def test_a_target_beyond_float64_is_refused(tmp_path, capsys):
    write_counts(tmp_path / "good.csv", {("m", 1): [(40, 3), (40, 0)]})
    with pytest.raises(SystemExit) as stopped:
        main(["fit", "good.csv", "--target", "1e30"])
    assert stopped.value.code == 2
    assert "1e30 is too large" in capsys.readouterr().err


def test_counts_are_written_as_they_were_understood(tmp_path, capsys):
    for seed in range(2):
        rows = [{"task_id": f"t{i}", "passed": None if i == seed else i > 2} for i in range(6)]
        write_lines(tmp_path / f"s{seed}_results.jsonl", *rows)
    command = [
        "fit",
        ".",
        "--pool-files",
        "--counts",
        "out.csv",
        "--no-models",
        "--bootstrap",
        "none",
        "--json",
    ]
    assert main(command) == 0
    (group,) = json.loads(capsys.readouterr().out)["groups"]
    assert (group["attempts"], group["problems"]) == (10, 6)
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert lines[0] == "problem,n,c,left_aside,left_aside_reason"
    assert sorted(lines[1:]) == [
        "t0,1,0,1,no passed",
        "t1,1,0,1,no passed",
        "t2,2,0,0,",
        "t3,2,2,0,",
        "t4,2,2,0,",
        "t5,2,2,0,",
    ]
