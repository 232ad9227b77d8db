"""Tables of counts, a row for each problem: CSV, JSONL and Parquet with `problem, n, c` and columns of groups."""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lidjax.errors import InputError, check_choice, unknown_name
from lidjax.evals.read.reader import FileStart, Reader, ReadOptions
from lidjax.evals.read.text import json_lines, open_text
from lidjax.evals.table import EvalData, FieldValue, GroupFields, PublishedPassAtK, Tally, group_name

NAMES = {
    "problem": (
        "problem",
        "problem_id",
        "problem_idx",
        "task_id",
        "question_id",
        "doc_id",
        "sample_id",
        "id",
    ),
    "n": ("n", "num_samples", "num_attempts", "attempts", "total", "n_samples"),
    "c": ("c", "num_correct", "correct", "n_correct", "successes", "num_successes", "passed"),
}
GROUP_COLUMNS = (
    "benchmark",
    "dataset",
    "task",
    "model",
    "checkpoint",
    "step",
    "params",
    "parameters",
    "tokens",
    "train_size",
    "temperature",
    "prompt",
    "split",
)
WIDE_PASS = re.compile(r"pass[@_ -]?(?:at_?)?k?=?(\d+)", re.IGNORECASE)
LONG_PASS = re.compile(r"pass[@_ -]?(?:at_?)?k", re.IGNORECASE)

TableRow = tuple[str, Mapping[str, Any]]
"""Where the row is, and its values by column."""


def matches(start: FileStart) -> bool:
    """Parquet, text that is not JSON, and every JSONL file that is of no other format."""
    return start.syntax in ("parquet", "csv", "jsonl")


def read(start: FileStart, options: ReadOptions) -> EvalData:
    """Counts from one table. `options.columns` maps problem, n and c to the names in the file.

    The columns in `options.group` define the groups; by default the known ones among model, params, tokens and so on.
    Other columns are skipped, and a note names them. Columns pass@K, or a pair `k` and `pass@k`, are kept for the
    checks.
    """
    rows = {"csv": csv_rows, "jsonl": json_lines, "parquet": parquet_rows}[start.syntax](start.path)
    return read_rows(rows, start.path, start.syntax, options)


class Columns(NamedTuple):
    """What the columns of a table are for."""

    names: dict[str, str]
    """Name of the column of "problem", "n" and "c"."""
    group: list[str]
    """Columns that define groups."""
    wide: dict[str, int]
    """Columns of published pass@K, with their K."""
    long: str | None
    """Column of published pass@k whose k is in the column `k`."""


def read_rows(rows: Iterable[TableRow], path: Path, syntax: str, options: ReadOptions) -> EvalData:
    """Counts from the rows of a table."""
    tally = Tally(syntax)
    columns: Columns | None = None
    seen: dict[tuple[GroupFields, str], tuple[int, int]] = {}
    for where, row in rows:
        if columns is None:
            columns = assign_columns(list(row), path, options, tally)
        names = columns.names
        try:
            problem, n, c = str(row[names["problem"]]), whole(row[names["n"]]), whole(row[names["c"]])
            fields = {name: field_value(row[name]) for name in columns.group}
        except (KeyError, ValueError) as error:
            raise InputError(f"{where}: {error}") from error
        if columns.long is None:
            tally.add_counts(fields, problem, n, c, where)
            published = columns.wide.items()
        else:  # a table with a row for each k repeats the counts
            key = (tuple(fields.items()), problem)
            if seen.get(key) != (n, c):
                tally.add_counts(fields, problem, n, c, where)
            seen[key] = (n, c)
            published = [(columns.long, row.get("k"))]
        for name, k in published:
            if row.get(name) not in (None, "") and k not in (None, ""):
                value = number(row[name], name, where)
                tally.published.append(PublishedPassAtK(group_name(fields), problem, n, c, whole(k), value))
    if columns is None:
        raise InputError(f"{path}: no rows")
    return tally.finish()


