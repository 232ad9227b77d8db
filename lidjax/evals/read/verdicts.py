"""What a value says of one attempt: correct, wrong, or nothing; and the usual names of such values."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from lidjax.errors import InputError

MISSING = frozenset(("", "nan", "null", "none", "na", "n/a", "nil", "<na>"))
RIGHT = frozenset(("true", "yes", "correct", "pass", "passed", "success", "resolved", "solved", "ok"))
WRONG = frozenset(
    ("false", "no", "incorrect", "wrong", "fail", "failed", "failure", "unresolved", "unsolved")
)
ALLOWED = "true, false, 1, 0, yes, no, correct, incorrect, pass, fail; empty or null for no verdict"

VERDICT_KEYS = (
    "passed",
    "is_correct",
    "correct",
    "resolved",
    "is_resolved",
    "symbolic_correct",
    "solved",
    "is_solved",
    "success",
    "is_success",
    "succeeded",
    "pass",
    "verdict",
    "outcome",
    "reward",
    "score",
    "acc",
    "exact_match",
    "grade",
)
"""Usual names of the verdict on one attempt, the most telling first."""

PROBLEM_KEYS = (
    "problem",
    "problem_id",
    "problem_idx",
    "task_id",
    "question_id",
    "instance_id",
    "doc_id",
    "sample_id",
    "example_id",
    "item_id",
    "orig_dset_idx",
    "unique_id",
    "qid",
    "id",
    "task",
    "name",
    "idx",
    "index",
)
"""Usual names of the problem's name, the most telling first."""

ANSWER_KEYS = ("completion", "generation", "solution", "response", "output", "answer", "model_patch")
"""Usual names of the text that a model answered with."""

LONGEST_NAME = 80  # characters; heuristic: a longer name of a problem is its text


def as_verdict(value: Any, where: str, threshold: float | None = None) -> bool | None:
    """True, False, or None where there is no verdict. InputError for what says neither.

    A number other than 0 and 1 needs a threshold: from there on it is correct.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        if math.isnan(value):
            return None
        if threshold is not None:
            return value >= threshold
        if value in (0, 1):
            return value == 1
        raise InputError(
            f"{where}: {value:g} says neither correct nor wrong; a score needs --threshold, from which it is correct"
        )
    if isinstance(value, str):
        text = value.strip().lower()
        if text in MISSING:
            return None
        if text in RIGHT or text in WRONG:
            return text in RIGHT
        try:
            return as_verdict(float(text), where, threshold)
        except ValueError as error:
            if isinstance(error, InputError):
                raise
    raise InputError(f"{where}: {value!r:.80} says neither correct nor wrong; allowed: {ALLOWED}")


def is_verdict(value: Any) -> bool:
    """Whether a value can be a verdict on one attempt, or a missing one, as far as its type goes."""
    if isinstance(value, str):
        text = value.strip().lower()
        return text in RIGHT or text in WRONG or text in MISSING or text in ("0", "1", "0.0", "1.0")
    return value is None or isinstance(value, bool | int | float)


def problem_name(record: Mapping[str, Any], keys: Iterable[str] = PROBLEM_KEYS) -> str | None:
    """The name of the problem that a record is of; None where it has none. The text of a problem is not its name."""
    text = None
    for key in keys:
        value = record.get(key)
        if isinstance(value, bool) or not isinstance(value, str | int):
            continue
        name = str(value)
        if len(name) <= LONGEST_NAME and "\n" not in name:
            return name
        text = text or name
    return text


def count_from_accuracy(accuracy: Any, n: int, where: str) -> int | None:
    """The number of correct answers c of `n` with c/n = `accuracy`; None where it is missing.

    An accuracy that was rounded is understood where exactly one c agrees with its digits. InputError otherwise.
    """
    text = str(accuracy).strip()
    try:
        value = float(text)
    except ValueError:
        value = math.nan
        if accuracy is not None and text.lower() not in MISSING:
            raise InputError(f"{where}: accuracy {accuracy!r} is not a number") from None
    if math.isnan(value):
        return None
    if not 0 <= value <= 1:
        raise InputError(f"{where}: accuracy {text}; it must be between 0 and 1")
    nearest = round(value * n)
    if abs(value * n - nearest) < 1e-9 * n:
        return nearest
    mantissa, _, exponent = text.lower().partition("e")
    digits = len(mantissa.partition(".")[2]) - int(exponent or 0)
    slack = max(0.5000001 * 10.0**-digits, 1.2e-7)  # half of the last digit, and not less than float32 has
    low, high = math.ceil((value - slack) * n), math.floor((value + slack) * n)
    low, high = max(low, 0), min(high, n)
    if low != high:
        what = (
            "no whole number of correct answers"
            if low > high
            else f"{high - low + 1} numbers of correct answers"
        )
        raise InputError(
            f"{where}: accuracy {text} of n = {n} attempts: {what} would give it; give the count itself"
        )
    return low
