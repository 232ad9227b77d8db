"""Status codes of the fits: a cell that cannot be fitted says so in a number, and the rest of the grid stands."""

from enum import IntEnum

import numpy as np


class FitStatus(IntEnum):
    """What became of one fit; the larger code wins where several apply."""

    OK = 0
    NOT_IDENTIFIABLE = 1
    NOT_CONVERGED = 2
    TOO_FEW_POINTS = 3
    NOT_POSITIVE = 4


MESSAGES = {
    FitStatus.OK: "ok",
    FitStatus.NOT_IDENTIFIABLE: "the data do not determine every parameter (an interval is open); see `identifiable`",
    FitStatus.NOT_CONVERGED: "the optimiser stopped before the gradient vanished; the estimate is not a minimum",
    FitStatus.TOO_FEW_POINTS: "fewer usable points than the fit needs; widen the window or add points",
    FitStatus.NOT_POSITIVE: "a value in the window is zero, negative or not finite, so it has no logarithm",
}


def describe_status(status) -> str | list[str]:
    """Message for people for one status code, or a list of them for an array of codes (flattened)."""
    codes = np.asarray(status)
    if codes.ndim == 0:
        return MESSAGES[FitStatus(int(codes))]
    return [MESSAGES[FitStatus(int(code))] for code in codes.ravel()]
