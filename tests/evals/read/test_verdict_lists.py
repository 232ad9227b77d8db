"""Records with a list `is_corrects`, as YAML, JSON and JSONL."""

import json

import numpy as np
import pytest
from helpers.eval_logs import counts_by_problem, write_lines

from lidjax.errors import InputError
from lidjax.evals import read_evals
from lidjax.evals.read import stream


def test_lists_as_yaml_json_and_jsonl(tmp_path):
    yaml = pytest.importorskip("yaml", reason="extra `evals`")
    folder = tmp_path / "MATH_Pythia-12B"
    folder.mkdir()
    for name, verdicts in {"7": [True, False, False], "8": [False] * 4}.items():
        record = {"prompt": "p", "question": "q", "samples": ["x"] * len(verdicts), "is_corrects": verdicts}
        (folder / f"{name}.yaml").write_text(yaml.dump(record))
    expected = {"7": (3, 1), "8": (4, 0)}
    assert counts_by_problem(read_evals([folder])) == {"all": expected}
    records = [
        {"orig_dset_idx": 7, "is_corrects": [True, False, False]},
        {"orig_dset_idx": 8, "is_corrects": [0, 0, 0, 0]},
    ]
    (tmp_path / "a.json").write_text(json.dumps(records, indent=1))
    assert counts_by_problem(read_evals([tmp_path / "a.json"])) == {"all": expected}
    (tmp_path / "b.json").write_text(json.dumps({"7": records[0], "8": records[1]}))
    assert counts_by_problem(read_evals([tmp_path / "b.json"])) == {"all": expected}
    assert counts_by_problem(read_evals([write_lines(tmp_path / "c.jsonl", *records)])) == {"all": expected}


def test_yaml_builds_no_python_objects(tmp_path):
    pytest.importorskip("yaml", reason="extra `evals`")
    path = write_lines(tmp_path / "a.yaml", "is_corrects: !!python/object/apply:os.getcwd []")
    with pytest.raises(InputError, match="not YAML"):
        read_evals([path])


def test_a_json_array_larger_than_the_buffer_is_streamed(tmp_path, monkeypatch):
    monkeypatch.setattr(stream, "CHUNK", 1 << 14)
    records = [{"id": i, "text": "]},{" * 50, "is_corrects": [i % 3 == 0] * 5} for i in range(900)]
    (tmp_path / "a.json").write_text(json.dumps(records))
    assert (tmp_path / "a.json").stat().st_size > 1 << 17
    group = read_evals([tmp_path / "a.json"]).groups[0]
    assert len(group.problems) == 900
    assert np.array_equal(group.c, np.where(np.arange(900) % 3 == 0, 5, 0))
    whole = (tmp_path / "a.json").read_text()
    (tmp_path / "a.json").write_text(whole[:-50])
    with pytest.raises(InputError, match="truncated"):
        read_evals([tmp_path / "a.json"])
