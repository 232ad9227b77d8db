"""A JSON document read piece by piece, so that a large one needs little memory, and the outline of its beginning."""

import io
import json
import re
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from lidjax.errors import InputError
from lidjax.evals.read.text import open_text

CHUNK = 1 << 20  # characters read at a time
LARGEST_VALUE = 1 << 28  # characters; heuristic: a single value beyond it would take gigabytes of memory
SPACE = re.compile(r"[ \t\r\n]*")
DECODER = json.JSONDecoder()


class JsonStream:
    """A position in a JSON document. Objects and arrays are entered; what is not wanted whole is never held whole.

    `members` and `items` yield while the position is before a value, which the caller must read: with `value`, or by
    entering it with `members` or `items` in turn.
    """

    def __init__(self, handle: io.TextIOWrapper, path: Path) -> None:
        self._handle, self._path = handle, path
        self._text, self._position, self._ended = "", 0, False

    def kind(self) -> str:
        """The first character of the value at the position, such as "{" or "["; empty at the end of the document."""
        while True:
            self._position = cast(re.Match[str], SPACE.match(self._text, self._position)).end()
            if self._position < len(self._text):
                return self._text[self._position]
            if not self._read(CHUNK):
                return ""

    def value(self) -> Any:
        """The value at the position."""
        self.kind()
        while True:
            try:
                value, end = DECODER.raw_decode(self._text, self._position)
                if end == len(self._text) and self._read(CHUNK):
                    continue  # a number may go on
            except json.JSONDecodeError as error:
                left = len(self._text) - self._position
                if left > LARGEST_VALUE:
                    raise InputError(
                        f"{self._path}: no JSON value ends within {LARGEST_VALUE:,} characters; "
                        "is the document damaged? One record a line (JSONL) can be read at any size"
                    ) from error
                if self._read(max(CHUNK, left)):
                    continue
                raise self._truncated(error) from error
            except (ValueError, RecursionError) as error:
                raise InputError(f"{self._path}: JSON that cannot be read ({error})") from error
            self._position = end
            return value

    def members(self) -> Iterator[str]:
        """The keys of the object at the position; after each key the position is before its value."""
        self._expect("{")
        if self._skip("}"):
            return
        while True:
            key = self.value()
            self._expect(":")
            yield str(key)
            if self._skip("}"):
                return
            self._expect(",")

    def items(self) -> Iterator[int]:
        """The indices of the array at the position; after each the position is before the item."""
        self._expect("[")
        if self._skip("]"):
            return
        index = 0
        while True:
            yield index
            index += 1
            if self._skip("]"):
                return
            self._expect(",")

    def _read(self, size: int) -> bool:
        """Read on; False at the end of the file."""
        more = "" if self._ended else self._handle.read(size)
        self._ended = not more
        if more:
            self._text, self._position = self._text[self._position :] + more, 0
        return bool(more)

    def _skip(self, mark: str) -> bool:
        """Go past `mark` if it is next."""
        found = self.kind() == mark
        self._position += found
        return found

    def _expect(self, mark: str) -> None:
        if not self._skip(mark):
            raise self._truncated(None)

    def _truncated(self, error: json.JSONDecodeError | None) -> InputError:
        if self.kind() == "" or (error is not None and self._ended):
            return InputError(
                f"{self._path}: the JSON document does not end; it is truncated, or still being written"
            )
        near = self._text[self._position : self._position + 20]
        return InputError(f"{self._path}: not JSON near {near!r}")


@contextmanager
def open_json(path: Path) -> Generator[JsonStream, None, None]:
    """A JSON document as a stream. It must be read to its end, and be the only one in its file."""
    with open_text(path) as handle:
        stream = JsonStream(handle, path)
        yield stream
        if stream.kind():
            raise InputError(
                f"{path}: something follows the first JSON document; if there is a record on each line, "
                "name the file .jsonl"
            )


def array_records(path: Path) -> Iterator[tuple[str, Any]]:
    """(where, item) for each item of a JSON array, read as a stream."""
    with open_json(path) as stream:
        for index in stream.items():
            yield f"{path}, record {index}", stream.value()


class Outline:
    """Reads as much of a JSON text as there is: containers that do not end hold what came before the end."""

    def __init__(self, text: str) -> None:
        self._text = text

    def read(self) -> Any:
        """The beginning of the document; None where it does not begin like JSON."""
        return self._value(0)[0]

    def _value(self, position: int) -> tuple[Any, int | None]:
        """A value and where it ends, or None if the text ends before it."""
        position = self._space(position)
        try:
            return DECODER.raw_decode(self._text, position)
        except (ValueError, RecursionError):
            mark = self._text[position : position + 1]
        if mark == "[":
            return self._array(position)
        return self._object(position) if mark == "{" else (None, None)

    def _array(self, position: int) -> tuple[list[Any], None]:
        found: list[Any] = []
        position += 1
        while self._space(position) < len(self._text):
            item, end = self._value(position)
            found.append(item)
            if end is None:
                break
            position = self._space(end) + 1
        return found, None

    def _object(self, position: int) -> tuple[dict[str, Any], None]:
        found: dict[str, Any] = {}
        position += 1
        while True:
            key, end = self._value(position)
            if end is None or not isinstance(key, str):
                break
            position = self._space(end)
            if self._text[position : position + 1] != ":":
                break
            found[key], end = self._value(position + 1)
            if end is None:
                break
            position = self._space(end) + 1
        return found, None

    def _space(self, position: int) -> int:
        return cast(re.Match[str], SPACE.match(self._text, position)).end()


def outline(text: str) -> Mapping[str, Any] | None:
    """The first record of a JSON text: the document if it is an object, its first item if it is an array."""
    found = Outline(text).read()
    if isinstance(found, list):
        found = next(iter(cast(list[Any], found)), None)
    return cast(dict[str, Any], found) if isinstance(found, dict) else None
