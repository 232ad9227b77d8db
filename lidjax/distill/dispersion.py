"""How much a teacher disagrees with itself, question by question, and the tail index of that.

Two readings of LID's precision τ, whose near-zero index is β/2:

spread     the answers are numbers, with variance σ²/τ around their mean. P(spread > s) then falls like s^-β. Questions
           have scales of their own, so the spread is relative: mean distance from the median over the median's size.
agreement  the answers are labels. A question's chance q that two draws agree is the single-trial success of a student
           that has become its teacher; P(q ≤ t) ~ t^β is the plateau that β_eff(N) would reach. One draw is held out as
           the target and the others are attempts at it: counts like those of any evaluation log.
"""

import json
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from lidjax.distill.answers import answer_values
from lidjax.errors import InputError

HILL_SHARES = (
    0.05,
    0.1,
    0.2,
)  # of the questions: the tail that an index is read from; three, to see whether they agree
FEWEST_IN_TAIL = 10


class Spread(NamedTuple):
    """Relative spread of each question's answers; NaN with fewer than two numbers."""

    spread: Float[np.ndarray, " q"]
    disagreement: Float[np.ndarray, " q"]
    """Unbiased chance that two draws differ; a draw without a number differs from everything."""


class HillIndex(NamedTuple):
    """Tail index from the largest `used` spreads (the share `share` of the questions), with a bootstrap interval."""

    share: float
    used: int
    value: float
    lower: float
    upper: float


def measure_spread(answers: Float[np.ndarray, "q m"]) -> Spread:
    """Spread and disagreement of `answers` (q, m), NaN where a draw gave no number."""
    count = np.sum(np.isfinite(answers), axis=1)
    some = count >= 2
    values = np.where(some[:, None], answers, 0.0)
    middle = np.nanmedian(values, axis=1, keepdims=True)
    distance = np.nanmean(np.abs(values - middle), axis=1)
    # a median of 0 has no size: its question counts with a distance in units
    size = np.where(middle[:, 0] == 0, 1.0, np.abs(middle[:, 0]))
    draws = answers.shape[1]
    same = np.sum(answers[:, :, None] == answers[:, None, :], axis=(1, 2)) - count
    return Spread(np.where(some, distance / size, np.nan), 1 - same / (draws * (draws - 1)))


def hill_index(values: Float[np.ndarray, " q"], count: int) -> float:
    """Hill's estimate of the index a of P(value > x) ~ x^-a from the `count` largest (Hill 1975); NaN where ties or
    zeros leave no tail."""
    ordered = np.sort(values)[::-1]
    if len(ordered) <= count or ordered[count] <= 0:
        return float("nan")
    mean = np.mean(np.log(ordered[:count] / ordered[count]))
    return float(1 / mean) if mean > 0 else float("nan")


def spread_indices(
    spread: Float[np.ndarray, " q"], *, level: float = 0.95, replicates: int = 400, seed: int = 0
) -> list[HillIndex]:
    """Hill's index at three tail shares, the interval by resampling questions."""
    values = spread[np.isfinite(spread)]
    rng = np.random.default_rng(seed)
    picked = (
        rng.integers(len(values), size=(replicates, len(values))) if len(values) else np.zeros((0, 0), int)
    )
    edges = [(1 - level) / 2, (1 + level) / 2]
    found = []
    for share in HILL_SHARES:
        count = int(share * len(values))
        if count < FEWEST_IN_TAIL:
            continue
        repeats = np.array([hill_index(values[row], count) for row in picked])
        sound = repeats[np.isfinite(repeats)]
        lower, upper = np.quantile(sound, edges).tolist() if len(sound) else (np.nan, np.nan)
        found.append(HillIndex(share, count, hill_index(values, count), lower, upper))
    return found


def agreement_counts(
    answers: Float[np.ndarray, "q m"], *, seed: int = 0
) -> tuple[Int[np.ndarray, " p"], Int[np.ndarray, " p"]]:
    """(n, c) of the teacher against itself: one draw that is a number is the target, the others are attempts.

    The target is picked at random, so that the order in a file says nothing. Questions without a number are left out.
    """
    rng = np.random.default_rng(seed)
    n, c = [], []
    for row in answers:
        numbers = np.flatnonzero(np.isfinite(row))
        if len(numbers):
            target = rng.choice(numbers)
            n.append(len(row) - 1)
            c.append(int(np.sum(row == row[target])) - 1)
    return np.array(n, dtype=np.int64), np.array(c, dtype=np.int64)


def read_repeated_answers(path: str | Path) -> dict[str, Float[np.ndarray, "q m"]]:
    """Repeated answers of a real teacher, by prompt style, from `jsonl`: `counts` {answer: times} a line, or lists of
    answers (null where none) under any names but `gold`. Rows with fewer draws than the longest are filled with NaN."""
    path = Path(path)
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, json.JSONDecodeError) as error:
        raise InputError(f"{path}: cannot be read as jsonl: {error}") from None
    if rows and "counts" in rows[0]:
        listed = {"answers": [list(Counter(row["counts"]).elements()) for row in rows]}
    else:
        names = [name for name, value in (rows[0] if rows else {}).items() if isinstance(value, list)]
        listed = {name: [row[name] for row in rows] for name in names}
    if not listed:
        raise InputError(f"{path}: no line with `counts` or a list of answers")
    return {name: _as_array(answers) for name, answers in listed.items()}


def _as_array(answers: list[list[str | None]]) -> Float[np.ndarray, "q m"]:
    width = max(len(row) for row in answers)
    out = np.full((len(answers), width), np.nan)
    for i, row in enumerate(answers):
        out[i, : len(row)] = answer_values("" if text is None else str(text) for text in row)
    return out
