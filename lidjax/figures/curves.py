"""Which of many curves over N a panel shows: few, that can be told apart, at round N."""

import numpy as np
from jaxtyping import Float, Int

ROUND = np.outer(10.0 ** np.arange(0, 19), (1.0, 2.0, 5.0)).ravel()
APART = 0.04  # heuristic: curves nearer than this share of the panel's height look like one


def distinct_curves(
    n: Float[np.ndarray, " n"], curves: Float[np.ndarray, "n m"], most: int
) -> Int[np.ndarray, " chosen"]:
    """Positions of up to `most` curves, ascending; `curves` are in the unit of the axis, such as log L_inf.

    First those of the smallest and the largest N, then always the one that is farthest from the chosen ones. Of the
    training sizes, those nearest to 1, 2 and 5 times powers of ten are preferred, if there are enough of them.
    """
    known = np.flatnonzero(np.isfinite(curves).any(axis=1))
    if len(known) <= 1:
        return known
    nearest = np.abs(np.log(n[known, None]) - np.log(ROUND)).argmin(axis=0)
    smallest, largest = n[known].min(), n[known].max()
    inside = (smallest <= ROUND) & (largest >= ROUND)
    candidates = np.union1d(known[np.unique(nearest[inside])], known[-1])
    candidates = candidates if len(candidates) >= min(most, len(known)) else known
    finite = curves[np.isfinite(curves)]
    filled = np.nan_to_num(curves[candidates], nan=finite.min(), neginf=finite.min())
    distance = np.abs(filled[:, None] - filled[None, :]).max(axis=-1)
    chosen = [len(candidates) - 1, 0]
    if distance[0, -1] <= APART * np.ptp(finite):
        chosen = [len(candidates) - 1]
    while len(chosen) < most:
        nearest_chosen = distance[:, chosen].min(axis=1)
        if nearest_chosen.max() <= APART * np.ptp(finite):
            break
        chosen.append(int(nearest_chosen.argmax()))
    return np.sort(candidates[chosen])
