"""Inspect logs: real ones, and zips with the entries of a real one."""

import json
import zipfile
from pathlib import Path

import pytest
from helpers.eval_logs import counts_by_problem

from lidjax.errors import InputError
from lidjax.evals import read_evals


def test_a_real_log(real_data):
    data = read_evals(real_data / "evals" / "log_formats.eval")
    assert counts_by_problem(data) == {"ollama/llama3.1": {"1": (1, 0)}}
    assert data.groups[0].fields["task"] == "popularity"


def test_a_real_log_that_was_never_scored(real_data):
    path = real_data / "evals" / "2025-02-11T15-17-00-05-00_popularity_dPiJifoWeEQBrfWsAopzWr.eval"
    with pytest.raises(InputError, match="none of the 10 samples has a score; `inspect score`"):
        read_evals([path])


def inspect_log(path: Path, scores: dict[tuple[str, int], object], *, summaries: bool, error=()) -> Path:
    """An Inspect log with the entries of a real one: header, one JSON a sample and epoch, summaries."""
    header = {"version": 2, "status": "success", "eval": {"task": "t", "model": "m", "config": {"epochs": 3}}}
    samples = [
        {
            "id": i,
            "epoch": e,
            "scores": {"match": {"value": v}},
            **({"error": {"message": "x"}} if (i, e) in error else {}),
        }
        for (i, e), v in scores.items()
    ]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("_journal/start.json", json.dumps(header))
        for sample in samples:
            archive.writestr(f"samples/{sample['id']}_epoch_{sample['epoch']}.json", json.dumps(sample))
        if summaries:
            archive.writestr("summaries.json", json.dumps(samples))
        archive.writestr("header.json", json.dumps(header))
    return path


@pytest.mark.parametrize("summaries", [True, False])
def test_epochs_are_attempts_in_their_order(tmp_path, summaries):
    scores = {("q1", 2): "I", ("q1", 1): "C", ("q1", 3): "P", ("q2", 1): 1, ("q2", 2): True, ("q2", 3): "N"}
    data = read_evals([inspect_log(tmp_path / "a.eval", scores, summaries=summaries)])
    assert counts_by_problem(data) == {"m": {"q1": (3, 1), "q2": (3, 2)}}
    assert data.groups[0].outcomes == (b"\x01\x00\x00", b"\x01\x01\x00")
    assert any("partly correct" in note for note in data.notes)


def test_attempts_that_failed_are_skipped_and_counted(tmp_path):
    scores = {("q1", 1): "C", ("q1", 2): "C", ("q2", 1): "I"}
    data = read_evals([inspect_log(tmp_path / "a.eval", scores, summaries=True, error={("q1", 2)})])
    assert counts_by_problem(data) == {"m": {"q1": (1, 1), "q2": (1, 0)}}
    assert any("1 of 3 attempts" in note and "ended in an error: 1" in note for note in data.notes)


def test_scores_between_0_and_1_need_a_threshold(tmp_path):
    path = inspect_log(tmp_path / "a.eval", {("q", 1): 0.7, ("q", 2): 0.2}, summaries=False)
    with pytest.raises(InputError, match="--threshold"):
        read_evals([path])
    assert counts_by_problem(read_evals([path], threshold=0.5)) == {"m": {"q": (2, 1)}}
    with pytest.raises(InputError, match="score 'other' is not known; allowed: match"):
        read_evals([path], scorer="other")


def test_a_truncated_log(tmp_path):
    path = inspect_log(tmp_path / "a.eval", {(f"q{i}", 1): "C" for i in range(50)}, summaries=False)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="truncated"):
        read_evals([path])
    path.write_bytes(whole[:200] + b"\x00" * 40 + whole[240:])  # damage inside an entry, index intact
    with pytest.raises(InputError, match="damaged"):
        read_evals([path])
