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


def document(path: Path, *samples: dict, **header) -> Path:
    """An Inspect log in its JSON form."""
    path.write_text(
        json.dumps({"status": "success", "eval": {"model": "m", "task": "t"}, "samples": samples} | header)
    )
    return path


def sample(epoch: int, value: object, name: str = "match", **more) -> dict:
    return {"id": "q", "epoch": epoch, "scores": {name: {"value": value}}, **more}


@pytest.mark.parametrize("missing", [float("nan"), None, "NaN", ""])
def test_a_score_that_is_missing_is_left_aside(tmp_path, missing):
    data = read_evals(document(tmp_path / "a.json", sample(1, 1.0), sample(2, missing)))
    assert counts_by_problem(data) == {"m": {"q": (1, 1)}}
    assert any("1 of 2 attempts" in note and "no score: 1" in note for note in data.notes)


@pytest.mark.parametrize(
    ("value", "correct"), [("1", 1), ("0", 0), ("yes", 1), ("No", 0), ("true", 1), ("False", 0)]
)
def test_words_for_correct_and_wrong(tmp_path, value, correct):
    assert counts_by_problem(read_evals(document(tmp_path / "a.json", sample(1, value)))) == {
        "m": {"q": (1, correct)}
    }


def test_dictionaries_of_scores_are_chosen_by_name(tmp_path):
    value = {"correct": 1, "concise": 0}
    path = document(tmp_path / "a.json", sample(1, value), sample(2, {"correct": float("nan"), "concise": 1}))
    with pytest.raises(InputError, match=r"--scorer; allowed: match.correct, match.concise"):
        read_evals(path)
    for scorer in ("correct", "match.correct"):
        assert counts_by_problem(read_evals(path, scorer=scorer)) == {"m": {"q": (1, 1)}}
    assert counts_by_problem(read_evals(path, scorer="concise")) == {"m": {"q": (2, 1)}}
    with pytest.raises(InputError, match="'right' is not known"):
        read_evals(path, scorer="right")
    scores = {"first": {"value": "C"}, "second": {"value": "I"}}
    path = document(tmp_path / "a.json", {"id": "q", "epoch": 1, "scores": scores})
    with pytest.raises(InputError, match="several scores; choose one with --scorer; allowed: first, second"):
        read_evals(path)
    assert counts_by_problem(read_evals(path, scorer="second")) == {"m": {"q": (1, 0)}}


def test_the_old_key_score(tmp_path):
    path = document(tmp_path / "a.json", {"id": "q", "epoch": 1, "score": {"value": "C", "answer": "x"}})
    assert counts_by_problem(read_evals(path)) == {"m": {"q": (1, 1)}}


def test_partly_correct_counts_from_the_threshold_on(tmp_path):
    path = document(tmp_path / "a.json", sample(1, "P"), sample(2, "I"))
    assert counts_by_problem(read_evals(path)) == {"m": {"q": (2, 0)}}
    assert counts_by_problem(read_evals(path, threshold=0.5)) == {"m": {"q": (2, 1)}}


def test_a_log_that_is_not_finished_says_so(tmp_path):
    data = read_evals(document(tmp_path / "a.json", sample(1, "C"), status="started"))
    assert any("'started'" in note for note in data.notes)


def test_an_entry_that_is_too_large_is_not_read_into_memory(tmp_path, monkeypatch):
    from lidjax.evals.read import inspect_log as module

    path = inspect_log(tmp_path / "a.eval", {("q", 1): "C"}, summaries=False)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("samples/big_epoch_1.json", " " * 2_000_000)
    monkeypatch.setattr(module, "LARGEST_ENTRY", 1_000_000)
    with pytest.raises(
        InputError, match=r"samples/big_epoch_1.json has 2,000,000 bytes, and at most 1,000,000"
    ):
        read_evals(path)
