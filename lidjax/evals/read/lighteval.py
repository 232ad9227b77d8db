"""lighteval details: `details_TASK_TIME.parquet`, a row for each problem with its metrics.

A metric of 0 or 1 is the verdict on one attempt. A metric whose name ends in `:16_samples`, such as
`pass@1:16_samples`, is the share of correct answers among so many. The layout of 2025 has the metrics in the column
`metric`, the earlier one in `metrics`.
"""

import re
from collections.abc import Mapping
from typing import Any

from lidjax.errors import InputError, unknown_name
from lidjax.evals.read.parquet import parquet_rows
from lidjax.evals.read.reader import FileStart, Reader, ReadOptions
from lidjax.evals.read.text import plain_name
from lidjax.evals.read.verdicts import as_verdict, count_from_accuracy
from lidjax.evals.table import EvalData, FieldValue, Tally

COLUMNS = ("metric", "metrics")
ANSWERS = ("predictions", "model_response")
MEANS = tuple(
    map(
        re.compile,
        (
            r".*pass@1:(\d+)(?:_samples)?",
            r"avg@(\d+)",
            r"avg@n:n=(\d+)",
            r"pass@k:k=1&n=(\d+)",
            r".*pass@1()",
        ),
    )
)
"""Names of metrics that are a share of correct answers, with the number of answers."""


def matches(start: FileStart) -> bool:
    """Parquet with metrics and the answers they are of."""
    record = start.record
    return start.syntax == "parquet" and record is not None and metrics_of(record) is not None


def metrics_of(row: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The metrics of a row."""
    if not any(name in row for name in ANSWERS):
        return None
    return next((row[name] for name in COLUMNS if isinstance(row.get(name), dict)), None)


def read(start: FileStart, options: ReadOptions) -> EvalData:
    """Counts from the details of one task. `options.scorer` names the metric where there are several."""
    path = start.path
    tally = Tally(READER.name)
    fields = name_fields(plain_name(path), str(path.resolve().parent.parent.name))
    metric: str | None = None
    seen: set[str] = set()
    for index, (where, row) in enumerate(parquet_rows(path)):
        metrics = metrics_of(row) or {}
        if metric is None:
            metric = choose_metric(metrics, options.scorer, where)
        problem = problem_of(row, index)
        if problem in seen:
            raise InputError(f"{where}: problem {problem!r} appears twice")
        seen.add(problem)
        n = sample_number(metric) or number_of_answers(row)
        if n == 1:
            tally.add_attempts(
                fields, problem, [as_verdict(metrics.get(metric), where, options.threshold)], f"no {metric}"
            )
            continue
        if not any(pattern.fullmatch(metric) for pattern in MEANS):
            raise InputError(
                f"{where}: {n} answers, and {metric} does not say which of them are correct; a metric that is a mean "
                f"over them, such as pass@1:{n}_samples, can be counted: choose one with --scorer; "
                f"allowed: {', '.join(metrics)}"
            )
        c = count_from_accuracy(metrics.get(metric), n, where)
        if c is None:
            tally.leave_aside(fields, problem, n, f"no {metric}")
        else:
            tally.add_counts(fields, problem, n, c, where)
    if metric is None:
        raise InputError(f"{path}: no rows")
    tally.notes.append(f"{plain_name(path)}: {metric} says what is correct")
    return tally.finish()


def choose_metric(metrics: Mapping[str, Any], scorer: str | None, where: str) -> str:
    """The name of the metric that is counted."""
    if scorer is not None:
        if scorer not in metrics:
            raise unknown_name(f"{where}: metric", scorer, metrics)
        return scorer
    if len(metrics) != 1:
        raise InputError(f"{where}: several metrics; choose one with --scorer; allowed: {', '.join(metrics)}")
    return next(iter(metrics))


def sample_number(metric: str) -> int | None:
    """The number of answers in the name of a metric."""
    numbers = [match[1] for pattern in MEANS if (match := pattern.fullmatch(metric))]
    return int(numbers[0]) if numbers and numbers[0] else None


def number_of_answers(row: Mapping[str, Any]) -> int:
    """The number of answers in a row."""
    response = row.get("model_response")
    answers = row.get("predictions") if response is None else response.get("text")
    return max(1, len(answers)) if isinstance(answers, list) else 1


def problem_of(row: Mapping[str, Any], index: int) -> str:
    """The name of the problem: the document's id, else the number of the row."""
    document = row.get("doc")
    name = document.get("id") if isinstance(document, dict) else None
    return str(index) if name in (None, "") else str(name)


def name_fields(name: str, model: str) -> dict[str, FieldValue]:
    """The task from the file's name, the model from the folder MODEL/TIME/details_TASK_TIME.parquet."""
    match = re.fullmatch(r"details_(.+?)_\d{4}-\d\d-\d\dT.*\.parquet", name)
    return {"model": model.replace("__", "/"), "task": match[1]} if match else {}


READER = Reader("lighteval", (".parquet",), matches, read, "details_TASK_TIME.parquet")
