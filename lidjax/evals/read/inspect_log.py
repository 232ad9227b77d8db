"""Inspect logs: `.eval` files (a zip of JSON, an entry for each sample and epoch) and their older `.json` form.

An attempt is one epoch of one sample. Attempts that ended in an error, or were never scored, are skipped.
"""

import json
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from lidjax.errors import InputError, unknown_name
from lidjax.evals.read.reader import FileStart, Reader, ReadOptions
from lidjax.evals.table import EvalData, FieldValue, Tally

LETTERS = {"C": True, "I": False, "N": False, "P": False}  # correct, incorrect, no answer, partly correct


def matches(start: FileStart) -> bool:
    """A zip, or a JSON document with the key `eval`."""
    if start.record is not None:
        return "eval" in start.record and "samples" in start.record
    return start.syntax == "zip" or (
        start.syntax == "json" and start.text.startswith("{") and '"eval"' in start.text
    )


def read(start: FileStart, options: ReadOptions) -> EvalData:
    """Counts from one Inspect log, grouped by task and model.

    `options.scorer` names the score to count where a log has several. A score is correct if it is "C", true or 1. A
    score between 0 and 1 needs `options.threshold`: correct means at least that.
    """
    path = start.path
    if start.syntax != "zip":
        return read_document(path, options)
    if not zipfile.is_zipfile(path):
        with open(path, "rb") as handle:
            head = handle.read(4)
        if head.startswith(b"PK"):
            raise InputError(
                f"{path}: a zip file without its index at the end; it is truncated, copy it again"
            )
        return read_document(path, options)
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            entry = next((name for name in ("header.json", "_journal/start.json") if name in names), None)
            if entry is None:
                raise InputError(f"{path}: a zip file, but no Inspect log (neither header.json nor _journal)")
            header = json.loads(archive.read(entry))
            return tally_samples(header, archive_samples(archive, names), path, options)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise InputError(f"{path}: the zip file is damaged ({error})") from error
    except NotImplementedError as error:
        raise InputError(
            f"{path}: compressed with a method this Python cannot read ({error}); "
            "`inspect log convert --to json` writes a form that can be read"
        ) from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: an entry of the log is not JSON ({error})") from error


def read_document(path: Path, options: ReadOptions) -> EvalData:
    """Counts from a log in its JSON form."""
    try:
        with open(path, encoding="utf-8") as handle:
            log = json.load(handle)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: neither a zip nor a JSON Inspect log ({error})") from error
    if not isinstance(log, dict) or "eval" not in log:
        raise InputError(f"{path}: JSON, but no Inspect log (no key 'eval')")
    return tally_samples(log, log.get("samples") or (), path, options)


def archive_samples(archive: zipfile.ZipFile, names: list[str]) -> Iterator[dict[str, Any]]:
    """Samples one at a time. The summaries hold the scores too, and are much smaller than the samples."""
    if "summaries.json" in names:
        yield from json.loads(archive.read("summaries.json"))
        return
    for name in names:
        if name.startswith("samples/") and name.endswith(".json"):
            yield json.loads(archive.read(name))


def tally_samples(
    header: Mapping[str, Any],
    samples: Iterable[Mapping[str, Any]],
    path: Path,
    options: ReadOptions,
) -> EvalData:
    """Counts from the header and the samples of a log."""
    spec = header.get("eval", {})
    fields: dict[str, FieldValue] = {
        "model": str(spec.get("model", "unknown")),
        "task": str(spec.get("task", "unknown")),
    }
    tally = Tally(READER.name)
    attempts: dict[str, dict[int, bool]] = {}
    total = unscored = partial = 0
    for sample in samples:
        total += 1
        where = f"{path}, sample {sample.get('id')!r}, epoch {sample.get('epoch', 1)}"
        scores = sample.get("scores") or {}
        if sample.get("error") or not scores:
            unscored += 1
            continue
        value = choose_score(scores, options.scorer, where)
        partial += value == "P"
        epochs = attempts.setdefault(str(sample.get("id")), {})
        epoch = int(sample.get("epoch", 1))
        if epoch in epochs:
            raise InputError(f"{where}: appears twice in the log")
        epochs[epoch] = is_correct_score(value, options.threshold, where)
    if not total:
        raise InputError(f"{path}: the log has no samples (status {header.get('status', 'unknown')!r})")
    if not attempts:
        raise InputError(
            f"{path}: none of the {total} samples has a score; `inspect score` adds them to the log"
        )
    for problem, epochs in attempts.items():
        tally.add_attempts(fields, problem, (epochs[epoch] for epoch in sorted(epochs)))
    if unscored:
        tally.notes.append(
            f"{path.name}: {unscored} of {total} samples have no score or ended in an error; left aside"
        )
    if partial:
        tally.notes.append(f"{path.name}: {partial} partly correct answers (P) are counted as wrong")
    return tally.finish()


def choose_score(scores: Mapping[str, Any], scorer: str | None, where: str) -> object:
    """The value of the score that is counted."""
    if scorer is None and len(scores) > 1:
        raise InputError(f"{where}: several scores; choose one with --scorer; allowed: {', '.join(scores)}")
    name = scorer or next(iter(scores))
    if name not in scores:
        raise unknown_name(f"{where}: score", name, scores)
    score = scores[name]
    return score.get("value") if isinstance(score, Mapping) else score


def is_correct_score(value: object, threshold: float | None, where: str) -> bool:
    """Whether the value of a score says that the answer is correct."""
    if isinstance(value, str) and value in LETTERS:
        return LETTERS[value]
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        if threshold is not None:
            return value >= threshold
        if value in (0, 1):
            return value == 1
        raise InputError(f"{where}: score {value}; a score between 0 and 1 needs --threshold")
    raise InputError(
        f"{where}: score {value!r} says neither correct nor wrong; allowed: {', '.join(LETTERS)}, true, false, 1, 0"
    )


READER = Reader("inspect", (".eval", ".json"), matches, read)
