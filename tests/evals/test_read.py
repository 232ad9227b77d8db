"""Each format, from a real log or one made faithfully to the writer's own layout; and every kind of broken file."""

import gzip
import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from lidjax.errors import InputError
from lidjax.evals import read_evals

SHARED = Path(__file__).parents[3] / "shared" / "data"
SHARED_ELSEWHERE = Path(__file__).parents[2].resolve().parents[1] / "shared" / "data"


def shared(*parts: str) -> Path:
    for root in (SHARED, SHARED_ELSEWHERE):
        if root.joinpath(*parts).exists():
            return root.joinpath(*parts)
    pytest.skip("shared/data is not here")


def counts(data) -> dict[str, dict[str, tuple[int, int]]]:
    return {
        group.name: dict(
            zip(group.problems, zip(group.n.tolist(), group.c.tolist(), strict=True), strict=True)
        )
        for group in data.groups
    }


def write(path: Path, *lines: str | dict) -> Path:
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return path


def test_csv_groups_by_the_known_columns_and_says_what_it_left_aside(tmp_path):
    path = write(
        tmp_path / "t.csv",
        "model,tokens,problem,level,n,c",
        "a,1e9,p1,3,10,2",
        "a,1e9,p2,5,20,0",
        "a,2e9,p1,3,10,3",
    )
    data = read_evals([path])
    assert counts(data) == {
        "a tokens=1e+09": {"p1": (10, 2), "p2": (20, 0)},
        "a tokens=2e+09": {"p1": (10, 3)},
    }
    assert data.groups[0].fields["tokens"] == 1e9
    assert any("level" in note for note in data.notes)


def test_columns_are_mapped_and_group_columns_chosen(tmp_path):
    path = write(tmp_path / "t.csv", "which;tries;good;kind", "p1;10;2;x", "p1;10;3;y")
    data = read_evals([path], columns={"problem": "which", "n": "tries", "c": "good"}, group=["kind"])
    assert counts(data) == {"kind=x": {"p1": (10, 2)}, "kind=y": {"p1": (10, 3)}}
    with pytest.raises(InputError, match="--columns problem=NAME"):
        read_evals([path])
    with pytest.raises(InputError, match="no column 'colour'"):
        read_evals([path], columns={"problem": "which", "n": "tries", "c": "good"}, group=["colour"])


def test_jsonl_parquet_and_gzip_hold_the_same_table(tmp_path):
    rows = [{"model": "a", "problem": f"p{i}", "n": 100 + i, "c": i} for i in range(5)]
    jsonl = write(tmp_path / "t.jsonl", *rows)
    expected = {"a": {row["problem"]: (row["n"], row["c"]) for row in rows}}
    assert counts(read_evals([jsonl])) == expected
    with gzip.open(tmp_path / "t.csv.gz", "wt") as handle:
        handle.write("model,problem,n,c\n" + "".join(f"a,p{i},{100 + i},{i}\n" for i in range(5)))
    assert counts(read_evals([tmp_path / "t.csv.gz"])) == expected
    parquet = pytest.importorskip("pyarrow.parquet", reason="extra `evals`")
    import pyarrow as pa

    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "t.parquet")
    assert counts(read_evals([tmp_path / "t.parquet"])) == expected
    whole = (tmp_path / "t.parquet").read_bytes()
    (tmp_path / "cut.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="not a whole Parquet file"):
        read_evals([tmp_path / "cut.parquet"])


def test_parquet_without_its_library_says_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "t.parquet").write_bytes(b"PAR1 and more")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(InputError, match=r"lidjax\[evals\]"):
        read_evals([tmp_path / "t.parquet"])


def test_long_tables_with_one_row_for_each_k_are_counted_once(tmp_path):
    path = write(
        tmp_path / "t.csv",
        "problem,n,c,k,pass@k",
        "p1,10,0,1,0.0",
        "p1,10,0,100,1.0",
        "p2,10,5,1,0.5",
        "p2,10,5,2,0.78",
    )
    data = read_evals([path])
    assert counts(data) == {"all": {"p1": (10, 0), "p2": (10, 5)}}
    assert [(value.k, value.value) for value in data.published] == [(1, 0.0), (100, 1.0), (1, 0.5), (2, 0.78)]


def test_a_real_inspect_log():
    data = read_evals([shared("evals", "log_formats.eval")])
    assert counts(data) == {"ollama/llama3.1": {"1": (1, 0)}}
    assert data.groups[0].fields["task"] == "popularity"


