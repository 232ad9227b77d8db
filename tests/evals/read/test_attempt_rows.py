"""Tables and flat records: counts, rows of attempts, wide tables and accuracies, and which of them a file is."""

import json

import pytest
from helpers.eval_formats import write_csv
from helpers.eval_logs import counts_by_problem, write_lines

from lidjax.errors import InputError
from lidjax.evals import read_evals


def test_counts_in_jsonl_are_not_single_attempts(tmp_path):
    rows = [{"task_id": name, "total": 10, "passed": i % 2} for i, name in enumerate("abcdef")]
    (jsonl,) = read_evals(write_lines(tmp_path / "a.jsonl", *rows)).groups
    assert (int(jsonl.n.sum()), int(jsonl.c.sum())) == (60, 3)  # pass@1 is .05
    table = read_evals(write_csv(tmp_path / "a.csv", rows))
    assert counts_by_problem(table) == counts_by_problem(read_evals(tmp_path / "a.jsonl"))


@pytest.mark.parametrize(
    ("header", "right", "wrong"),
    [
        ("passed", "1", "0"),
        ("is_correct", "True", "False"),
        ("resolved", "yes", "no"),
        ("reward", "1.0", "0.0"),
        ("Correct", "true", "false"),
        ("verdict", "correct", "incorrect"),
    ],
)
def test_a_row_for_each_attempt(tmp_path, header, right, wrong):
    lines = (f"t0,1,{right}", f"t0,2,{wrong}", f"t1,1,{wrong}", f"t1,2,{wrong}")
    path = write_lines(tmp_path / "a.csv", f"task_id,attempt,{header}", *lines)
    data = read_evals(path)
    assert counts_by_problem(data) == {"all": {"t0": (2, 1), "t1": (2, 0)}}
    assert data.groups[0].outcomes == (b"\x01\x00", b"\x00\x00")


def test_a_missing_verdict_is_neither_correct_nor_wrong(tmp_path):
    path = write_lines(
        tmp_path / "a.csv", "task_id,passed", "a,1", "a,", "a,0", "b,nan", "b,null", "b,1", "c,", "c,None"
    )
    data = read_evals(path)
    assert counts_by_problem(data) == {"all": {"a": (2, 1), "b": (1, 1)}}
    assert {(value.problem, value.count) for value in data.left_aside} == {("a", 1), ("b", 2), ("c", 2)}
    assert any("5 of 8 attempts have no verdict" in note and "problems: c" in note for note in data.notes)


def test_rewards_between_0_and_1_need_a_threshold(tmp_path):
    path = write_lines(tmp_path / "a.csv", "task_id,reward", "a,0.3", "a,0.9", "b,1")
    with pytest.raises(InputError, match=r"line 2, reward: 0.3 .*--threshold"):
        read_evals(path)
    assert counts_by_problem(read_evals(path, threshold=0.5)) == {"all": {"a": (2, 1), "b": (1, 1)}}


def test_verdicts_that_contradict_each_other_are_refused_unless_one_is_named(tmp_path):
    path = write_lines(tmp_path / "a.csv", "task_id,passed,score", "a,1,1", "b,0,1")
    with pytest.raises(InputError, match=r"line 3: passed and score contradict each other.*--scorer"):
        read_evals(path)
    assert counts_by_problem(read_evals(path, scorer="score")) == {"all": {"a": (1, 1), "b": (1, 1)}}
    path = write_lines(
        tmp_path / "b.csv", "task_id,passed,score", "a,1,0.93", "b,0,0.2"
    )  # a score of another kind
    assert counts_by_problem(read_evals(path)) == {"all": {"a": (1, 1), "b": (1, 0)}}


def test_the_same_attempt_twice_shows_a_column_that_is_missing(tmp_path):
    path = write_lines(tmp_path / "a.csv", "setup,task_id,attempt,passed", "x,a,1,1", "y,a,1,0")
    with pytest.raises(InputError, match=r"attempt 1 of problem 'a' appears twice.*--group"):
        read_evals(path)
    assert len(read_evals(path, group=["setup"]).groups) == 2


def test_lines_with_the_same_answer_are_counted_and_said(tmp_path):
    one = {"task_id": "a", "completion": "return 1", "passed": True}
    data = read_evals(write_lines(tmp_path / "a.jsonl", one, {**one, "completion": "return 2"}, one))
    assert counts_by_problem(data) == {"all": {"a": (3, 3)}}
    assert any("1 of 3 rows" in note and "double entries" in note for note in data.notes)


def test_a_column_for_each_attempt(tmp_path):
    path = write_lines(tmp_path / "a.csv", "problem,run_10,run_2,run_1", "a,1,0,True", "b,,no,0")
    data = read_evals(path)
    assert counts_by_problem(data) == {"all": {"a": (3, 2), "b": (2, 0)}}
    assert data.groups[0].outcomes == (b"\x01\x00\x01", b"\x00\x00")  # in the order of the numbers
    path = write_lines(tmp_path / "b.csv", "problem,run_1,run_2,score_1,score_2", "a,1,0,1,1")
    with pytest.raises(InputError, match="--scorer; allowed: run, score"):
        read_evals(path)
    assert counts_by_problem(read_evals(path, scorer="score")) == {"all": {"a": (2, 2)}}


