"""Opening text files, plain or compressed, and reading JSON lines; broken files give an InputError that says how."""

import gzip
import io
import json
import sys
import tempfile
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from lidjax.errors import InputError

PICKLE_STARTS = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
GZIP_START = b"\x1f\x8b"
ZSTD_START = b"\x28\xb5\x2f\xfd"
COMPRESSED = (".gz", ".zst")
LONGEST_LINE = (
    1 << 28
)  # characters; heuristic: a longer line is no record, and would not fit in memory several times


class UnknownFormat(InputError):
    """A file that is whole, but holds no evaluation log that is known. In a folder such files are skipped."""


def plain_name(path: Path) -> str:
    """The name of a file without the suffix of its compression."""
    return path.name.removesuffix(".gz").removesuffix(".zst")


@contextmanager
def open_bytes(path: Path) -> Generator[io.BufferedIOBase, None, None]:
    """The content of a file as bytes, decompressed if it is gzip or Zstandard. It is told by its first bytes."""
    try:
        with open(path, "rb") as raw:
            head = raw.read(4)
            raw.seek(0)
            if head.startswith(GZIP_START):
                with gzip.open(raw, "rb") as handle:
                    yield cast(io.BufferedIOBase, handle)
            elif head == ZSTD_START:
                yield open_zstd(raw, path)
            elif path.suffix == ".gz":
                raise InputError(f"{path}: named .gz, but not a gzip file")
            elif path.suffix == ".zst":
                raise InputError(f"{path}: named .zst, but not a Zstandard file")
            else:
                yield raw
    except EOFError as error:
        raise InputError(f"{path}: the compressed file is truncated") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path}: the gzip file is damaged ({error})") from error
    except Exception as error:
        if type(error).__name__ != "ZstdError":  # the class of whichever library reads it
            raise
        raise InputError(f"{path}: the Zstandard file is damaged or truncated ({error})") from error


def open_zstd(raw: io.BufferedReader, path: Path) -> io.BufferedIOBase:
    """A Zstandard file, read with the standard library from Python 3.14 on and with the package zstandard before."""
    if sys.version_info >= (3, 14):
        from compression import zstd  # pyright: ignore

        return cast(io.BufferedIOBase, zstd.open(raw, "rb"))
    try:
        import zstandard  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise InputError(f"{path}: reading .zst needs zstandard; pip install 'lidjax[evals]'") from error
    return WholeFrames(zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True), raw, path)


class WholeFrames(io.BufferedReader):
    """A Zstandard stream that says so where the file ends too early; the package returns what there was."""

    def __init__(self, stream: Any, raw: io.BufferedReader, path: Path) -> None:
        super().__init__(stream, 1 << 20)
        check_last_frame(raw, path)


def check_last_frame(raw: io.BufferedReader, path: Path) -> None:
    """Raise InputError if the last frame of a Zstandard file is cut off. Only the headers of blocks are read."""
    import zstandard  # pyright: ignore[reportMissingImports]

    size = raw.seek(0, io.SEEK_END)
    position = 0
    while position < size:
        raw.seek(position)
        head = raw.read(18)
        if head[1:4] == b"\x2a\x4d\x18":  # a frame to skip
            position += 8 + int.from_bytes(head[4:8], "little")
            continue
        try:
            parameters = zstandard.get_frame_parameters(head)
            position += zstandard.frame_header_size(head)
        except zstandard.ZstdError:
            break  # the decompressor will say what is wrong
        last = False
        while not last:
            raw.seek(position)
            block = raw.read(3)
            if len(block) < 3:
                raise InputError(f"{path}: the compressed file is truncated")
            value = int.from_bytes(block, "little")
            last, kind, length = bool(value & 1), value >> 1 & 3, value >> 3
            position += 3 + (1 if kind == 1 else length)
        position += 4 if parameters.has_checksum else 0
        if position > size:
            raise InputError(f"{path}: the compressed file is truncated")
    raw.seek(0)


@contextmanager
def open_text(path: Path) -> Generator[io.TextIOWrapper, None, None]:
    """A UTF-8 text file, plain or compressed, without a byte-order mark."""
    with open_bytes(path) as raw:
        handle = io.TextIOWrapper(cast(BinaryIO, raw), encoding="utf-8-sig", newline="")
        try:
            yield handle
        except UnicodeDecodeError as error:
            raise InputError(
                f"{path}: not UTF-8 text ({error.reason}); save it as UTF-8, or convert it with iconv"
            ) from error
        finally:
            handle.detach()


@contextmanager
def open_seekable(path: Path) -> Generator[io.BufferedIOBase, None, None]:
    """The content of a file as bytes that can be read in any order; a compressed file is unpacked to disk first."""
    with open_bytes(path) as handle:
        if isinstance(handle, io.BufferedReader) and not isinstance(handle, WholeFrames):
            yield handle
            return
        with tempfile.TemporaryFile() as copy:
            while chunk := handle.read(1 << 20):
                copy.write(chunk)
            copy.seek(0)
            yield cast(io.BufferedIOBase, copy)


def read_head(path: Path, size: int = 8) -> bytes:
    """The first bytes of a file, decompressed. InputError if it is empty or a pickle."""
    with open_bytes(path) as handle:
        head = handle.read(size)
    if not head:
        raise UnknownFormat(f"{path}: the file is empty")
    if head.startswith(PICKLE_STARTS):
        raise InputError(
            f"{path}: a pickle file. Reading one runs the code in it; save the table as CSV or Parquet instead"
        )
    return head


def json_lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """(where, record) for each line of a JSONL file, read as a stream. `where` names the file and line."""
    with open_text(path) as handle:
        number = 0
        while line := handle.readline(LONGEST_LINE):
            number += 1
            if line.isspace():
                continue
            where = f"{path}, line {number}"
            if len(line) == LONGEST_LINE:
                raise InputError(f"{where}: longer than {LONGEST_LINE:,} characters; is it JSONL?")
            record = parse_json(line, where, whole_line=line.endswith(("\n", "\r")))
            if not isinstance(record, dict):
                raise InputError(f"{where}: a JSON object was expected, not {type(record).__name__}")
            yield where, record


def parse_json(text: str, where: str, *, whole_line: bool = True) -> Any:
    """The value of a JSON text. InputError where it is not JSON, or no computer number."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        hint = (
            ""
            if whole_line
            else "; the file ends in the middle of this line: it is truncated, or still being written"
        )
        raise InputError(f"{where}: not JSON ({error.msg}){hint}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: JSON that cannot be read ({error})") from error
