"""Reading evaluation logs of any known format: each file goes to the reader of its format, and the parts are joined."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lidjax.errors import InputError
from lidjax.evals.attempt_details import add_details
from lidjax.evals.read import (
    bigcode,
    evalplus,
    harness,
    human_eval,
    inspect_log,
    lighteval,
    multipl_e,
    nemo_skills,
    swe_bench,
    tabular,
    trials,
    verdict_lists,
)
from lidjax.evals.read.reader import FileStart, Reader, ReadOptions, look_at, unknown_format
from lidjax.evals.read.text import COMPRESSED, UnknownFormat, plain_name
from lidjax.evals.read.verdicts import ANSWER_KEYS, VERDICT_KEYS
from lidjax.evals.table import MOST_ATTEMPTS, EvalData, FieldValue, Group, GroupFields, LeftAside, group_name
from lidjax.progress import Progress, ended_after, no_progress

READERS: tuple[Reader, ...] = (
    harness.READER,
    evalplus.READER,
    inspect_log.READER,
    bigcode.READER,
    multipl_e.READER,
    trials.READER,  # before SWE-bench: it may have lists of resolved tasks too, beside the attempts themselves
    swe_bench.READER,
    lighteval.READER,
    nemo_skills.READER,
    verdict_lists.READER,
    human_eval.READER,
    tabular.READER,
)
"""All formats. The first reader that matches a file reads it; the last one takes any table."""

ADAPTIVE = "as was said when the log was read"
"""What `Group.placed_by` says where the user knows it and the log does not."""

MOST_NAMED = 5  # names of files or problems in one message


def read_evals(
    paths: Path | str | Sequence[Path | str],
    *,
    columns: Mapping[str, str] | None = None,
    group: Sequence[str] | None = None,
    scorer: str | None = None,
    threshold: float | None = None,
    answer: str | None = None,
    answer_pattern: str | None = None,
    filter: str | None = None,
    pool_files: bool = False,
    adaptive: bool = False,
    progress: Progress = no_progress,
) -> EvalData:
    """Counts of attempts and correct answers, problem by problem, from evaluation logs of one format.

    Known formats: tables and flat records (CSV, JSONL, JSON, Parquet) with `problem, n, c`, or with a row or a column
    for each attempt; records with a list of verdicts (YAML, JSON, JSONL, Parquet); logs of Inspect,
    lm-evaluation-harness, human-eval, EvalPlus, the BigCode harness, MultiPL-E, NeMo-Skills, lighteval and SWE-bench;
    and documents of agents' trials. Files may be compressed as .gz or .zst. The format is recognised from the content.

    An attempt without a verdict (empty, null, NaN, an error of the evaluation) is left aside, neither correct nor
    wrong, and `left_aside` says how many there are. Files with the same problems are separate groups unless
    `pool_files` says that they are attempts of one run. Errors name the options as the command line spells them;
    `--group` is `group`, and so on.

    Args:
        paths: A file or folder, or several. A folder stands for all files in it with a known suffix; those that hold no
            known log are skipped, and a note names them.
        columns: For tables: the names of the columns, by "problem", "n", "c", "accuracy" (c/n), or, where each attempt
            has a row, "correct" and "attempt". The usual names are known.
        group: For tables: names of the columns that define groups. By default the known ones, such as model, params
            and tokens.
        scorer: The name of the score, verdict, list or metric to count where a log has several. For EvalPlus "base" or
            "plus".
        threshold: For scores between 0 and 1: a score of at least this is correct.
        answer: For lm-evaluation-harness logs: how to find the answer in a text. "strict-number", "last-number",
            "boxed", "whole-text", or "target" for a text that must equal the field `target`. By default the way that
            reproduces the log's own metric.
        answer_pattern: For lm-evaluation-harness logs: a regular expression in place of `answer`. The answer is its
            first group, or all of it, at the last match.
        filter: For lm-evaluation-harness logs: the name of the filter whose metric counts.
        pool_files: Whether files with the same problems are attempts of one run, whose numbers add up.
        adaptive: Whether the number of attempts at a problem depended on their outcomes, as after `next_attempts`. Only
            methods that stay right then are used. Inspect logs say it themselves.
        progress: Reports progress over the files.

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
    options = ReadOptions(columns, group, scorer, threshold, answer, answer_pattern, filter)
    parts: list[Part] = []
    skipped: list[str] = []
    raw: list[str] = []
    unknown: UnknownFormat | None = None
    seen: set[Path] = set()
    files = [(path, file) for path in map(Path, paths) for file in log_files(path)]
    with ended_after(progress("files", files)) as steps:
        for path, file in steps:
            if file.resolve() in seen:
                continue
            seen.add(file.resolve())
            try:
                parts.append(read_file(file, options))
            except UnknownFormat as error:
                if not path.is_dir():
                    raise
                unknown = unknown or error
                (raw if "answers without verdicts" in str(error) else skipped).append(file.name)
    if not parts:
        raise unknown or InputError("no file to read")
    formats = {part.data.format: part.path for part in reversed(parts)}
    kinds = {part.reader.name: part for part in reversed(parts)}
    if len(kinds) > 1:
        first, second = list(kinds.values())[:2]
        raise InputError(
            f"mixed formats: {first.path} is {first.data.format}, {second.path} is {second.data.format}; "
            f"name the files of one format ({len(formats)} formats in {len(parts)} files)"
        )
    notes: list[str] = []
    if raw:
        notes.append(f"skipped, answers without verdicts: {some_names(raw)}")
    if skipped:
        notes.append(f"skipped, no known evaluation log: {some_names(skipped)}")
    data = join(parts, notes, pool=pool_files)
    if not adaptive:
        return data
    return replace(
        data, groups=tuple(replace(group, placed_by=group.placed_by or ADAPTIVE) for group in data.groups)
    )


