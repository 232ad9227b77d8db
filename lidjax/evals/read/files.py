"""Reading evaluation logs of any known format: looks at each file, calls its reader, joins what came back."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from lidjax.errors import InputError
from lidjax.evals.read.correct_lists import read_correct_lists
from lidjax.evals.read.harness import read_harness
from lidjax.evals.read.human_eval import read_human_eval
from lidjax.evals.read.inspect_log import read_inspect, read_inspect_json
from lidjax.evals.read.tabular import read_table
from lidjax.evals.read.text import json_lines, open_text, read_head
from lidjax.evals.table import EvalData, Group, group_name

SUFFIXES = (".csv", ".tsv", ".parquet", ".jsonl", ".json", ".eval", ".yaml", ".yml", ".gz")


def read_evals(
    paths: Sequence[Path | str],
    *,
    columns: Mapping[str, str] | None = None,
    group: Sequence[str] | None = None,
    scorer: str | None = None,
    threshold: float | None = None,
    answer: str | None = None,
) -> EvalData:
    """Read logs of one format; a folder stands for the logs in it.

    `columns` and `group` belong to tables of counts, `scorer` and `threshold` to Inspect logs, `answer` to
    lm-evaluation-harness logs. Attempts at one problem in several files of one group are put together. Raises
    InputError for anything a person can mend.
    """
    files = [file for path in paths for file in expand(Path(path))]
    if not files:
        raise InputError("no file to read")
    parts: list[EvalData] = []
    for path in files:
        kind, syntax = sniff(path)
        if kind == "table":
            part = read_table(path, syntax, columns, group)
        elif kind == "inspect":
            part = read_inspect(path, scorer=scorer, threshold=threshold)
        elif kind == "inspect-json":
            part = read_inspect_json(path, scorer, threshold)
        elif kind == "harness":
            part = read_harness(path, answer=answer)
        elif kind == "human-eval":
            part = read_human_eval(path)
        else:
            part = read_correct_lists(path, syntax)
        if parts and (part.format in COUNTED) != (parts[0].format in COUNTED):
            raise InputError(f"mixed formats: {files[0]} is {parts[0].format}, {path} is {part.format}")
        if parts and part.format not in COUNTED and part.format != parts[0].format:
            raise InputError(f"mixed formats: {files[0]} is {parts[0].format}, {path} is {part.format}")
        parts.append(part)
    return join(parts)


COUNTED = ("csv", "jsonl", "parquet")  # tables of counts may come in several syntaxes


def expand(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.rglob("*") if file.suffix in SUFFIXES and file.is_file())
    if not found:
        raise InputError(f"{path}: a folder without any file of a known kind ({', '.join(SUFFIXES)})")
    return found


def sniff(path: Path) -> tuple[str, str]:
    """(kind, syntax) of a file, from its first bytes and its first record; the name decides only for YAML."""
    head = read_head(path)
    if head.startswith(b"PK") or path.suffix == ".eval":
        return "inspect", "zip"
    if head.startswith(b"PAR1"):
        return "table", "parquet"
    name = path.name.removesuffix(".gz")
    if name.endswith((".yaml", ".yml")):
        return "correct-lists", "yaml"
    with open_text(path) as handle:
        start = handle.read(1 << 16).lstrip()
    if not start:
        raise InputError(f"{path}: the file is empty")
    if start[0] == "[":
        return "correct-lists", "json"
    if start[0] != "{":
        return "table", "csv"
    if not name.endswith(".jsonl"):
        try:
            json.loads(start.splitlines()[0])
        except json.JSONDecodeError:
            return ("inspect-json", "json") if '"eval"' in start else ("correct-lists", "json")
    _, record = next(json_lines(path))
    if "resps" in record:
        return "harness", "jsonl"
    if "eval" in record and "samples" in record:
        return "inspect-json", "json"
    if "is_corrects" in record:
        return "correct-lists", "jsonl"
    if record and all(isinstance(value, dict) for value in record.values()):
        return "correct-lists", "json"
    if "task_id" in record and "passed" in record and "n" not in record:
        return "human-eval", "jsonl"
    return "table", "jsonl"


def join(parts: list[EvalData]) -> EvalData:
    """One EvalData from several. Fields with one value everywhere are dropped from the names, not from the groups."""
    merged: dict[tuple, Group] = {}
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
    """Two parts of one group: further problems, and further attempts where both keep the attempts themselves."""
    both = set(old.problems) & set(new.problems)
    if both and (old.outcomes is None or new.outcomes is None):
        raise InputError(f"problem {min(both)!r} of group {old.name!r} stands in two files")
    n = dict(zip(old.problems, old.n.tolist(), strict=True))
    c = dict(zip(old.problems, old.c.tolist(), strict=True))
    order = dict(zip(old.problems, old.outcomes, strict=True)) if old.outcomes else {}
    for index, problem in enumerate(new.problems):
        n[problem] = n.get(problem, 0) + int(new.n[index])
        c[problem] = c.get(problem, 0) + int(new.c[index])
        if new.outcomes is not None:
            order[problem] = order.get(problem, b"") + new.outcomes[index]
    outcomes = tuple(order[p] for p in n) if old.outcomes is not None and new.outcomes is not None else None
    counts = (np.array(list(values.values()), dtype=np.int64) for values in (n, c))
    return Group(old.name, old.fields, tuple(n), *counts, outcomes)  # pyright: ignore[reportCallIssue]
