"""Ctrl-C once ends after the tile in hand; twice, at once. SIGTERM, which schedulers send, is asking once."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Stopped(KeyboardInterrupt):
    """The run was asked to end and did so after a whole tile."""


class Stop:
    """Whether somebody asked the run to end."""

    asked = False

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.asked = True
        print("\nlidjax: ending after the tile in hand; Ctrl-C again drops it", file=sys.stderr, flush=True)

    def check(self) -> None:
        """Between tiles: raise `Stopped` if the run was asked to end."""
        if self.asked:
            raise Stopped


@contextmanager
def stop_after_tile() -> Iterator[Stop]:
    """Catch the signals for as long as a run lasts; in another thread than the main one they stay as they are."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, stop._ask)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
