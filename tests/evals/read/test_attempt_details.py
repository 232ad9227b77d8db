"""Answers, tokens and verdicts of a verifier, as readers of several formats keep them."""

import json
import zipfile

import numpy as np
import pytest
from helpers.eval_logs import write_lines

from lidjax.errors import InputError
from lidjax.evals import read_evals


def only_group(*paths, **options):
    (group,) = read_evals(list(paths), **options).groups
    return group


def test_rows_of_attempts(tmp_path):
    path = write_lines(
        tmp_path / "rows.csv",
        "problem,correct,predicted_answer,output_tokens,judge",
        "p1,1,18,100,yes",
        "p1,0,20,50,yes",
        "p1,1,18,,no",
        "p1,,18,7,yes",  # no verdict: left aside
        "p2,0,,30,no",
        "p2,0,7,10,",
    )
    group = only_group(path, columns={"verifier": "judge"})
    first, second = group.details.answers
    assert (first.texts, first.counts, first.correct, first.silent) == (
        ("18", "20"),
        (2, 1),
        (True, False),
        0,
    )
    assert (second.texts, second.counts, second.correct, second.silent) == (("7",), (1,), (False,), 1)
    np.testing.assert_array_equal(group.details.tokens.total, [[50, 100], [40, 0]])
    np.testing.assert_array_equal(group.details.tokens.attempts, [[1, 1], [2, 0]])
    np.testing.assert_array_equal(group.details.verifier.judged, [[1, 2], [1, 0]])
    np.testing.assert_array_equal(group.details.verifier.accepted, [[1, 1], [0, 0]])


def test_columns_can_be_named(tmp_path):
    records = [{"problem": "p", "correct": i % 2, "mine": "x", "used": 5 * i} for i in range(4)]
    path = write_lines(tmp_path / "rows.jsonl", *records)
    group = only_group(path, columns={"answer": "mine", "tokens": "used"})
    assert group.details.answers[0].counts == (4,)
    assert group.details.answers[0].correct == (False,)  # half of its attempts are right, and not most
    assert group.details.tokens.total.tolist() == [[10, 20]]
    assert only_group(path).details == (None, None, None)


def test_a_table_of_counts_has_no_answers(tmp_path):
    path = write_lines(tmp_path / "counts.csv", "problem,n,c,pred", "p,10,3,x")
    assert only_group(path).details == (None, None, None)
    with pytest.raises(InputError, match="a row for each attempt"):
        read_evals(path, columns={"answer": "pred"})


@pytest.mark.parametrize("value", ["-3", "many", "inf"])
def test_tokens_are_numbers(value, tmp_path):
    path = write_lines(tmp_path / "rows.csv", "problem,correct,output_tokens", f"p,1,{value}")
    with pytest.raises(InputError, match="output_tokens"):
        read_evals(path)


def test_a_long_answer_is_known_by_a_checksum(tmp_path):
    long = "x" * 500
    records = [{"problem": "p", "correct": 1, "final_answer": text} for text in (long, long, long + "y")]
    group = only_group(write_lines(tmp_path / "rows.jsonl", *records))
    (answers,) = group.details.answers
    assert answers.counts == (2, 1)
    assert max(map(len, answers.texts)) < 80


def nemo_line(answer, right, tokens):
    return {
        "id": "p1",
        "generation": "text",
        "predicted_answer": answer,
        "is_correct": right,
        "num_generated_tokens": tokens,
    }


def test_pooled_files_add_up(tmp_path):
    lines = [("4", True, 10), ("4", True, 30), (None, False, 100)]
    paths = [write_lines(tmp_path / f"output-rs{i}.jsonl", nemo_line(*line)) for i, line in enumerate(lines)]
    group = only_group(*paths, pool_files=True)
    assert group.n.tolist() == [3]
    (answers,) = group.details.answers if group.details.answers else (None,)
    assert (
        answers is None
    )  # the third file has no answer at all, so the answers of its attempts are not known
    np.testing.assert_array_equal(group.details.tokens.total, [[100, 40]])
    group = only_group(*paths[:2], pool_files=True)
    assert group.details.answers[0].counts == (2,)


