"""Showing progress: a bar on a terminal, a line now and then in a log.

Both move on while a step takes long, such as the first, which compiles what the others run.
"""

import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import (
    Progress as RichProgress,
)
from rich.text import Text

from lidjax.progress import Progress as Progress
from lidjax.progress import Steps
from lidjax.progress import no_progress as no_progress
from lidjax.runs.compiling import watch_programs

FIRST_SECONDS, LOG_SECONDS = 1.0, 10.0  # to the first line, and between two, where there is no terminal
T = TypeVar("T")


def show_progress(stage: str, steps: Steps[T], *, done: int = 0) -> Iterable[T]:
    """Show progress on standard error: a bar on a terminal or in a notebook, elsewhere lines.

    The first line comes after a second, the others every ten seconds.

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
            _CompilingColumn(),
        )
        with RichProgress(*columns, console=self.console) as bar:
            task = bar.add_task(stage, total=done + len(steps), completed=done)
            for step in steps:
                yield step
                bar.advance(task)

    def _lines(self, stage: str, steps: Steps[T], done: int) -> Iterator[T]:
        start, total, left, count = time.monotonic(), done + len(steps), len(steps), 0
        programs = watch_programs()
        before = programs.compiled

        def say() -> None:
            seconds = time.monotonic() - start
            more = (
                f", {seconds / count * (left - count):,.0f} s left" if count else f", {seconds:,.0f} s so far"
            )
            compiling = "" if count else programs.describe(before)
            text = f"{stage}: {done + count:,} of {total:,}{more}" + (f", {compiling}" if compiling else "")
            self.console.print(text, highlight=False, soft_wrap=True)

        with _every(min(FIRST_SECONDS, LOG_SECONDS), LOG_SECONDS, say):
            for step in steps:
                yield step
                count += 1


class _CompilingColumn(ProgressColumn):
    """What is being compiled, until the first step is done."""

    def __init__(self) -> None:
        super().__init__()
        self.programs = watch_programs()
        self.before = self.programs.compiled
        self.first: float | None = None

    def render(self, task: Task) -> Text:
        self.first = task.completed if self.first is None else self.first
        return Text(self.programs.describe(self.before) if task.completed == self.first else "")


@contextmanager
def _every(first: float, seconds: float, say: Callable[[], None]) -> Generator[None]:
    """Call `say` after `first` seconds and then every so many, from a thread of its own."""
    stop = threading.Event()

    def loop() -> None:
        wait = first
        while not stop.wait(wait):
            say()
            wait = seconds

    thread = threading.Thread(target=loop, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
