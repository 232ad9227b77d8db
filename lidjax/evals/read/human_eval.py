"""human-eval results: `*_results.jsonl`, one line an attempt with `task_id` and `passed`."""

from pathlib import Path

from lidjax.errors import InputError
from lidjax.evals.read.text import as_flag, json_lines
from lidjax.evals.table import EvalData, Tally


def read_human_eval(path: Path) -> EvalData:
    """Counts from one results file; the group is named after the file."""
    tally = Tally("human-eval")
    fields = {"file": path.name.removesuffix(".gz").removesuffix(".jsonl").removesuffix("_results")}
    for where, record in json_lines(path):
        if "task_id" not in record or "passed" not in record:
            raise InputError(f"{where}: an attempt needs 'task_id' and 'passed'; it has {', '.join(record)}")
        tally.add_attempts(fields, str(record["task_id"]), [as_flag(record["passed"], where)])
    return tally.finish()
