"""What the experiment needs of a backend, embedded models or Hugging Face models: questions, a teacher, students."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np
from jaxtyping import Float

from lidjax.distill.status import StudentStatus
from lidjax.progress import Progress

TARGET_DRAWS = 8
"""The teacher's target answer is the first with a number among so many draws. A heuristic: few questions have none."""


class TeacherAnswers(NamedTuple):
    """The teacher's answers to the held-out questions, as numbers; NaN where an answer contains no number."""

    target: Float[np.ndarray, " q"]
    """One answer to each question, from draws of its own: it is not among `answers`."""
    answers: Float[np.ndarray, "q m"]
    """m sampled answers to each question."""


class Student(NamedTuple):
    """One trained student: its answers to the held-out questions, as numbers, and its losses in nats an answer."""

    n: int
    """N, the number of teacher answers that it was trained on."""
    seed: int
    """Its value on the axis `seed` of the grid."""
    greedy: Float[np.ndarray, " q"]
    """Its greedy answer to each question."""
    sampled: Float[np.ndarray, "q a"]
    """Its sampled answers, one for each attempt at a question."""
    train_loss: float
    """Cross-entropy of answers that it was trained on."""
    heldout_loss: float
    """Cross-entropy of the teacher's answers to the held-out questions."""
    lgen: float
    """`heldout_loss` minus the teacher's own loss on the same answers: an estimate of KL(teacher, student)."""
    status: StudentStatus


def diverged_student(
    n: int, seed: int, questions: int, attempts: int, losses: tuple[float, float, float]
) -> Student:
    """A student whose training diverged: `losses` are its train_loss, heldout_loss and lgen, and it has no answers."""
    no_answer = np.full((questions, attempts), np.nan)
    return Student(n, seed, no_answer[:, 0], no_answer, *losses, StudentStatus.TRAINING_NOT_FINITE)


class Backend(Protocol):
    """One way to make the teacher and the students.

    What a stage has computed is kept in the folder `work` beside the store, so that an interrupted run can be resumed.
    """

    questions: list[str]
    """The held-out questions."""
    truth: Float[np.ndarray, " q"]
    """Their right answers."""

    def teacher(self, progress: Progress) -> TeacherAnswers:
        """Make or load the teacher, and its answers to the training questions and the held-out questions."""
        ...

    def students(self, pairs: list[tuple[int, int]], progress: Progress) -> Iterator[Student]:
        """Train and sample the students of the (N, seed) in `pairs`, one by one. To be called after `teacher`."""
        ...
