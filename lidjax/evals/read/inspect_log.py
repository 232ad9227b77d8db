"""Inspect logs: `.eval` files (a zip of JSON, an entry for each sample and epoch) and their older `.json` form.

An attempt is one epoch of one sample. Attempts that ended in an error, or were never scored, are left aside; Inspect
writes NaN for a score that a scorer did not give.
"""

import math
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from lidjax.errors import InputError, unknown_name
from lidjax.evals.attempt_details import AttemptDetail
from lidjax.evals.read.reader import FileStart, Reader, ReadOptions
from lidjax.evals.read.stream import open_json
from lidjax.evals.read.text import open_seekable, parse_json, read_head
from lidjax.evals.read.verdicts import as_verdict
from lidjax.evals.table import EvalData, FieldValue, Tally

LETTERS = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}  # correct, partly correct, incorrect, no answer
LARGEST_ENTRY = (
    1 << 28
)  # bytes; heuristic: an entry is one sample, and takes several times its size in memory

Score = tuple[str, Any]
"""The name of a score, and its value."""


def matches(start: FileStart) -> bool:
    """A zip, or a JSON document with the keys `eval` and `samples`."""
    if start.syntax == "zip":
        return True
    if start.record is None or start.is_array:
        return False
    spec = start.record.get("eval")
    if start.syntax == "jsonl":
        return isinstance(spec, dict) and ("samples" in start.record or {"task", "model"} <= set(spec))
    return isinstance(spec, dict)


def read(start: FileStart, options: ReadOptions) -> EvalData:
    """Counts from one Inspect log, grouped by task and model.

    `options.scorer` names the score to count where a log has several: a scorer, the key of a scorer's dictionary, or
    "scorer.key". A score between 0 and 1 needs `options.threshold`: correct means at least that. The column "verifier"
    names the score of a verifier.
    """
    path = start.path
    if not read_head(path, 4).startswith(b"PK"):
        return read_document(path, options)
    try:
        with open_seekable(path) as handle, zipfile.ZipFile(handle) as archive:
            names = archive.namelist()
            entry = next((name for name in ("header.json", "_journal/start.json") if name in names), None)
            if entry is None:
                raise InputError(f"{path}: a zip file, but no Inspect log (neither header.json nor _journal)")
            header = read_entry(archive, entry, path)
            if entry != "header.json":
                header = {"status": "started", **header}
            return tally_samples(header, archive_samples(archive, names, path), path, options)
    except zipfile.BadZipFile as error:
        if "not a zip" in str(error):
            raise InputError(
                f"{path}: a zip file without its index at the end; it is truncated, or still being written"
            ) from error
        raise InputError(f"{path}: the zip file is damaged ({error})") from error
    except (zlib.error, EOFError) as error:
        raise InputError(f"{path}: the zip file is damaged ({error})") from error
    except NotImplementedError as error:
        raise InputError(
            f"{path}: compressed with a method this Python cannot read ({error}); "
            "`inspect log convert --to json` writes a form that can be read"
        ) from error


def read_document(path: Path, options: ReadOptions) -> EvalData:
    """Counts from a log in its JSON form, whose samples are read as a stream."""
    header: dict[str, Any] = {}
    with open_json(path) as stream:
        if stream.kind() != "{":
            raise InputError(f"{path}: neither a zip nor a JSON Inspect log")

        def samples() -> Iterator[Any]:
            for key in stream.members():
                if key == "samples" and stream.kind() == "[":
                    for _ in stream.items():
                        yield stream.value()
                else:
                    header[key] = stream.value()

        return tally_samples(header, samples(), path, options)


