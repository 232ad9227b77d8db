"""Commands that are interrupted: one line, the exit code of the signal, and how to go on where that is possible."""

import contextlib
import os
import shlex
import signal
import sys
import threading
from collections.abc import Generator
from pathlib import Path
from types import FrameType

RESUMABLE = ("run", "distill")
"""Commands that keep completed work and resume it."""
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Terminated(KeyboardInterrupt):
    """SIGTERM arrived."""


def say_interrupted(command: str | None, number: int, *, step: str = "") -> int:
    """Print that a command was interrupted, after a complete step if one is named; returns the exit code."""
    word = "interrupted" if number == signal.SIGINT else "terminated"
    after = f" after a complete {step}" if step else ""
    if command in RESUMABLE:
        text = f"lidjax: {word}{after}; completed work is kept, to resume:\n  {resume_command()}"
    else:
        text = f"lidjax: {word}"
    print(text, file=sys.stderr, flush=True)
    return 128 + number


def resume_command() -> str:
    """The command as it was typed, without what must not be repeated."""
    words = [Path(sys.argv[0]).name, *sys.argv[1:]]
    return shlex.join(word for word in words if word != "--no-resume")


@contextlib.contextmanager
def end_at_once() -> Generator[None]:
    """While libraries are imported a signal ends the process: an exception could get lost there, or become another."""

    def end(number: int, frame: FrameType | None) -> None:
        os.write(2, b"lidjax: interrupted\n" if number == signal.SIGINT else b"lidjax: terminated\n")
        os._exit(128 + number)

    with _handlers(dict.fromkeys(SIGNALS, end)):
        yield


@contextlib.contextmanager
def raise_on_signals() -> Generator[None]:
    """SIGTERM raises `Terminated`, as Ctrl-C raises KeyboardInterrupt."""

    def terminate(number: int, frame: FrameType | None) -> None:
        raise Terminated

    with _handlers({signal.SIGINT: signal.default_int_handler, signal.SIGTERM: terminate}):
        yield


@contextlib.contextmanager
def _handlers(handlers: "dict[signal.Signals, object]") -> Generator[None]:
    """Handlers of signals, put back at the end. Only the main thread may set them: elsewhere nothing is done."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in handlers}
    for number, handler in handlers.items():
        if before[number] != signal.SIG_IGN:  # nohup and shells ignore signals on purpose
            signal.signal(number, handler)  # pyright: ignore[reportArgumentType]
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