def test_a_real_inspect_log_that_was_never_scored():
    path = shared("evals", "2025-02-11T15-17-00-05-00_popularity_dPiJifoWeEQBrfWsAopzWr.eval")
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
def test_inspect_epochs_are_attempts_in_their_order(tmp_path, summaries):
    scores = {("q1", 2): "I", ("q1", 1): "C", ("q1", 3): "P", ("q2", 1): 1, ("q2", 2): True, ("q2", 3): "N"}
    data = read_evals([inspect_log(tmp_path / "a.eval", scores, summaries=summaries)])
    assert counts(data) == {"m": {"q1": (3, 1), "q2": (3, 2)}}
    assert data.groups[0].outcomes == (b"\x01\x00\x00", b"\x01\x01\x00")
    assert any("partly correct" in note for note in data.notes)


def test_inspect_attempts_that_failed_are_left_aside_and_counted(tmp_path):
    scores = {("q1", 1): "C", ("q1", 2): "C", ("q2", 1): "I"}
    data = read_evals([inspect_log(tmp_path / "a.eval", scores, summaries=True, error={("q1", 2)})])
    assert counts(data) == {"m": {"q1": (1, 1), "q2": (1, 0)}}
    assert any("1 of 3 samples" in note for note in data.notes)


def test_inspect_scores_that_are_no_verdicts(tmp_path):
    path = inspect_log(tmp_path / "a.eval", {("q", 1): 0.7, ("q", 2): 0.2}, summaries=False)
    with pytest.raises(InputError, match="--threshold"):
        read_evals([path])
    assert counts(read_evals([path], threshold=0.5)) == {"m": {"q": (2, 1)}}
    with pytest.raises(InputError, match="no score 'other'; there is match"):
        read_evals([path], scorer="other")


def test_a_truncated_inspect_log(tmp_path):
    path = inspect_log(tmp_path / "a.eval", {(f"q{i}", 1): "C" for i in range(50)}, summaries=False)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="truncated"):
        read_evals([path])
    path.write_bytes(whole[:200] + b"\x00" * 40 + whole[240:])  # damage inside an entry, index intact
    with pytest.raises(InputError, match="damaged"):
        read_evals([path])


def harness_record(doc: int, target: str, responses: list[str], metric: float, **more) -> dict:
    """One line as lm-evaluation-harness writes it (log_samples, repeats > 1, the take_first filter)."""
    return {
        "doc_id": doc,
        "doc": {"question": "?", "answer": target},
        "target": target,
        "arguments": {"gen_args_0": {"arg_0": "?", "arg_1": {}}},
        "resps": [responses],
        "filtered_resps": responses[:1],
        "doc_hash": "0",
        "exact_match": metric,
        **more,
    }


def test_harness_logs_count_all_answers_not_the_filtered_one(tmp_path):
    folder = tmp_path / "org__model"
    folder.mkdir()
    path = write(
        folder / "samples_gsm8k_2024-05-01T10-20-30.123456.jsonl",
        harness_record(0, "3 + 4\n#### 7", ["I think 8", "#### 7", "so it is 7"], 0.0),
        harness_record(1, "#### 1,200", ["the answer is 1200", "1200.", "12"], 1.0),
        harness_record(
            1, "#### 1,200", ["the answer is 1200", "1200.", "12"], 1.0, filter="flexible-extract"
        ),
    )
    data = read_evals([path])
    assert data.groups[0].fields == {"model": "org/model", "task": "gsm8k"}
    assert counts(data) == {"org/model": {"0": (3, 2), "1": (3, 2)}}
    assert any("last-number" in note and "2 of 2" in note for note in data.notes)
    assert counts(read_evals([path], answer=r"answer is (\d+)")) == {"org/model": {"0": (3, 0), "1": (3, 1)}}


def test_harness_marking_that_contradicts_the_log_is_refused(tmp_path):
    path = write(
        tmp_path / "samples_x.jsonl", *(harness_record(i, "blue", ["it is blue"], 1.0) for i in range(9))
    )
    with pytest.raises(InputError, match="--answer"):
        read_evals([path])
    assert counts(read_evals([path], answer=r"it is (\w+)"))["all"]["3"] == (1, 1)


def test_harness_loglikelihood_tasks_have_no_attempts(tmp_path):
    path = write(
        tmp_path / "samples_x.jsonl", {"doc_id": 0, "target": "0", "resps": [[[-1.2, False]]], "acc": 1.0}
    )
    with pytest.raises(InputError, match="log-likelihoods"):
        read_evals([path])


