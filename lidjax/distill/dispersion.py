"""How much a teacher disagrees with itself, question by question, and the tail index of that.

Of the model's precision τ, whose tail index near zero is β/2, a teacher's repeated answers show two things.

spread     Answers are numbers with variance σ²/τ around their mean, so that P(spread > s) falls like s^-β. Because
           questions have scales of their own, the spread is relative: the mean distance from the median, divided by
           the size of the median.
agreement  Answers are labels. The chance q that two answers to a question agree is the single-trial success of a
           student that has become its teacher. P(q ≤ t) ~ t^β then has the β at which β_eff(N) would saturate. One
           answer is taken as the target and the others are attempts at it, which gives counts like those of any
           evaluation log.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from lidjax.distill.answers import answer_values
from lidjax.errors import InputError

TAIL_SHARES = (0.05, 0.1, 0.2)
"""Shares of the questions that are read as the tail: three, to see whether their indices agree."""
MIN_TAIL_SIZE = 10
"""Fewest questions in a tail. A heuristic."""


class Spread(NamedTuple):
    """How far the answers to each question differ."""

    spread: Float[np.ndarray, " q"]
    """Relative spread of the answers that are numbers; NaN with fewer than two of them."""
    disagreement: Float[np.ndarray, " q"]
    """Unbiased estimate of the chance that two answers differ; one without a number differs from every other."""


class HillIndex(NamedTuple):
    """Hill's estimate of a tail index, with its bootstrap interval."""

    share: float
    """Share of the questions that is read as the tail."""
    used: int
    """Number of questions in the tail."""
    value: float
    lower: float
    upper: float


def measure_spread(answers: Float[np.ndarray, "q m"]) -> Spread:
    """Spread and disagreement of m answers to each question; NaN stands for an answer without a number."""
    count = np.sum(np.isfinite(answers), axis=1)
    enough = count >= 2
    values = np.where(enough[:, None], answers, 0.0)
    median = np.nanmedian(values, axis=1, keepdims=True)
    distance = np.nanmean(np.abs(values - median), axis=1)
    # a median of 0 has no size: the spread of its question is the distance itself
    size = np.where(median[:, 0] == 0, 1.0, np.abs(median[:, 0]))
    draws = answers.shape[1]
    equal = np.sum(answers[:, :, None] == answers[:, None, :], axis=(1, 2)) - count
    return Spread(np.where(enough, distance / size, np.nan), 1 - equal / (draws * (draws - 1)))


def hill_index(values: Float[np.ndarray, " q"], count: int) -> float:
    """Hill's estimate (1975) of a in P(value > x) ~ x^-a, from the `count` largest values.

    NaN if ties or zeros leave no tail. `lidjax.features.tail_index` estimates 2a, has an exact interval and a test of
    the power law, and refuses such tails; this estimate is one for each replicate of a bootstrap, and ties are common.
    """
    ordered = np.sort(values)[::-1]
    if len(ordered) <= count or ordered[count] <= 0:
        return float("nan")
    mean = np.mean(np.log(ordered[:count] / ordered[count]))
    return float(1 / mean) if mean > 0 else float("nan")


def spread_indices(
    spread: Float[np.ndarray, " q"], *, level: float = 0.95, replicates: int = 400, seed: int = 0
) -> list[HillIndex]:
    """Hill's index of the relative spread at each of TAIL_SHARES, with an interval from resampled questions.

    Shares with too few questions are left out.
    """
    values = spread[np.isfinite(spread)]
    rng = np.random.default_rng(seed)
    picked = (
        rng.integers(len(values), size=(replicates, len(values))) if len(values) else np.zeros((0, 0), int)
    )
    ends = [(1 - level) / 2, (1 + level) / 2]
    indices: list[HillIndex] = []
    for share in TAIL_SHARES:
        count = int(share * len(values))
        if count < MIN_TAIL_SIZE:
            continue
        resampled = np.array([hill_index(values[row], count) for row in picked])
        known = resampled[np.isfinite(resampled)]
        lower, upper = np.quantile(known, ends).tolist() if len(known) else (np.nan, np.nan)
        indices.append(HillIndex(share, count, hill_index(values, count), lower, upper))
    return indices


def agreement_counts(
    answers: Float[np.ndarray, "q m"], *, seed: int = 0
) -> tuple[Int[np.ndarray, " p"], Int[np.ndarray, " p"]]:
    """(n, c) of the teacher against itself: one answer that is a number is the target, the others are attempts.

    The target is picked at random, so that the order in a file does not matter. Questions without a number are left
    out.
    """
    rng = np.random.default_rng(seed)
    n: list[int] = []
    c: list[int] = []
    for row in answers:
        numbers = np.flatnonzero(np.isfinite(row))
        if len(numbers):
            target = rng.choice(numbers)
            n.append(len(row) - 1)
            c.append(int(np.sum(row == row[target])) - 1)
    return np.array(n, dtype=np.int64), np.array(c, dtype=np.int64)


def read_repeated_answers(path: str | Path) -> dict[str, Float[np.ndarray, "q m"]]:
    """Repeated answers of a teacher to many questions, from a `jsonl` file.

    Each line is a question. Either it has `counts`, a table of answers and how often each was given, or it has lists of
    answers (null where there is none), one for each prompt style; the names of the lists in the first line are the
    styles. Answers are texts, which are parsed for their final number.

    Args:
        path: The file.

    Returns:
        For each prompt style an array of q questions and m answers, m being the largest number of answers to a
        question. NaN stands for an answer without a number, and fills the rows of questions with fewer answers.
        With `counts` the only style is `answers`.

    Raises:
        InputError: If the file cannot be read, or a line has no such answers.

    Example:
        >>> import pathlib, tempfile
        >>> from lidjax.distill import read_repeated_answers
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "teacher.jsonl")
        ...     _ = path.write_text('{"short": ["#### 3", "4"]}\\n{"short": ["5", null]}\\n')
        ...     answers = read_repeated_answers(path)
        >>> answers["short"].tolist()
        [[3.0, 4.0], [5.0, nan]]
    """
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        rows: list[dict[str, Any]] = [json.loads(line) for line in lines if line.strip()]
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as jsonl: {error}") from None
    first: Any = rows[0] if rows else {}
    if not isinstance(first, dict):
        raise InputError(f"{path}: each line must be a table with `counts` or with lists of answers")
    styles = [name for name, value in first.items() if isinstance(value, list)]
    if not styles and "counts" not in first:
        raise InputError(f"{path}: the first line has neither `counts` nor a list of answers")
    try:
        if "counts" in first:
            listed = {"answers": [list(Counter(row["counts"]).elements()) for row in rows]}
        else:
            listed = {name: [list(row[name]) for row in rows] for name in styles}
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path}: every line must have the same `counts` or lists as the first ({error})"
        ) from None
    return {name: _as_array(answers) for name, answers in listed.items()}


def _as_array(answers: list[list[Any]]) -> Float[np.ndarray, "q m"]:
    """Answers to each question as an array, filled with NaN."""
    width = max(len(row) for row in answers)
    out = np.full((len(answers), width), np.nan)
    for i, row in enumerate(answers):
        out[i, : len(row)] = answer_values("" if text is None else str(text) for text in row)
    return out
