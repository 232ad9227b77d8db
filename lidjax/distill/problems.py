"""Multi-step arithmetic word problems whose difficulty varies from one to the next.

    Ann has 17 pens gets 12 pens gets 5 cups loses 3 pens pens ?   →   29 26 #### 26

Three things make a problem hard: the number of its steps, the size of its operands, and distractors, which are
statements about another thing and leave the answer alone. With a scratchpad the solution shows the result of each step,
as the solutions of GSM8K do; without one it is the answer alone.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from lidjax.distill.vocabulary import LARGEST, NAMES, THINGS, encode, pad_left, pad_right
from lidjax.errors import InputError

DRAWS_PER_PROBLEM = 20
"""Draws for each problem that is wanted, after which there are too few different ones. A heuristic."""


class Difficulty(NamedTuple):
    """Limits of what a problem draws."""

    steps: int = 4
    """Largest number of steps; a problem has 1 to this many."""
    operand: int = 50
    """Largest operand; a problem draws a limit of its own, log-uniform from 2 to this."""
    distractors: int = 2
    """Largest number of distractors; a problem has 0 to this many."""
    scratchpad: bool = False
    """Whether the solution shows the result of each step."""


class Problem(NamedTuple):
    """A question and its solution as text, the answer, and what makes the problem hard."""

    question: str
    solution: str
    answer: int
    steps: int
    operand: int
    """The limit of its operands."""
    distractors: int


def draw_problem(rng: np.random.Generator, difficulty: Difficulty) -> Problem:
    """One problem. All its quantities are whole numbers from 0 to LARGEST."""
    steps = int(rng.integers(1, difficulty.steps + 1))
    operand = round(2 ** rng.uniform(1, np.log2(max(2, difficulty.operand))))
    distractors = int(rng.integers(0, difficulty.distractors + 1))
    name = NAMES[rng.integers(len(NAMES))]
    first, second = (int(i) for i in rng.choice(len(THINGS), 2, replace=False))
    thing, other = THINGS[first], THINGS[second]
    value = int(rng.integers(1, max(2, operand) + 1))
    statements = [f"{name} has {value} {thing}"]
    results: list[int] = []
    about_other = set(rng.choice(steps + distractors, distractors, replace=False).tolist())
    for position in range(steps + distractors):
        if position in about_other:
            verb = ("gets", "loses")[rng.integers(2)]
            statements.append(f"{verb} {rng.integers(1, operand + 1)} {other}")
            continue
        verb, amount, value = draw_step(rng, value, operand)
        statements.append(f"{verb} {amount} {thing}" if amount else f"{verb} {thing}")
        results.append(value)
    scratchpad = " ".join(map(str, results)) + " " if difficulty.scratchpad else ""
    question = " ".join(statements) + f" {thing} ?"
    return Problem(question, f"{scratchpad}#### {value}", value, steps, operand, distractors)


def draw_step(rng: np.random.Generator, value: int, operand: int) -> tuple[str, int, int]:
    """The verb, the amount (0 if the verb has none) and the new value of a step that stays within 0 to LARGEST."""
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
    """Tokens of the longest question."""
    first, last = 4, 2  # name, "has", number, thing; thing, "?"
    return first + 3 * (difficulty.steps + difficulty.distractors) + last


def answer_length(difficulty: Difficulty) -> int:
    """Tokens of the longest solution: results of the steps, "####", the answer, the end."""
    return (difficulty.steps if difficulty.scratchpad else 0) + 3


class Tokens(NamedTuple):
    """Problems as token ids."""

    question: Int[np.ndarray, "m p"]
    """Questions, padded on the left."""
    answer: Int[np.ndarray, "m r"]
    """Solutions with their end, padded on the right."""


def tokenise(problems: list[Problem], difficulty: Difficulty) -> Tokens:
    """Problems as arrays whose width depends on the difficulty alone."""
    left, right = question_length(difficulty), answer_length(difficulty)
    return Tokens(
        np.stack([pad_left(encode(p.question), left) for p in problems]),
        np.stack([pad_right(encode(p.solution), right) for p in problems]),
    )


def draw_problems(
    seed: int | Sequence[int],
    count: int,
    difficulty: Difficulty,
    excluded: frozenset[str] = frozenset(),
    *,
    repeats: bool = False,
) -> list[Problem]:
    """`count` problems with no question in `excluded`; all different, unless `repeats` allows the same one twice.

    Raises InputError if there are too few problems of this difficulty.
    """
    rng = np.random.default_rng(seed)
    found: list[Problem] = []
    seen = set(excluded)
    for _ in range(DRAWS_PER_PROBLEM * count):
        if len(found) == count:
            break
        problem = draw_problem(rng, difficulty)
        if problem.question not in seen:
            found.append(problem)
            if not repeats:
                seen.add(problem.question)
    if len(found) < count:
        raise InputError(
            f"too few different problems with steps = {difficulty.steps}, operand = {difficulty.operand}, "
            f"distractors = {difficulty.distractors}: {count:,} are wanted, {len(found):,} were found; raise these "
            "values of [problems], or ask for less (grid.n, evaluation.questions)"
        )
    return found
