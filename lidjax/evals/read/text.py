"""Opening text files, plain or gzip, and reading JSON lines; broken files give an InputError that says how."""

import gzip
import json
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from lidjax.errors import InputError

PICKLE_STARTS = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


@contextmanager
def open_text(path: Path) -> Generator[TextIO, None, None]:
    """A UTF-8 text file, without a byte-order mark. Files named `.gz` are decompressed."""
    try:
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rt", encoding="utf-8-sig", newline="") as handle:
            yield handle
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start})") from error
    except EOFError as error:
        raise InputError(f"{path}: the gzip file is truncated") from error
    except gzip.BadGzipFile as error:
        raise InputError(f"{path}: named .gz, but not a gzip file") from error


def read_head(path: Path, size: int = 8) -> bytes:
    """The first bytes of a file. InputError if it is empty or a pickle."""
    with open(path, "rb") as handle:
        head = handle.read(size)
    if not head:
        raise InputError(f"{path}: the file is empty")
    if head.startswith(PICKLE_STARTS):
        raise InputError(
            f"{path}: a pickle file. Reading one runs the code in it; save the table as CSV or Parquet instead"
        )
    return head


def json_lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """(where, record) for each line of a JSONL file, read as a stream. `where` names the file and line."""
    with open_text(path) as handle:
        for number, line in enumerate(handle, 1):
            if not line.strip():
                continue
            where = f"{path}, line {number}"
            try:
                record = json.loads(line)
            except json.JSONDecodeError as error:
                hint = (
                    ""
                    if line.endswith("\n")
                    else "; the file ends in the middle of this line, is it truncated?"
                )
                raise InputError(f"{where}: not JSON ({error.msg}){hint}") from error
            if not isinstance(record, dict):
                raise InputError(f"{where}: a JSON object was expected, not {type(record).__name__}")
            yield where, record


def as_flag(value: Any, where: str) -> bool:
    """True or False from a boolean, 0 or 1, or text of these; anything else is an error."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float) and value in (0, 1):
        return bool(value)
    if isinstance(value, str) and value.strip().lower() in ("true", "false", "0", "1", "0.0", "1.0"):
        return value.strip().lower() in ("true", "1", "1.0")
    raise InputError(f"{where}: {value!r} says neither correct nor wrong; allowed: true, false, 1, 0")
