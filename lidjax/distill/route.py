"""What the experiment needs of a route (embedded models or real ones): questions, a teacher's answers, students."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np
from jaxtyping import Float

from lidjax.distill.status import StudentStatus
from lidjax.runs.progress import Progress


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
    """One way to run the experiment. Its stages are kept in the folder `work`, so that a run can be resumed."""

    questions: list[str]
    truth: Float[np.ndarray, " q"]

    def teacher(self, progress: Progress) -> TeacherAnswers:
        """Make or load the teacher and its answers, to training and held-out questions."""
        ...

    def students(self, pairs: list[tuple[int, int]], progress: Progress) -> Iterator[Student]:
        """Train and sample the students of the (N, seed) in `pairs`, one by one."""
        ...
