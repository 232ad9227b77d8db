"""Status codes of the cells of a sweep. Kernels return NaN where they fail; the engine stores one of these codes."""

from enum import IntEnum


class CellStatus(IntEnum):
    """Status of one cell, as it is stored."""

    PENDING = -1
    OK = 0
    LGEN_NOT_FINITE = 1
    FAILURE_NOT_FINITE = 2


CELL_MESSAGES = {
    CellStatus.PENDING: "not computed yet: run the same spec again to continue",
    CellStatus.OK: "computed",
    CellStatus.LGEN_NOT_FINITE: "L_gen is not finite: the ridge system is singular in this precision, or the "
    "noise overflowed (β well below 1); a larger ridge or float64 helps with the first",
    CellStatus.FAILURE_NOT_FINITE: "L_inf(k) is not finite although L_gen is: the cell is outside the range of the "
    "chosen `failure` method",
}
"""What to tell a person about the cells of each status."""
