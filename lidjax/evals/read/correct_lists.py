"""Records with a list `is_corrects: [true, false, ...]`, one a problem, as YAML, JSON or JSONL."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from lidjax.errors import InputError
from lidjax.evals.read.reader import FileStart, Reader, ReadOptions
from lidjax.evals.read.text import as_flag, json_lines, open_text
from lidjax.evals.table import EvalData, Tally

PROBLEM_KEYS = ("problem", "problem_id", "task_id", "orig_dset_idx", "id", "name", "idx", "index")
CHUNK = 1 << 20  # characters read at a time from a large array
SEPARATORS = re.compile(r"[\s,]*")

Record = tuple[str, str, dict[str, Any]]
"""Where the record is, the name of the problem if the record does not give one, and the record."""


def matches(start: FileStart) -> bool:
    """YAML, a JSON array or document, or JSONL with `is_corrects` or nothing but records in its first record."""
    if start.record is not None:
        return "is_corrects" in start.record or is_mapping_of_records(start.record)
    return start.syntax in ("yaml", "json")


def is_mapping_of_records(content: Mapping[str, Any]) -> bool:
    """Whether a document maps problems to records."""
    return bool(content) and all(isinstance(value, dict) for value in content.values())


def read(start: FileStart, options: ReadOptions) -> EvalData:
    """Counts from one file. The group is the file's folder."""
    path = start.path
    if start.syntax == "yaml":
        records = yaml_records(path)
    elif start.record is not None and "is_corrects" in start.record:
        records = line_records(path)
    else:
        records = json_records(path)
    tally = Tally(READER.name)
    fields = {"folder": path.resolve().parent.name}
    seen: set[str] = set()
    for where, default, record in records:
        marks = record.get("is_corrects")
        if not isinstance(marks, list) or not marks:
            raise InputError(f"{where}: 'is_corrects' must be a list with at least one value")
        problem = next(
            (str(record[key]) for key in PROBLEM_KEYS if isinstance(record.get(key), str | int)), default
        )
        if problem in seen:
            raise InputError(f"{where}: problem {problem!r} appears twice")
        seen.add(problem)
        tally.add_attempts(fields, problem, (as_flag(value, where) for value in marks))
    if not seen:
        raise InputError(f"{path}: no records")
    return tally.finish()


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


def json_records(path: Path) -> Iterator[Record]:
    """Records of a JSON file. An array is read as a stream, any other document as a whole."""
    with open_text(path) as handle:
        first = handle.read(1)
        while first.isspace():
            first = handle.read(1)
        if first == "[":
            for index, record in enumerate(stream_array(handle, path)):
                yield from named_records(record, path, f"{path}, record {index}", str(index))
            return
        handle.seek(0)
        try:
            content = json.load(handle)
        except json.JSONDecodeError as error:
            raise InputError(f"{path}: not JSON ({error})") from error
    yield from named_records(content, path)


def stream_array(handle: TextIO, path: Path) -> Iterator[Any]:
    """The members of a JSON array, one at a time, after its opening bracket has been read."""
    decoder = json.JSONDecoder()
    text, position, ended = "", 0, False
    while True:
        position = SEPARATORS.match(text, position).end()  # pyright: ignore[reportOptionalMemberAccess]  # it matches the empty string
        if text.startswith("]", position):
            return
        try:
            record, end = decoder.raw_decode(text, position)
            if end == len(text) and not ended:
                raise json.JSONDecodeError("a number may go on", text, end)
        except json.JSONDecodeError as error:
            if ended:
                raise InputError(f"{path}: the JSON array does not end; is the file truncated?") from error
            more = handle.read(max(CHUNK, len(text) - position))
            ended = not more
            text, position = text[position:] + more, 0
            continue
        position = end
        yield record


def line_records(path: Path) -> Iterator[Record]:
    """Records of a JSONL file."""
    for index, (where, record) in enumerate(json_lines(path)):
        yield where, str(index), record


def named_records(
    content: Any, path: Path, where: str | None = None, name: str | None = None
) -> Iterator[Record]:
    """The records in a value: one record, a list of them, or a mapping from problem to record."""
    where = where or str(path)
    if isinstance(content, dict) and "is_corrects" in content:
        yield where, name or path.stem, content
    elif isinstance(content, dict) and all(isinstance(value, dict) for value in content.values()):
        for key, value in content.items():
            yield f"{where}, {key}", str(key), value
    elif isinstance(content, list):
        for index, value in enumerate(content):
            yield from named_records(value, path, f"{where}, record {index}", str(index))
    else:
        raise InputError(f"{where}: no record with 'is_corrects'")


READER = Reader("is_corrects", (".json", ".jsonl", ".yaml", ".yml"), matches, read)
