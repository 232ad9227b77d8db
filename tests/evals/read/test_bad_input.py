"""Files that are damaged, strange or very large: a message, never a traceback, and never a wrong count."""

import json

import numpy as np
import pytest
from helpers.eval_logs import counts_by_problem, write_lines

from lidjax.errors import InputError
from lidjax.evals import read_evals, write_counts
from lidjax.evals.read import stream
from lidjax.evals.read.stream import outline

TABLE = "problem,n,c\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"problem,n,c\np,1e21,3\n", "at most 2\\^53"),
        (b"problem,n,c\np,9007199254740993,3\n", "at most 2\\^53"),
        (b"problem,n,c\np,-1,0\n", "n = -1"),
        (b"problem,n,c\np,10,-1\n", "c = -1"),
        (b"problem,n,c\np,inf,1\n", "'inf' is not a whole number"),
        (b"problem,n,c\n,10,1\n", "the problem has no name"),
        (b"problem,n,n,c\np,10,10,1\n", "two columns are named 'n'"),
        ("problem,n,c\ncaf\u00e9,1,1\n".encode("latin-1"), "not UTF-8"),
        ("problem,n,c\np,1,1\n".encode("utf-16"), "not UTF-8"),
        (b"problem,n,c\np,10,1\nq,1", "not as many fields"),
        (b'{"problem": "p", "n": 10, "c": 1}\n[1]\n', "a JSON object was expected, not list"),
        (b'{"problem": "p", "n": 10, "c": 1}\nproblem,n,c\n', "line 2: not JSON"),
        (
            b'{"problem": "p", "n": 10, "c": 1}\n{"problem": "q", "n": 10}\n',
            "no 'c', which the first record has",
        ),
        (b'{"problem": "p", "n": 10, "c": 1}\n' + b'{"a": ' + b"[" * 100_000, "cannot be read"),
        (b"[" * 100_000, "cannot be read|does not end"),
        (b'[{"problem": "p", "n": 10, "c": 1}, 7]', "a JSON object was expected, not int"),
        (b'{"eval": {"p": [{"base_status": "pass"}]}', "does not end"),
        (b'{"eval": {"p": [{"base_status": "pass"}]}} {}', "something follows"),
        (b'{"eval": {"p": [{"base_status": "pass"}], "q": [7]}}', "attempts need 'base_status'"),
        (b"\x00\x01\x02\x03", "no rows"),
    ],
)
def test_bad_files(tmp_path, content, message):
    (tmp_path / "log").write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_evals(tmp_path / "log")


def test_counts_up_to_2_to_the_53_are_exact(tmp_path):
    path = write_lines(tmp_path / "a.csv", "problem,n,c", f"p,{2**53},{2**53 - 1}")
    assert counts_by_problem(read_evals(path)) == {"all": {"p": (2**53, 2**53 - 1)}}
    path = write_lines(tmp_path / "b.jsonl", {"problem": "p", "n": 2**53, "c": 2**53 - 1})
    assert counts_by_problem(read_evals(path)) == {"all": {"p": (2**53, 2**53 - 1)}}


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_byte_order_marks_and_windows_line_ends(tmp_path, newline):
    text = newline.join(["problem;n;c", "p;10;3", "q;10;0", ""])
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert counts_by_problem(read_evals(tmp_path / "a.csv")) == {"all": {"p": (10, 3), "q": (10, 0)}}
    lines = [json.dumps({"task_id": name, "passed": True}) for name in "pq"]
    (tmp_path / "a.jsonl").write_bytes(b"\xef\xbb\xbf" + newline.join([*lines, ""]).encode())
    assert counts_by_problem(read_evals(tmp_path / "a.jsonl")) == {"all": {"p": (1, 1), "q": (1, 1)}}


def test_large_documents_are_read_a_piece_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(stream, "CHUNK", 1 << 12)
    text = "]},{" * 30
    document = {
        "note": text,
        "eval": {
            f"p{i}": [{"base_status": "pass", "plus_status": "pass", "solution": text}] * 3
            for i in range(800)
        },
        "pass_at_k": {},
    }
    path = tmp_path / "a.json"
    path.write_text(json.dumps(document))
    assert path.stat().st_size > 1 << 18
    (group,) = read_evals(path).groups
    assert np.array_equal(group.c, np.full(800, 3))
    path.write_text(path.read_text()[:-30])
    with pytest.raises(InputError, match="does not end; it is truncated, or still being written"):
        read_evals(path)


def test_the_outline_of_a_document_that_is_cut_off():
    text = json.dumps({"a": 1, "b": {"c": [1, {"d": [True, False]}]}, "e": "x"})
    assert outline(text) == json.loads(text)
    assert outline(text[:-12]) == {"a": 1, "b": {"c": [1, {"d": [True, False]}]}}
    assert outline('{"a": [[1, 2], [3,') == {"a": [[1, 2], [3]]}
    assert outline('[{"a": 1}, {"a"') == {"a": 1}
    assert outline("[1, 2") is None
    assert outline('{"a') == {}
    for end in range(len(text)):
        assert isinstance(outline(text[:end]), dict | None)


def test_counts_are_written_whole_or_not_at_all(tmp_path, monkeypatch):
    data = read_evals(write_lines(tmp_path / "a.csv", "problem,n,c", "p,10,3"))
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(InputError, match="a folder"):
        write_counts(data, out)
    with pytest.raises(InputError, match="does not exist"):
        write_counts(data, out / "nowhere" / "c.csv")
    write_counts(data, out / "c.csv")
    before = (out / "c.csv").read_bytes()

    def fail(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="No space"):
        write_counts(data, out / "c.csv")
    assert [path.name for path in out.iterdir()] == ["c.csv"]
    assert (out / "c.csv").read_bytes() == before
