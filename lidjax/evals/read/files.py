"""Reading evaluation logs of any known format: each file goes to the reader of its format, and the parts are joined."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from lidjax.errors import InputError
from lidjax.evals.read import correct_lists, harness, human_eval, inspect_log, tabular
from lidjax.evals.read.reader import Reader, ReadOptions, look_at
from lidjax.evals.table import EvalData, Group, GroupFields, group_name

READERS: tuple[Reader, ...] = (
    harness.READER,
    inspect_log.READER,
    correct_lists.READER,
    human_eval.READER,
    tabular.READER,
)
"""All formats. The first reader that matches a file reads it; the last one takes any table."""


def read_evals(
    paths: Path | str | Sequence[Path | str],
    *,
    columns: Mapping[str, str] | None = None,
    group: Sequence[str] | None = None,
    scorer: str | None = None,
    threshold: float | None = None,
    answer: str | None = None,
) -> EvalData:
    """Counts of attempts and correct answers, problem by problem, from evaluation logs of one format.

    Known formats: tables of `problem, n, c` (CSV, JSONL, Parquet), Inspect logs, lm-evaluation-harness samples,
    human-eval results, and records with a list `is_corrects` (YAML, JSON, JSONL). The format is recognised from the
    content. Attempts at one problem in several files of one group are put together. Errors name the options as the
    command line spells them; `--group` is `group`, and so on.

    Args:
        paths: A file or folder, or several. A folder stands for all files in it with a known suffix.
        columns: For tables: the names of the columns, by "problem", "n" and "c". The usual names are known.
        group: For tables: names of the columns that define groups. By default the known ones, such as model, params
            and tokens.
        scorer: For Inspect logs with several scores: the name of the one to count.
        threshold: For Inspect logs with scores between 0 and 1: a score of at least this is correct.
        answer: For lm-evaluation-harness logs: how to find the answer in a text. "strict-number", "last-number",
            "boxed", "whole-text", or a regular expression. By default the way that reproduces the log's own metric.

    Returns:
        The groups, with notes on what was assumed and skipped.

    Raises:
        InputError: If a file is missing, damaged or of no known format, if formats are mixed, if a problem appears
            twice, or if an option does not fit the file.

    Example:
        >>> import pathlib, tempfile
        >>> import lidjax.evals
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> _ = (folder / "counts.csv").write_text("model,problem,n,c\\nsmall,p1,10,3\\nsmall,p2,10,0\\n")
        >>> (group,) = lidjax.evals.read_evals(folder / "counts.csv").groups
        >>> group.name, group.n.tolist(), group.c.tolist()
        ('small', [10, 10], [3, 0])
    """
    paths = [paths] if isinstance(paths, Path | str) else paths
    files = [file for path in paths for file in log_files(Path(path))]
    if not files:
        raise InputError("no file to read")
    options = ReadOptions(columns, group, scorer, threshold, answer)
    parts: list[EvalData] = []
    first: Reader | None = None
    for path in files:
        start = look_at(path)
        reader = next(reader for reader in READERS if reader.matches(start))
        first = reader if first is None else first
        part = reader.read(start, options)
        if reader is not first:
            raise InputError(f"mixed formats: {files[0]} is {parts[0].format}, {path} is {part.format}")
        parts.append(part)
    return join(parts)


def as_eval_data(data: EvalData | Path | str | Sequence[Path | str]) -> EvalData:
    """Counts as they are, or read from paths."""
    return data if isinstance(data, EvalData) else read_evals(data)


def log_files(path: Path) -> list[Path]:
    """The file itself, or the files with a known suffix in a folder."""
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    if not path.is_dir():
        return [path]
    suffixes = (*dict.fromkeys(suffix for reader in READERS for suffix in reader.suffixes), ".gz")
    found = sorted(file for file in path.rglob("*") if file.suffix in suffixes and file.is_file())
    if not found:
        raise InputError(f"{path}: the folder holds no file of a known kind; allowed: {', '.join(suffixes)}")
    return found


def join(parts: list[EvalData]) -> EvalData:
    """One EvalData from several.

    Fields that have one value everywhere are dropped from the names of the groups, but not from their fields.
    """
    merged: dict[GroupFields, Group] = {}
    for part in parts:
        for new in part.groups:
            key = tuple(new.fields.items())
            merged[key] = new if key not in merged else add_problems(merged[key], new)
    groups = list(merged.values())
    names = sorted({name for group in groups for name in group.fields})
    varied = [name for name in names if len({group.fields.get(name) for group in groups}) > 1]
    keep = ("model", *varied)
    groups = [
        Group(
            group_name({name: value for name, value in group.fields.items() if name in keep}),
            group.fields,
            group.problems,
            group.n,
            group.c,
            group.outcomes,
        )
        for group in groups
    ]
    return EvalData(
        tuple(groups),
        parts[0].format,
        tuple(note for part in parts for note in part.notes),
        tuple(value for part in parts for value in part.published),
    )


def add_problems(old: Group, new: Group) -> Group:
    """Two parts of one group together.

    A problem may be in both parts only if both keep the attempts themselves; otherwise it may be the same attempts
    twice, and that is an error.
    """
    both = set(old.problems) & set(new.problems)
    if both and (old.outcomes is None or new.outcomes is None):
        raise InputError(f"problem {min(both)!r} of group {old.name!r} appears in two files")
    n = dict(zip(old.problems, old.n.tolist(), strict=True))
    c = dict(zip(old.problems, old.c.tolist(), strict=True))
    outcomes = dict(zip(old.problems, old.outcomes, strict=True)) if old.outcomes else {}
    for index, problem in enumerate(new.problems):
        n[problem] = n.get(problem, 0) + int(new.n[index])
        c[problem] = c.get(problem, 0) + int(new.c[index])
        if new.outcomes is not None:
            outcomes[problem] = outcomes.get(problem, b"") + new.outcomes[index]
    return Group(
        name=old.name,
        fields=old.fields,
        problems=tuple(n),
        n=np.array(list(n.values()), dtype=np.int64),
        c=np.array(list(c.values()), dtype=np.int64),
        outcomes=tuple(outcomes[problem] for problem in n)
        if old.outcomes is not None and new.outcomes is not None
        else None,
    )
