"""Multi-step arithmetic word problems whose difficulty varies from one to the next.

    Ann has 17 pens gets 12 cups gets 5 pens doubles pens ?   →   22 44 #### 44

Difficulty is the number of steps, the size of the operands, and distractors: statements about another thing, which
leave the answer alone. With `scratchpad` the solution shows the result of each step, as GSM8K's do; without it, only
the answer.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from lidjax.distill.vocabulary import LARGEST, NAMES, THINGS, encode, pad_left, pad_right
from lidjax.errors import InputError

TRIES = 20  # draws a problem wanted, before it is said that there are too few


class Difficulty(NamedTuple):
    """Upper ends of what is drawn: steps 1 to `steps`, operands 1 to a limit itself log-uniform up to `operand`,
    distractors 0 to `distractors`."""

    steps: int = 4
    operand: int = 50
    distractors: int = 2
    scratchpad: bool = False


class Problem(NamedTuple):
    """A question with its solution, both as text, its answer, and what makes it hard."""

    question: str
    solution: str
    answer: int
    steps: int
    operand: int
    distractors: int


def draw_problem(rng: np.random.Generator, difficulty: Difficulty) -> Problem:
    """One problem; all its quantities are whole numbers from 0 to LARGEST."""
    steps = int(rng.integers(1, difficulty.steps + 1))
    operand = round(2 ** rng.uniform(1, np.log2(max(2, difficulty.operand))))
    distractors = int(rng.integers(0, difficulty.distractors + 1))
    name = NAMES[rng.integers(len(NAMES))]
    first, second = (int(i) for i in rng.choice(len(THINGS), 2, replace=False))
    thing, other = THINGS[first], THINGS[second]
    value = int(rng.integers(1, max(2, operand) + 1))
    words, partial = [f"{name} has {value} {thing}"], []
    aside = set(rng.choice(steps + distractors, distractors, replace=False).tolist())
    for place in range(steps + distractors):
        if place in aside:
            words.append(f"{('gets', 'loses')[rng.integers(2)]} {rng.integers(1, operand + 1)} {other}")
            continue
        verb, amount, value = draw_step(rng, value, operand)
        words.append(f"{verb} {amount} {thing}" if amount else f"{verb} {thing}")
        partial.append(value)
    shown = " ".join(map(str, partial)) + " " if difficulty.scratchpad else ""
    question = " ".join(words) + f" {thing} ?"
    return Problem(question, f"{shown}#### {value}", value, steps, operand, distractors)


def draw_step(rng: np.random.Generator, value: int, operand: int) -> tuple[str, int, int]:
    """(verb, amount or 0, new value): one of the steps that stay within 0 to LARGEST."""
    amount = int(rng.integers(1, operand + 1))
    possible = [
        ("gets", amount, value + amount),
        ("loses", amount, value - amount),
        ("doubles", 0, 2 * value),
        ("triples", 0, 3 * value),
    ]
    possible = [step for step in possible if 0 <= step[2] <= LARGEST]
    return possible[rng.integers(len(possible))] if possible else ("loses", value, 0)


def question_length(difficulty: Difficulty) -> int:
    """Tokens of the longest question: name, has, number, thing; three a statement; the thing and ?"""
    return 4 + 3 * (difficulty.steps + difficulty.distractors) + 2


def answer_length(difficulty: Difficulty) -> int:
    """Tokens of the longest solution with its end."""
    return (difficulty.steps if difficulty.scratchpad else 0) + 3


class Tokens(NamedTuple):
    """Problems as arrays: questions padded on the left, answers ended and padded on the right."""

    question: Int[np.ndarray, "m p"]
    answer: Int[np.ndarray, "m r"]


def tokenise(problems: list[Problem], difficulty: Difficulty) -> Tokens:
    """Arrays of fixed width for every list of problems of one difficulty."""
    left, right = question_length(difficulty), answer_length(difficulty)
    return Tokens(
        np.stack([pad_left(encode(p.question), left) for p in problems]),
        np.stack([pad_right(encode(p.solution), right) for p in problems]),
    )


def draw_problems(
    seed, count: int, difficulty: Difficulty, without: frozenset[str] = frozenset(), *, repeats: bool = False
) -> list[Problem]:
    """`count` problems, all different unless `repeats`; none has its question in `without` (held out).

    InputError where there are too few problems of this difficulty.
    """
    rng = np.random.default_rng(seed)
    found: list[Problem] = []
    seen = set(without)
    for _ in range(TRIES * count):
        if len(found) == count:
            return found
        problem = draw_problem(rng, difficulty)
        if problem.question not in seen:
            found.append(problem)
            if not repeats:
                seen.add(problem.question)
    raise InputError(
        f"too few different problems of {difficulty}: {len(found)} of {count} found; raise problems.steps, operand or "
        "distractors, or ask for fewer questions"
    )
