"""What a record says of an attempt beside its verdict: under the usual keys, or under those that the user names."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from lidjax.errors import InputError
from lidjax.evals.attempt_details import AttemptDetail
from lidjax.evals.read.verdicts import MISSING, as_verdict

ANSWERS = (
    "extracted_answer",
    "predicted_answer",
    "parsed_answer",
    "final_answer",
    "prediction",
    "predicted",
    "pred",
)
"""Usual names of the answer as it was extracted from the text, which attempts can agree on."""

TOKENS = (
    "output_tokens",
    "completion_tokens",
    "generated_tokens",
    "num_generated_tokens",
    "num_output_tokens",
    "num_tokens",
    "n_tokens",
    "total_tokens",
)
"""Usual names of the number of tokens of an attempt; "tokens" is taken for the training size of the model."""

CHOSEN = ("answer", "tokens", "verifier")
"""What the user can name a key or column for."""


class DetailKeys(NamedTuple):
    """The keys of the details of an attempt; None where a record has none."""

    answer: str | None = None
    tokens: str | None = None
    verifier: str | None = None

    def notes(self) -> list[str]:
        """What each key is for, in words."""
        meaning = (
            "is the answer that attempts agree on",
            "is the number of tokens of an attempt",
            "is the verdict of the verifier",
        )
        return [f"{key} {what}" for key, what in zip(self, meaning, strict=True) if key is not None]


def find_keys(record: Mapping[str, Any], chosen: Mapping[str, str], *, plural: bool = False) -> DetailKeys:
    """The keys of the details in a record: those that the user names, else the usual ones.

    With `plural` the values are lists with an item for each attempt, and usual names may end in s.
    """
    lower = {str(key).strip().lower(): str(key) for key in reversed(list(record))}

    def find(wanted: str, usual: Sequence[str]) -> str | None:
        if wanted in chosen:
            return chosen[wanted] if chosen[wanted] in record else None
        names = [name for one in usual for name in ((one, f"{one}s") if plural else (one,))]
        return next((lower[name] for name in names if name in lower), None)

    return DetailKeys(find("answer", ANSWERS), find("tokens", TOKENS), find("verifier", ()))


def detail_of(
    record: Mapping[str, Any], keys: DetailKeys, where: str, threshold: float | None = None
) -> AttemptDetail:
    """What the record of an attempt says beside the verdict. InputError where it is no number or no verdict."""
    answer, tokens, accepted = (None if key is None else record.get(key) for key in keys)
    return AttemptDetail(
        None if is_missing(answer) else str(answer).strip(),
        None if is_missing(tokens) else token_number(tokens, f"{where}: {keys.tokens}"),
        None if keys.verifier is None else as_verdict(accepted, f"{where}, {keys.verifier}", threshold),
    )


def listed_details(
    record: Mapping[str, Any], attempts: Sequence[Any], chosen: Mapping[str, str], where: str
) -> list[AttemptDetail] | None:
    """Details of a list of attempts: in the attempts where they are records, else in lists beside them.

    None where there are none. InputError if a list that the user names does not have an item for each attempt.
    """
    if any(isinstance(attempt, dict) for attempt in attempts):
        items = [attempt if isinstance(attempt, dict) else {} for attempt in attempts]
        keys = find_keys(next(item for item in items if item), chosen)
    else:
        keys = find_keys(record, chosen, plural=True)
        lists: dict[str, list[Any]] = {}
        for wanted, key in zip(CHOSEN, keys, strict=True):
            value = None if key is None else record[key]
            if isinstance(value, list) and len(value) == len(attempts):
                lists[key or ""] = value
            elif wanted in chosen:
                raise InputError(
                    f"{where}: {chosen[wanted]!r} must be a list with an item for each of the {len(attempts)} attempts"
                )
        keys = DetailKeys(*(key if key in lists else None for key in keys))
        items = [{key: values[index] for key, values in lists.items()} for index in range(len(attempts))]
    return None if not any(keys) else [detail_of(item, keys, where) for item in items]


def is_missing(value: object) -> bool:
    """Whether a value says nothing."""
    return (
        value is None
        or (isinstance(value, float) and math.isnan(value))
        or (isinstance(value, str) and value.strip().lower() in MISSING)
    )


def token_number(value: object, what: str) -> float:
    """A number of tokens; InputError unless it is a number of 0 or more."""
    try:
        tokens = float(value)  # pyright: ignore[reportArgumentType]  # a TypeError is answered below
    except (TypeError, ValueError):
        tokens = math.nan
    if not 0 <= tokens < math.inf:
        raise InputError(f"{what} = {value!r:.80}: a number of tokens is 0 or more")
    return tokens
