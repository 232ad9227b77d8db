"""human-eval results: `*_results.jsonl`, one line an attempt with `task_id` and `passed`."""

from lidjax.errors import InputError
from lidjax.evals.read.reader import FileStart, Reader, ReadOptions
from lidjax.evals.read.text import as_flag, json_lines
from lidjax.evals.table import EvalData, Tally


def matches(start: FileStart) -> bool:
    """Attempts with `task_id` and `passed`. With a column `n` it is a table of counts."""
    record = start.record
    return record is not None and "task_id" in record and "passed" in record and "n" not in record


def read(start: FileStart, options: ReadOptions) -> EvalData:
    """Counts from one results file; the group is named after the file."""
    path = start.path
    tally = Tally(READER.name)
    fields = {"file": path.name.removesuffix(".gz").removesuffix(".jsonl").removesuffix("_results")}
    for where, record in json_lines(path):
        if "task_id" not in record or "passed" not in record:
            raise InputError(f"{where}: an attempt needs 'task_id' and 'passed'; it has {', '.join(record)}")
        tally.add_attempts(fields, str(record["task_id"]), [as_flag(record["passed"], where)])
    return tally.finish()


READER = Reader("human-eval", (".jsonl",), matches, read)
