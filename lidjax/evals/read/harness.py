"""lm-evaluation-harness logs: `samples_*.jsonl`, one line a document, with every answer in `resps`.

`filtered_resps` and its metric do not serve here, because filters such as take_first or a majority vote keep one answer
of n. The answers in `resps` are marked again, against `target`. The marking is checked: on the first answer of each
document it must reproduce the metric in the log.
"""

import re
from pathlib import Path
from typing import Any

from lidjax.errors import InputError
from lidjax.evals.read.answers import EXTRACTORS, Extractor, is_correct, pattern_extractor
from lidjax.evals.read.reader import FileStart, Reader, ReadOptions
from lidjax.evals.read.text import json_lines
from lidjax.evals.table import EvalData, FieldValue, Tally

METRICS = ("exact_match", "acc", "pass@1", "pass_at_1", "math_verify", "score")
LEAST_AGREEMENT = 0.98  # heuristic: a marking that agrees less often is wrong, and nothing is counted


def matches(start: FileStart) -> bool:
    """Documents with their answers in `resps`."""
    return start.record is not None and "resps" in start.record


def read(start: FileStart, options: ReadOptions) -> EvalData:
    """Counts from one samples file. `options.answer` names a marking (see EXTRACTORS) or is a regular expression.

    Without it all markings are tried. The one that agrees best with the log's own metric is used, and a note names it.
    """
    path, answer = start.path, options.answer
    markings = known_markings(answer, path)
    tallies = {name: Tally(READER.name) for name in markings}
    agree = dict.fromkeys(markings, 0)
    fields = name_fields(path)
    filters: dict[str, str] = {}
    checked = documents = 0
    for where, record in json_lines(path):
        responses = raw_answers(record, where)
        problem = str(record["doc_id"])
        used = filters.setdefault(problem, str(record.get("filter", "")))
        if used != str(record.get("filter", "")):
            continue  # the same answers under another filter
        documents += 1
        target = record.get("target")
        if not isinstance(target, str | int | float):
            raise InputError(f"{where}: 'target' is no text or number to mark answers against")
        metric = next((record[name] for name in METRICS if isinstance(record.get(name), int | float)), None)
        checked += metric is not None
        for name, extract in markings.items():
            correct = [is_correct(extract, text, str(target)) for text in responses]
            tallies[name].add_attempts(fields, problem, correct)
            agree[name] += metric is not None and correct[0] == (float(metric) == 1)
    if not documents:
        raise InputError(f"{path}: no documents")
    best = max(agree, key=lambda name: agree[name])
    share = agree[best] / checked if checked else float("nan")
    if answer is None and not checked:
        raise InputError(f"{path}: no metric to check a marking against; say how to mark with --answer")
    if answer is None and share < LEAST_AGREEMENT:
        raise InputError(
            f"{path}: no known way of marking reproduces the log's metric on first answers (best: {best}, "
            f"{share:.0%} of {checked}); give the answer's regular expression with --answer"
        )
    agreement = (
        f", which agrees with the log's own metric on {agree[best]} of {checked} first answers"
        if checked
        else ""
    )
    tallies[best].notes.append(f"{path.name}: every answer in resps marked by {best}{agreement}")
    return tallies[best].finish()


def known_markings(answer: str | None, path: Path) -> dict[str, Extractor]:
    """The markings to try, by name."""
    if answer is None:
        return dict(EXTRACTORS)
    if answer in EXTRACTORS:
        return {answer: EXTRACTORS[answer]}
    try:
        return {answer: pattern_extractor(answer)}
    except re.error as error:
        raise InputError(
            f"{path}: --answer {answer!r} is not a regular expression ({error}) and no known marking; "
            f"allowed: {', '.join(EXTRACTORS)}"
        ) from error


def raw_answers(record: dict[str, Any], where: str) -> list[str]:
    """All answers to one document. A log-likelihood task has none, which is an error."""
    if "doc_id" not in record or not record.get("resps"):
        raise InputError(f"{where}: a document needs 'doc_id' and 'resps'")
    answers = [
        text for request in record["resps"] for text in (request if isinstance(request, list) else [request])
    ]
    if not all(isinstance(text, str) for text in answers):
        raise InputError(
            f"{where}: 'resps' holds log-likelihoods, not sampled answers; pass@k has no meaning for it"
        )
    return answers


def name_fields(path: Path) -> dict[str, FieldValue]:
    """The task from the file name samples_TASK_TIME.jsonl, the model from the folder ORGANISATION__MODEL."""
    task = re.sub(r"_\d{4}-\d\d-\d\dT[\d.:-]+$", "", path.name.split(".jsonl")[0].removeprefix("samples_"))
    fields: dict[str, FieldValue] = {"task": task}
    folder = path.resolve().parent.name
    return {"model": folder.replace("__", "/"), **fields} if "__" in folder else fields


READER = Reader("lm-evaluation-harness", (".jsonl",), matches, read)