def read_entry(archive: zipfile.ZipFile, name: str, path: Path) -> Any:
    """The JSON value of an entry. InputError if it is too large to be read into memory."""
    size = archive.getinfo(name).file_size
    content = b""
    if size <= LARGEST_ENTRY:
        with archive.open(name) as entry:
            content = entry.read(LARGEST_ENTRY + 1)  # the zip may be wrong about the size
        size = len(content)
    if size > LARGEST_ENTRY:
        raise InputError(
            f"{path}: the entry {name} has {size:,} bytes, and at most {LARGEST_ENTRY:,} are read into memory; "
            "write the scores to a smaller log, for example with `inspect score`, or to a table"
        )
    try:
        return parse_json(content.decode("utf-8"), f"{path}, {name}")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}, {name}: not UTF-8 ({error.reason})") from error


def archive_samples(archive: zipfile.ZipFile, names: list[str], path: Path) -> Iterator[Any]:
    """Samples one at a time. The summaries hold the scores too, and are much smaller than the samples."""
    if "summaries.json" in names and archive.getinfo("summaries.json").file_size <= LARGEST_ENTRY:
        yield from read_entry(archive, "summaries.json", path)
        return
    for name in names:
        if name.startswith("samples/") and name.endswith(".json"):
            yield read_entry(archive, name, path)


def tally_samples(
    header: Mapping[str, Any], samples: Iterable[Any], path: Path, options: ReadOptions
) -> EvalData:
    """Counts from the samples of a log and its header, which is complete when the samples have been read."""
    tally = Tally(READER.name)
    attempts: dict[str, dict[int, tuple[bool, AttemptDetail]]] = {}
    unscored: list[tuple[str, str]] = []
    total = partial = 0
    verifier = (options.columns or {}).get("verifier")
    for sample in samples:
        total += 1
        if not isinstance(sample, Mapping):
            raise InputError(f"{path}, sample {total}: an object was expected, not {type(sample).__name__}")
        problem, epoch = str(sample.get("id")), int(sample.get("epoch") or 1)
        where = f"{path}, sample {problem!r}, epoch {epoch}"
        if sample.get("error"):
            unscored.append((problem, "ended in an error"))
            continue
        scores = scores_of(sample)
        if verifier is not None and options.scorer is None and len(scores) > 1:
            truth = {name: value for name, value in scores.items() if not is_named(name, verifier)}
        else:
            truth = scores
        value = choose_score(truth, options.scorer, where)
        verdict = None if value is None else score_verdict(value, options.threshold, where)
        if verdict is None:
            unscored.append((problem, "no score"))
            continue
        partial += value == "P" and options.threshold is None
        epochs = attempts.setdefault(problem, {})
        if epoch in epochs:
            raise InputError(f"{where}: appears twice in the log")
        accepted = None
        if verifier is not None:
            judged = choose_score(scores, verifier, where)
            accepted = None if judged is None else score_verdict(judged, options.threshold, where)
        epochs[epoch] = verdict, AttemptDetail(answer_of(sample, options.scorer), tokens_of(sample), accepted)
    if "eval" not in header:
        raise InputError(f"{path}: JSON, but no Inspect log (no key 'eval')")
    if not total:
        raise InputError(f"{path}: the log has no samples (status {header.get('status', 'unknown')!r})")
    if not attempts:
        raise InputError(
            f"{path}: none of the {total} samples has a score; `inspect score` adds them to the log"
        )
    spec = header["eval"] if isinstance(header["eval"], Mapping) else {}
    fields: dict[str, FieldValue] = {
        "model": str(spec.get("model", "unknown")),
        "task": str(spec.get("task", "unknown")),
    }
    tally.placed_by = early_stopping_manager(header)
    for problem, epochs in attempts.items():
        made = [epochs[epoch] for epoch in sorted(epochs)]
        tally.add_attempts(
            fields, problem, (verdict for verdict, _ in made), details=[detail for _, detail in made]
        )
    for problem, reason in unscored:
        tally.leave_aside(fields, problem, 1, reason)
    if partial:
        tally.notes.append(f"{path.name}: {partial} partly correct answers (P) are counted as wrong")
    status = header.get("status", "success")
    if status != "success":
        tally.notes.append(f"{path.name}: the status of the log is {status!r}; it may not be complete")
    return tally.finish()


