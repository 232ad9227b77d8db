"""human-eval results."""

import pytest
from helpers.eval_logs import counts_by_problem, write_lines

from lidjax.errors import InputError
from lidjax.evals import read_evals


def test_human_eval_results(tmp_path):
    one = {"task_id": "HumanEval/0", "completion": "pass", "result": "passed", "passed": True}
    two = {**one, "result": "failed: AssertionError", "passed": False}
    first = write_lines(
        tmp_path / "small_samples.jsonl_results.jsonl", one, two, {**two, "task_id": "HumanEval/1"}
    )
    second = write_lines(tmp_path / "large_results.jsonl", one)
    data = read_evals([first, second])
    assert counts_by_problem(data) == {
        "file=small_samples.jsonl": {"HumanEval/0": (2, 1), "HumanEval/1": (1, 0)},
        "file=large": {"HumanEval/0": (1, 1)},
    }
    write_lines(first, one, {"task_id": "HumanEval/1", "passed": "perhaps"})
    with pytest.raises(InputError, match=r"line 2.*'perhaps'"):
        read_evals([first])
