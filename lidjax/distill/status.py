"""What became of a student. Failure is data: a training that diverges marks its own (N, seed) and no other."""

from enum import IntEnum


class StudentStatus(IntEnum):
    """Code of one (N, seed) in a store."""

    PENDING = -1
    OK = 0
    TRAINING_NOT_FINITE = 1
