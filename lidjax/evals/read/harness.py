"""lm-evaluation-harness logs: `samples_*.jsonl`, one line a document, with every answer in `resps`.

`filtered_resps` and its metric do not serve where a document has several answers, because filters such as take_first
or a majority vote keep one of n. The answers in `resps` are then marked again, against `target`. The marking is
checked: on the first answer of each document it must reproduce the metric in the log.

Versions of 2023 write the documents as one JSON array, under the same name.

Where each document has one answer, the metric is the verdict on it. Where the metric is pass@1, it is the share of
correct answers. Neither needs a marking.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lidjax.errors import InputError, check_choice, unknown_name
from lidjax.evals.attempt_details import AttemptDetail, short_answer
from lidjax.evals.read.answers import EXTRACTORS, Extractor, is_correct, pattern_extractor
from lidjax.evals.read.reader import FileStart, Reader, ReadOptions
from lidjax.evals.read.tabular import TableRow, object_rows
from lidjax.evals.read.text import json_lines, plain_name
from lidjax.evals.read.verdicts import count_from_accuracy
from lidjax.evals.table import EvalData, FieldValue, Tally

METRICS = ("exact_match", "acc", "math_verify", "score")
SHARES = ("pass@1", "pass_at_1")  # metrics that are the share of correct answers
LEAST_AGREEMENT = 0.98  # heuristic: a marking that agrees less often is wrong, and nothing is counted
FILTER_MARKINGS = {"strict-match": "strict-number", "flexible-extract": "last-number"}
"""The marking that a usual filter of the harness stands for."""


def matches(start: FileStart) -> bool:
    """Documents with their answers in `resps`."""
    return start.record is not None and "resps" in start.record


@dataclass
class Agreement:
    """How often a marking gives the metric of one filter to the first answers."""

    checked: int = 0
    """Documents with a metric."""
    right: int = 0
    """Documents whose metric says that the answer is correct."""
    agreed: dict[str, int] = field(default_factory=dict[str, int])
    """By marking, documents whose first answer gets the metric."""
    both_right: dict[str, int] = field(default_factory=dict[str, int])
    """By marking, documents whose first answer is correct by marking and metric."""

    def add(self, metric: float | None, first: dict[str, bool]) -> None:
        """Count one document."""
        if metric is None:
            return
        self.checked += 1
        self.right += metric == 1
        for name, correct in first.items():
            self.agreed[name] = self.agreed.get(name, 0) + (correct == (metric == 1))
            self.both_right[name] = self.both_right.get(name, 0) + (correct and metric == 1)

    def share(self, name: str) -> float:
        """Share of the documents on which a marking agrees."""
        return self.agreed.get(name, 0) / self.checked if self.checked else float("nan")


@dataclass
class Marked:
    """All answers of a file, under each marking."""

    answers: dict[str, dict[str, list[bool]]] = field(default_factory=dict[str, dict[str, list[bool]]])
    """By marking and document, the verdicts on its answers."""
    texts: dict[str, dict[str, list[str | None]]] = field(
        default_factory=dict[str, dict[str, list[str | None]]]
    )
    """By marking and document, its answers as extracted; None where there is none."""
    metrics: dict[str, dict[str, float | None]] = field(default_factory=dict[str, dict[str, float | None]])
    """By filter and document, the metric of the log."""
    agreement: dict[str, Agreement] = field(default_factory=dict[str, Agreement])
    """By filter, how often each marking agrees with the log."""
    shares: bool = False
    """Whether the metric is the share of correct answers."""
    several: bool = False
    """Whether a document has several answers."""


def read(start: FileStart, options: ReadOptions) -> EvalData:
    """Counts from one samples file. `options.answer` names a marking, `options.answer_pattern` is a regular expression.

    Without either all markings are tried, and the one that reproduces the log's own metric is used. `options.filter`
    names the filter whose metric counts; it is needed where filters contradict each other.
    """
    path = start.path
    name = plain_name(path)
    markings = known_markings(options, path)
    found = read_documents(object_rows(path) if start.is_array else json_lines(path), path, markings)
    used = choose_filter(found, options.filter, path)
    metrics = dict(found.metrics[used])
    if options.filter is None:  # no filter contradicts another: each has the metrics that the others lack
        metrics = {
            problem: value for by_filter in found.metrics.values() for problem, value in by_filter.items()
        }
    tally = Tally(READER.name)
    fields = name_fields(path)
    if len(found.metrics) > 1:
        tally.notes.append(f"{name}: filters {', '.join(found.metrics)}; the metric is that of {used}")
    documents = next(iter(found.answers.values()))
    asked = options.answer is not None or options.answer_pattern is not None
    if found.shares and not asked:
        for problem in metrics:
            n = len(documents[problem])
            c = count_from_accuracy(metrics[problem], n, f"{path}, document {problem}")
            if c is None:
                tally.leave_aside(fields, problem, n, "no metric")
            else:
                tally.add_counts(fields, problem, n, c, f"{path}, document {problem}")
        tally.notes.append(f"{name}: the log's pass@1 is the share of correct answers")
        return tally.finish()
    if not found.several and not asked and any(metric is not None for metric in metrics.values()):
        for problem, metric in metrics.items():
            if metric not in (None, 0, 1):
                raise InputError(
                    f"{path}, document {problem}: metric {metric:g} says neither correct nor wrong"
                )
            tally.add_attempts(fields, problem, [None if metric is None else metric == 1], "no metric")
        tally.notes.append(f"{name}: one answer a document; the log's own metric says whether it is correct")
        return tally.finish()
    best = choose_marking(found, found.agreement[used], used, list(markings), path, asked=asked)
    for problem in metrics:
        details = [AttemptDetail(text) for text in found.texts[best][problem]]
        tally.add_attempts(fields, problem, found.answers[best][problem], details=details)
    agreement = found.agreement[used]
    share = (
        f", which agrees with the log's own metric on {agreement.agreed[best]} of {agreement.checked} first answers"
        if agreement.checked
        else "; the log has no metric to check that against"
    )
    tally.notes.append(f"{name}: every answer in resps marked by {best}{share}")
    return tally.finish()


def read_documents(rows: Iterable[TableRow], path: Path, markings: dict[str, Extractor]) -> Marked:
    """All answers under all markings, and the metric of each filter."""
    found = Marked({name: {} for name in markings}, {name: {} for name in markings})
    first_answers: dict[str, dict[str, bool]] = {}
    for where, record in rows:
        responses = raw_answers(record, where)
        problem, used = str(record["doc_id"]), str(record.get("filter", "none"))
        target = record.get("target")
        if not isinstance(target, str | int | float):
            raise InputError(f"{where}: 'target' is no text or number to mark answers against")
        if problem in found.metrics.setdefault(used, {}):
            raise InputError(f"{where}: document {problem} appears twice under filter {used!r}")
        if problem not in first_answers:
            for name, extract in markings.items():
                given = [extract(text) for text in responses]
                found.texts[name][problem] = [None if text is None else short_answer(text) for text in given]
                found.answers[name][problem] = [is_correct(extract, text, str(target)) for text in given]
            first_answers[problem] = {name: found.answers[name][problem][0] for name in markings}
        metric, is_share = metric_of(record)
        found.shares = found.shares or is_share
        found.several = found.several or len(responses) > 1
        found.metrics[used][problem] = metric
        found.agreement.setdefault(used, Agreement()).add(metric, first_answers[problem])
    if not first_answers:
        raise InputError(f"{path}: no documents")
    return found


def metric_of(record: Mapping[str, Any]) -> tuple[float | None, bool]:
    """The metric of a document, None where it is missing, and whether it is the share of correct answers."""
    named = record.get("metrics")
    names: Iterable[Any] = named if isinstance(named, list) else ()
    for name in (*SHARES, *METRICS, *names):
        value = record.get(name)
        if isinstance(value, int | float) and value == value:
            return float(value), name in SHARES
    return None, False


def choose_filter(found: Marked, chosen: str | None, path: Path) -> str:
    """The filter whose metric counts. InputError if filters contradict each other and none was chosen."""
    filters = list(found.metrics)
    if chosen is not None:
        if chosen not in filters:
            raise unknown_name(f"{path}: filter", chosen, filters)
        return chosen
    first = found.metrics[filters[0]]
    differ = {
        problem
        for name in filters[1:]
        for problem in first.keys() & found.metrics[name].keys()
        if first[problem] != found.metrics[name][problem]
    }
    if differ:
        results = ", ".join(
            f"{name} ({found.agreement[name].right} of {len(found.metrics[name])})" for name in filters
        )
        raise InputError(
            f"{path}: the filters give different metrics on {len(differ)} documents: {results} correct; choose one "
            f"with --filter; allowed: {', '.join(filters)}"
        )
    return filters[0]


def choose_marking(
    found: Marked, agreement: Agreement, used: str, names: list[str], path: Path, *, asked: bool
) -> str:
    """The marking to count with.

    It must agree with the metric. Agreement on wrong answers alone is no evidence: a marking that finds nothing agrees
    with a log in which no first answer is correct. So where the log has correct first answers, the marking must find
    them, and where it has none, the marking must find a correct answer elsewhere. If several remain that count
    differently, nothing is counted.
    """
    if asked and not agreement.checked:
        return names[0]
    option = "--answer (or --answer-pattern)"
    if not agreement.checked:
        raise InputError(f"{path}: no metric to check a marking against; say how to mark with {option}")
    best = max(names, key=agreement.share)
    good = [name for name in names if agreement.share(name) >= LEAST_AGREEMENT]
    if not good:
        what = f"marking by {best} does not reproduce" if asked else "no known way of marking reproduces"
        raise InputError(
            f"{path}: {what} the log's metric on first answers ({'' if asked else f'best: {best}, '}"
            f"{agreement.share(best):.0%} of {agreement.checked}, filter {used}); say how to mark with {option}, "
            "or choose another --filter"
        )
    if asked:
        return names[0]
    solved = {name: sum(map(sum, found.answers[name].values())) for name in good}
    if not agreement.right and not any(solved.values()):
        raise InputError(
            f"{path}: no first answer is correct by the log, and no known way of marking finds a correct one among the "
            f"others, so nothing shows that it would recognise one; say how to mark with {option}"
        )
    good = [
        name for name in good if (agreement.both_right[name] if agreement.right else solved[name])
    ] or good
    best = max(good, key=agreement.share)
    level = [name for name in good if not agreement.right or agreement.agreed[name] == agreement.agreed[best]]
    different = [name for name in level if found.answers[name] != found.answers[level[0]]]
    if different and FILTER_MARKINGS.get(used) in level:
        return FILTER_MARKINGS[used]
    if different:
        counts = ", ".join(f"{name} ({solved[name]} correct)" for name in level)
        raise InputError(
            f"{path}: several ways of marking agree with the log's metric on first answers, but not on the others: "
            f"{counts}; choose one with --answer"
        )
    return level[0]


def known_markings(options: ReadOptions, path: Path) -> dict[str, Extractor]:
    """The markings to try, by name."""
    if options.answer is not None and options.answer_pattern is not None:
        raise InputError(f"{path}: --answer and --answer-pattern exclude each other")
    if options.answer is not None:
        if options.answer not in EXTRACTORS:
            try:
                check_choice("--answer", options.answer, EXTRACTORS)
            except InputError as error:
                raise InputError(
                    f"{path}: {error}. A regular expression is given by --answer-pattern"
                ) from None
        return {options.answer: EXTRACTORS[options.answer]}
    if options.answer_pattern is not None:
        try:
            return {options.answer_pattern: pattern_extractor(options.answer_pattern)}
        except re.error as error:
            raise InputError(
                f"{path}: --answer-pattern {options.answer_pattern!r} is not a regular expression ({error})"
            ) from error
    return {name: extract for name, extract in EXTRACTORS.items() if name != "target"}


def raw_answers(record: Mapping[str, Any], where: str) -> list[str]:
    """All answers to one document. A log-likelihood task has none, which is an error."""
    if "doc_id" not in record or not record.get("resps"):
        raise InputError(f"{where}: a document needs 'doc_id' and 'resps'")
    answers = [
        text for request in record["resps"] for text in (request if isinstance(request, list) else [request])
    ]
    if not answers or not all(isinstance(text, str) for text in answers):
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


READER = Reader(
    "lm-evaluation-harness",
    (".jsonl",),
    matches,
    read,
    "samples_TASK_TIME.jsonl with doc_id, target and resps",
)
