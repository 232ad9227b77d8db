"""lm-evaluation-harness logs, made as the harness writes them."""

import pytest
from helpers.eval_logs import counts_by_problem, write_lines

from lidjax.errors import InputError
from lidjax.evals import read_evals


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


def test_all_answers_count_not_the_filtered_one(tmp_path):
    folder = tmp_path / "org__model"
    folder.mkdir()
    path = write_lines(
        folder / "samples_gsm8k_2024-05-01T10-20-30.123456.jsonl",
        harness_record(0, "3 + 4\n#### 7", ["I think 8", "#### 7", "so it is 7"], 0.0),
        harness_record(1, "#### 1,200", ["the answer is 1200", "1200.", "12"], 1.0),
        harness_record(
            1, "#### 1,200", ["the answer is 1200", "1200.", "12"], 1.0, filter="flexible-extract"
        ),
    )
    data = read_evals([path])
    assert data.groups[0].fields == {"model": "org/model", "task": "gsm8k"}
    assert counts_by_problem(data) == {"org/model": {"0": (3, 2), "1": (3, 2)}}
    assert any("last-number" in note and "2 of 2" in note for note in data.notes)
    assert counts_by_problem(read_evals([path], answer_pattern=r"answer is (\d+)")) == {
        "org/model": {"0": (3, 0), "1": (3, 1)}
    }


def test_a_marking_that_contradicts_the_log_is_refused(tmp_path):
    path = write_lines(
        tmp_path / "samples_x.jsonl",
        *(harness_record(i, "blue", ["it is blue", "it is red"], 1.0) for i in range(9)),
    )
    with pytest.raises(InputError, match="--answer"):
        read_evals([path])
    assert counts_by_problem(read_evals([path], answer_pattern=r"it is (\w+)"))["all"]["3"] == (2, 1)


def test_loglikelihood_tasks_have_no_attempts(tmp_path):
    path = write_lines(
        tmp_path / "samples_x.jsonl", {"doc_id": 0, "target": "0", "resps": [[[-1.2, False]]], "acc": 1.0}
    )
    with pytest.raises(InputError, match="log-likelihoods"):
        read_evals([path])
