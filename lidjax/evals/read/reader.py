"""What a reader of one format offers, and what it is shown of a file.

A format is one module with one `READER`, listed in `files.READERS`.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from lidjax.errors import InputError
from lidjax.evals.read.text import json_lines, open_text, read_head
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
    """The first record of a JSONL file, else None."""


class ReadOptions(NamedTuple):
    """What the user may say about the files; a reader takes what belongs to its format. See `read_evals`."""

    columns: Mapping[str, str] | None = None
    group: Sequence[str] | None = None
    scorer: str | None = None
    threshold: float | None = None
    answer: str | None = None


class Reader(NamedTuple):
    """The reader of one format."""

    name: str
    """Name of the format. Files of different formats are not read together."""
    suffixes: tuple[str, ...]
    """Suffixes of its files, which are looked for in a folder. Any of them may be followed by .gz."""
    matches: Callable[[FileStart], bool]
    """Whether a file is of this format, unless a reader before this one in `files.READERS` takes it."""
    read: Callable[[FileStart, ReadOptions], EvalData]
    """The counts of a file of this format."""


def look_at(path: Path) -> FileStart:
    """The beginning of a file. The first bytes tell how it is written; the name decides only for .eval and YAML."""
    head = read_head(path)
    if head.startswith(b"PK") or path.suffix == ".eval":
        return FileStart(path, "zip")
    if head.startswith(b"PAR1"):
        return FileStart(path, "parquet")
    name = path.name.removesuffix(".gz")
    if name.endswith((".yaml", ".yml")):
        return FileStart(path, "yaml")
    with open_text(path) as handle:
        text = handle.read(LOOK_AHEAD).lstrip()
    if not text:
        raise InputError(f"{path}: the file is empty")
    if text[0] == "[":
        return FileStart(path, "json", text)
    if text[0] != "{":
        return FileStart(path, "csv", text)
    if not name.endswith(".jsonl") and not is_json(text.splitlines()[0]):
        return FileStart(path, "json", text)
    _, record = next(json_lines(path))
    return FileStart(path, "jsonl", text, record)


def is_json(text: str) -> bool:
    """Whether a text is a JSON document."""
    try:
        json.loads(text)
    except json.JSONDecodeError:
        return False
    return True
