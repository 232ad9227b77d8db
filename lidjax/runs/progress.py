"""Showing progress: a bar on a terminal, a line now and then in a log."""

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import (
    Progress as RichProgress,
)

from lidjax.progress import Steps

LOG_SECONDS = 10.0  # between two lines where there is no terminal
T = TypeVar("T")


def show_progress(stage: str, steps: Steps[T], *, done: int = 0) -> Iterable[T]:
    """Show progress on standard error: a bar on a terminal or in a notebook, elsewhere a line every ten seconds.

    Args:
        stage: What the steps are, such as "tiles".
        steps: The steps to do, with a length.
        done: Steps completed earlier.

    Returns:
        The steps, in order.

    Example:
        >>> import lidjax
        >>> list(lidjax.show_progress("squares", [1, 2, 3]))
        [1, 2, 3]
    """
    return ConsoleProgress(Console(stderr=True))(stage, steps, done=done)


class ConsoleProgress:
    """Progress on a console of your own, such as a quiet one. See `show_progress`."""

    def __init__(self, console: Console):
        self.console = console

    def __call__(self, stage: str, steps: Steps[T], *, done: int = 0) -> Iterable[T]:
        if self.console.quiet or not len(steps):
            return steps
        if self.console.is_terminal or self.console.is_jupyter:
            return self._bar(stage, steps, done)
        return self._lines(stage, steps, done)

    def _bar(self, stage: str, steps: Steps[T], done: int) -> Iterator[T]:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        with RichProgress(*columns, console=self.console) as bar:
            task = bar.add_task(stage, total=done + len(steps), completed=done)
            for step in steps:
                yield step
                bar.advance(task)

    def _lines(self, stage: str, steps: Steps[T], done: int) -> Iterator[T]:
        start = last = time.monotonic()
        total = done + len(steps)
        for count, step in enumerate(steps, start=1):
            yield step
            now = time.monotonic()
            if now - last >= LOG_SECONDS:
                last = now
                left = (now - start) / count * (len(steps) - count)
                self.console.print(
                    f"{stage}: {done + count:,} of {total:,}, {left:,.0f} s left", highlight=False
                )
