"""Records with a list of verdicts, `is_corrects: [true, false, ...]`, as YAML (one problem a file), JSON or JSONL."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from lidjax.errors import InputError
from lidjax.evals.read.text import as_flag, json_lines, open_text
from lidjax.evals.table import EvalData, Tally

PROBLEM_KEYS = ("problem", "problem_id", "task_id", "orig_dset_idx", "id", "name", "idx", "index")
CHUNK = 1 << 20
GAP = re.compile(r"[\s,]*")

Record = tuple[str, str, dict[str, Any]]  # where, problem if the record does not say, record


def read_correct_lists(path: Path, kind: str) -> EvalData:
    """Counts from one file; `kind` is yaml, json or jsonl. The group is the file's folder."""
    records = {"yaml": yaml_records, "json": json_records, "jsonl": line_records}[kind](path)
    tally = Tally("is_corrects")
    fields = {"folder": path.resolve().parent.name}
    seen: set[str] = set()
    for where, default, record in records:
        verdicts = record.get("is_corrects")
        if not isinstance(verdicts, list) or not verdicts:
            raise InputError(f"{where}: 'is_corrects' must be a list with at least one verdict")
        problem = next(
            (str(record[key]) for key in PROBLEM_KEYS if isinstance(record.get(key), str | int)), default
        )
        if problem in seen:
            raise InputError(f"{where}: problem {problem!r} stands twice")
        seen.add(problem)
        tally.add_attempts(fields, problem, (as_flag(value, where) for value in verdicts))
    if not seen:
        raise InputError(f"{path}: no records")
    return tally.finish()


def yaml_records(path: Path) -> Iterator[Record]:
    try:
        import yaml
    except ImportError as error:
        raise InputError(f"{path}: reading YAML needs PyYAML; pip install 'lidjax[evals]'") from error
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # safe: builds plain values only
    try:
        with open_text(path) as handle:
            content = yaml.load(handle, Loader=loader)
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not YAML ({' '.join(str(error).split())})") from error
    yield from named_records(content, path)


def json_records(path: Path) -> Iterator[Record]:
    """A list of records is read as a stream; any other JSON document as a whole."""
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
    """The members of a JSON array whose opening bracket has been read, one at a time."""
    decoder = json.JSONDecoder()
    text, position, ended = "", 0, False
    while True:
        position = GAP.match(text, position).end()  # type: ignore[union-attr]  # it matches the empty string
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
    for index, (where, record) in enumerate(json_lines(path)):
        yield where, str(index), record


def named_records(
    content: Any, path: Path, where: str | None = None, name: str | None = None
) -> Iterator[Record]:
    """One record, a list of them, or a mapping from problem to record."""
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
