"""What the experiment needs of a route: questions, a teacher's answers, students one by one."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from jaxtyping import Float

from lidjax.distill.status import StudentStatus

Track = Callable[[str, Sequence[Any], int], Iterable[Any]]
"""Wraps the steps of a named stage, given how many of its steps were done before, to show progress."""


def untracked(stage: str, steps: Sequence[Any], done: int) -> Iterable[Any]:
    return steps


class TeacherAnswers(NamedTuple):
    """The teacher on the held-out questions: parsed answers, NaN where it gave no number.

    `target` is one realised answer a question, from a draw of its own: it is not among `answers`.
    """

    target: Float[np.ndarray, " q"]
    answers: Float[np.ndarray, "q m"]


class Student(NamedTuple):
    """One trained student on the held-out questions: its greedy and sampled answers, parsed, and its losses."""

    n: int
    seed: int
    greedy: Float[np.ndarray, " q"]
    sampled: Float[np.ndarray, "q a"]
    train_loss: float
    heldout_loss: float
    lgen: float
    status: StudentStatus


class Route(Protocol):
    """One way to run the experiment. Stages are kept in the work folder, so that an interrupted run goes on."""

    questions: list[str]
    truth: Float[np.ndarray, " q"]

    def teacher(self, track: Track) -> TeacherAnswers:
        """Make or load the teacher and its answers, to training and held-out questions."""
        ...

    def students(self, waiting: list[tuple[int, int]], track: Track) -> Iterator[Student]:
        """Train and sample the students of the (N, seed) in `waiting`."""
        ...