def is_named(name: str, wanted: str) -> bool:
    """Whether `wanted` names a score, in full, by its scorer or by its key."""
    return wanted in (name, name.partition(".")[0], name.partition(".")[2])


def answer_of(sample: Mapping[str, Any], scorer: str | None) -> str | None:
    """The answer that the scorer extracted; None where it says none, or scorers extracted different ones."""
    scores = sample.get("scores")
    if not isinstance(scores, Mapping):
        scores = {"score": sample.get("score")}
    named = [score for name, score in scores.items() if scorer is None or is_named(str(name), scorer)]
    found = {
        score["answer"].strip()
        for score in named or scores.values()
        if isinstance(score, Mapping) and isinstance(score.get("answer"), str) and score["answer"].strip()
    }
    return found.pop() if len(found) == 1 else None


def tokens_of(sample: Mapping[str, Any]) -> float | None:
    """The output tokens of all models that a sample used; None where the log does not say."""
    usage = sample.get("model_usage")
    if not isinstance(usage, Mapping) or not usage:
        output = sample.get("output")
        usage = {"": output.get("usage")} if isinstance(output, Mapping) else {}
    found = [
        float(each["output_tokens"])
        for each in usage.values()
        if isinstance(each, Mapping) and isinstance(each.get("output_tokens"), int | float)
    ]
    return sum(found) if found else None


def early_stopping_manager(header: Mapping[str, Any]) -> str:
    """The early-stopping manager that left out some epochs of some samples; "" where none did."""
    results = header.get("results")
    summary = results.get("early_stopping") if isinstance(results, Mapping) else None
    if not isinstance(summary, Mapping) or not summary.get("early_stops"):
        return ""
    return f"early stopping by {summary.get('manager') or 'a manager without a name'}"


def scores_of(sample: Mapping[str, Any]) -> dict[str, Any]:
    """The values of all scores of a sample, by name. Logs of 2024 and before have one `score` in place of `scores`.

    A scorer that gives a dictionary gives a score for each of its keys, named scorer.key.
    """
    scores = sample.get("scores")
    if not isinstance(scores, Mapping):
        score = sample.get("score")
        scores = {} if score is None else {"score": score}
    found: dict[str, Any] = {}
    for name, score in scores.items():
        value = score.get("value") if isinstance(score, Mapping) and "value" in score else score
        if isinstance(value, Mapping):
            found |= {f"{name}.{key}": item for key, item in value.items()}
        else:
            found[str(name)] = value
    return found


def choose_score(scores: Mapping[str, Any], scorer: str | None, where: str) -> object:
    """The value of the score that is counted; None where the sample has no score."""
    if not scores:
        return None
    if scorer is None:
        if len(scores) > 1:
            raise InputError(
                f"{where}: several scores; choose one with --scorer; allowed: {', '.join(scores)}"
            )
        return next(iter(scores.values()))
    if scorer in scores:
        return scores[scorer]
    keys = [name for name in scores if is_named(name, scorer)]
    if len(keys) == 1:
        return scores[keys[0]]
    if keys:
        raise InputError(
            f"{where}: {scorer!r} has several scores; choose one with --scorer; allowed: {', '.join(keys)}"
        )
    raise unknown_name(f"{where}: score", scorer, scores)


def score_verdict(value: object, threshold: float | None, where: str) -> bool | None:
    """Whether the value of a score says that the answer is correct; None where it says nothing."""
    if isinstance(value, str) and value in LETTERS:
        return LETTERS[value] >= (1.0 if threshold is None else threshold)
    if isinstance(value, float) and math.isinf(value):
        raise InputError(f"{where}: score {value} says neither correct nor wrong")
    return as_verdict(value, where, threshold)


READER = Reader("inspect", (".eval", ".json"), matches, read, "Inspect logs, .eval or .json")
