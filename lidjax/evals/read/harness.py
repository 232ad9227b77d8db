"""lm-evaluation-harness logs: `samples_*.jsonl`, one line a document, with every answer in `resps`.

`filtered_resps` and the metric beside it are no use here: filters such as take_first or a majority vote leave one
answer of n. The answers in `resps` are marked anew against `target`, and the marking is checked: on first answers it
must reproduce the metric that the log itself holds.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lidjax.errors import InputError
from lidjax.evals.read.answers import EXTRACTORS, is_right, pattern_extractor
from lidjax.evals.read.text import json_lines
from lidjax.evals.table import EvalData, Label, Tally

METRICS = ("exact_match", "acc", "pass@1", "pass_at_1", "math_verify", "score")
LEAST_AGREEMENT = 0.98  # heuristic: below it the marking is called wrong, and nothing is counted


def read_harness(path: Path, *, answer: str | None = None) -> EvalData:
    """Counts from one samples file. `answer` names a way of marking (see EXTRACTORS) or is a regular expression.

    Without it every way is tried, and the one that agrees best with the log's own metric is used and named.
    """
    ways = marking_ways(answer, path)
    tallies = {name: Tally("lm-evaluation-harness") for name in ways}
    agree = dict.fromkeys(ways, 0)
    fields = name_fields(path)
    filters: dict[str, str] = {}
    checked = documents = 0
    for where, record in json_lines(path):
        responses = raw_answers(record, where)
        problem = str(record["doc_id"])
        used = filters.setdefault(problem, str(record.get("filter", "")))
        if used != str(record.get("filter", "")):
            continue  # the same answers, filtered in another way
        documents += 1
        target = record.get("target")
        if not isinstance(target, str | int | float):
            raise InputError(f"{where}: 'target' is no text or number to mark answers against")
        metric = next((record[name] for name in METRICS if isinstance(record.get(name), int | float)), None)
        checked += metric is not None
        for name, extract in ways.items():
            right = [is_right(extract, text, str(target)) for text in responses]
            tallies[name].add_attempts(fields, problem, right)
            agree[name] += metric is not None and right[0] == (float(metric) == 1)
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
    told = (
        f", which agrees with the log's own metric on {agree[best]} of {checked} first answers"
        if checked
        else ""
    )
    tallies[best].notes.append(f"{path.name}: every answer in resps marked by {best}{told}")
    return tallies[best].finish()


def marking_ways(answer: str | None, path: Path) -> dict[str, Callable[[str], str | None]]:
    if answer is None:
        return dict(EXTRACTORS)
    if answer in EXTRACTORS:
        return {answer: EXTRACTORS[answer]}
    try:
        return {answer: pattern_extractor(answer)}
    except re.error as error:
        raise InputError(
            f"--answer {answer!r} is neither a known marking ({', '.join(EXTRACTORS)}) nor a regular expression "
            f"({error}), for {path}"
        ) from error


def raw_answers(record: dict[str, Any], where: str) -> list[str]:
    """All answers of one document; a log-likelihood task has none."""
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


def name_fields(path: Path) -> dict[str, Label]:
    """Task from the file name samples_TASK_TIME.jsonl, model from its folder ORGANISATION__MODEL."""
    task = re.sub(r"_\d{4}-\d\d-\d\dT[\d.:-]+$", "", path.name.split(".jsonl")[0].removeprefix("samples_"))
    fields: dict[str, Label] = {"task": task}
    folder = path.resolve().parent.name
    return {"model": folder.replace("__", "/"), **fields} if "__" in folder else fields