def test_human_eval_results(tmp_path):
    one = {"task_id": "HumanEval/0", "completion": "pass", "result": "passed", "passed": True}
    two = {**one, "result": "failed: AssertionError", "passed": False}
    first = write(tmp_path / "small_samples.jsonl_results.jsonl", one, two, {**two, "task_id": "HumanEval/1"})
    second = write(tmp_path / "large_results.jsonl", one)
    data = read_evals([first, second])
    assert counts(data) == {
        "file=small_samples.jsonl": {"HumanEval/0": (2, 1), "HumanEval/1": (1, 0)},
        "file=large": {"HumanEval/0": (1, 1)},
    }
    write(first, one, {"task_id": "HumanEval/1", "passed": "perhaps"})
    with pytest.raises(InputError, match=r"line 2.*'perhaps'"):
        read_evals([first])


def test_lists_of_verdicts_as_yaml_json_and_jsonl(tmp_path):
    yaml = pytest.importorskip("yaml", reason="extra `evals`")
    folder = tmp_path / "MATH_Pythia-12B"
    folder.mkdir()
    for name, verdicts in {"7": [True, False, False], "8": [False] * 4}.items():
        record = {"prompt": "p", "question": "q", "samples": ["x"] * len(verdicts), "is_corrects": verdicts}
        (folder / f"{name}.yaml").write_text(yaml.dump(record))
    expected = {"7": (3, 1), "8": (4, 0)}
    assert counts(read_evals([folder])) == {"all": expected}
    records = [
        {"orig_dset_idx": 7, "is_corrects": [True, False, False]},
        {"orig_dset_idx": 8, "is_corrects": [0, 0, 0, 0]},
    ]
    (tmp_path / "a.json").write_text(json.dumps(records, indent=1))
    assert counts(read_evals([tmp_path / "a.json"])) == {"all": expected}
    (tmp_path / "b.json").write_text(json.dumps({"7": records[0], "8": records[1]}))
    assert counts(read_evals([tmp_path / "b.json"])) == {"all": expected}
    assert counts(read_evals([write(tmp_path / "c.jsonl", *records)])) == {"all": expected}


def test_yaml_builds_no_python_objects(tmp_path):
    pytest.importorskip("yaml", reason="extra `evals`")
    path = write(tmp_path / "a.yaml", "is_corrects: !!python/object/apply:os.getcwd []")
    with pytest.raises(InputError, match="not YAML"):
        read_evals([path])


def test_a_json_array_larger_than_the_buffer_is_streamed(tmp_path):
    records = [{"id": i, "text": "]},{" * 50, "is_corrects": [i % 3 == 0] * 5} for i in range(9000)]
    (tmp_path / "a.json").write_text(json.dumps(records))
    assert (tmp_path / "a.json").stat().st_size > 2 << 20
    group = read_evals([tmp_path / "a.json"]).groups[0]
    assert len(group.problems) == 9000
    assert np.array_equal(group.c, np.where(np.arange(9000) % 3 == 0, 5, 0))
    whole = (tmp_path / "a.json").read_text()
    (tmp_path / "a.json").write_text(whole[:-50])
    with pytest.raises(InputError, match="truncated"):
        read_evals([tmp_path / "a.json"])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "", "is empty"),
        ("a.csv", "problem,n,c\n", "no rows"),
        ("a.csv", "problem,n,c\np,10,11\n", "c = 11 right answers of n = 10"),
        ("a.csv", "problem,n,c\np,0,0\n", "n = 0 attempts"),
        ("a.csv", "problem,n,c\np,10,1\np,10,2\n", "stands twice"),
        ("a.csv", "problem,n,c\np,10\n", "not as many fields"),
        ("a.csv", "problem,n,c\np,ten,1\n", "line 2.*'ten' is not a whole number"),
        ("a.csv", "problem,n,c\np,10,1.5\n", "'1.5' is not a whole number"),
        ("a.jsonl", '{"problem": 1, "n": 10, "c": 1}\n{"problem": 2, "n"', "line 2.*truncated"),
        ("a.json", '{"is_corrects": []}', "at least one verdict"),
        ("a.json", '{"is_corrects": ["maybe"]}', "neither right nor wrong"),
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
    table = write(tmp_path / "a.csv", "problem,n,c", "p,10,1")
    lists = write(tmp_path / "b.jsonl", {"is_corrects": [True]})
    with pytest.raises(InputError, match="mixed formats"):
        read_evals([table, lists])
    (tmp_path / "latin.csv").write_bytes("problem,n,c\ncafé,1,1\n".encode("latin-1"))
    with pytest.raises(InputError, match="UTF-8"):
        read_evals([tmp_path / "latin.csv"])
