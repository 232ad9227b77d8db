"""`lidjax fit --metrics` as a user types it."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from helpers.eval_logs import write_lines

from lidjax.cli import main


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def log(tmp_path):
    """20 problems, 12 attempts each, with answers, tokens and a judge."""
    rng = np.random.default_rng(0)
    lines = ["problem,correct,pred,output_tokens,judge"]
    for problem in range(20):
        rate = rng.beta(0.8, 1)
        for right in rng.random(12) < rate:
            answer = "right" if right else f"wrong {rng.integers(3)}"
            judge = rng.random() < (0.95 if right else 0.1)
            lines.append(f"q{problem},{int(right)},{answer},{rng.integers(50, 200)},{int(judge)}")
    return str(write_lines(tmp_path / "log.csv", *lines))


def test_all_metrics_in_tables_and_json(log, capsys):
    command = ["fit", log, "--no-models", "--bootstrap", "none", "--target", "1", "10", "100"]
    command += [
        "--columns",
        "verifier=judge",
        "--metrics",
        "pass^k",
        "g-pass",
        "attempts",
        "majority",
        "verifier",
    ]
    assert main([*command, "--tau", "0.5", "0.8", "--csv", "x.csv", "--figure", "drawn"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    for words in (
        "pass^k: all of k attempts succeed (interval of these problems)",
        "G-pass@k(0.8): at least 0.8 of k attempts succeed",
        "what is solved at which cost",
        "tokens",
        "50% of the problems need at most",
        "maj@k: the most frequent of k answers is right",
        "∞ is the ceiling",
    ):
        assert words in printed
    assert {"metrics.pdf", "metrics.png"} <= {path.name for path in Path("drawn").iterdir()}
    rows = list(csv.DictReader(Path("x-metrics.csv").read_text().splitlines()))
    assert {"pass^k", "maj@k", "tokens", "verified pass@k"} <= {row["metric"] for row in rows}

    assert main([*command, "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["metrics"]
    for row in found["curves"]:
        assert row["lower"] <= row["value"] <= row["upper"]
        assert (row["unbiased"] is None) == (row["k"] in (100, None))


def test_a_verifier_can_be_given(log, capsys):
    command = ["fit", log, "--no-models", "--bootstrap", "none", "--target", "10", "--json"]
    assert main([*command, "--verifier", "1", "0"]) == 0
    found = json.loads(capsys.readouterr().out)
    perfect = found["metrics"][0]["curves"][0]
    assert perfect["metric"] == "verified pass@k"
    assert perfect["value"] == pytest.approx(found["groups"][0]["pass_at_k"][0]["latent"], abs=0.02)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--metrics", "pass^2"], "--metrics"),
        (["--metrics", "g-pass", "--tau", "2"], "--tau 2"),
        (["--verifier", "95", "2"], "--verifier 95"),
        (["--metrics", "verifier"], "--columns verifier=COLUMN"),
    ],
)
def test_bad_options_are_one_message(log, options, word, capsys):
    assert main(["fit", log, "--no-models", "--bootstrap", "none", "--target", "1", *options]) == 2
    error = capsys.readouterr().err
    assert word in error
    assert "Traceback" not in error
