"""Inspect logs: `.eval` files (a zip of JSON, one sample and epoch an entry) and their older `.json` form.

An attempt is one epoch of one sample. Attempts that ended in an error, or were never scored, are left aside.
"""

import json
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from lidjax.errors import InputError
from lidjax.evals.table import EvalData, Label, Tally

VERDICTS = {"C": True, "I": False, "N": False, "P": False}  # correct, incorrect, no answer, partly correct


def read_inspect(path: Path, *, scorer: str | None = None, threshold: float | None = None) -> EvalData:
    """Counts from one Inspect log, grouped by task and model.

    `scorer` names the score to count where a log has several. A score is right when it is "C", true or 1; a score
    between 0 and 1 needs a `threshold` (right means at least that).
    """
    if not zipfile.is_zipfile(path):
        with open(path, "rb") as handle:
            start = handle.read(4)
        if start.startswith(b"PK"):
            raise InputError(
                f"{path}: a zip file without its index at the end; it is truncated, copy it again"
            )
        return read_inspect_json(path, scorer, threshold)
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            head = next((name for name in ("header.json", "_journal/start.json") if name in names), None)
            if head is None:
                raise InputError(f"{path}: a zip file, but no Inspect log (neither header.json nor _journal)")
            header = json.loads(archive.read(head))
            return tally_samples(header, archive_samples(archive, names), path, scorer, threshold)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise InputError(f"{path}: the zip file is damaged ({error})") from error
    except NotImplementedError as error:
        raise InputError(
            f"{path}: compressed with a method this Python cannot read ({error}); "
            "`inspect log convert --to json` writes a form that can be read"
        ) from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: an entry of the log is not JSON ({error})") from error


def read_inspect_json(path: Path, scorer: str | None, threshold: float | None) -> EvalData:
    try:
        with open(path, encoding="utf-8") as handle:
            log = json.load(handle)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: neither a zip nor a JSON Inspect log ({error})") from error
    if not isinstance(log, dict) or "eval" not in log:
        raise InputError(f"{path}: JSON, but no Inspect log (no key 'eval')")
    return tally_samples(log, log.get("samples") or (), path, scorer, threshold)


def archive_samples(archive: zipfile.ZipFile, names: list[str]) -> Iterator[dict[str, Any]]:
    """Samples one at a time; the summaries hold the scores too, and save reading whole transcripts."""
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
    scorer: str | None,
    threshold: float | None,
) -> EvalData:
    spec = header.get("eval", {})
    fields: dict[str, Label] = {
        "model": str(spec.get("model", "unknown")),
        "task": str(spec.get("task", "unknown")),
    }
    tally = Tally("inspect")
    attempts: dict[str, dict[int, bool]] = {}
    total = unscored = partial = 0
    for sample in samples:
        total += 1
        where = f"{path}, sample {sample.get('id')!r}, epoch {sample.get('epoch', 1)}"
        scores = sample.get("scores") or {}
        if sample.get("error") or not scores:
            unscored += 1
            continue
        value = choose_score(scores, scorer, where)
        partial += value == "P"
        epochs = attempts.setdefault(str(sample.get("id")), {})
        epoch = int(sample.get("epoch", 1))
        if epoch in epochs:
            raise InputError(f"{where}: stands twice in the log")
        epochs[epoch] = verdict(value, threshold, where)
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


def choose_score(scores: Mapping[str, Any], scorer: str | None, where: str) -> Any:
    if scorer is None and len(scores) > 1:
        raise InputError(f"{where}: several scores ({', '.join(scores)}); say which with --scorer NAME")
    name = scorer or next(iter(scores))
    if name not in scores:
        raise InputError(f"{where}: no score {name!r}; there is {', '.join(scores)}")
    score = scores[name]
    return score.get("value") if isinstance(score, Mapping) else score


def verdict(value: Any, threshold: float | None, where: str) -> bool:
    """Right or wrong from one score value."""
    if isinstance(value, str) and value in VERDICTS:
        return VERDICTS[value]
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        if threshold is not None:
            return value >= threshold
        if value in (0, 1):
            return value == 1
        raise InputError(f"{where}: score {value}; a score between 0 and 1 needs --threshold")
    raise InputError(f"{where}: score {value!r} is neither right nor wrong (C, I, true, false, 1, 0)")
