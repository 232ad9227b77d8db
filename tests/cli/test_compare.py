"""`lidjax compare` as a user types it."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from helpers.eval_logs import write_counts, write_lines

from lidjax.cli import main


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def model_counts(seed, low, high, never=0):
    rng = np.random.default_rng(seed)
    rates = np.where(np.arange(40) < never, 1e-5, rng.uniform(low, high, 40))
    return [(30, c) for c in rng.binomial(30, rates)]


@pytest.fixture
def both(tmp_path):
    """One file with two models: broad is better at k = 1, deep at large k."""
    models = {("deep", 1): model_counts(0, 0.05, 0.2), ("broad", 2): model_counts(1, 0.6, 0.9, never=20)}
    return write_counts(tmp_path / "both.csv", models)


def test_two_groups_of_one_file(both, tmp_path, capsys):
    assert main(["compare", both, "--target", "1", "100", "--csv", "x.csv", "--figure", "drawn"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "pass@k on 40 problems of A, deep tokens=1, and B, broad tokens=2" in printed
    assert "for these problems (posterior): broad tokens=2 is better at k = 1 to" in printed
    assert "for new problems of the same kind (bootstrap):" in printed
    assert "beyond n = 30" in printed
    assert "broad tokens=2 is better at small k and deep tokens=1 at large k with probability" in printed
    rows = list(csv.DictReader(Path("x.csv").read_text().splitlines()))
    assert {row["scope"] for row in rows} == {"these problems", "new problems of the same kind"}
    assert {p.name for p in Path("drawn").iterdir()} == {"comparison.pdf", "comparison.png"}


def test_two_files_of_different_formats(both, tmp_path, capsys):
    lines = Path(both).read_text().splitlines()
    write_lines(tmp_path / "one.csv", lines[0], *(line for line in lines if line.startswith("deep")))
    records = [{"model": "other", "problem": f"q{i}", "n": 20, "c": int(i % 7)} for i in range(5, 45)]
    write_lines(tmp_path / "two.jsonl", *records)
    assert main(["compare", "one.csv", "two.jsonl", "--target", "10", "--metric", "pass^k", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["command"], found["models"], found["metric"]) == ("compare", ["deep", "other"], "pass^k")
    assert len(found["problems"]) == 35
    assert found["left_aside"] == {"first": 5, "second": 5}
    assert sum(found["crossings"][name] for name in list(found["crossings"])[:6]) == pytest.approx(1)


def test_names_choose_among_several(both, tmp_path, capsys):
    text = Path(both).read_text() + "".join(f"third,3,q{i},30,4\n" for i in range(40))
    Path("three.csv").write_text(text)
    assert main(["compare", "three.csv", "--target", "5"]) == 2
    assert (
        "3 groups were read: 'deep tokens=1', 'broad tokens=2', 'third tokens=3'" in capsys.readouterr().err
    )
    assert main(["compare", "three.csv", "--target", "5", "--between", "third", "deep", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["models"] == ["third tokens=3", "deep tokens=1"]


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--between", "deep", "nobody"], "'nobody': no group has this name; allowed: 'deep tokens=1'"),
        (["--between", "deep", "tokens"], "2 groups have it in their name"),
        (["--between", "deep", "deep tokens=1"], "are the same group"),
        (["--level", "2"], "--level 2"),
    ],
)
def test_bad_input_is_one_message(both, options, word, capsys):
    assert main(["compare", both, "--target", "5", *options]) == 2
    error = capsys.readouterr().err
    assert word in error
    assert "Traceback" not in error


def test_one_model_or_other_problems_are_refused(tmp_path, capsys):
    one = write_counts(tmp_path / "one.csv", {("a", 1): [(10, 3), (10, 1)]})
    assert main(["compare", one]) == 2
    assert "1 group was read: 'a'" in capsys.readouterr().err
    write_lines(tmp_path / "two.csv", "model,problem,n,c", "b,x,10,2", "b,y,10,3")
    assert main(["compare", one, "two.csv"]) == 2
    assert "no problem in common" in capsys.readouterr().err
