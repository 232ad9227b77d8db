"""Tables and flat records: a row for each problem, or a row or a column for each attempt.

CSV, JSONL, JSON arrays and Parquet hold the same rows, and the same rows give the same counts in each of them. From the
names of the columns a table is one of four:

counts      a row for each problem: its number of attempts n and of correct answers c
accuracy    the same with c/n in place of c
attempts    a row for each attempt, with its verdict
wide        a row for each problem and a column for the verdict on each attempt, such as run_1, run_2, ...
"""

import csv
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from lidjax.errors import InputError
from lidjax.evals.read.columns import Columns, assign_columns
from lidjax.evals.read.details import detail_of
from lidjax.evals.read.parquet import parquet_rows
from lidjax.evals.read.reader import FileStart, Reader, ReadOptions
from lidjax.evals.read.stream import array_records
from lidjax.evals.read.text import UnknownFormat, json_lines, open_text
from lidjax.evals.read.verdicts import (
    as_verdict,
    count_from_accuracy,
)
from lidjax.evals.table import EvalData, FieldValue, GroupFields, PublishedPassAtK, Tally, group_name

MOST_LINES_REMEMBERED = 4_000_000  # for possible double entries: 64 bytes each

TableRow = tuple[str, Mapping[str, Any]]
"""Where the row is, and its values by column."""


def matches(start: FileStart) -> bool:
    """Parquet, text that is not JSON, and JSONL or a JSON array of flat records that are of no other format."""
    if start.syntax in ("parquet", "csv"):
        return True
    return start.record is not None and (start.syntax == "jsonl" or start.is_array)


def read(start: FileStart, options: ReadOptions) -> EvalData:
    """Counts from one table. `options.columns` names the columns of problem, n, c, accuracy, correct or attempt.

    The columns in `options.group` define the groups; by default the known ones among model, params, tokens and so on.
    Other columns are skipped, and a note names them. Columns pass@K, or a pair `k` and `pass@k`, are kept for the
    checks.
    """
    return read_rows(rows_of(start), start.path, start.syntax, options)


def rows_of(start: FileStart) -> Iterator[TableRow]:
    """The rows of a table in any syntax."""
    if start.syntax == "csv":
        return csv_rows(start.path)
    if start.syntax == "parquet":
        return parquet_rows(start.path)
    return object_rows(start.path) if start.is_array else json_lines(start.path)


def object_rows(path: Path) -> Iterator[TableRow]:
    """Rows of a JSON array of objects."""
    for where, item in array_records(path):
        if not isinstance(item, dict):
            raise InputError(f"{where}: a JSON object was expected, not {type(item).__name__}")
        yield where, item


def read_rows(
    rows: Iterable[TableRow], path: Path, name: str, options: ReadOptions, tally: Tally | None = None
) -> EvalData:
    """Counts from the rows of a table."""
    tally = Tally(name) if tally is None else tally
    add: Callable[[str, Mapping[str, Any]], None] | None = None
    adder: RowsOfCounts | RowsOfAttempts | None = None
    for where, row in rows:
        if add is None:
            columns = assign_columns(row, path, options, tally)
            kind = RowsOfCounts if columns.n else RowsOfAttempts
            adder = kind(columns, tally, options.threshold)
            add = adder.add
        try:
            add(where, row)
        except (KeyError, ValueError) as error:
            if isinstance(error, InputError):
                raise
            what = (
                f"no {error.args[0]!r}, which the first record has" if isinstance(error, KeyError) else error
            )
            raise InputError(f"{where}: {what}") from error
    if adder is None:
        raise UnknownFormat(f"{path}: no rows")
    adder.finish(path)
    return tally.finish()


class RowsOfCounts:
    """Adds rows of counts to a tally."""

    def __init__(self, columns: Columns, tally: Tally, threshold: float | None) -> None:
        self.columns, self.tally = columns, tally
        self.seen: dict[tuple[GroupFields, str], tuple[int, int]] = {}

    def add(self, where: str, row: Mapping[str, Any]) -> None:
        """Add one row."""
        columns, tally = self.columns, self.tally
        assert columns.n is not None
        problem = name_of(row[columns.problem], where)
        fields = group_fields(row, columns.group)
        if columns.c is not None:
            n, c = whole(row[columns.n]), whole(row[columns.c])
        else:
            n = whole(row[columns.n])
            found = count_from_accuracy(row[columns.accuracy or ""], n, where)
            if found is None:
                tally.leave_aside(fields, problem, n, f"no {columns.accuracy}")
                return
            c = found
        if columns.k is None:
            tally.add_counts(fields, problem, n, c, where)
        else:  # a table with a row for each k repeats the counts
            key = (tuple(fields.items()), problem)
            if self.seen.get(key) != (n, c):
                tally.add_counts(fields, problem, n, c, where)
            self.seen[key] = (n, c)
        published = (
            columns.wide.items() if columns.long is None else [(columns.long, row.get(columns.k or ""))]
        )
        for name, k in published:
            if row.get(name) not in (None, "") and k not in (None, ""):
                value = number(row[name], name, where)
                tally.published.append(PublishedPassAtK(group_name(fields), problem, n, c, whole(k), value))

    def finish(self, path: Path) -> None:
        """Nothing is left to say."""


