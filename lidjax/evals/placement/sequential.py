"""Sampling that goes on until pass@K is known: which problems get attempts next, and when it is enough.

The sampler asks `take` before each attempt and tells `record` afterwards. Attempts are planned in blocks; after each
block the posterior is computed anew. The bookkeeping knows nothing of who samples: `inspect_stopping` connects it to
Inspect.
"""

from typing import NamedTuple

import jax
import numpy as np

from lidjax.errors import InputError
from lidjax.evals.arguments import check_level
from lidjax.evals.forecasts.forecast import forecast_from_posterior
from lidjax.evals.placement.next_attempts import place_attempts
from lidjax.evals.rates.posterior import sample_posterior
from lidjax.evals.rates.quadrature import COARSE_GRID, count_rows

GROWTH = 0.25  # heuristic: attempts of a block over all attempts before it, so that posteriors are few


class Knowledge(NamedTuple):
    """What the attempts made so far say about pass@K of these problems."""

    value: float
    """Posterior median."""
    lower: float
    """Lower end of the interval."""
    upper: float
    """Upper end of the interval."""
    attempts: int
    """Number of attempts that this rests on."""


class SequentialSampling:
    """The state of sampling P problems until the interval of their mean pass@K is narrow enough.

    Example:
        >>> from lidjax.evals.placement.sequential import SequentialSampling
        >>> state = SequentialSampling(problems=2, most=50, k=10, width=0.99, first=1)
        >>> for i in range(2):
        ...     taken = state.take(i)
        ...     state.record(i, True)
        >>> state.needs_plan
        True
        >>> state.plan()
        >>> state.enough
        True
    """

    def __init__(
        self,
        *,
        problems: int,
        most: int,
        k: int,
        width: float,
        level: float = 0.9,
        first: int = 4,
        place: bool = True,
        seed: int = 0,
    ) -> None:
        """Start with `first` attempts at each of the P `problems`, and make at most `most` at each."""
        check_level(level)
        for name, value in (("problems", problems), ("most", most), ("k", k), ("first", first)):
            if value < 1 or value != int(value):
                raise InputError(f"{name} = {value}: must be a whole number of 1 or more")
        if not 0 < width < 1:
            raise InputError(f"width = {width}: the width of an interval of pass@K must be between 0 and 1")
        self.k, self.width, self.level, self.is_placing, self.seed = k, width, level, place, seed
        self.n = np.zeros(problems, dtype=np.int64)
        self.c = np.zeros(problems, dtype=np.int64)
        self.remaining = np.full(problems, most)
        self.knowledge: Knowledge | None = None
        self._last_block = np.full(problems, first)
        self._quota = np.minimum(self._last_block, self.remaining)

    @property
    def enough(self) -> bool:
        """Whether the interval was narrow enough when it was last computed."""
        found = self.knowledge
        return found is not None and found.upper - found.lower <= self.width

    @property
    def needs_plan(self) -> bool:
        """Whether the planned attempts are used up, so that `plan` must be called before `take`."""
        return not self.enough and not self._quota.any()

    def take(self, problem: int) -> bool:
        """Whether an attempt at this problem should be made now; if so, it counts as begun."""
        if self.enough or self._quota[problem] < 1 or self.remaining[problem] < 1:
            return False
        self._quota[problem] -= 1
        return True

    def limit(self, problem: int, remaining: int) -> None:
        """Say that at most `remaining` more attempts at this problem can be begun."""
        self.remaining[problem] = remaining
        self._quota[problem] = min(self._quota[problem], remaining)

    def record(self, problem: int, correct: bool) -> None:
        """Count an attempt that is complete."""
        self.n[problem] += 1
        self.c[problem] += correct

    def plan(self) -> None:
        """Compute the posterior, and unless it is enough, the next block of attempts.

        Where hardly any attempt has been completed since the last plan (many are under way), the last block is repeated
        without a new posterior.
        """
        done = int(self.n.sum())
        known = 0 if self.knowledge is None else self.knowledge.attempts
        if done - known >= max(1, self._last_block.sum() // 2):
            self._last_block = self._next_block()
        self._quota = np.minimum(self._last_block, self.remaining)
        if not self._quota.any():  # those that were planned have no attempts left
            self._quota = np.minimum(1, self.remaining)

    def measure(self) -> Knowledge | None:
        """The interval of pass@K from all attempts completed so far; None where there are none."""
        self._posterior()
        return self.knowledge

    def _posterior(self):
        tried = self.n > 0
        if not tried.any():
            return None
        n, c = self.n[tried], self.c[tried]
        rng = np.random.default_rng(self.seed)
        with jax.enable_x64(True):
            rows = count_rows(n, c, COARSE_GRID)
            posterior = sample_posterior(rows, seed=self.seed)
            found = forecast_from_posterior(rng, posterior, rows, n, c, self.k, level=self.level)
        self.knowledge = Knowledge(
            float(found.latent[0]), float(found.latent_lower[0]), float(found.latent_upper[0]), int(n.sum())
        )
        return rng, posterior, rows, tried

    def _next_block(self) -> np.ndarray:
        found = self._posterior()
        if found is None or self.enough:
            return self._last_block
        rng, posterior, rows, tried = found
        size = max(len(self.n), int(GROWTH * self.n.sum()))
        if not self.is_placing:
            return np.full(len(self.n), -(-size // len(self.n)))
        block = np.zeros(len(self.n), dtype=np.int64)
        with jax.enable_x64(True):
            placed = place_attempts(rng, posterior, rows, self.k, size, at_most=self.remaining[tried])
        block[tried] = placed.attempts
        return block
