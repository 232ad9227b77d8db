"""Progress where there is no terminal: lines come while a step takes long, and say what is being compiled."""

import io
import threading

import pytest
from rich.console import Console

from lidjax.progress import ended_after
from lidjax.runs import progress as progress_module
from lidjax.runs.compiling import COMPILED, LOWERED, Programs
from lidjax.runs.progress import ConsoleProgress


class Lines(io.StringIO):
    """Text that another thread can wait for."""

    def __init__(self):
        super().__init__()
        self.more = threading.Condition()

    def write(self, text):
        with self.more:
            count = super().write(text)
            self.more.notify_all()
        return count

    def wait_for(self, words):
        with self.more:
            assert self.more.wait_for(lambda: words in self.getvalue(), timeout=60), self.getvalue()


def test_a_line_comes_before_the_first_step_is_done_and_says_what_compiles(monkeypatch):
    monkeypatch.setattr(progress_module, "LOG_SECONDS", 0.01)
    programs, lines = Programs(), Lines()
    monkeypatch.setattr(progress_module, "watch_programs", lambda: programs)
    for step in ConsoleProgress(Console(file=lines))("tiles", [1, 2, 3], done=4):
        if step == 1:
            lines.wait_for("tiles: 4 of 7, 0 s so far\n")
            programs.on_event(LOWERED, 0.1)
            programs.on_event(COMPILED, 0.1)
            programs.on_event(LOWERED, 0.1)
            lines.wait_for("compiling program 2")
            programs.on_event(COMPILED, 0.1)
            lines.wait_for("2 programs compiled")
        elif step == 2:
            lines.wait_for("tiles: 5 of 7, 0 s left\n")


def test_a_quick_stage_and_a_quiet_console_say_nothing():
    lines = Lines()
    assert list(ConsoleProgress(Console(file=lines))("tiles", [1, 2])) == [1, 2]
    assert list(ConsoleProgress(Console(file=lines, quiet=True))("tiles", [1, 2])) == [1, 2]
    assert lines.getvalue() == ""


def test_a_stage_that_fails_ends_its_lines(monkeypatch):
    monkeypatch.setattr(progress_module, "LOG_SECONDS", 0.01)
    lines = Lines()
    steps = ConsoleProgress(Console(file=lines))("tiles", [1, 2])
    next(iter_ := iter(steps))
    with pytest.raises(RuntimeError):
        iter_.throw(RuntimeError)
    written = lines.getvalue()
    threading.Event().wait(0.05)
    assert lines.getvalue() == written


def test_the_first_line_does_not_wait_as_long_as_the_others(monkeypatch):
    monkeypatch.setattr(progress_module, "FIRST_SECONDS", 0.01)
    monkeypatch.setattr(progress_module, "LOG_SECONDS", 1000.0)
    lines = Lines()
    for _ in ConsoleProgress(Console(file=lines))("groups", [1]):
        lines.wait_for("groups: 0 of 1, 0 s so far")


def test_a_display_ends_before_the_error_that_ends_it_is_printed():
    seen = []

    def progress():
        try:
            yield from (1, 2)
        finally:
            seen.append("ended")

    def read():
        with ended_after(progress()) as steps:
            for _ in steps:
                raise RuntimeError("a file is damaged")

    with pytest.raises(RuntimeError, match="a file"):
        read()
    assert seen == ["ended"]
    with ended_after([1, 2]) as steps:  # a list has nothing to end
        assert list(steps) == [1, 2]