class RowsOfAttempts:
    """Adds rows of verdicts to a tally."""

    def __init__(self, columns: Columns, tally: Tally, threshold: float | None) -> None:
        self.columns, self.tally, self.threshold = columns, tally, threshold
        self.attempts: set[int] = set()  # hashes: a million tuples would take a quarter of a gigabyte
        self.answers: set[int] = set()
        self.repeated = self.rows = 0

    def add(self, where: str, row: Mapping[str, Any]) -> None:
        """Add one row."""
        columns = self.columns
        self.rows += 1
        problem = name_of(row[columns.problem], where)
        fields = group_fields(row, columns.group)
        verdicts = [
            as_verdict(row.get(name), f"{where}, {name}", self.threshold) for name in columns.verdicts
        ]
        for other in columns.others:
            self.compare(other, row, verdicts[0], where)
        if columns.attempt is not None and (number := row.get(columns.attempt)) not in (None, ""):
            key = hash((tuple(fields.items()), problem, str(number)))
            if key in self.attempts:
                raise InputError(
                    f"{where}: {columns.attempt} {number} of problem {problem!r} appears twice. If another column "
                    "tells these rows apart, name it with --group"
                )
            self.attempts.add(key)
        elif columns.answer is not None and len(self.answers) < MOST_LINES_REMEMBERED:
            entry = hash((tuple(fields.items()), problem, str(row.get(columns.answer))))
            self.repeated += entry in self.answers
            self.answers.add(entry)
        details = [detail_of(row, columns.details, where, self.threshold)] if any(columns.details) else None
        self.tally.add_attempts(fields, problem, verdicts, f"no {columns.verdicts[0]}", details)

    def compare(self, other: str, row: Mapping[str, Any], verdict: bool | None, where: str) -> None:
        """Raise InputError if another column contradicts the verdict."""
        try:
            second = as_verdict(row.get(other), where, self.threshold)
        except InputError:
            return  # a score that is no verdict
        if None not in (verdict, second) and second != verdict:
            first = self.columns.verdicts[0]
            raise InputError(
                f"{where}: {first} and {other} contradict each other; say which of them counts with "
                f"--scorer {first} or --scorer {other}"
            )

    def finish(self, path: Path) -> None:
        """Say how the rows were understood."""
        columns, notes = self.columns, self.tally.notes
        first, *more = columns.verdicts
        if more:
            notes.append(f"{path.name}: a column is one attempt ({first} to {more[-1]})")
        else:
            notes.append(
                f"{path.name}: a row is one attempt at the problem in {columns.problem}, and {first} says whether it "
                "is correct"
            )
        notes += [f"{path.name}: {note}" for note in columns.details.notes()]
        if self.repeated:
            notes.append(
                f"{path.name}: {self.repeated:,} of {self.rows:,} rows have the problem and the text of an earlier "
                "row; they are counted, but may be double entries of a run that was resumed"
            )


def group_fields(row: Mapping[str, Any], group: Mapping[str, str]) -> dict[str, FieldValue]:
    """The fields of the group that a row is in. A field without a value is no field."""
    return {
        field: field_value(value)
        for field, column in group.items()
        if (value := row.get(column)) is not None and value != ""
    }


def name_of(value: Any, where: str) -> str:
    """The name of a problem. InputError where it is missing."""
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        raise InputError(f"{where}: the problem has no name")
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # a column of whole numbers with a gap is one of floats
    return str(value)


def csv_rows(path: Path) -> Iterator[TableRow]:
    """Rows of a file with commas, semicolons or tabs between its columns."""
    with open_text(path) as handle:
        sample = handle.readline()
        delimiter = max(",;\t", key=sample.count)
        names = [name.strip() for name in next(csv.reader([sample], delimiter=delimiter), [])]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise InputError(f"{path}: two columns are named {repeated[0]!r}")
        reader = csv.DictReader(handle, names, delimiter=delimiter)
        try:
            for row in reader:
                where = f"{path}, line {reader.line_num + 1}"
                if None in row or None in row.values():
                    raise InputError(
                        f"{where}: not as many fields as the {len(names)} of the header; is the file truncated?"
                    )
                yield where, row
        except csv.Error as error:
            raise InputError(f"{path}, line {reader.line_num + 1}: not CSV ({error})") from error


def whole(value: object) -> int:
    """A whole number from 12, 12.0, "12" or "1e4"; ValueError otherwise."""
    try:
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if isinstance(value, str) and value.strip().isdecimal():
            return int(value)  # exact beyond 2^53, where float64 is not
        result = float(value)  # pyright: ignore[reportArgumentType]  # a TypeError is answered below
        if isinstance(value, bool) or result != int(result):
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{value!r:.80} is not a whole number") from None
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
        result = float(value)  # pyright: ignore[reportArgumentType]  # a TypeError is answered below
    except (TypeError, ValueError):
        return str(value)
    return result if math.isfinite(result) else str(value)


READER = Reader(
    "table",
    (".csv", ".tsv", ".parquet", ".jsonl", ".json"),
    matches,
    read,
    "CSV, JSONL, JSON arrays and Parquet with problem, n, c (or accuracy), or with a row or a column for each attempt",
)
