"""lm-evaluation-harness logs, made as the harness writes them."""

import json

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


def test_agreement_on_wrong_answers_alone_is_no_evidence(tmp_path):
    """First answers all wrong, later ones right: a marking that finds nothing agrees with the log as well."""
    answers = ["so \\boxed{0}", "so \\boxed{10}"]
    path = write_lines(tmp_path / "samples_x.jsonl", *(harness_record(i, "10", answers, 0) for i in range(5)))
    assert counts_by_problem(read_evals(path))["all"] == {str(i): (2, 1) for i in range(5)}
    answers = ["so <0>", "so <ten>"]
    path = write_lines(
        tmp_path / "samples_x.jsonl", *(harness_record(i, "ten", answers, 0) for i in range(5))
    )
    with pytest.raises(InputError, match=r"nothing shows that it would recognise one.*--answer-pattern"):
        read_evals(path)
    assert counts_by_problem(read_evals(path, answer_pattern="<(.*)>"))["all"]["0"] == (2, 1)


def test_markings_that_agree_with_the_log_but_not_with_each_other_are_named(tmp_path):
    answers = ["#### 7", "#### 7 or 8"]
    path = write_lines(
        tmp_path / "samples_x.jsonl", *(harness_record(i, "#### 7", answers, 1) for i in range(5))
    )
    with pytest.raises(
        InputError, match=r"strict-number \(10 correct\), last-number \(5 correct\).*--answer"
    ):
        read_evals(path)
    assert counts_by_problem(read_evals(path, answer="last-number"))["all"]["0"] == (2, 1)
    path = write_lines(
        tmp_path / "samples_x.jsonl",
        *(harness_record(i, "#### 7", answers, 1, filter="strict-match") for i in range(5)),
    )
    assert counts_by_problem(read_evals(path))["all"]["0"] == (2, 2)  # the filter says which


def test_two_filters_need_a_choice_where_they_differ(tmp_path):
    answers = ["it is 7", "it is 8"]
    strict, flexible = ({"filter": name} for name in ("strict-match", "flexible-extract"))
    records = [
        harness_record(0, "#### 7", answers, 0, **strict),
        harness_record(0, "#### 7", answers, 1, **flexible),
        harness_record(1, "#### 8", answers, 0, **strict),
        harness_record(1, "#### 8", answers, 0, **flexible),
    ]
    path = tmp_path / "samples_x.jsonl"
    for order in (records, records[::-1]):
        write_lines(path, *order)
        with pytest.raises(InputError, match=r"metrics on 1 documents.*strict-match.*--filter"):
            read_evals(path)
        found = counts_by_problem(read_evals(path, filter="flexible-extract"))
        assert found["all"] == {"0": (2, 1), "1": (2, 1)}
        with pytest.raises(InputError, match="--answer"):
            read_evals(path, filter="strict-match", answer="last-number")  # contradicts that filter's metric
    with pytest.raises(
        InputError, match="filter 'other' is not known; allowed: flexible-extract, strict-match"
    ):
        read_evals(path, filter="other")
    write_lines(path, records[1], {**records[1], **strict})  # they agree
    assert counts_by_problem(read_evals(path))["all"] == {"0": (2, 1)}
    write_lines(path, records[1], records[1])
    with pytest.raises(InputError, match="appears twice under filter"):
        read_evals(path)


def test_the_marking_that_was_asked_for_must_agree_too(tmp_path):
    path = write_lines(
        tmp_path / "samples_x.jsonl", *(harness_record(i, "#### 7", ["#### 7", "7"], 1) for i in range(5))
    )
    with pytest.raises(InputError, match=r"marking by boxed does not reproduce the log's metric.*0% of 5"):
        read_evals(path, answer="boxed")
    with pytest.raises(InputError, match=r"'goal' is not known.*target.*--answer-pattern"):
        read_evals(path, answer="goal")
    with pytest.raises(InputError, match="not a regular expression"):
        read_evals(path, answer_pattern="(")


def test_target_is_the_field(tmp_path):
    path = write_lines(
        tmp_path / "samples_x.jsonl",
        *(harness_record(i, "Blue", [" Blue", "blue", "target"], 1) for i in range(3)),
    )
    assert counts_by_problem(read_evals(path, answer="target"))["all"]["0"] == (3, 1)


def test_an_array_of_documents(tmp_path):
    records = [harness_record(i, "#### 7", ["#### 7", "#### 8"], 1.0) for i in range(2)]
    (tmp_path / "samples_x.jsonl").write_text(json.dumps(records, indent=2))
    assert counts_by_problem(read_evals(tmp_path / "samples_x.jsonl"))["all"] == {"0": (2, 1), "1": (2, 1)}


def test_one_answer_a_document_is_marked_by_the_log(tmp_path):
    records = [harness_record(i, "blue", ["it is blue"], float(i > 0)) for i in range(3)]
    path = write_lines(tmp_path / "samples_x.jsonl", *records)
    assert counts_by_problem(read_evals(path))["all"] == {"0": (1, 0), "1": (1, 1), "2": (1, 1)}


def test_pass_at_1_over_several_answers_is_the_share_of_correct_ones(tmp_path):
    record = harness_record(0, "tests", ["a", "b", "c", "d"], 0.0)
    del record["exact_match"]
    path = write_lines(tmp_path / "samples_x.jsonl", record | {"pass@1": 0.75})
    assert counts_by_problem(read_evals(path))["all"] == {"0": (4, 3)}
