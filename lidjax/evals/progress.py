"""How long computations report their progress."""

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar, runtime_checkable

Step = TypeVar("Step")


@runtime_checkable
class Progress(Protocol):
    """A callable that passes `steps` on one by one and may report each of them.

    `stage` names the computation, in the plural of its steps ("groups", "seeds"). `done` is the number of steps that
    were completed before, and that are not among `steps`.
    """

    def __call__(self, stage: str, steps: Sequence[Step], *, done: int = 0) -> Iterable[Step]: ...


def no_progress(stage: str, steps: Sequence[Step], *, done: int = 0) -> Iterable[Step]:
    """Report nothing."""
    return steps
