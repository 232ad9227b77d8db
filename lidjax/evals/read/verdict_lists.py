"""Records with a list of verdicts, one a problem, as YAML, JSON, JSONL or Parquet.

The list may be under any key, such as `is_corrects: [true, false]`, `graded_list`, `score` or `results`. Its items may
also be records with a verdict each, such as `results: [{reward: 1.0}, {reward: 0.0}]`. A document that maps problems to
such records, or to such lists, is read too.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lidjax.errors import InputError, unknown_name
from lidjax.evals.read.columns import GROUP_COLUMNS, MODEL_COLUMNS
from lidjax.evals.read.details import listed_details
from lidjax.evals.read.parquet import parquet_rows
from lidjax.evals.read.reader import FileStart, Reader, ReadOptions
from lidjax.evals.read.stream import array_records, open_json
from lidjax.evals.read.text import json_lines, open_text
from lidjax.evals.read.verdicts import (
    LONGEST_NAME,
    VERDICT_KEYS,
    as_verdict,
    is_verdict,
    problem_name,
)
from lidjax.evals.table import EvalData, FieldValue, Tally

LIST_KEYS = (
    "is_corrects",
    "is_correct",
    "graded_list",
    "corrects",
    "correct",
    "passed",
    "pass_list",
    "verdicts",
    "resolved",
    "rewards",
    "reward",
    "scores",
    "score",
    "results",
    "result",
    "grades",
    "attempts",
    "samples",
    "trials",
)
"""Usual keys of a list of verdicts, the most telling first. Other keys are found by what the list holds."""

SURE_KEYS = ("is_corrects", "graded_list")  # nothing else has these names

Record = tuple[str, str, dict[str, Any]]
"""Where the record is, the name of the problem if the record does not give one, and the record."""


def matches(start: FileStart) -> bool:
    """YAML, or records or a document of records with a list of verdicts."""
    if start.syntax == "yaml":
        return True
    record = start.record
    if record is None or start.syntax == "csv":
        return False
    if find_lists(record) or is_mapping_to_lists(record):
        return True
    if start.syntax == "parquet" or start.is_array or not record:
        return False
    first = next(iter(record.values()))
    return isinstance(first, dict) and bool(find_lists(first))


def find_lists(record: Mapping[str, Any]) -> list[str]:
    """Keys of the lists of verdicts in a record: the usual ones if there are any, else all that could be.

    A record with a verdict of its own is one attempt; its lists are of something else, such as tests. Under an unusual
    key only a list of true and false, or of 1 and 0, is taken for verdicts.
    """
    lower = {str(key).lower(): key for key in record}
    usual = [
        lower[key]
        for key in LIST_KEYS
        if key in lower and (is_list_of_attempts(record[lower[key]]) or key in SURE_KEYS)
    ]
    found = usual
    if not usual and not is_mapping_to_lists(record):
        found = [key for key, value in record.items() if is_list_of_flags(value)]
    own = [record[lower[key]] for key in VERDICT_KEYS if key in lower and is_verdict(record[lower[key]])]
    return found if all(is_mean(value, record[key]) for value in own for key in found) else []


def is_mean(value: Any, marks: Any) -> bool:
    """Whether a score of a problem is the mean of the verdicts on its attempts, or missing."""
    if value is None or not isinstance(marks, list):
        return True
    numbers = [mark for mark in marks if isinstance(mark, bool | int | float)]
    if isinstance(value, bool | str) or not numbers:
        return False
    return abs(value - sum(numbers) / len(numbers)) < 1e-6


def is_mapping_to_lists(record: Mapping[str, Any]) -> bool:
    """Whether a document maps problems to lists of verdicts. Its last value may be cut off."""
    values = list(record.values())
    usual = any(str(key).lower() in LIST_KEYS for key in record)
    return bool(values) and not usual and all(map(is_list_of_flags, values[:-1] or values))


def is_list_of_verdicts(value: Any) -> bool:
    """Whether a value is a list with verdicts only, at least one."""
    return isinstance(value, list) and bool(value) and all(map(is_verdict, value))


def is_list_of_flags(value: Any) -> bool:
    """Whether a value is a list of nothing but true, false, 1, 0 and null, and not of null alone."""
    return (
        isinstance(value, list)
        and any(item is not None for item in value)
        and all(item is None or isinstance(item, bool) or item in (0, 1) for item in value)
    )


def is_list_of_attempts(value: Any) -> bool:
    """Whether a value is a list of verdicts, or of records with a verdict each. An empty list is one of no attempts."""
    if not isinstance(value, list):
        return False
    return all(
        is_verdict(item) or (isinstance(item, dict) and verdict_key(item) is not None) for item in value
    )


def verdict_key(record: Mapping[str, Any], scorer: str | None = None) -> str | None:
    """The key of the verdict in the record of an attempt."""
    if scorer in record:
        return scorer
    return next((key for key in VERDICT_KEYS if key in record and is_verdict(record[key])), None)


def read(start: FileStart, options: ReadOptions) -> EvalData:
    """Counts from one file. The group is given by the records, or is the file's folder."""
    path = start.path
    tally = Tally(READER.name)
    folder = path.resolve().parent.name
    seen: set[tuple[str, str]] = set()
    chosen = options.scorer
    for where, default, record in records_of(start):
        if chosen is None or chosen not in record:
            chosen = choose_list(record, options.scorer, where)
        marks = record[chosen]
        fields = record_fields(record) or {"folder": folder}
        if not isinstance(marks, list) or not marks:
            raise InputError(f"{where}: {chosen!r} must be a list with at least one value")
        problem = problem_name(record) or default
        if len(problem) > LONGEST_NAME:
            problem = f"{default}: {problem[:40]}"
        if (str(fields), problem) in seen:
            raise InputError(f"{where}: problem {problem!r} appears twice")
        seen.add((str(fields), problem))
        verdicts = [verdict_of(item, options, where) for item in marks]
        details = listed_details(record, marks, options.columns or {}, where)
        tally.add_attempts(fields, problem, verdicts, f"no verdict in {chosen}", details)
    if not seen:
        raise InputError(f"{path}: no records")
    return tally.finish()


