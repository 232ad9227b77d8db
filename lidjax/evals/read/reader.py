"""What a reader of one format offers, and what it is shown of a file.

A format is one module with one `READER`, listed in `files.READERS`.
"""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from lidjax.errors import InputError
from lidjax.evals.read.stream import array_records, outline
from lidjax.evals.read.text import UnknownFormat, json_lines, open_text, plain_name, read_head
from lidjax.evals.table import EvalData

LOOK_AHEAD = 1 << 16  # characters of a text file that are looked at

Syntax = Literal["zip", "parquet", "yaml", "json", "jsonl", "csv"]


class FileStart(NamedTuple):
    """The beginning of a file, from which the readers tell whether it is theirs."""

    path: Path
    syntax: Syntax
    """How the file is written. "json" is one document, or an array, over several lines; "jsonl" is one record a line,
    or one document on a single line; "csv" is any other text."""
    text: str = ""
    """The first characters of a text file, without leading space; empty for zip, Parquet and YAML."""
    record: Mapping[str, Any] | None = None
    """The first record: of a JSONL file or a JSON array its first item, of another JSON document what its beginning
    shows of it, of a table its first row. None where there is none."""

    @property
    def is_array(self) -> bool:
        """Whether the file is a JSON array."""
        return self.text.startswith("[")


class ReadOptions(NamedTuple):
    """What the user may say about the files; a reader takes what belongs to its format. See `read_evals`."""

    columns: Mapping[str, str] | None = None
    group: Sequence[str] | None = None
    scorer: str | None = None
    threshold: float | None = None
    answer: str | None = None
    answer_pattern: str | None = None
    filter: str | None = None


class Reader(NamedTuple):
    """The reader of one format."""

    name: str
    """Name of the format. Files of different formats are not read together."""
    suffixes: tuple[str, ...]
    """Suffixes of its files, which are looked for in a folder. Any of them may be followed by .gz or .zst."""
    matches: Callable[[FileStart], bool]
    """Whether a file is of this format, unless a reader before this one in `files.READERS` takes it."""
    read: Callable[[FileStart, ReadOptions], EvalData]
    """The counts of a file of this format."""
    summary: str = ""
    """What its files hold, in a few words, for messages."""
    parts: bool = False
    """Whether one run is usually written as several files, such as one for each problem."""


def look_at(path: Path) -> FileStart:
    """The beginning of a file. The first bytes tell how it is written; the name decides only for .eval and YAML."""
    head = read_head(path)
    name = plain_name(path)
    if head.startswith(b"PK") or name.endswith(".eval"):
        return FileStart(path, "zip")
    if head.startswith(b"PAR1"):
        return FileStart(path, "parquet", record=parquet_row(path))
    if name.endswith((".yaml", ".yml")):
        return FileStart(path, "yaml")
    with open_text(path) as handle:
        text = handle.read(LOOK_AHEAD).lstrip()
    if not text:
        raise UnknownFormat(f"{path}: the file is empty")
    if text[0] == "[":
        record = next((item for _, item in array_records(path)), None)
        return FileStart(path, "json", text, record if isinstance(record, dict) else None)
    if text[0] != "{":
        return FileStart(path, "csv", text, csv_row(text))
    if not name.endswith(".jsonl") and not is_json(text.splitlines()[0]):
        return FileStart(path, "json", text, outline(text))
    _, record = next(json_lines(path))
    return FileStart(path, "jsonl", text, record)


def is_json(text: str) -> bool:
    """Whether a text is a JSON document."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def csv_row(text: str) -> Mapping[str, Any] | None:
    """The first row of a table in text, by column."""
    lines = text.splitlines()
    delimiter = max(",;\t", key=lines[0].count)
    try:
        return next(csv.DictReader(io.StringIO("\n".join(lines[:2])), delimiter=delimiter), None)
    except csv.Error:
        return None


def parquet_row(path: Path) -> Mapping[str, Any] | None:
    """The first row of a Parquet file; None where it cannot be read, which its reader will say."""
    from lidjax.evals.read.parquet import parquet_rows

    try:
        return next((row for _, row in parquet_rows(path)), None)
    except InputError:
        return None


def unknown_format(start: FileStart, readers: Sequence[Reader], why: str = "") -> UnknownFormat:
    """The message for a file of no known format: what it looks like, what is read, and how to make it readable."""
    record = start.record or {}
    names = ", ".join(f"{key} ({kind(value)})" for key, value in list(record.items())[:12])
    what = {
        "json": "JSON array" if start.is_array else "JSON document",
        "jsonl": "JSONL",
        "csv": "text table",
    }
    looks = f"it is a {what.get(start.syntax, start.syntax)}"
    looks += f" whose first record has {names}" if names else " without records"
    known = "; ".join(f"{reader.name}: {reader.summary}" for reader in readers if reader.summary)
    return UnknownFormat(
        f"{start.path}: {why or 'no known evaluation log'}; {looks}.\nRead are: {known}.\n{conversion(start)}"
    )


def conversion(start: FileStart) -> str:
    """Two lines of Python that would make a file readable."""
    load = {
        "json": f"json.load(open({str(start.path)!r}))",
        "csv": f"csv.DictReader(open({str(start.path)!r}))",
    }.get(start.syntax, f"map(json.loads, open({str(start.path)!r}))")
    return (
        "To make it readable, write a row for each attempt, with ID and VERDICT as the keys of the problem and of the "
        "verdict (1 or 0):\n"
        f"    import csv, json; rows = {load}\n"
        "    csv.writer(open('attempts.csv', 'w', newline='')).writerows("
        "[('problem', 'correct'), *((row['ID'], row['VERDICT']) for row in rows)])"
    )


def kind(value: Any) -> str:
    """The type of a value in JSON's words."""
    if value is None:
        return "null"
    names = {bool: "true or false", int: "number", float: "number", str: "text", list: "list", dict: "object"}
    return names.get(type(value), type(value).__name__)
