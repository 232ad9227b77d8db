"""Stopping a long run between two steps, when Ctrl-C is pressed or a scheduler sends SIGTERM.

The library never installs signal handlers by itself: the command line, or a script that wants to, does it with
`stop_on_signals` and passes the result to `run_sweep` or `run_distillation`.
"""

import logging
import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

logger = logging.getLogger(__name__)


class Stopped(KeyboardInterrupt):
    """The run was asked to stop, and did so after completing a step.

    `number` is the signal that asked for it, `signal.SIGINT` if it was another thread.
    """

    def __init__(self, number: int = signal.SIGINT) -> None:
        super().__init__()
        self.number = number


class StopRequest:
    """Whether a run has been asked to stop. Runs look at it between two steps."""

    def __init__(self) -> None:
        self.requested = False
        self.number: int = signal.SIGINT

    def request(self) -> None:
        """Ask the run to stop after its current step."""
        self.requested = True

    def check(self) -> None:
        """Raise `Stopped` if the run was asked to stop."""
        if self.requested:
            raise Stopped(self.number)

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        """Handler of a signal: the first is a request, a second Ctrl-C interrupts at once."""
        if self.requested and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.number = number
        self.request()
        logger.warning(
            "stopping after the current step; press Ctrl-C again to stop at once and lose that step"
        )


@contextmanager
def stop_on_signals() -> Generator[StopRequest]:
    """Turn the first Ctrl-C, and SIGTERM, into a request to stop; a second Ctrl-C interrupts at once.

    Use as a context manager around a run. The handlers found are put back at the end. Outside of the main thread,
    where Python allows no signal handlers, the request is never made.

    Returns:
        The request to pass as `stop`.

    Example:
        >>> import lidjax
        >>> with lidjax.stop_on_signals() as stop:
        ...     stop.requested
        False
    """
    stop = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, stop.on_signal)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