def test_harness_answers_are_those_of_the_marking(tmp_path):
    documents = [
        {
            "doc_id": i,
            "target": "#### 18",
            "resps": [["so #### 18", "or #### 20", "no idea"]],
            "exact_match": 1.0,
            "filter": "strict-match",
        }
        for i in range(2)
    ]
    path = write_lines(tmp_path / "samples_gsm8k_2025-01-01T00-00-00.jsonl", *documents)
    group = only_group(path, answer="strict-number")
    answers = group.details.answers[0]
    assert (answers.texts, answers.counts, answers.correct, answers.silent) == (
        ("18", "20"),
        (1, 1),
        (True, False),
        1,
    )


def test_base_tests_of_evalplus_are_a_verifier(tmp_path):
    attempts = [
        {"base_status": base, "plus_status": plus}
        for base, plus in (("pass", "pass"), ("pass", "fail"), ("fail", "fail"))
    ]
    path = tmp_path / "eval_results.json"
    path.write_text(json.dumps({"eval": {"HumanEval/0": attempts}}))
    group = only_group(path)
    assert group.c.tolist() == [1]
    np.testing.assert_array_equal(group.details.verifier.judged, [[2, 1]])
    np.testing.assert_array_equal(group.details.verifier.accepted, [[1, 1]])


def inspect_sample(epoch, truth, judge, answer):
    return {
        "id": "s1",
        "epoch": epoch,
        "scores": {"truth": {"value": truth, "answer": answer}, "judge": {"value": judge}},
        "model_usage": {"m": {"input_tokens": 9, "output_tokens": 10 * epoch}},
    }


def test_inspect_logs_have_answers_tokens_and_a_second_scorer(tmp_path):
    samples = [
        inspect_sample(1, "C", "C", "18"),
        inspect_sample(2, "I", "C", "20"),
        inspect_sample(3, "I", "I", "20"),
    ]
    path = tmp_path / "log.eval"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            "header.json", json.dumps({"eval": {"model": "m", "task": "t"}, "status": "success"})
        )
        archive.writestr("summaries.json", json.dumps(samples))
    group = only_group(path, columns={"verifier": "judge"})
    assert group.c.tolist() == [1]
    assert group.details.answers[0].counts == (1, 2)
    np.testing.assert_array_equal(group.details.tokens.total, [[50, 10]])
    np.testing.assert_array_equal(group.details.verifier.accepted, [[1, 1]])
    with pytest.raises(InputError, match="several scores"):
        read_evals(path)
    assert only_group(path, scorer="truth").details.verifier is None


def test_lists_beside_the_verdicts(tmp_path):
    record = {"problem_id": "p", "is_corrects": [True, False, True], "preds": ["18", "20", "18"]}
    group = only_group(write_lines(tmp_path / "lists.jsonl", record, {**record, "problem_id": "q"}))
    assert group.details.answers[1].counts == (2, 1)
    short = {**record, "preds": ["18"]}
    path = write_lines(tmp_path / "short.jsonl", short, {**short, "problem_id": "q"})
    assert only_group(path).details.answers is None
    with pytest.raises(InputError, match="'preds' must be a list with an item for each of the 3 attempts"):
        read_evals(path, columns={"answer": "preds"})


def test_records_of_attempts_in_a_list(tmp_path):
    attempts = [{"reward": 1.0, "completion_tokens": 40}, {"reward": 0.0, "completion_tokens": 90}]
    group = only_group(
        write_lines(tmp_path / "trials.jsonl", *({"task_id": t, "results": attempts} for t in "ab"))
    )
    np.testing.assert_array_equal(group.details.tokens.total, [[90, 40]] * 2)
