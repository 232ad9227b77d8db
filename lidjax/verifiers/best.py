"""The best number of attempts, where more of them need not be better."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jax.typing import ArrayLike

from lidjax.arrays import Range, check_values
from lidjax.errors import InputError

_PER_DECADE = 8
_MOST = Range("at least 2, and finite", lambda x: (x >= 2) & (x < math.inf))
_FLAT = 1e-12  # relative: a loss that differs by less from its minimum is as good


class BestAttempts(NamedTuple):
    """The whole number of attempts of least loss, up to a largest one."""

    k: int
    """The best number of attempts."""
    loss: float
    """The loss there."""
    finite: bool
    """Whether the loss is larger at the largest number allowed; otherwise more attempts may be better still."""


def best_attempts(loss: Callable[[np.ndarray], ArrayLike], *, most: float = 1e9) -> BestAttempts:
    """The whole number of attempts of least loss.

    The loss is computed at 8 values of k a decade and then between the neighbours of the best, again and again. A
    minimum that is narrower than a quarter of a decade beside another may be missed.

    Args:
        loss: function from an array of k (K,) to losses (K,); smaller is better.
        most: largest number of attempts, at least 2.

    Returns:
        `BestAttempts`.

    Raises:
        InputError: if `most` is out of its range, or if a loss is not finite.

    References:
        A search on the values alone; compared with all k in tests/verifiers/test_best.py.

    Example:
        >>> import lidjax
        >>> lidjax.best_attempts(lambda k: 1 / k + k / 10_000)
        BestAttempts(k=100, loss=0.02, finite=True)
    """
    check_values("most", most, _MOST)
    low, high = 1, int(most)
    grid = np.unique(
        np.rint(np.geomspace(low, high, max(3, int(_PER_DECADE * math.log10(high)) + 1))).astype(np.int64)
    )
    values = _losses(loss, grid)
    last = values[-1]
    while True:
        best = int(np.argmin(values))
        low, high = int(grid[max(best - 1, 0)]), int(grid[min(best + 1, len(grid) - 1)])
        if high - low <= 2:
            break
        grid = np.unique(np.rint(np.linspace(low, high, 17)).astype(np.int64))
        values = _losses(loss, grid)
    k, value = int(grid[best]), float(values[best])
    finite = bool(last - value > _FLAT * abs(value))
    return BestAttempts(k if finite else int(most), value if finite else float(last), finite)


def _losses(loss: Callable[[np.ndarray], ArrayLike], k: np.ndarray) -> np.ndarray:
    values = np.asarray(loss(k.astype(np.float64)), np.float64)
    if values.shape != k.shape or not np.isfinite(values).all():
        raise InputError(f"the loss at k = {k[0]} to {k[-1]}: must be {k.size} finite numbers, not {values}")
    return values
