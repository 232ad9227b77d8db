"""Spread, agreement and Hill's index against draws whose index is known."""

import json

import numpy as np
import pytest

from lidjax import InputError
from lidjax.distill.dispersion import (
    agreement_counts,
    hill_index,
    measure_spread,
    read_repeated_answers,
    spread_indices,
)
from lidjax.distill.teacher_report import report_teacher
from lidjax.features import tail_index


def test_spread_and_disagreement_by_hand():
    answers = np.array([[10.0, 10, 10, 14], [0, 0, 2, 2], [5, np.nan, np.nan, 5], [np.nan] * 4])
    found = measure_spread(answers)
    np.testing.assert_allclose(found.spread[:3], [0.1, 1.0, 0.0])
    assert np.isnan(found.spread[3])
    np.testing.assert_allclose(found.disagreement, [0.5, 2 / 3, 5 / 6, 1.0])


@pytest.mark.parametrize("index", [1.0, 2.5])
def test_hill_finds_the_index_of_a_pareto_law(index):
    """At the true index the estimate has standard error index/√count: 4 of them, 6e-5 by chance."""
    values = np.random.default_rng(0).pareto(index, 20_000) + 1
    assert abs(hill_index(values, 2000) - index) < 4 * index / np.sqrt(2000)
    assert np.isnan(hill_index(np.zeros(100), 10))


def test_hill_agrees_with_the_index_of_real_features():
    """Two forms of one estimate, of β/2 here and of β there; their last bits differ."""
    values = np.random.default_rng(4).pareto(2.0, 1000) + 1
    assert 2 * hill_index(values, 100) == pytest.approx(tail_index(values, 0.1).beta, rel=1e-13)


def test_the_precision_of_lid_shows_in_the_spread():
    """Answers 1 + σ z/√τ with τ ~ Gamma(β/2): the spread's tail index is β. In the far tail, 2 % of 60,000."""
    rng = np.random.default_rng(1)
    for beta in (1.5, 4.0):
        tau = rng.gamma(beta / 2, size=(60_000, 1))
        answers = 1e6 + rng.normal(size=(60_000, 10)) / np.sqrt(tau)
        value = hill_index(measure_spread(answers).spread, 1200)
        assert abs(value - beta) < 4 * beta / np.sqrt(1200) + 0.1 * beta  # the tail is Pareto far out only


def test_intervals_of_the_index_cover():
    """95 % intervals on 60 samples of a Pareto law of index 2: 54 cover. Under 50 has chance 2e-4 at 0.95."""
    rng = np.random.default_rng(2)
    hits = 0
    for seed in range(60):
        tails = spread_indices(rng.pareto(2.0, 600) + 1, replicates=200, seed=seed)
        tail = next(t for t in tails if t.share == 0.1)
        hits += tail.lower < 2.0 < tail.upper
    assert hits >= 50


def test_agreement_counts_leave_one_draw_out():
    answers = np.array([[1.0, 1, 1, 2], [np.nan] * 4, [3, np.nan, np.nan, np.nan]])
    n, c = agreement_counts(answers)
    assert n.tolist() == [3, 3]
    assert c[0] in (0, 2)
    assert c[1] == 0
    # each draw is the target in turn: the mean of c/n is the chance that two draws agree
    means = [agreement_counts(answers[:1], seed=s)[1][0] / 3 for s in range(400)]
    assert np.mean(means) == pytest.approx(0.5, abs=4 * 0.29 / 20)


def test_files_of_repeated_answers(tmp_path):
    counts, lists = tmp_path / "counts.jsonl", tmp_path / "lists.jsonl"
    counts.write_text(json.dumps({"train_idx_raw": 1, "counts": {"5": 2, "1,000": 1}}) + "\n")
    lists.write_text(json.dumps({"idx": 0, "gold": "3", "a": ["3", None], "b": ["4.5"]}) + "\n")
    np.testing.assert_array_equal(read_repeated_answers(counts)["answers"], [[5, 5, 1000]])
    found = read_repeated_answers(lists)
    assert set(found) == {"a", "b"}
    np.testing.assert_array_equal(found["a"], [[3, np.nan]])
    (tmp_path / "bad.jsonl").write_text("{")
    (tmp_path / "list.jsonl").write_text("[1]")
    (tmp_path / "none.jsonl").write_text('{"idx": 0}')
    (tmp_path / "uneven.jsonl").write_text('{"a": ["3"]}\n{"b": ["3"]}\n')
    for name, words in (
        ("bad", "cannot be read"),
        ("absent", "cannot be read"),
        ("list", "each line must be a table"),
        ("none", "neither `counts` nor a list"),
        ("uneven", "the same `counts` or lists as the first"),
    ):
        with pytest.raises(InputError, match=words):
            read_repeated_answers(tmp_path / f"{name}.jsonl")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "style", "questions"),
    [
        ("teacher_codedavinci002_train1000_k10.jsonl", "answers", 1000),
        ("teacher_llama31_8b_test_k10.jsonl", "cot", 1319),
        ("teacher_llama31_8b_test_k10.jsonl", "cod", 1319),
    ],
)
def test_real_teachers_are_measured(real_data, file, style, questions):
    answers = read_repeated_answers(real_data / "gsm8k" / file)[style]
    report = report_teacher(style, answers)
    assert report.questions == questions
    assert all(tail.lower < tail.value < tail.upper for tail in report.spread_tail)
    assert 0 < report.disagreement[2] < 1
