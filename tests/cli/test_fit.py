"""`lidjax fit` and `lidjax backtest` as a user types them."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from lidjax.cli import main

HEADER = "model,tokens,problem,n,c\n"


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write(path, groups):
    lines = [
        f"{model},{tokens},q{i},{n},{c}\n"
        for (model, tokens), counts in groups.items()
        for i, (n, c) in enumerate(counts)
    ]
    path.write_text(HEADER + "".join(lines))
    return str(path)


@pytest.fixture
def table(tmp_path):
    """Four training sizes of one model, 30 problems, 2000 attempts; success grows with training."""
    rng = np.random.default_rng(0)
    groups = {}
    for step in range(4):
        rates = rng.beta(0.3 + 0.15 * step, 12, 30)
        groups[f"m{step}", 10 ** (9 + step / 2)] = [(2000, c) for c in rng.binomial(2000, rates)]
    return write(tmp_path / "counts.csv", groups)


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
        assert group["next_attempts"]["sd_after"] < group["next_attempts"]["sd_before"]
    (series,) = found["training"]
    assert len(series["sizes"]) == 4
    assert "too few sizes for Eq. 20" in series["verdict"]
    assert {p.name for p in (tmp_path / "drawn").iterdir()} == {
        f"{name}.{kind}" for name in ("evaluations", "training") for kind in ("pdf", "png")
    }


def test_fit_prints_a_report_for_people(table, tmp_path, capsys):
    single = tmp_path / "one.csv"
    single.write_text("".join(Path(table).read_text().splitlines(True)[:31]))
    assert main(["fit", str(single), "--no-models", "--replicates", "20"]) == 0
    printed = capsys.readouterr().out
    for word in (
        "30 problems, 2,000 attempts each",
        "beyond n",
        "slope-log-failure",
        "bootstrap over problems",
        "next: 2,000",
    ):
        assert word in printed

    many = write(tmp_path / "many.csv", {(f"m{i}", i): [(20, 3), (20, 0), (20, 1)] for i in range(5)})
    assert main(["fit", many]) == 0  # many groups: one line each
    assert "tail index" in capsys.readouterr().out


def test_backtest_rows_have_the_promised_keys_and_do_not_depend_on_the_other_groups(table, tmp_path, capsys):
    command = ["--budget", "50", "--target", "1000", "--seeds", "2", "--no-models", "--json"]
    assert main(["backtest", table, *command]) == 0
    rows = json.loads(capsys.readouterr().out)
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
    again = json.loads(capsys.readouterr().out)
    assert [row for row in rows if row["group"] >= "m2" and row["method"] == "default"] == [
        row for row in again if row["method"] == "default"
    ]


@pytest.mark.slow
def test_backtest_scores_every_model(table, capsys):
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


EXTREME = {"none solved": 0, "all solved": 40}


@pytest.mark.parametrize("case", EXTREME)
def test_extremes_are_reported_not_refused(case, tmp_path, capsys):
    path = write(tmp_path / "x.csv", {("m", 1): [(40, EXTREME[case])] * 30})
    assert main(["fit", path, "--no-models", "--json"]) == 0
    (group,) = json.loads(capsys.readouterr().out)["groups"]
    assert case.replace(" ", "_") in {finding["kind"] for finding in group["findings"]}


def test_one_problem_is_reported_not_refused(tmp_path, capsys):
    path = write(tmp_path / "x.csv", {("m", 1): [(40, 3)]})
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
    path = write(tmp_path / "x.csv", {("m", 1): counts})
    assert main(["fit", path, "--no-models", "--json", "--replicates", "10", "--target", "10"]) == 0
    (group,) = json.loads(capsys.readouterr().out)["groups"]
    assert "stopped_sampling" in {finding["kind"] for finding in group["findings"]}
    assert group["pass_at_k"][0]["unbiased"] is None
    assert [tail["estimator"] for tail in group["tail_index"]] == ["beta-binomial", "default"]
    assert main(["backtest", path, "--budget", "5", "--target", "20"]) == 2
    assert "depended on the outcome" in capsys.readouterr().err


BAD = {
    "no such file": (["fit", "nowhere.csv"], "no such file"),
    "an empty file": (["fit", "empty.csv"], "empty"),
    "a truncated zip": (["fit", "cut.eval"], "cut.eval"),
    "an unknown column": (["fit", "good.csv", "--columns", "n=samples"], "no column 'samples'"),
    "a wrong mapping": (["fit", "good.csv", "--columns", "count=n"], "problem=COLUMN"),
    "no training column": (["fit", "good.csv", "--training", "flops"], "no column 'flops'"),
    "a level of 90": (["fit", "good.csv", "--level", "90"], "--level 90"),
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
    write(tmp_path / "good.csv", {("m", 1): [(40, 3), (40, 0)]})
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "cut.eval").write_bytes(b"PK\x03\x04 not much of a zip")
    command, message = BAD[case]
    assert main(command) == 2
    assert message in capsys.readouterr().err


def test_a_count_that_is_none_is_refused_by_the_parser(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["backtest", "x.csv", "--budget", "0", "--target", "10"])
    assert stopped.value.code == 2
    assert "not a whole number of 1 or more" in capsys.readouterr().err


def test_real_inspect_logs(real_data, tmp_path, capsys):
    log = real_data / "evals" / "log_formats.eval"
    shutil.copy(log, tmp_path / "log.eval")
    assert main(["fit", "log.eval", "--no-models", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["groups"]
