"""Failure is data: what became of a cell. Kernels return NaN, and the engine turns it into a code in the store."""

from enum import IntEnum

PENDING, OK = -1, 0
"""Codes that every store shares: not computed yet, and computed."""


class CellStatus(IntEnum):
    """Status code of a cell in the results of a LID sweep.

    Attributes:
        PENDING: Not computed yet.
        OK: Computed.
        LGEN_NOT_FINITE: L_gen is not finite.
        FAILURE_NOT_FINITE: L_gen is finite, but L_inf(k) is not at some k.
    """

    PENDING = PENDING
    OK = OK
    LGEN_NOT_FINITE = 1
    FAILURE_NOT_FINITE = 2
