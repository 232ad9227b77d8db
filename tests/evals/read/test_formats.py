"""What is particular to a format; that all give the same counts is tested in `test_same_counts`."""

import gzip

import pytest
from helpers.eval_formats import compress, write_json, write_parquet
from helpers.eval_logs import counts_by_problem, write_lines

from lidjax.errors import InputError
from lidjax.evals import read_evals


def test_evalplus_counts_plus_as_the_leaderboard_does_and_base_by_name(tmp_path):
    def attempt(base, plus):
        return {"task_id": "p", "base_status": base, "plus_status": plus}

    attempts = [
        attempt("pass", "pass"),
        attempt("pass", "fail"),
        attempt("fail", "pass"),
        attempt("fail", "fail"),
    ]
    path = write_json(tmp_path / "eval_results.json", {"hash": "0", "eval": {"p": attempts}})
    data = read_evals(path)
    assert counts_by_problem(data) == {"all": {"p": (4, 1)}}
    assert any("base and plus" in note and "--scorer base" in note for note in data.notes)
    assert counts_by_problem(read_evals(path, scorer="base")) == {"all": {"p": (4, 2)}}
    with pytest.raises(InputError, match="allowed: base, plus"):
        read_evals(path, scorer="both")
    write_json(path, {"hash": "0", "eval": {"p": [attempt("pass", None), attempt("fail", None)]}})
    assert counts_by_problem(read_evals(path)) == {"all": {"p": (2, 1)}}
    with pytest.raises(InputError, match="plus tests were not run"):
        read_evals(path, scorer="plus")


def test_nemo_skills_names_problems_by_line_and_text(tmp_path):
    def line(text, correct, **more):
        return {
            "problem": text,
            "expected_answer": "1",
            "generation": "x",
            "symbolic_correct": correct,
            **more,
        }

    write_lines(tmp_path / "output-rs0.jsonl", line("One?", True), line("Two?", False))
    write_lines(tmp_path / "output-rs1.jsonl", line("One?", False), line("Two?", None))
    data = read_evals(tmp_path, pool_files=True)
    assert counts_by_problem(data) == {"all": {"0: One?": (2, 1), "1: Two?": (1, 0)}}
    write_lines(
        tmp_path / "output-rs1.jsonl",
        line("One?", False, judgement="Reasoning: fine.\nJudgement: Yes"),
        line("Two?", True, judgement="Judgement: No"),
    )
    with pytest.raises(InputError, match=r"contradict each other on 2 problems.*--scorer"):
        read_evals(tmp_path / "output-rs1.jsonl")
    assert counts_by_problem(read_evals(tmp_path / "output-rs1.jsonl", scorer="judgement"))["all"] == {
        "0: One?": (1, 1),
        "1: Two?": (1, 0),
    }


def test_lighteval_of_2025_and_a_metric_by_name(tmp_path):
    pytest.importorskip("pyarrow", reason="extra `evals`")
    folder = tmp_path / "details" / "org__m" / "2025-06-01T00-00-00.0"
    folder.mkdir(parents=True)
    rows = [
        {
            "doc": {"id": f"q{i}", "query": "?"},
            "model_response": {"text": ["x"]},
            "metric": {"a": i, "b": 1.0},
        }
        for i in range(2)
    ]
    path = write_parquet(folder / "details_lighteval|aime24|0_2025-06-01T00-00-00.0.parquet", rows)
    with pytest.raises(InputError, match="several metrics; choose one with --scorer; allowed: a, b"):
        read_evals(path)
    data = read_evals(path, scorer="a")
    assert counts_by_problem(data) == {"org/m": {"q0": (1, 0), "q1": (1, 1)}}
    assert data.groups[0].fields["task"] == "lighteval|aime24|0"
    rows = [{"predictions": ["x", "y"], "metrics": {"extractive_match": 1}}]
    with pytest.raises(InputError, match="2 answers, and extractive_match does not say which"):
        read_evals(write_parquet(tmp_path / "a.parquet", rows))


def test_swe_bench_of_2024_and_what_has_no_verdict(tmp_path):
    report = {
        "no_generation": ["a"],
        "generated": ["b", "c", "d", "e"],
        "install_fail": ["d"],
        "applied": ["b", "c", "d"],
        "resolved": ["b"],
    }
    data = read_evals(write_json(tmp_path / "m.r1.json", report))
    assert counts_by_problem(data) == {"m": {"b": (1, 1), "a": (1, 0), "c": (1, 0)}}
    assert {(value.problem, value.reason) for value in data.left_aside} == {
        ("d", "in install_fail"),
        ("e", "in generated"),
    }
    with pytest.raises(InputError, match="'a' is in both resolved_ids and unresolved_ids"):
        read_evals(write_json(tmp_path / "m.r2.json", {"resolved_ids": ["a"], "unresolved_ids": ["a"]}))