def assign_columns(header: list[str], path: Path, options: ReadOptions, tally: Tally) -> Columns:
    """What each column is for; a note names those that are skipped."""
    names = find_columns(header, path, options.columns or {})
    group = find_groups(header, path, options.group, names)
    wide = {name: int(match[1]) for name in header if (match := WIDE_PASS.fullmatch(name.strip()))}
    value = next((name for name in header if LONG_PASS.fullmatch(name.strip())), None)
    long = value if value and "k" in header else None
    used = {*names.values(), *group, *wide, *((long, "k") if long else ())}
    skipped = [name for name in header if name not in used]
    if skipped:
        tally.notes.append(f"{path.name}: columns left aside: {', '.join(skipped)} (--group uses them)")
    return Columns(names, group, wide, long)


def find_columns(header: list[str], path: Path, columns: Mapping[str, str]) -> dict[str, str]:
    """Names of the columns of problem, n and c: those the user gave, else the usual ones."""
    found: dict[str, str] = {}
    lower = {name.strip().lower(): name for name in header}
    for wanted, usual in NAMES.items():
        if wanted in columns:
            if columns[wanted] not in header:
                raise unknown_name(f"{path}: column", columns[wanted], header)
            found[wanted] = columns[wanted]
            continue
        match = next((lower[name] for name in usual if name in lower), None)
        if match is None:
            raise InputError(
                f"{path}: no column for {wanted!r}; the columns are {', '.join(header)}. "
                f"Choose one with --columns {wanted}=NAME"
            )
        found[wanted] = match
    return found


def find_groups(
    header: list[str], path: Path, group: Sequence[str] | None, names: Mapping[str, str]
) -> list[str]:
    """Names of the columns that define groups."""
    if group is None:
        return [name for name in header if name in GROUP_COLUMNS and name not in names.values()]
    for name in group:
        check_choice(f"{path}: column of --group", name, header)
    return list(group)


def csv_rows(path: Path) -> Iterator[TableRow]:
    """Rows of a file with commas, semicolons or tabs between its columns."""
    with open_text(path) as handle:
        sample = handle.readline()
        delimiter = max(",;\t", key=sample.count)
        handle.seek(0)
        reader = csv.DictReader(handle, delimiter=delimiter)
        try:
            for row in reader:
                where = f"{path}, line {reader.line_num}"
                if None in row or None in row.values():
                    raise InputError(
                        f"{where}: not as many fields as the {len(reader.fieldnames or ())} of the header"
                    )
                yield where, row
        except csv.Error as error:
            raise InputError(f"{path}, line {reader.line_num}: not CSV ({error})") from error


def parquet_rows(path: Path) -> Iterator[TableRow]:
    """Rows of a Parquet file, a batch at a time."""
    try:
        import pyarrow.lib  # pyright: ignore[reportMissingImports]
        import pyarrow.parquet as parquet  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise InputError(f"{path}: reading Parquet needs pyarrow; pip install 'lidjax[evals]'") from error
    try:
        table = parquet.ParquetFile(path)
        number = 0
        for batch in table.iter_batches():
            for row in batch.to_pylist():
                number += 1
                yield f"{path}, row {number}", row
    except pyarrow.lib.ArrowException as error:
        raise InputError(f"{path}: not a whole Parquet file ({error})") from error


def whole(value: object) -> int:
    """A whole number from 12, 12.0, "12" or "1e4"; ValueError otherwise."""
    try:
        result = float(value)  # pyright: ignore[reportArgumentType]  # a TypeError is answered below
        if isinstance(value, bool) or result != int(result):
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{value!r} is not a whole number") from None
    return int(result)


def number(value: object, name: str, where: str) -> float:
    """A number; InputError otherwise."""
    try:
        return float(value)  # pyright: ignore[reportArgumentType]  # a TypeError is answered below
    except (TypeError, ValueError):
        raise InputError(f"{where}: {name} = {value!r} is not a number") from None


def field_value(value: object) -> FieldValue:
    """A number where the value is one (training sizes are sorted by it), else text."""
    try:
        return float(value)  # pyright: ignore[reportArgumentType]  # a TypeError is answered below
    except (TypeError, ValueError):
        return str(value)


READER = Reader("table", (".csv", ".tsv", ".parquet", ".jsonl"), matches, read)