def test_columns_of_attempts_count_before_a_column_that_sums_them_up(tmp_path):
    path = write_lines(tmp_path / "a.csv", "problem,run_1,run_2,solved", "a,1,0,1", "b,0,0,0")
    assert counts_by_problem(read_evals(path)) == {"all": {"a": (2, 1), "b": (2, 0)}}
    assert counts_by_problem(read_evals(path, scorer="solved")) == {"all": {"a": (1, 1), "b": (1, 0)}}


@pytest.mark.parametrize(
    ("n", "accuracy", "c"),
    [
        (10, "0.3", 3),
        (3, "0.333", 1),
        (3, "0.6667", 2),
        (1000, "0.33", 330),
        (7, 1 / 7, 1),
        (8, "1.0", 8),
        (9, "0", 0),
    ],
)
def test_accuracy_and_n_give_the_count(tmp_path, n, accuracy, c):
    path = write_lines(tmp_path / "a.csv", "problem,n,accuracy", f"p,{n},{accuracy}")
    assert counts_by_problem(read_evals(path)) == {"all": {"p": (n, c)}}


@pytest.mark.parametrize(
    ("n", "accuracy", "message"),
    [
        (10, "0.35", "no whole number of correct answers"),
        (1000, "0.3337", "no whole number"),
        (100_000, "0.33333", "no whole number of correct answers|2 numbers"),
        (10, "35", "between 0 and 1"),
        (10, "high", "not a number"),
    ],
)
def test_an_accuracy_that_no_count_gives_is_refused(tmp_path, n, accuracy, message):
    path = write_lines(tmp_path / "a.csv", "problem,n,accuracy", f"p,{n},{accuracy}")
    if accuracy == "0.33333":
        accuracy = "0.3333345"  # 33333.45 of 100000
        path = write_lines(tmp_path / "a.csv", "problem,n,accuracy", f"p,{n},{accuracy}")
    with pytest.raises(InputError, match=message):
        read_evals(path)


def test_the_name_of_the_model_counts_in_any_case(tmp_path):
    path = write_lines(tmp_path / "a.csv", "Model,problem,n,c", "x,p1,10,1", "y,q1,10,2", "y,q2,10,3")
    assert counts_by_problem(read_evals(path)) == {"x": {"p1": (10, 1)}, "y": {"q1": (10, 2), "q2": (10, 3)}}
    path = write_lines(tmp_path / "b.csv", "Agent,task,attempt,resolved", "x,t,1,1", "y,t,1,0")
    assert counts_by_problem(read_evals(path)) == {"x": {"t": (1, 1)}, "y": {"t": (1, 0)}}


def test_a_json_array_of_counts_and_repeated_rows_for_several_k(tmp_path):
    rows = [
        {"problem": "p1", "n": 10, "c": 0, "k": 1, "estimate": 0.0},
        {"problem": "p1", "n": 10, "c": 0, "k": 10, "estimate": 0.0},
        {"problem": "p2", "n": 10, "c": 5, "k": 1, "estimate": 0.5},
    ]
    (tmp_path / "a.json").write_text(json.dumps(rows, indent=1))
    assert counts_by_problem(read_evals(tmp_path / "a.json")) == {"all": {"p1": (10, 0), "p2": (10, 5)}}
    rows[1]["c"] = 1
    (tmp_path / "a.json").write_text(json.dumps(rows))
    with pytest.raises(InputError, match="appears twice"):
        read_evals(tmp_path / "a.json")


def test_the_text_of_a_problem_is_not_its_name(tmp_path):
    text = "A train leaves at noon and " * 9
    rows = [{"problem": text, "id": f"t{i}", "is_correct": True} for i in range(2)]
    assert set(counts_by_problem(read_evals(write_lines(tmp_path / "a.jsonl", *rows)))["all"]) == {"t0", "t1"}


def test_lists_of_something_else_are_not_verdicts(tmp_path):
    """A record with a verdict of its own is one attempt, whatever lists of tests it holds."""
    row = {"task_id": "a", "passed": False, "test_results": [True, True, False]}
    assert counts_by_problem(read_evals(write_lines(tmp_path / "a.jsonl", row))) == {"all": {"a": (1, 0)}}
    row = {
        "task_id": "a",
        "score": 2 / 3,
        "results": [1, 1, 0],
    }  # the mean of the list: the list is of attempts
    assert counts_by_problem(read_evals(write_lines(tmp_path / "b.jsonl", row)))["all"] == {"a": (3, 2)}


def test_agents_at_hand(real_data):
    """Against a count with the csv module alone."""
    import csv
    from collections import Counter

    path = real_data / "evals" / "agent_attempts.csv"
    with open(path) as handle:
        rows = [row for row in csv.DictReader(handle) if row["resolved"] != ""]
    n = Counter((row["agent"], row["task"]) for row in rows)
    c = Counter((row["agent"], row["task"]) for row in rows if float(row["resolved"]) == 1)
    data = read_evals(path)
    found = {
        (group.fields["model"], problem): (int(group.n[i]), int(group.c[i]))
        for group in data.groups
        for i, problem in enumerate(group.problems)
    }
    assert found == {key: (n[key], c[key]) for key in n}
    with open(path) as handle:
        empty = sum(row["resolved"] == "" for row in csv.DictReader(handle))
    assert sum(value.count for value in data.left_aside) == empty