class Part(NamedTuple):
    """What one file holds."""

    path: Path
    reader: Reader
    data: EvalData


def read_file(path: Path, options: ReadOptions) -> Part:
    """The counts in one file. UnknownFormat if it holds no known log."""
    start = look_at(path)
    reader = next((reader for reader in READERS if reader.matches(start)), None)
    if reader is None:
        raise unknown_format(start, READERS, what_is_missing(start))
    try:
        return Part(path, reader, reader.read(start, options))
    except UnknownFormat as error:
        why = what_is_missing(start) or str(error).removeprefix(f"{path}: ")
        raise unknown_format(start, READERS, why) from error


def what_is_missing(start: FileStart) -> str:
    """Says that a file holds answers without verdicts, if it does."""
    keys = {str(key).lower() for key in start.record or {}}
    if not keys.isdisjoint(ANSWER_KEYS) and keys.isdisjoint(VERDICT_KEYS):
        return "answers without verdicts: mark them first, or read the results that were written beside them"
    return ""


def some_names(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def as_eval_data(data: EvalData | Path | str | Sequence[Path | str]) -> EvalData:
    """Counts as they are, or read from paths."""
    return data if isinstance(data, EvalData) else read_evals(data)


def log_files(path: Path) -> list[Path]:
    """The file itself, or the files with a known suffix in a folder."""
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    if not path.is_dir():
        return [path]
    suffixes = tuple(dict.fromkeys(suffix for reader in READERS for suffix in reader.suffixes))
    found = sorted(
        file
        for file in path.rglob("*")
        if file.is_file() and (plain_name(file).endswith(suffixes) or file.suffix in COMPRESSED)
    )
    if not found:
        raise InputError(
            f"{path}: the folder holds no file of a known kind; allowed: {', '.join((*suffixes, *COMPRESSED))}"
        )
    return found


def join(parts: Sequence[Part], notes: Sequence[str] = (), *, pool: bool = False) -> EvalData:
    """One EvalData from several files.

    Groups with the same fields in different files are put together if `pool` says so, or if they have no problem in
    common and are known to be of one model or are a file for each problem. Otherwise each file is a group of its own:
    two models must never become one, nor one run be counted twice. Fields that have one value everywhere are dropped
    from the names of the groups, but not from their fields.
    """
    found: dict[GroupFields, list[tuple[Path, Group, Reader]]] = {}
    for part in parts:
        for group in part.data.groups:
            found.setdefault(tuple(group.fields.items()), []).append((part.path, group, part.reader))
    labels = file_labels([part.path for part in parts])
    notes = list(notes)
    groups: list[Group] = []
    apart: set[GroupFields] = set()
    for key, members in found.items():
        if len(members) == 1:
            groups.append(members[0][1])
            continue
        total = sum(len(group.problems) for _, group, _ in members)
        common = total - len({problem for _, group, _ in members for problem in group.problems})
        one_run = members[0][2].parts and all(len(group.problems) == 1 for _, group, _ in members)
        if common and one_run and not pool:
            raise InputError(twice(members))
        if pool or (not common and (one_run or "model" in dict(key))):
            groups.append(add_problems(dict(key), [group for _, group, _ in members]))
            if common:
                notes.append(pooled_note(members, groups[-1]))
            continue
        apart.add(key)
        for path, group, _ in members:
            groups.append(replace_fields(group, dict(key) | {"file": labels[path]}))
        notes.append(offer(members) if common else apart_note(members))
    left_aside = tuple(
        replace(value, fields=dict(value.fields) | {"file": labels[part.path]})
        if tuple(value.fields.items()) in apart
        else value
        for part in parts
        for value in part.data.left_aside
    )
    if not groups:
        raise InputError(
            f"{parts[0].path}: none of the {sum(value.count for value in left_aside):,} attempts has a verdict "
            f"({reasons(left_aside)})"
        )
    groups = name_groups(groups)
    return EvalData(
        tuple(groups),
        parts[0].data.format,
        (
            *(note for part in parts for note in part.data.notes),
            *left_aside_notes(left_aside, groups),
            *notes,
        ),
        tuple(value for part in parts for value in part.data.published),
        left_aside,
    )


def name_groups(groups: Sequence[Group]) -> list[Group]:
    """Groups named by their model and by the fields that vary."""
    names = sorted({name for group in groups for name in group.fields})
    varied = [name for name in names if len({group.fields.get(name) for group in groups}) > 1]
    keep = ("model", *varied)
    return [
        replace(group, name=group_name({name: value for name, value in group.fields.items() if name in keep}))
        for group in groups
    ]


def replace_fields(group: Group, fields: Mapping[str, FieldValue]) -> Group:
    """A group under other fields."""
    return replace(group, name=group_name(fields), fields=fields)


def file_labels(paths: Sequence[Path]) -> dict[Path, str]:
    """A short name for each file: its own without suffixes, with its folders where files have the same."""
    stems = {
        path: re.sub(r"(_results)?(\.jsonl?|\.csv|\.tsv|\.parquet|\.eval|\.ya?ml)$", "", plain_name(path))
        for path in paths
    }
    if len(set(stems.values())) == len(stems):
        return stems
    root = os.path.commonpath([path.resolve().parent for path in paths])
    return {path: str(path.resolve().relative_to(root)) for path in paths}


def twice(members: Sequence[tuple[Path, Group, Reader]]) -> str:
    """The message for a problem that is in two files of one run."""
    seen: dict[str, Path] = {}
    for path, group, _ in members:
        for problem in group.problems:
            if problem in seen:
                return (
                    f"problem {problem!r} of group {group.name!r} appears in two files, {seen[problem]} and {path}; if "
                    "they hold different attempts, --pool-files adds them up"
                )
            seen[problem] = path
    raise AssertionError("no problem is in two files")


def offer(members: Sequence[tuple[Path, Group, Reader]]) -> str:
    """The note on files that hold the same problems and are not put together."""
    names = [path.name for path, _, _ in members]
    same = len({frozenset(group.problems) for _, group, _ in members}) == 1
    alike = len({re.sub(r"\d+", "#", name) for name in names}) == 1
    what = "the same problems" if same else "some problems in common"
    guess = ", and their names look like the seeds of one run" if alike and same else ""
    return (
        f"{len(members)} files hold {what}{guess} ({some_names(names)}); each is a group of its own. If they are "
        "attempts of one model, --pool-files adds them up"
    )


def apart_note(members: Sequence[tuple[Path, Group, Reader]]) -> str:
    """The note on files without a problem in common that do not say which model they are of."""
    names = some_names([path.name for path, _, _ in members])
    return (
        f"{len(members)} files do not say which model they are of ({names}); each is a group of its own. If they are "
        "parts of one run, --pool-files puts them together"
    )


def pooled_note(members: Sequence[tuple[Path, Group, Reader]], group: Group) -> str:
    """The note on files that were pooled; it warns of files with identical attempts."""
    names = [path.name for path, _, _ in members]
    seen: dict[object, str] = {}
    copies: list[str] = []
    for path, part, _ in members:
        key = (part.problems, part.outcomes, part.c.tobytes(), part.n.tobytes())
        if key in seen and 0 < part.c.sum() < part.n.sum():
            copies.append(f"{path.name} like {seen[key]}")
        seen.setdefault(key, path.name)
    fewest, most = int(group.n.min()), int(group.n.max())
    attempts = f"{fewest:,}" if fewest == most else f"{fewest:,} to {most:,}"
    warning = f"; some hold the same verdicts and may be copies: {some_names(copies)}" if copies else ""
    return f"{len(members)} files pooled ({some_names(names)}): {attempts} attempts at each problem{warning}"


def reasons(left_aside: Sequence[LeftAside]) -> str:
    """Why attempts were left aside, with how many for each reason."""
    counts: dict[str, int] = {}
    for value in left_aside:
        counts[value.reason] = counts.get(value.reason, 0) + value.count
    return ", ".join(f"{reason}: {count:,}" for reason, count in counts.items())


def left_aside_notes(left_aside: Sequence[LeftAside], groups: Sequence[Group]) -> list[str]:
    """Notes on the attempts that do not count."""
    if not left_aside:
        return []
    count = sum(value.count for value in left_aside)
    total = count + sum(sum(group.n.tolist()) for group in groups)
    known = {problem for group in groups for problem in group.problems}
    without = list(dict.fromkeys(value.problem for value in left_aside if value.problem not in known))
    gone = f"; no attempt is left at {len(without)} problems: {some_names(without)}" if without else ""
    return [
        f"{count:,} of {total:,} attempts have no verdict and are left aside, neither correct nor wrong "
        f"({reasons(left_aside)}){gone}"
    ]


def add_problems(fields: Mapping[str, FieldValue], groups: Sequence[Group]) -> Group:
    """Several groups as one: the attempts at a problem that is in several of them add up.

    The outcomes and other details are kept only where all groups have them.
    """
    n: dict[str, int] = {}
    c: dict[str, int] = {}
    outcomes: dict[str, bytes] = {}
    for group in groups:
        for index, problem in enumerate(group.problems):
            n[problem] = n.get(problem, 0) + int(group.n[index])
            c[problem] = c.get(problem, 0) + int(group.c[index])
            if group.outcomes is not None:
                outcomes[problem] = outcomes.get(problem, b"") + group.outcomes[index]
            if n[problem] > MOST_ATTEMPTS:
                raise InputError(f"problem {problem!r}: more than 2^53 attempts in all files together")
    complete = all(group.outcomes is not None for group in groups)
    return Group(
        name=group_name(fields),
        fields=fields,
        problems=tuple(n),
        n=np.array(list(n.values()), dtype=np.int64),
        c=np.array(list(c.values()), dtype=np.int64),
        outcomes=tuple(outcomes[problem] for problem in n) if complete else None,
        details=add_details([(group.problems, group.details) for group in groups], n),
        placed_by=next((group.placed_by for group in groups if group.placed_by), ""),
    )
