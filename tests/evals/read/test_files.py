"""Which reader takes a file, broken files, and files read together."""

import pickle

import pytest
from helpers.eval_logs import counts_by_problem, write_lines

from lidjax.errors import InputError
from lidjax.evals import read_evals
from lidjax.evals.read import files
from lidjax.evals.read.reader import Reader
from lidjax.evals.table import Tally


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "", "is empty"),
        ("a.csv", "problem,n,c\n", "no rows"),
        ("a.csv", "problem,n,c\np,10,11\n", "c = 11 correct answers of n = 10"),
        ("a.csv", "problem,n,c\np,0,0\n", "n = 0 attempts"),
        ("a.csv", "problem,n,c\np,10,1\np,10,2\n", "appears twice"),
        ("a.csv", "problem,n,c\np,10\n", "not as many fields"),
        ("a.csv", "problem,n,c\np,ten,1\n", "line 2.*'ten' is not a whole number"),
        ("a.csv", "problem,n,c\np,10,1.5\n", "'1.5' is not a whole number"),
        ("a.jsonl", '{"problem": 1, "n": 10, "c": 1}\n{"problem": 2, "n"', "line 2.*truncated"),
        ("a.json", '{"is_corrects": []}', "at least one value"),
        ("a.json", '{"is_corrects": ["maybe"]}', "neither correct nor wrong"),
        ("a.eval", "not a zip", "neither a zip nor a JSON"),
    ],
)
def test_broken_files(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=message):
        read_evals([tmp_path / name])


def test_pickles_missing_files_and_mixed_formats_are_refused(tmp_path):
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"n": 1}))
    with pytest.raises(InputError, match="pickle"):
        read_evals([tmp_path / "a.pkl"])
    with pytest.raises(InputError, match="no such file"):
        read_evals([tmp_path / "b.csv"])
    table = write_lines(tmp_path / "a.csv", "problem,n,c", "p,10,1")
    lists = write_lines(tmp_path / "b.jsonl", {"is_corrects": [True]})
    with pytest.raises(InputError, match="mixed formats"):
        read_evals([table, lists])
    (tmp_path / "latin.csv").write_bytes("problem,n,c\ncafé,1,1\n".encode("latin-1"))
    with pytest.raises(InputError, match="UTF-8"):
        read_evals([tmp_path / "latin.csv"])


def read_words(start, options):
    """A toy format: a line `words`, then a line a problem with + and - for its attempts."""
    tally = Tally("words")
    for line in start.path.read_text().splitlines()[1:]:
        problem, attempts = line.split()
        tally.add_attempts({}, problem, [mark == "+" for mark in attempts])
    return tally.finish()


def test_a_new_format_is_one_reader_and_one_entry(tmp_path, monkeypatch):
    reader = Reader("words", (".words",), lambda start: start.text.startswith("words\n"), read_words)
    monkeypatch.setattr(files, "READERS", (reader, *files.READERS))
    path = write_lines(tmp_path / "a.words", "words", "p1 ++-", "p2 -")
    assert counts_by_problem(read_evals(path)) == {"all": {"p1": (3, 2), "p2": (1, 0)}}
    assert counts_by_problem(read_evals(tmp_path)) == {"all": {"p1": (3, 2), "p2": (1, 0)}}
    table = write_lines(tmp_path / "b.csv", "problem,n,c", "p,10,1")
    with pytest.raises(InputError, match="mixed formats"):
        read_evals([path, table])


KINDS = {
    "harness": (
        "a.jsonl",
        '{"doc_id": 0, "target": "1", "resps": [["1"]], "acc": 1.0}',
        "lm-evaluation-harness",
    ),
    "inspect document": (
        "a.json",
        '{\n "eval": {"model": "m"},\n "samples": [{"id": 1, "scores": {"s": {"value": "C"}}}]\n}',
        "inspect",
    ),
    "inspect document on one line": (
        "a.json",
        '{"eval": {}, "samples": [{"id": 1, "scores": {"s": {"value": "C"}}}]}',
        "inspect",
    ),
    "inspect document named .eval": (
        "a.eval",
        '{"eval": {}, "samples": [{"id": 1, "scores": {"s": {"value": "C"}}}]}',
        "inspect",
    ),
    "records in an array": ("a.txt", '[{"is_corrects": [true]}]', "verdict lists"),
    "records by problem": ("a.jsonl", '{"p": {"is_corrects": [true]}}', "verdict lists"),
    "record over several lines": ("a.json", '{\n "is_corrects": [true]\n}', "verdict lists"),
    "record a line": ("a.txt", '{"is_corrects": [true]}', "verdict lists"),
    "human-eval": ("a.jsonl", '{"task_id": "t", "passed": true}', "human-eval"),
    "table with passed for c": ("a.jsonl", '{"task_id": "t", "n": 3, "passed": 2}', "jsonl"),
    "table without a suffix": ("counts", "problem,n,c\np,3,1", "csv"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_format_is_told_by_the_content(kind, tmp_path):
    name, content, expected = KINDS[kind]
    assert read_evals(write_lines(tmp_path / name, content)).format == expected
