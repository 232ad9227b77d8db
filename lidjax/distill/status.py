"""What became of a student. Failure is data: a training that diverges marks its own (N, seed) and no other."""

from enum import IntEnum

from lidjax import status


class StudentStatus(IntEnum):
    """Status code of a student, that is of one (N, seed), in the results of the teacher-student experiment.

    Attributes:
        PENDING: Not trained yet.
        OK: Trained, and its answers counted.
        TRAINING_NOT_FINITE: The training diverged: the loss on the student's own training set is not finite.
    """

    PENDING = status.PENDING
    OK = status.OK
    TRAINING_NOT_FINITE = 1
