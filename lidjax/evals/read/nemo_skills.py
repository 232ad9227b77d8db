"""NeMo-Skills outputs: `output-rs0.jsonl`, `output-rs1.jsonl`, ..., a file for each seed, one line a problem.

The lines are in the order of the benchmark. The field `problem` holds the text of the problem, not its name: where
there is no id, the number of the line and the beginning of the text name it, so that files of different benchmarks or
orders are not taken for attempts at the same problems.
"""

import re
from typing import Any

from lidjax.errors import InputError, check_choice
from lidjax.evals.read.details import detail_of, find_keys
from lidjax.evals.read.reader import FileStart, Reader, ReadOptions
from lidjax.evals.read.text import json_lines, plain_name
from lidjax.evals.read.verdicts import as_verdict
from lidjax.evals.table import EvalData, Tally

VERDICTS = ("symbolic_correct", "is_correct", "judgement")
NAMES = ("id", "problem_id", "task_id", "question_id", "unique_id")
OUTPUT = re.compile(r"output(-rs\d+|-greedy)?\.jsonl")


def matches(start: FileStart) -> bool:
    """Lines with a verdict and an expected or a predicted answer, and a generation."""
    record = start.record
    if record is None or start.syntax != "jsonl" or not any(name in record for name in VERDICTS):
        return False
    return bool(OUTPUT.fullmatch(plain_name(start.path))) or (
        "generation" in record and ("predicted_answer" in record or "expected_answer" in record)
    )


def read(start: FileStart, options: ReadOptions) -> EvalData:
    """Counts from the file of one seed: one attempt at each problem. `options.scorer` names the verdict."""
    path = start.path
    found = [name for name in VERDICTS if name in (start.record or {})]
    if options.scorer is not None:
        check_choice(f"{path}: --scorer", options.scorer, found)
        found = [options.scorer]
    tally = Tally(READER.name)
    seen: set[str] = set()
    disagree = 0
    for index, (where, record) in enumerate(json_lines(path)):
        name = next((str(record[key]) for key in NAMES if isinstance(record.get(key), str | int)), None)
        if name is None:
            text = " ".join(str(record.get("problem") or record.get("question") or "").split())
            name = f"{index}: {text[:40]}" if text else str(index)
        if name in seen:
            raise InputError(f"{where}: problem {name!r} appears twice in the file of one seed")
        seen.add(name)
        verdicts = [verdict(record.get(key), key, where) for key in found]
        disagree += len({value for value in verdicts if value is not None}) > 1
        detail = detail_of(record, find_keys(record, options.columns or {}), where)
        tally.add_attempts({}, name, [verdicts[0]], f"no {found[0]}", [detail])
    if disagree:
        raise InputError(
            f"{path}: {' and '.join(found)} contradict each other on {disagree} problems; choose one with --scorer"
        )
    if not seen:
        raise InputError(f"{path}: no lines")
    tally.notes.append(
        f"{plain_name(path)}: one attempt at each problem; {found[0]} says whether it is correct"
    )
    return tally.finish()


def verdict(value: Any, key: str, where: str) -> bool | None:
    """The verdict in a field; a judgement is text with the line "Judgement: Yes" or "No"."""
    if key == "judgement" and isinstance(value, str):
        match = re.search(r"judgement\W*(yes|no)\b", value, re.IGNORECASE)
        return None if match is None else match[1].lower() == "yes"
    return as_verdict(value, where)


READER = Reader(
    "NeMo-Skills",
    (".jsonl",),
    matches,
    read,
    "output-rs0.jsonl, ... with symbolic_correct, is_correct or judgement",
)
