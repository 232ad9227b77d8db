"""Documents with the attempts at many problems under `results`, as agent benchmarks write them.

Each attempt is a record with the name of its problem and a verdict such as `is_resolved` or `reward`. One without a
verdict is left aside.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lidjax.errors import InputError
from lidjax.evals.read.reader import FileStart, Reader, ReadOptions
from lidjax.evals.read.stream import open_json
from lidjax.evals.read.tabular import read_rows
from lidjax.evals.read.verdict_lists import verdict_key
from lidjax.evals.read.verdicts import PROBLEM_KEYS
from lidjax.evals.table import EvalData

LISTS = ("results", "trials", "attempts", "runs", "simulations")
OWN_NAMES = [key for key in PROBLEM_KEYS if key not in ("id", "name", "idx", "index")]


def matches(start: FileStart) -> bool:
    """A document with a list of attempts that name their problems."""
    return list_key(start) is not None


def list_key(start: FileStart) -> str | None:
    """The key of the list of attempts."""
    record = start.record
    if record is None or start.is_array or start.syntax not in ("json", "jsonl"):
        return None
    for key in LISTS:
        value = record.get(key)
        if isinstance(value, list) and value and isinstance(value[0], dict):
            first = value[0]
            if any(name in first for name in OWN_NAMES) and (verdict_key(first) or len(value) == 1):
                return key
    return None


def read(start: FileStart, options: ReadOptions) -> EvalData:
    """Counts from one document."""
    key = list_key(start)
    assert key is not None
    columns = dict(options.columns or {})
    rows = attempts(start.path, key)
    first = next(rows, None)
    if first is None:
        raise InputError(f"{start.path}: no attempts under {key!r}")
    columns.setdefault("problem", next(name for name in OWN_NAMES if name in first[1]))

    def all_rows() -> Iterator[tuple[str, Mapping[str, Any]]]:
        yield first
        yield from rows

    return read_rows(all_rows(), start.path, READER.name, options._replace(columns=columns))


def attempts(path: Path, key: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(where, record) of each attempt, read as a stream."""
    with open_json(path) as stream:
        for member in stream.members():
            if member != key:
                stream.value()
                continue
            for index in stream.items():
                item = stream.value()
                if not isinstance(item, dict):
                    raise InputError(f"{path}, {key} {index}: an object was expected")
                yield f"{path}, {key} {index}", item


READER = Reader("trials", (".json",), matches, read, "{results: [{task_id, is_resolved or reward}, ...]}")