def test_multipl_e_needs_the_status_and_the_exit_code(tmp_path):
    results = [
        {"status": "OK", "exit_code": 0},
        {"status": "OK", "exit_code": 1},
        {"status": "Timeout", "exit_code": -1},
    ]
    path = compress(write_json(tmp_path / "p.results.json", {"name": "p", "results": results}))
    assert counts_by_problem(read_evals(path)) == {"all": {"p": (3, 1)}}


def test_several_lists_of_verdicts_need_a_choice(tmp_path):
    path = write_lines(tmp_path / "a.jsonl", {"id": "p", "passed": [True, False], "scores": [1, 1]})
    with pytest.raises(
        InputError, match="several lists of verdicts; choose one with --scorer; allowed: passed, scores"
    ):
        read_evals(path)
    assert counts_by_problem(read_evals(path, scorer="scores")) == {"all": {"p": (2, 2)}}
    path = write_lines(tmp_path / "b.jsonl", {"id": "p", "scores": [0.2, 0.9]})
    with pytest.raises(InputError, match="--threshold"):
        read_evals(path)
    assert counts_by_problem(read_evals(path, threshold=0.5)) == {"all": {"p": (2, 1)}}


def test_zstandard(tmp_path, monkeypatch):
    path = tmp_path / "a.csv.zst"
    path.write_bytes(b"\x28\xb5\x2f\xfd")
    import sys

    if sys.version_info < (3, 14):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, "zstandard", None)
            with pytest.raises(InputError, match=r"needs zstandard; pip install 'lidjax\[evals\]'"):
                read_evals(path)
    zstandard = pytest.importorskip("zstandard", reason="extra `evals`")
    whole = zstandard.compress(b"problem,n,c\n" + b"".join(b"p%d,10,3\n" % i for i in range(4000)))
    path.write_bytes(whole)
    assert len(read_evals(path).groups[0].problems) == 4000
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="truncated"):
        read_evals(path)
    path.write_bytes(b"problem,n,c\n")
    with pytest.raises(InputError, match="not a Zstandard file"):
        read_evals(path)


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "json", "eval", "parquet"])
def test_every_kind_of_file_may_be_gzip(tmp_path, suffix):
    from helpers.eval_formats import WRITERS

    if suffix == "parquet":
        pytest.importorskip("pyarrow", reason="extra `evals`")
    name = "log.eval" if suffix == "eval" else f"attempts.{suffix}"
    path = compress(WRITERS[name](tmp_path / name, {"p": [True, False], "q": [False]}))
    (found,) = counts_by_problem(read_evals(path)).values()
    assert found == {"p": (2, 1), "q": (1, 0)}
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) - 12])
    with pytest.raises(InputError, match="truncated"):
        read_evals(path)
    path.write_bytes(gzip.compress(b""))
    with pytest.raises(InputError, match="is empty"):
        read_evals(path)


def test_trials_count_before_lists_of_resolved_tasks(tmp_path):
    results = [{"id": str(i), "task_id": "a", "is_resolved": i == 0} for i in range(3)]
    document = {"id": "r", "results": results, "resolved_ids": ["a"], "unresolved_ids": [], "accuracy": 1 / 3}
    assert counts_by_problem(read_evals(write_json(tmp_path / "results.json", document))) == {
        "all": {"a": (3, 1)}
    }


def test_rows_of_agents_as_a_json_array(tmp_path):
    rows = [
        {"task_id": 0, "trial": i, "reward": float(i == 1), "info": {"a": 1}, "traj": [{}]} for i in range(4)
    ]
    assert counts_by_problem(read_evals(write_json(tmp_path / "a.json", rows))) == {"all": {"0": (4, 1)}}


def test_attempts_without_a_problem_ask_for_its_column(tmp_path):
    path = write_lines(tmp_path / "a.jsonl", {"input": "1 + 1", "output": "2", "score": 1.0})
    with pytest.raises(InputError, match="no column for 'problem'"):
        read_evals(path)
    assert counts_by_problem(read_evals(path, columns={"problem": "input"})) == {"all": {"1 + 1": (1, 1)}}
