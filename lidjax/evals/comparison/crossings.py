"""Where two curves cross: from posterior draws of their difference, how often, in which direction, and at which k."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

SAME = 1e-9
"""A difference below it counts as none: at large k both curves end in 1, and what is left is rounding."""


class Crossings(NamedTuple):
    """How the sign of the difference of two curves, first minus second, changes between the smallest and largest k.

    The probabilities are shares of the posterior draws, and add up to 1.
    """

    first_throughout: float
    """Probability that the first is better at every k."""
    second_throughout: float
    """Probability that the second is better at every k."""
    first_then_second: float
    """Probability of one crossing: the first is better at small k, the second at large k."""
    second_then_first: float
    """Probability of one crossing: the second is better at small k, the first at large k."""
    several: float
    """Probability of more than one crossing."""
    equal: float
    """Probability of no difference at any k."""
    k: float
    """Median k of the crossing in the draws with one crossing in the more frequent direction, NaN if there are none."""
    lower: float
    """Lower end of its interval, in the same draws."""
    upper: float
    """Upper end of its interval."""


def find_crossings(draws: Float[np.ndarray, "s k"], k: Int[np.ndarray, " k"], level: float) -> Crossings:
    """Count the crossings of S draws of a difference, and place them by interpolation in log k."""
    log_k = np.log(k.astype(np.float64))
    kinds: list[tuple[int, int]] = []
    places: dict[int, list[float]] = {1: [], -1: []}
    for draw in draws:
        used = np.flatnonzero(np.abs(draw) > SAME)
        sign = np.sign(draw[used]).astype(int)
        changes = np.flatnonzero(np.diff(sign))
        kinds.append((int(sign[0]) if len(used) else 0, len(changes)))
        if len(changes) == 1:
            left, right = used[changes[0]], used[changes[0] + 1]
            share = draw[left] / (draw[left] - draw[right])
            places[kinds[-1][0]].append(float(log_k[left] + share * (log_k[right] - log_k[left])))

    def chance(first: int, changes: int) -> float:
        return kinds.count((first, changes)) / len(kinds)

    crossed = max(places.values(), key=len)
    low, middle, high = (
        np.exp(np.quantile(crossed, [(1 - level) / 2, 0.5, (1 + level) / 2])).tolist()
        if crossed
        else (float("nan"),) * 3
    )
    return Crossings(
        first_throughout=chance(1, 0),
        second_throughout=chance(-1, 0),
        first_then_second=chance(1, 1),
        second_then_first=chance(-1, 1),
        several=sum(changes > 1 for _, changes in kinds) / len(kinds),
        equal=chance(0, 0),
        k=middle,
        lower=low,
        upper=high,
    )
