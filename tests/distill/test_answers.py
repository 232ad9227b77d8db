"""The parser on hard strings; problems whose answer follows from their text; the vocabulary."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lidjax import InputError
from lidjax.distill.answers import answer_values, first_number, parse_answer
from lidjax.distill.problems import Difficulty, answer_length, draw_problems, question_length, tokenise
from lidjax.distill.vocabulary import LARGEST, decode, encode


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("He sells 16 - 3 - 4 = <<16-3-4=9>>9 eggs\n#### 18", 18),
        ("#### 1,234", 1234),
        ("#### 1,234,567.89", Fraction("1234567.89")),
        ("#### $70,000.", 70000),
        ("#### -5", -5),
        ("#### −12", -12),  # the typographic minus
        ("#### -$5", -5),
        ("#### $-5", -5),
        ("x=-4", -4),
        ("10 - 12 = -2", -2),
        ("5-3", 3),  # a difference, not a negative number
        ("3-5 years", 5),
        ("#### 3/4", Fraction(3, 4)),
        ("1 / 4 is left", Fraction(1, 4)),
        ("#### 2 1/2 cups", Fraction(5, 2)),
        ("#### .5", Fraction(1, 2)),
        ("#### 0.50 dollars", Fraction(1, 2)),
        ("#### 50%", 50),
        ("#### 12 = 12", 12),
        ("#### 7\nThe next question: 9", 7),
        ("#### 3\nno, wait\n#### 4", 4),
        ("The answer is 12 apples, not 13.", 12),
        ("The answer is: 3 + 4 = 7", 7),
        ("answer: 18.", 18),
        ("the answer is unclear, so 6", 6),
        (r"thus \boxed{42}", 42),
        ("he has 5 eggs.", 5),
        ("12.50.", Fraction(25, 2)),
        ("a list: 1,2", 2),
        ("####", None),
        ("#### none\n12", None),
        ("no number", None),
        ("", None),
        ("1/0", None),
        ("9" * 60, None),
    ],
)
def test_hard_strings(text, value):
    assert parse_answer(text) == value


@given(st.text(alphabet="0123456789,.-/$%# \nabc=", max_size=60))
def test_any_text_is_read_or_refused_and_never_raises(text):
    value = parse_answer(text)
    assert value is None or np.isfinite(float(value))


@given(st.integers(-(10**9), 10**9))
def test_a_number_is_read_back_however_it_is_written(number):
    for written in (
        f"#### {number}",
        f"#### {number:,}",
        f"so it is {number:,} in all.",
        f"#### ${number:,}.00",
    ):
        assert parse_answer(written) == number


def test_values_and_the_first_number():
    values = answer_values(["#### 1/2", "none", "0.5"])
    np.testing.assert_array_equal(values, [0.5, np.nan, 0.5])
    rows = np.array([[np.nan, 3.0, 4.0], [np.nan] * 3, [5.0, 6.0, np.nan]])
    np.testing.assert_array_equal(first_number(rows), [3, np.nan, 5])


@pytest.mark.parametrize("scratchpad", [True, False])
def test_the_answer_of_a_problem_follows_from_its_words(scratchpad):
    difficulty = Difficulty(steps=4, operand=30, distractors=2, scratchpad=scratchpad)
    problems = draw_problems(3, 300, difficulty)
    for problem in problems:
        words = problem.question.split()
        thing = words[-2]
        value, at = int(words[2]), 4
        partial, aside = [], 0
        assert words[3] == thing
        while at < len(words) - 2:
            if words[at] in ("doubles", "triples"):
                verb, amount, owner, at = words[at], 0, words[at + 1], at + 2
            else:
                verb, amount, owner, at = words[at], int(words[at + 1]), words[at + 2], at + 3
            if owner != thing:
                aside += 1
                continue
            value = {
                "gets": value + amount,
                "loses": value - amount,
                "doubles": 2 * value,
                "triples": 3 * value,
            }[verb]
            assert 0 <= value <= LARGEST
            partial.append(value)
        assert value == problem.answer == parse_answer(problem.solution)
        assert (len(partial), aside) == (problem.steps, problem.distractors)
        shown = problem.solution.split("####")[0].split()
        assert shown == ([str(x) for x in partial] if scratchpad else [])
    assert {p.steps for p in problems} == {1, 2, 3, 4}
    assert {p.distractors for p in problems} == {0, 1, 2}
    assert len({p.question for p in problems}) == 300


def test_tokens_hold_the_longest_problem_and_decode_to_the_same_text():
    difficulty = Difficulty(steps=3, operand=99, distractors=3, scratchpad=True)
    problems = draw_problems(1, 500, difficulty)
    tokens = tokenise(problems, difficulty)
    assert tokens.question.shape == (500, question_length(difficulty))
    assert tokens.answer.shape == (500, answer_length(difficulty))
    for problem, question, answer in zip(problems, *tokens, strict=True):
        assert decode(answer) == problem.solution
        assert question[-len(encode(problem.question)) :].tolist() == encode(problem.question)


def test_held_out_questions_are_not_drawn_again_and_too_few_are_said():
    difficulty = Difficulty(steps=1, operand=2, distractors=0)
    held = frozenset(p.question for p in draw_problems(0, 20, difficulty))
    again = draw_problems(1, 500, difficulty, held, repeats=True)
    assert not held & {p.question for p in again}
    with pytest.raises(InputError, match="too few different problems"):
        draw_problems(0, 500, difficulty)
