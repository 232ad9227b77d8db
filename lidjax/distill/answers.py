"""The final answer in what a model wrote, as a number.

It is looked for after "####", the mark of GSM8K, then in a `\\boxed{...}`, then after "the answer is". Without these it
is the last number of the text. A number may have commas, a sign, a currency, a unit or a percent sign, decimals, a
fraction or a mixed fraction. Answers are exact rationals, so that 0.5, 1/2 and .50 are equal. Units are not part of
them: 50% and 50 are equal, as in the answers of GSM8K.
"""

import math
import re
from collections.abc import Iterable
from fractions import Fraction

import numpy as np
from jaxtyping import Float

# whole part with or without grouping commas (1,234,567 but not the list 1,2), decimals, and "3 1/2" or "3/4"
_PLAIN = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)?(?:\.\d+)?"
_NUMBER = re.compile(
    rf"(?P<sign>(?<![\d)\w])[-−–]\s?)?[$€£¥]?\s?(?P<inner>(?<!\d)-(?=[\d.]))?"
    rf"(?:(?P<whole>\d+)\s+(?P<top>\d+)\s?/\s?(?P<bottom>\d+)|(?P<number>(?=\.?\d){_PLAIN})(?:\s?/\s?(?P<under>{_PLAIN}(?<=\d)))?)"
)
_MARKED = (
    re.compile(r"####"),
    re.compile(r"\\boxed\s?\{"),
    re.compile(r"\banswer(?:\s+is|\s*[:=])", re.IGNORECASE),
)
_MAX_CHARACTERS = 40
"""Longest number that is read: a model that repeats itself can write numbers of any length."""


def parse_answer(text: str) -> Fraction | None:
    """The final answer in `text`, or None if there is none.

    After a mark, the first number on its line is the answer, or the first one behind the last equals sign. A "####"
    without a number gives None, because the model said where its answer is and gave none; other marks without a number
    are ignored.
    """
    for index, mark in enumerate(_MARKED):
        ends = [match.end() for match in mark.finditer(text)]
        if ends:
            line = text[ends[-1] :].split("\n", 1)[0]
            numbers = list(_numbers(line))
            if numbers or index == 0:
                # in "the answer is 3 + 4 = 7" the result is what follows the last equals sign
                result = list(_numbers(line.rsplit("=", 1)[1])) if "=" in line else []
                return (result or numbers or [None])[0]
    numbers = list(_numbers(text))
    return numbers[-1] if numbers else None


def _numbers(text: str) -> Iterable[Fraction]:
    """Every number of a text, in order. Divisions by zero and numbers that are too long are left out."""
    for match in _NUMBER.finditer(text):
        if len(match[0]) > _MAX_CHARACTERS:
            continue
        try:
            if match["whole"]:
                value = int(match["whole"]) + Fraction(int(match["top"]), int(match["bottom"]))
            else:
                value = _plain(match["number"]) / (_plain(match["under"]) if match["under"] else 1)
        except ZeroDivisionError:
            continue
        yield -value if match["sign"] or match["inner"] else value


def _plain(number: str) -> Fraction:
    """A number without sign or fraction, which may have commas."""
    return Fraction(number.replace(",", ""))


def answer_values(texts: Iterable[str]) -> Float[np.ndarray, " m"]:
    """The answers in many texts as float64; NaN where there is none. Equal rationals give equal floats."""
    return np.array(
        [math.nan if answer is None else float(answer) for answer in map(parse_answer, texts)],
        dtype=np.float64,
    )


def first_number(answers: Float[np.ndarray, "q m"]) -> Float[np.ndarray, " q"]:
    """The first entry of each row that is not NaN; NaN if all are."""
    first = np.argmax(np.isfinite(answers), axis=1)
    return np.take_along_axis(answers, first[:, None], axis=1)[:, 0]
