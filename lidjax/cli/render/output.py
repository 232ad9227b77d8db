"""How commands print: tables for people, JSON for programs, and what a terminal without Greek letters gets.

One rule for the width: on a terminal, a table that is wider is printed in blocks that each repeat its first columns;
where standard output is not a terminal, a row is a line, however wide. COLUMNS=N sets the width in either case.
"""

import codecs
import io
import json
import math
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lidjax import __version__

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as RichTable

UNLIMITED = 100_000
"""Width of lines that are not to be wrapped."""
WORDS = {
    "α": "alpha",
    "β": "beta",
    "γ": "gamma",
    "δ": "delta",
    "Δ": "Delta",
    "ε": "epsilon",
    "η": "eta",
    "θ": "theta",
    "λ": "lambda",
    "ν": "nu",
    "ξ": "xi",
    "ρ": "rho",
    "σ": "sigma",
    "τ": "tau",
    "±": "+/-",
    "→": "->",
    "≤": "<=",
    "≥": ">=",
    "≈": "~",
    "∝": "~",
    "×": "x",
    "·": "*",
    "−": "-",
    "–": "-",
    "—": "-",
    "…": "...",
    "∞": "inf",
    "√": "sqrt ",
    "²": "^2",
    "³": "^3",
    "⁶": "^6",
    "\N{COMBINING TILDE}": "~",
    "\N{COMBINING CIRCUMFLEX ACCENT}": "^",
    "’": "'",
    "“": '"',
    "”": '"',
    "─": "-",
    "━": "-",
    "•": "*",
}
"""What is printed for characters that the encoding of standard output lacks; '?' for all others."""
ERRORS = "lidjax.words"
"""Name of the handler of encoding errors that uses WORDS."""


@dataclass(frozen=True)
class Table:
    """A table as people read it, and the numbers behind it."""

    name: str
    """Of the file it is written to, beside other tables."""
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    records: Sequence[dict[str, Any]]
    """The rows as plain numbers, for CSV."""
    title: str = ""
    notes: Sequence[str] = ()
    """Sentences printed below the table."""
    left: tuple[str, ...] = ()
    """Columns of words, which are aligned on the left."""
    keys: int = 1
    """How many of the first columns name a row; every block of a table that is too wide repeats them."""
    findings: Sequence[str] = field(default=())
    """Warnings printed above the table."""


def _words(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(WORDS.get(c, "?") for c in error.object[error.start : error.end]), error.end


codecs.register_error(ERRORS, _words)


def print_in_any_encoding() -> None:
    """Let standard output and standard error replace what their encoding lacks, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and not _is_unicode(stream.encoding):
            stream.reconfigure(errors=ERRORS)


def _is_unicode(encoding: str | None) -> bool:
    return (encoding or "").lower().replace("_", "-").startswith("utf")


def printable(text: str) -> str:
    """`text` as standard output can print it, so that columns are as wide as what is printed."""
    encoding = getattr(sys.stdout, "encoding", None)
    return (
        text if encoding is None or _is_unicode(encoding) else text.encode(encoding, ERRORS).decode(encoding)
    )


def output_width() -> int:
    """Columns of standard output: those of the terminal, or as many as a line needs where there is none."""
    asked = os.environ.get("COLUMNS", "")
    if asked.isdecimal() and int(asked) > 0:
        return int(asked)
    if not sys.stdout.isatty():
        return UNLIMITED
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def console_of(width: int) -> "Console":
    """Standard output, with lines of a width."""
    from rich.console import Console

    return Console(width=width, soft_wrap=width >= UNLIMITED, highlight=False, markup=False, emoji=False)


def print_lines(lines: Sequence[str]) -> None:
    """Print text, a line or paragraph each."""
    console = console_of(output_width())
    for line in lines:
        console.print(printable(line), highlight=False, markup=False)


def print_paths(paths: Sequence[str]) -> None:
    """Print paths of files, never broken: they are copied."""
    for path in paths:
        print(path)


def print_warning(text: str) -> None:
    """Print a line that starts with an exclamation mark."""
    console_of(output_width()).print(f"! {printable(text)}", style="yellow", highlight=False, markup=False)


def print_table(table: Table) -> None:
    """Print a table with its title and notes; one that is too wide in blocks that repeat its first columns."""
    for finding in table.findings:
        print_warning(finding)
    if table.title:
        print_lines([table.title])
    width = output_width()
    for block in blocks(table, width):
        shown = _rich_table(table, block)
        console_of(max(width, _width_of(shown))).print(shown)
    print_lines(table.notes)


def blocks(table: Table, width: int) -> list[list[int]]:
    """The columns of each block of a table, by number: as many as fit, after those that name a row."""
    keys = list(range(min(table.keys, len(table.columns))))
    found: list[list[int]] = []
    block = keys
    for column in range(len(keys), len(table.columns)):
        if len(block) > len(keys) and _width_of(_rich_table(table, [*block, column])) > width:
            found.append(block)
            block = keys
        block = [*block, column]
    return [*found, block]


def _rich_table(table: Table, columns: Sequence[int]) -> "RichTable":
    from rich.box import SIMPLE_HEAD
    from rich.table import Table as RichTable

    shown = RichTable(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for i in columns:
        justify = "left" if table.columns[i] in table.left else "right"
        shown.add_column(printable(table.columns[i]), justify=justify, no_wrap=True)
    for row in table.rows:
        shown.add_row(*(printable(row[i]) for i in columns))
    return shown


def _width_of(shown: "RichTable") -> int:
    from rich.measure import Measurement

    console = console_of(UNLIMITED)
    return Measurement.get(console, console.options, shown).maximum


def print_json(command: str, data: dict[str, Any]) -> None:
    """Print what a command found as JSON: one object with the command, the version, and the command's own fields."""
    print(to_json({"command": command, "version": __version__, **data}))


def to_json(value: Any) -> str:
    """JSON that any parser reads: NaN and infinity, which JSON lacks, become null."""
    unicode = _is_unicode(getattr(sys.stdout, "encoding", None) or "utf-8")
    return json.dumps(_finite(value), indent=2, ensure_ascii=not unicode, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
