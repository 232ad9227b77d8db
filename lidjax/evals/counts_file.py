"""Counts as a table in a file, so that what was understood of a log can be checked, kept and read again."""

import csv
import io
import os
import tempfile
from pathlib import Path

from lidjax.errors import InputError
from lidjax.evals.table import EvalData, FieldValue, GroupFields


def write_counts(data: EvalData, path: Path | str) -> Path:
    """Write counts as CSV: the fields of the groups, then problem, n, c, and the attempts that were left aside.

    `read_evals` reads the file, and finds the same counts. Fields that the user chose with `group` must be chosen
    again. The file is complete or not there: it is written under another name first.

    Args:
        data: Counts from `read_evals`, or made by hand.
        path: File to write; an existing one is replaced.

    Returns:
        The path. A problem with no attempt left has no row; `data.notes` names such problems.

    Raises:
        InputError: If the folder does not exist, or the path is a folder.

    Example:
        >>> import pathlib, tempfile
        >>> import numpy as np
        >>> import lidjax.evals
        >>> group = lidjax.evals.Group("small", {"model": "small"}, ("p1", "p2"), np.array([9, 9]), np.array([3, 0]))
        >>> data = lidjax.evals.EvalData((group,), "by hand")
        >>> path = lidjax.evals.write_counts(data, pathlib.Path(tempfile.mkdtemp()) / "counts.csv")
        >>> print(path.read_text().splitlines()[1])
        small,p1,9,3,0,
    """
    path = Path(path)
    if path.is_dir() or not path.parent.is_dir():
        raise InputError(
            f"{path}: {'a folder' if path.is_dir() else 'its folder does not exist'}; name a file"
        )
    names = list(dict.fromkeys(name for group in data.groups for name in group.fields))
    left: dict[tuple[GroupFields, str], tuple[int, list[str]]] = {}
    for value in data.left_aside:
        key = (tuple(value.fields.items()), value.problem)
        count, reasons = left.get(key, (0, []))
        left[key] = (count + value.count, [*reasons, value.reason])
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*names, "problem", "n", "c", "left_aside", "left_aside_reason"])
    for group in data.groups:
        fields = [format_value(group.fields.get(name, "")) for name in names]
        for problem, n, c in zip(group.problems, group.n.tolist(), group.c.tolist(), strict=True):
            count, reasons = left.get((tuple(group.fields.items()), problem), (0, []))
            writer.writerow([*fields, problem, n, c, count, "; ".join(dict.fromkeys(reasons))])
    handle, partial = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with open(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text.getvalue())
        os.chmod(partial, 0o644)
        os.replace(partial, path)
    except BaseException:
        os.unlink(partial)
        raise
    return path


def format_value(value: FieldValue) -> str:
    """A field as text, without loss."""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return str(value)
