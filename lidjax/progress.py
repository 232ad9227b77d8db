"""How long computations report their progress: one signature for the library, and a default that shows nothing."""

from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar, runtime_checkable

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@runtime_checkable
class Steps(Protocol[T_co]):
    """Steps of known number: a list, an array, or anything with a length that can be iterated once."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[T_co]: ...


@runtime_checkable
class Progress(Protocol):
    """Shows the progress of a stage: called with its steps, returns them one by one.

    Every function of this library that takes long accepts one as `progress`. `done` counts steps of the same stage
    that were completed by an earlier run and are not among `steps`.
    """

    def __call__(self, stage: str, steps: Steps[T], *, done: int = 0) -> Iterable[T]: ...


def no_progress(stage: str, steps: Steps[T], *, done: int = 0) -> Iterable[T]:
    """The default: shows nothing."""
    return steps


@contextmanager
def ended_after(steps: Iterable[T]) -> Generator[Iterable[T]]:
    """Steps whose display ends with the `with` block, also where an error leaves it: before the error is printed."""
    try:
        yield steps
    finally:
        close = getattr(steps, "close", None)
        if close is not None:
            close()
