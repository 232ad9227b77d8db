"""Checks of counts and levels that users of the fits and forecasts give."""

from collections.abc import Sequence

import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Int

from lidjax.errors import InputError
from lidjax.evals.curve import Counts
from lidjax.evals.table import MOST_ATTEMPTS, check_count

MOST_PAIRS = 1 << 14
"""Largest number of distinct pairs (n, c) in a group: the likelihood of each is held at a thousand points."""


def check_level(level: float) -> None:
    """Raise InputError unless 0.5 ≤ level < 1."""
    if not 0.5 <= level < 1:
        raise InputError(f"level {level}: must be at least 0.5 and below 1, for example 0.9")


def check_counts(n: ArrayLike | Sequence[int], c: ArrayLike | Sequence[int]) -> tuple[Counts, Counts]:
    """`n` and `c` as integer arrays (P,). InputError unless they are counts of at least one problem."""
    attempts, correct = whole_numbers("n", n), whole_numbers("c", c)
    if attempts.ndim != 1 or attempts.shape != correct.shape or not len(attempts):
        raise InputError(
            f"n has shape {attempts.shape} and c has shape {correct.shape}: both must have one value for each problem"
        )
    for i, pair in enumerate(zip(attempts.tolist(), correct.tolist(), strict=True)):
        check_count(*pair, f"problem at index {i}")
    check_distinct(attempts, correct)
    return attempts, correct


def check_distinct(n: Counts, c: Counts, group: str = "the group") -> None:
    """Raise InputError if a group has more distinct pairs (n, c) than fit into memory."""
    if len(n) <= MOST_PAIRS:
        return
    pairs = len(np.unique(np.column_stack([n, c]), axis=0))
    if pairs > MOST_PAIRS:
        raise InputError(
            f"{group} has {pairs:,} distinct pairs (n, c) among {len(n):,} problems, and at most {MOST_PAIRS:,} can be "
            "fitted; problems with equal n have fewer distinct pairs, and a random sample of the problems answers the "
            "same questions"
        )


def whole_numbers(name: str, values: ArrayLike | Sequence[int]) -> Int[np.ndarray, "..."]:
    """As an array of int64. InputError unless all are whole numbers."""
    array = np.asarray(values)
    if array.dtype.kind not in "iuf" or not np.all(np.isfinite(array) & (array == np.floor(array))):
        raise InputError(f"{name} must hold whole numbers")
    if array.size and np.max(array) > MOST_ATTEMPTS:
        raise InputError(f"{name} must be at most 2^53 = {MOST_ATTEMPTS:,}")
    return array.astype(np.int64)


def check_targets(name: str, k: ArrayLike | Sequence[int]) -> Int[np.ndarray, " k"]:
    """Numbers of attempts as an integer array (K,). InputError unless they are whole numbers of 1 or more."""
    targets = np.atleast_1d(whole_numbers(name, k))
    if targets.ndim != 1 or not len(targets) or targets.min() < 1:
        raise InputError(f"{name} must be one or more whole numbers of at least 1")
    return targets
