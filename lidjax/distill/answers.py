"""Final answers out of what a model wrote, and whether two of them agree.

GSM8K's own form, "#### 18", comes first; then "the answer is ..."; then the last number of the text. Numbers may carry
commas, a sign, a currency or unit, a percent sign, decimals, a fraction or a mixed fraction. Answers are compared as
exact rationals, so 0.5, 1/2 and .50 are one, and units are not part of them: 50% and 50 are one, as in GSM8K's key.
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
_LONGEST = 40  # digits; a model that repeats itself can write numbers of any length


def parse_answer(text: str) -> Fraction | None:
    """The final answer in `text`, or None where there is none.

    After a mark the first number counts; a mark with no number after it on its line gives None for "####" (the model
    said where its answer is and gave none) and is passed over for the others. Without a mark the last number counts.
    """
    for index, mark in enumerate(_MARKED):
        places = [match.end() for match in mark.finditer(text)]
        if places:
            line = text[places[-1] :].split("\n", 1)[0]
            numbers = list(_numbers(line))
            if numbers or index == 0:
                # "is 3 + 4 = 7": what stands after the last equals sign is the result
                after = list(_numbers(line.rsplit("=", 1)[1])) if "=" in line else []
                return (after or numbers or [None])[0]
    numbers = list(_numbers(text))
    return numbers[-1] if numbers else None


def _numbers(text: str) -> Iterable[Fraction]:
    """Every number of a text, in order; divisions by zero and absurd lengths are left out."""
    for match in _NUMBER.finditer(text):
        if len(match[0]) > _LONGEST:
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
    return Fraction(number.replace(",", ""))


def answer_values(texts: Iterable[str]) -> Float[np.ndarray, " m"]:
    """Answers of many texts as float64, NaN where there is none. Equal rationals give equal floats."""
    return np.array([_value(parse_answer(text)) for text in texts], dtype=np.float64)


def _value(answer: Fraction | None) -> float:
    if answer is None:
        return math.nan
    return float(answer)


def first_number(answers: Float[np.ndarray, "q m"]) -> Float[np.ndarray, " q"]:
    """The first entry of each row that is a number; NaN where none is."""
    place = np.argmax(np.isfinite(answers), axis=1)
    return np.take_along_axis(answers, place[:, None], axis=1)[:, 0]
