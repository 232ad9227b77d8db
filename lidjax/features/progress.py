"""The type of the callables that show progress."""

from collections.abc import Callable, Iterable
from typing import Any

Progress = Callable[..., Iterable[Any]]
"""`progress(stage, steps, done=0)` yields the sized iterable `steps` and shows how far the named stage is."""


def without_progress(stage: str, steps: Iterable[Any], *, done: int = 0) -> Iterable[Any]:
    """The steps themselves, with nothing shown."""
    return steps
