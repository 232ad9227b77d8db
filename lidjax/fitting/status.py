"""Status codes of the fits: a cell that cannot be fitted says so in a number, the rest of the grid stands."""

from enum import IntEnum

import numpy as np


class FitStatus(IntEnum):
    """What became of one fit; where several apply the largest code stands. Up to 3 there are estimates."""

    OK = 0
    NOT_IDENTIFIABLE = 1
    NOT_CONVERGED = 2
    NOT_SEPARATED = 3
    TOO_FEW_POINTS = 4
    NOT_POSITIVE = 5


MESSAGES = {
    FitStatus.OK: "ok",
    FitStatus.NOT_IDENTIFIABLE: "the data leave a parameter open: its interval has no end inside the search box",
    FitStatus.NOT_SEPARATED: "gamma cannot be told from beta in this window: one tail fits as well as two",
    FitStatus.NOT_CONVERGED: "the optimiser stopped away from a minimum; do not use the estimates",
    FitStatus.TOO_FEW_POINTS: "fewer usable points than the fit needs; widen the window or add points",
    FitStatus.NOT_POSITIVE: "a value in the window (or a given beta) is zero, negative or not finite: no logarithm",
}


def describe_status(status) -> str | list[str]:
    """Message for people for one status code, or a list of them for an array of codes (flattened)."""
    codes = np.asarray(status)
    if codes.ndim == 0:
        return MESSAGES[FitStatus(int(codes))]
    return [MESSAGES[FitStatus(int(code))] for code in codes.ravel()]
