"""MultiPL-E results: a file `PROBLEM.results.json.gz` for each problem, with the attempts under `results`.

An attempt is correct if its status is "OK" and its exit code 0.
"""

from collections.abc import Mapping
from typing import Any

from lidjax.errors import InputError
from lidjax.evals.read.reader import FileStart, Reader, ReadOptions
from lidjax.evals.read.stream import open_json
from lidjax.evals.read.text import plain_name
from lidjax.evals.table import EvalData, FieldValue, Tally


def matches(start: FileStart) -> bool:
    """A document with attempts under `results` that have `status` and `exit_code`; the first may be cut off."""
    attempts = None if start.record is None or start.is_array else start.record.get("results")
    if not isinstance(attempts, list):
        return False
    if attempts and isinstance(attempts[0], dict):
        return {"status", "exit_code"} <= set(attempts[0]) or (
            "program" in attempts[0] and plain_name(start.path).endswith(".results.json")
        )
    return False


def read(start: FileStart, options: ReadOptions) -> EvalData:
    """Counts from the file of one problem, grouped by folder, and by language where it is given."""
    path = start.path
    with open_json(path) as stream:
        document: Mapping[str, Any] = stream.value()
    problem = str(document.get("name") or plain_name(path).removesuffix(".json").removesuffix(".results"))
    fields: dict[str, FieldValue] = {"folder": path.resolve().parent.name}
    if isinstance(document.get("language"), str):
        fields["language"] = document["language"]
    tally = Tally(READER.name)
    verdicts: list[bool | None] = []
    for index, attempt in enumerate(document["results"]):
        if not isinstance(attempt, dict) or "status" not in attempt:
            raise InputError(f"{path}, result {index}: an attempt needs 'status' and 'exit_code'")
        status = attempt["status"]
        verdicts.append(None if status is None else status == "OK" and attempt.get("exit_code", 0) == 0)
    if not verdicts:
        raise InputError(f"{path}: no results")
    tally.add_attempts(fields, problem, verdicts, "no status")
    return tally.finish()


READER = Reader(
    "MultiPL-E", (".json",), matches, read, "a file PROBLEM.results.json for each problem", parts=True
)