def choose_list(record: Mapping[str, Any], scorer: str | None, where: str) -> str:
    """The key of the list of verdicts."""
    found = find_lists(record)
    if scorer in found:
        return scorer
    if not found:
        lists = [key for key, value in record.items() if isinstance(value, list)]
        if scorer in lists:
            return scorer
        raise InputError(f"{where}: no list of verdicts; the keys are {', '.join(map(str, record))}")
    if scorer is not None and not any(isinstance(item, dict) for item in record[found[0]]):
        raise unknown_name(f"{where}: list of verdicts", scorer, found)
    if len(found) > 1 and any(record[key] != record[found[0]] for key in found):
        raise InputError(
            f"{where}: several lists of verdicts; choose one with --scorer; allowed: {', '.join(found)}"
        )
    return found[0]


def verdict_of(item: Any, options: ReadOptions, where: str) -> bool | None:
    """The verdict in one item of a list."""
    if isinstance(item, dict):
        key = verdict_key(item, options.scorer)
        if key is None:
            raise InputError(
                f"{where}: an attempt without a verdict; its keys are {', '.join(map(str, item))}"
            )
        item = item[key]
    return as_verdict(item, where, options.threshold)


def record_fields(record: Mapping[str, Any]) -> dict[str, FieldValue]:
    """The fields of the group that a record names, such as its model."""
    found: dict[str, FieldValue] = {}
    for key, value in record.items():
        name = str(key).lower()
        known = name in GROUP_COLUMNS and name not in ("prompt", "task", "file")
        if known and isinstance(value, str) and 0 < len(value) <= LONGEST_NAME:
            found["model" if name in MODEL_COLUMNS and "model" not in found else name] = value
    return found


def records_of(start: FileStart) -> Iterator[Record]:
    """The records of a file."""
    path = start.path
    if start.syntax == "yaml":
        return yaml_records(path)
    if start.syntax == "parquet":
        return numbered(parquet_rows(path))
    if start.is_array:
        return array_items(path)
    if start.syntax == "jsonl" and start.record is not None and find_lists(start.record):
        return numbered(json_lines(path))
    if start.record is not None and find_lists(start.record):
        return one_document(path)
    return document_records(path)


def numbered(rows: Iterator[tuple[str, Any]]) -> Iterator[Record]:
    """Rows with their numbers as names."""
    for index, (where, record) in enumerate(rows):
        yield where, str(index), dict(record)


def array_items(path: Path) -> Iterator[Record]:
    """Records of a JSON array."""
    for index, (where, item) in enumerate(array_records(path)):
        yield from named_records(item, path, where, str(index))


def one_document(path: Path) -> Iterator[Record]:
    """The one record that a document is."""
    with open_json(path) as stream:
        yield str(path), path.stem, stream.value()


def document_records(path: Path) -> Iterator[Record]:
    """Records of a document that maps problems to records or lists, read as a stream."""
    with open_json(path) as stream:
        for key in stream.members():
            yield from named_records({key: stream.value()}, path)


def yaml_records(path: Path) -> Iterator[Record]:
    """Records of a YAML file."""
    try:
        import yaml
    except ImportError as error:
        raise InputError(f"{path}: reading YAML needs PyYAML; pip install 'lidjax[evals]'") from error
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # a safe loader builds plain values only
    try:
        with open_text(path) as handle:
            content = yaml.load(handle, Loader=loader)
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not YAML ({' '.join(str(error).split())})") from error
    yield from named_records(content, path)


def named_records(
    content: Any, path: Path, where: str | None = None, name: str | None = None
) -> Iterator[Record]:
    """The records in a value: one record, a list of them, or a mapping from problem to record or list."""
    where = where or str(path)
    if isinstance(content, dict) and find_lists(content):
        yield where, name or path.stem, content
    elif isinstance(content, dict) and content and all(isinstance(value, dict) for value in content.values()):
        for key, value in content.items():
            yield f"{where}, {key}", str(key), value
    elif isinstance(content, dict) and content and all(map(is_list_of_verdicts, content.values())):
        for key, value in content.items():
            yield f"{where}, {key}", str(key), {"results": value}
    elif isinstance(content, list):
        for index, value in enumerate(content):
            yield from named_records(value, path, f"{where}, record {index}", str(index))
    else:
        raise InputError(f"{where}: no record with a list of verdicts, such as 'is_corrects'")


READER = Reader(
    "verdict lists",
    (".json", ".jsonl", ".yaml", ".yml", ".parquet"),
    matches,
    read,
    "records with a list of verdicts, such as is_corrects: [true, false], as YAML, JSON, JSONL or Parquet",
    parts=True,
)
