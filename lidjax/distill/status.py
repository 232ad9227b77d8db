"""What a student came to. Failure is data: a training that diverges marks its own (N, seed) and leaves the others."""

from enum import IntEnum


class StudentStatus(IntEnum):
    """Code of one (N, seed) in a store."""

    PENDING = -1
    OK = 0
    TRAINING_NOT_FINITE = 1


STUDENT_MESSAGES = {
    StudentStatus.PENDING: "not done yet: run the same spec again to go on",
    StudentStatus.OK: "computed",
    StudentStatus.TRAINING_NOT_FINITE: "training diverged (loss or adapters not finite): a smaller lora.learning_rate "
    "helps",
}
