"""Logs of the BigCode evaluation harness: a document {problem: [[i, {passed: true, ...}], ...]}."""

from collections.abc import Mapping
from typing import Any

from lidjax.errors import InputError
from lidjax.evals.read.reader import FileStart, Reader, ReadOptions
from lidjax.evals.read.stream import open_json
from lidjax.evals.read.verdicts import as_verdict
from lidjax.evals.table import EvalData, Tally


def matches(start: FileStart) -> bool:
    """A document whose values are lists of pairs with `passed`."""
    if start.record is None or start.is_array or not start.record:
        return False
    attempts = next(iter(start.record.values()))
    return isinstance(attempts, list) and bool(attempts) and is_attempt(attempts[0])


def is_attempt(value: Any) -> bool:
    """Whether a value is a pair of a number and the result of an attempt."""
    return (
        isinstance(value, list) and len(value) == 2 and isinstance(value[1], Mapping) and "passed" in value[1]
    )


def read(start: FileStart, options: ReadOptions) -> EvalData:
    """Counts from one log."""
    path = start.path
    tally = Tally(READER.name)
    seen: set[str] = set()
    with open_json(path) as stream:
        for problem in stream.members():
            where = f"{path}, {problem}"
            attempts = stream.value()
            if not isinstance(attempts, list) or not all(map(is_attempt, attempts)):
                raise InputError(f"{where}: a list of pairs [i, {{'passed': ...}}] was expected")
            if problem in seen:
                raise InputError(f"{where}: the problem appears twice")
            seen.add(problem)
            ordered = sorted(attempts, key=lambda attempt: float(attempt[0]))
            tally.add_attempts({}, problem, [as_verdict(attempt[1]["passed"], where) for attempt in ordered])
    return tally.finish()


READER = Reader("BigCode harness", (".json",), matches, read, "{problem: [[i, {passed: true}], ...]}")
