"""Several files: seeds of one run, several models, copies, folders with other files beside the results."""

import json

import pytest
from helpers.eval_formats import write_json
from helpers.eval_logs import counts_by_problem, write_lines

from lidjax.errors import InputError
from lidjax.evals import read_evals
from lidjax.passk import pass_at_k_from_counts


def write_seeds(folder):
    """Three files of one attempt each at nine tasks, each of which solves another third."""
    for seed in range(3):
        rows = [{"task_id": f"t{i}", "completion": f"{seed}", "passed": i % 3 == seed} for i in range(9)]
        write_lines(folder / f"s{seed}_results.jsonl", *rows)
    return sorted(folder.glob("*.jsonl"))


def test_files_of_one_run_are_offered_for_pooling_and_pooled_when_asked(tmp_path):
    files = write_seeds(tmp_path)
    apart = read_evals(files)
    assert [group.name for group in apart.groups] == ["file=s0", "file=s1", "file=s2"]
    assert any("--pool-files" in note and "seeds of one run" in note for note in apart.notes)
    for paths in (files, tmp_path):
        data = read_evals(paths, pool_files=True)
        (group,) = data.groups
        assert group.n.tolist() == [3] * 9
        assert group.c.tolist() == [1] * 9
        assert float(pass_at_k_from_counts(group.n, group.c, 3).mean()) == 1
        assert any("3 files pooled" in note and "3 attempts" in note for note in data.notes)


def test_pooled_counts_add_up_and_copies_are_said(tmp_path):
    for name in ("a", "b"):
        write_lines(tmp_path / f"{name}.csv", "model,problem,n,c", "m,p,10,3", "m,q,5,0")
    data = read_evals(tmp_path, pool_files=True)
    assert counts_by_problem(data) == {"m": {"p": (20, 6), "q": (10, 0)}}
    assert any("b.csv like a.csv" in note for note in data.notes)
    assert len(read_evals([tmp_path / "a.csv", tmp_path, tmp_path / "a.csv"]).groups) == 2  # each file once


def test_two_models_never_become_one(tmp_path):
    write_lines(tmp_path / "large.csv", "problem,n,c", "p1,10,3")
    write_lines(tmp_path / "small.csv", "problem,n,c", "q1,10,1", "q2,10,0")
    data = read_evals(tmp_path)
    assert counts_by_problem(data) == {
        "file=large": {"p1": (10, 3)},
        "file=small": {"q1": (10, 1), "q2": (10, 0)},
    }
    assert any("--pool-files puts them together" in note for note in data.notes)
    assert counts_by_problem(read_evals(tmp_path, pool_files=True)) == {
        "all": {"p1": (10, 3), "q1": (10, 1), "q2": (10, 0)}
    }
    write_lines(tmp_path / "large.csv", "model,problem,n,c", "m,p1,10,3")  # parts of one model are joined
    write_lines(tmp_path / "small.csv", "model,problem,n,c", "m,q1,10,1")
    assert counts_by_problem(read_evals(tmp_path)) == {"m": {"p1": (10, 3), "q1": (10, 1)}}


def test_lists_of_two_models_in_one_folder_stay_apart(tmp_path):
    for name, mark in (("small", False), ("large", True)):
        write_lines(
            tmp_path / f"{name}.jsonl", *({"id": f"q{i}", "is_corrects": [mark, True]} for i in range(2))
        )
    assert counts_by_problem(read_evals(tmp_path)) == {
        "file=large": {"q0": (2, 2), "q1": (2, 2)},
        "file=small": {"q0": (2, 1), "q1": (2, 1)},
    }


def test_a_problem_in_two_files_of_a_run_is_not_added_up_unasked(tmp_path):
    for name, verdicts in (("a", [True]), ("b", [False, False])):
        write_json(tmp_path / f"{name}.json", {"id": "p", "is_corrects": verdicts})
    with pytest.raises(InputError, match=r"'p' .* appears in two files.*--pool-files"):
        read_evals(tmp_path)
    (group,) = read_evals(tmp_path, pool_files=True).groups
    assert group.outcomes == (b"\x01\x00\x00",)


def test_left_aside_attempts_stay_with_their_file(tmp_path):
    for seed, verdict in enumerate((True, None)):
        write_lines(
            tmp_path / f"s{seed}.jsonl", {"task_id": "a", "passed": verdict}, {"task_id": "b", "passed": 1}
        )
    (value,) = read_evals(tmp_path).left_aside
    assert value.fields == {"file": "s1"}


def test_a_folder_with_other_files_is_read(tmp_path):
    write_seeds(tmp_path)
    write_lines(tmp_path / "samples.jsonl", {"task_id": "t0", "completion": "return 1"})
    write_json(tmp_path / "config.json", {"temperature": 0.8, "model": "m"})
    (tmp_path / "notes.csv").write_text("who,what\nme,nothing\n")
    (tmp_path / "empty.json").write_text("")
    (tmp_path / "README.txt").write_text("not looked at")
    data = read_evals(tmp_path, pool_files=True)
    assert data.groups[0].n.tolist() == [3] * 9
    assert "skipped, answers without verdicts: samples.jsonl" in data.notes
    assert "skipped, no known evaluation log: config.json, empty.json, notes.csv" in data.notes
    (tmp_path / "s3_results.jsonl").write_text('{"task_id": "t0", "pas')
    with pytest.raises(InputError, match="still being written"):  # a damaged result is no unknown file
        read_evals(tmp_path)


def test_a_folder_of_unknown_files_says_what_is_read(tmp_path):
    write_json(tmp_path / "config.json", {"temperature": 0.8})
    with pytest.raises(InputError, match=r"config.json: no column for 'problem'.*\n.*Read are"):
        read_evals(tmp_path)


def test_the_message_for_an_unknown_file(tmp_path):
    path = write_lines(tmp_path / "a.jsonl", {"KEY": "x1", "MARK": 1, "nested": {"a": [1]}})
    with pytest.raises(InputError) as caught:
        read_evals(path)
    message = str(caught.value)
    for part in ("KEY (text), MARK (number), nested (object)", "Inspect logs", "EvalPlus", "lighteval"):
        assert part in message
    code = (
        message[message.index("import csv") :]
        .replace("row['ID']", "row['KEY']")
        .replace("row['VERDICT']", "row['MARK']")
    )
    code = code.replace("'attempts.csv'", repr(str(tmp_path / "attempts.csv")))
    exec("\n".join(line.strip() for line in code.splitlines()))
    assert counts_by_problem(read_evals(tmp_path / "attempts.csv")) == {"all": {"x1": (1, 1)}}
    path = write_lines(tmp_path / "raw.jsonl", json.dumps({"task_id": "x", "completion": "y"}))
    with pytest.raises(InputError, match="answers without verdicts: mark them first"):
        read_evals(path)
