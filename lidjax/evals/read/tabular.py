"""Tables of counts, one row a problem: CSV, JSONL and Parquet with `problem, n, c` and columns that make groups."""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lidjax.errors import InputError
from lidjax.evals.read.text import json_lines, open_text
from lidjax.evals.table import EvalData, Label, Published, Tally, group_name

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

Row = tuple[str, Mapping[str, Any]]


def read_table(
    path: Path, kind: str, columns: Mapping[str, str] | None = None, group: Sequence[str] | None = None
) -> EvalData:
    """Read a table of counts. `kind` is csv, jsonl or parquet; `columns` maps problem/n/c to the file's names.

    Columns named in `group` (default: the known ones among model, params, tokens...) set groups apart; the others
    are left aside, and a note says which. Columns pass@K, or a pair `k`, `pass@k`, are kept for the checks.
    """
    rows = {"csv": csv_rows, "jsonl": json_lines, "parquet": parquet_rows}[kind](path)
    return read_rows(rows, path, kind, dict(columns or {}), group)


def read_rows(
    rows: Iterable[Row], path: Path, kind: str, columns: dict[str, str], group: Sequence[str] | None
) -> EvalData:
    tally = Tally(kind)
    names: dict[str, str] = {}
    key_columns: list[str] = []
    wide: dict[str, int] = {}
    long: tuple[str, str] | None = None
    seen: dict[tuple[tuple[tuple[str, Label], ...], str], tuple[int, int]] = {}
    for where, row in rows:
        if not names:
            names = find_columns(list(row), path, columns)
            key_columns = find_groups(list(row), path, group, names)
            wide = {name: int(match[1]) for name in row if (match := WIDE_PASS.fullmatch(name.strip()))}
            value = next((name for name in row if LONG_PASS.fullmatch(name.strip())), None)
            long = (value, "k") if value and "k" in row else None
            aside = [
                name
                for name in row
                if name not in (*names.values(), *key_columns, *wide, *(long or ()), None)
            ]
            if aside:
                tally.notes.append(f"{path.name}: columns left aside: {', '.join(aside)} (--group uses them)")
        try:
            problem, n, c = str(row[names["problem"]]), whole(row[names["n"]]), whole(row[names["c"]])
            fields = {name: label(row[name]) for name in key_columns}
        except (KeyError, ValueError) as error:
            raise InputError(f"{where}: {error}") from error
        key = (tuple(fields.items()), problem)
        if long is not None and seen.get(key) == (n, c):
            pass  # a table with one row for each k repeats the counts
        else:
            tally.add_counts(fields, problem, n, c, where)
            seen[key] = (n, c) if long is not None else (0, 0)
        ks = wide.items() if long is None else [(long[0], row.get("k"))]
        for name, k in ks:
            if row.get(name) not in (None, "") and k not in (None, ""):
                tally.published.append(
                    Published(group_name(fields), problem, n, c, whole(k), number(row[name], name, where))
                )
    if not names:
        raise InputError(f"{path}: no rows")
    return tally.finish()


def find_columns(header: list[str], path: Path, columns: Mapping[str, str]) -> dict[str, str]:
    """The file's names of problem, n and c; the user's mapping first, then the usual names."""
    found = {}
    lower = {name.strip().lower(): name for name in header if name is not None}
    for wanted, usual in NAMES.items():
        if wanted in columns:
            if columns[wanted] not in header:
                raise InputError(
                    f"{path}: no column {columns[wanted]!r}; the columns are {', '.join(header)}"
                )
            found[wanted] = columns[wanted]
            continue
        match = next((lower[name] for name in usual if name in lower), None)
        if match is None:
            raise InputError(
                f"{path}: no column for {wanted!r}; the columns are {', '.join(header)}. "
                f"Say which with --columns {wanted}=NAME"
            )
        found[wanted] = match
    return found


def find_groups(
    header: list[str], path: Path, group: Sequence[str] | None, names: Mapping[str, str]
) -> list[str]:
    if group is None:
        return [name for name in header if name in GROUP_COLUMNS and name not in names.values()]
    missing = [name for name in group if name not in header]
    if missing:
        raise InputError(f"{path}: no column {missing[0]!r} to group by; the columns are {', '.join(header)}")
    return list(group)


def csv_rows(path: Path) -> Iterator[Row]:
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
                        f"{where}: not as many fields as the header has ({len(reader.fieldnames or ())})"
                    )
                yield where, row
        except csv.Error as error:
            raise InputError(f"{path}, line {reader.line_num}: not CSV ({error})") from error


def parquet_rows(path: Path) -> Iterator[Row]:
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


def whole(value: Any) -> int:
    """A whole number from 12, 12.0, "12" or "1e4"; ValueError otherwise."""
    try:
        result = float(value)
        if isinstance(value, bool) or result != int(result):
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{value!r} is not a whole number") from None
    return int(result)


def number(value: Any, name: str, where: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise InputError(f"{where}: {name} = {value!r} is not a number") from None


def label(value: Any) -> Label:
    """Numbers stay numbers (training sizes are sorted by them), everything else is text."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return str(value)
