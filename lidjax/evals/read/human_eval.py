"""human-eval results: `*_results.jsonl`, one line an attempt with `task_id` and `passed`."""

from lidjax.evals.read.columns import N_COLUMNS
from lidjax.evals.read.reader import FileStart, Reader, ReadOptions
from lidjax.evals.read.tabular import read_rows
from lidjax.evals.read.text import json_lines
from lidjax.evals.table import EvalData


def matches(start: FileStart) -> bool:
    """Attempts with `task_id` and `passed`. With a number of attempts it is a table of counts."""
    record = start.record
    if record is None or start.syntax != "jsonl" or not {"task_id", "passed"} <= set(record):
        return False
    return not any(str(name).lower() in N_COLUMNS for name in record)


def read(start: FileStart, options: ReadOptions) -> EvalData:
    """Counts from one results file."""
    columns = {"problem": "task_id", "correct": "passed"} | dict(options.columns or {})
    return read_rows(json_lines(start.path), start.path, READER.name, options._replace(columns=columns))


READER = Reader("human-eval", (".jsonl",), matches, read, "lines with task_id and passed, one an attempt")
