"""Failure is data: what a cell of a sweep came to. Kernels return NaN, the engine turns it into a code."""

from enum import IntEnum


class CellStatus(IntEnum):
    """Code of one cell in a store."""

    PENDING = -1
    OK = 0
    LGEN_NOT_FINITE = 1
    FAILURE_NOT_FINITE = 2


CELL_MESSAGES = {
    CellStatus.PENDING: "not computed yet: run the same spec again to go on",
    CellStatus.OK: "computed",
    CellStatus.LGEN_NOT_FINITE: "L_gen is not finite: the ridge system is singular in this precision, or the "
    "noise overflowed (β well below 1); a larger ridge or float64 helps the first",
    CellStatus.FAILURE_NOT_FINITE: "L_inf(k) is not finite although L_gen is: outside the range of the "
    "chosen `failure` method",
}
