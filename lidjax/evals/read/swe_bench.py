"""SWE-bench reports: a document for each run, with `resolved_ids` and the ids of the other instances.

A report is one attempt at each instance; the reports of several runs of one model are attempts at the same instances.
An instance with an empty patch is wrong. One that ended in an error of the evaluation, or was submitted and never
completed, has no verdict. The older layout has the lists `resolved`, `applied`, `no_generation` and so on.

The lists overlap: an instance is what the first list that names it says.
"""

from collections.abc import Mapping
from typing import Any

from lidjax.errors import InputError
from lidjax.evals.read.reader import FileStart, Reader, ReadOptions
from lidjax.evals.read.stream import open_json
from lidjax.evals.read.text import plain_name
from lidjax.evals.table import EvalData, FieldValue, Tally

VERDICTS: dict[str, bool | None] = {
    "resolved_ids": True,
    "resolved": True,
    "unresolved_ids": False,
    "unresolved": False,
    "empty_patch_ids": False,
    "no_generation": False,
    "no_apply": False,
    "error_ids": None,
    "no_logs": None,
    "install_fail": None,
    "reset_failed": None,
    "test_errored": None,
    "test_timeout": None,
    "applied": False,
    "generated": None,
    "submitted_ids": None,
}
"""What a list says of the instances in it, in order of priority."""


def matches(start: FileStart) -> bool:
    """A document with a list of the resolved instances."""
    record = start.record
    if record is None or start.is_array or "results" in record:
        return False
    return is_ids(record.get("resolved_ids")) or (
        is_ids(record.get("resolved")) and any(name in VERDICTS for name in record if name != "resolved")
    )


def is_ids(value: Any) -> bool:
    """Whether a value is a list of names."""
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def read(start: FileStart, options: ReadOptions) -> EvalData:
    """Counts from the report of one run: one attempt at each instance."""
    path = start.path
    with open_json(path) as stream:
        report: Mapping[str, Any] = stream.value()
    found: dict[str, str] = {}
    for key in VERDICTS:
        for instance in as_ids(report.get(key), f"{path}, {key}"):
            first = found.setdefault(instance, key)
            if VERDICTS[first] and key.startswith("unresolved"):
                raise InputError(f"{path}: instance {instance!r} is in both {first} and {key}")
    if not found:
        raise InputError(f"{path}: no instances")
    tally = Tally(READER.name)
    fields = name_fields(plain_name(path))
    for instance, key in found.items():
        tally.add_attempts(fields, instance, [VERDICTS[key]], f"in {key}")
    tally.notes.append(f"{plain_name(path)}: one attempt at each of {len(found)} instances")
    return tally.finish()


def as_ids(value: Any, where: str) -> list[str]:
    """A list of names; an absent one is empty."""
    if value is None or isinstance(value, int):
        return []
    if not is_ids(value):
        raise InputError(f"{where}: a list of instance ids was expected")
    return value


def name_fields(name: str) -> dict[str, FieldValue]:
    """The model from the file's name MODEL.RUN.json."""
    parts = name.removesuffix(".json").rsplit(".", 1)
    return {"model": parts[0].replace("__", "/")} if len(parts) == 2 and parts[0] else {}


READER = Reader("SWE-bench", (".json",), matches, read, "reports with resolved_ids, one a run")
