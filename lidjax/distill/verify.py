"""Counting right answers: a student's attempts against the ground truth and against its teacher."""

import numpy as np
from jaxtyping import Float

from lidjax.distill.backend import Student, TeacherAnswers
from lidjax.distill.job import TARGETS
from lidjax.distill.status import StudentStatus
from lidjax.runs.schema import CellValues


def verify(
    student: Student, truth: Float[np.ndarray, " q"], teacher: TeacherAnswers
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Attempts n, right attempts c, and the chance that the greedy answer is right, each over (target, question).

    The targets are

    truth     the student's attempts against the right answer
    teacher   the student's attempts against one realised answer of the teacher (App. B.4)
    fresh     the student's greedy answer against fresh answers of the teacher, one for each attempt (Sec. 4.2)
    """
    attempts: list[np.ndarray] = []
    correct: list[np.ndarray] = []
    greedy: list[np.ndarray] = []
    for target in (truth, teacher.target):
        known = np.isfinite(target)
        attempts.append(np.where(known, student.sampled.shape[1], 0))
        correct.append(np.sum(student.sampled == target[:, None], axis=1))
        greedy.append((student.greedy == target).astype(np.float64))
    matches = np.sum(teacher.answers == student.greedy[:, None], axis=1)
    draws = teacher.answers.shape[1]
    attempts.append(np.full(len(matches), draws))
    correct.append(matches)
    greedy.append(matches / draws)
    return np.stack(attempts), np.stack(correct), np.stack(greedy)


def student_values(student: Student, truth: Float[np.ndarray, " q"], teacher: TeacherAnswers) -> CellValues:
    """Every variable of a student's cell. A student whose training diverged has no attempts."""
    if student.status == StudentStatus.OK:
        counts = verify(student, truth, teacher)
    else:
        counts = tuple(np.zeros((len(TARGETS), len(truth))) for _ in range(3))
    values = dict(zip(("attempts", "correct", "greedy"), counts, strict=True))
    values |= {name: np.asarray(getattr(student, name)) for name in ("train_loss", "heldout_loss", "lgen")}
    return {name: value[None, None] for name, value in values.items()}
