"""What a store holds for each cell: its variables, their further dimensions, and how a cell that failed is marked."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from lidjax.status import OK, PENDING

CellValues = Mapping[str, np.ndarray]
"""Computed cells: variable name to an array over the cell axes, then the variable's own dimensions."""


@dataclass(frozen=True)
class Variable:
    """A number, or an array of numbers, computed for every cell."""

    name: str
    long_name: str
    units: str = "1"
    dims: tuple[str, ...] = ()
    """Dimensions beyond the cell axes, such as k."""
    dtype: str | None = None
    """None: the precision that the run computes in."""
    fill: float = float("nan")
    """Value of cells that are not computed yet."""
    not_finite: str = "not finite"
    """What to tell a person about a cell where this variable is not finite."""
    status: str = ""
    """Name of the status of a cell where this variable is not finite; by default the variable's, with _NOT_FINITE."""
    optional: bool = False
    """Whether a store may lack it: one of an older version, or one of a run that does not compute it. Optional
    variables come last in a schema, and do not decide the status of a cell."""


@dataclass(frozen=True)
class Schema:
    """The variables of a store. Every store has `status` besides, the code of each cell.

    The code is PENDING, OK, or i for a cell whose i-th variable (counted from 1) is the first that is not finite.
    """

    variables: tuple[Variable, ...]
    labels: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Long name and unit of every axis and coordinate."""
    former_names: Mapping[str, str] = field(default_factory=dict)
    """Names that variables had in stores of version 0.1.0."""
    checked: tuple[str, ...] | None = None
    """Variables that decide the status of a cell; None takes all."""

    def restricted(self, names: Collection[str]) -> "Schema":
        """This schema without the optional variables that are not among `names`."""
        kept = tuple(v for v in self.variables if v.name in names or not v.optional)
        return replace(self, variables=kept)

    def decides(self, variable: Variable) -> bool:
        """Whether a variable decides the status of a cell."""
        return not variable.optional and (self.checked is None or variable.name in self.checked)

    def label(self, name: str) -> dict[str, Any]:
        """Attributes of an axis or coordinate, as the CF conventions have them."""
        long_name, units = self.labels.get(name, (name, "1"))
        return {"long_name": long_name, "units": units}

    def status_of(self, values: CellValues) -> np.ndarray:
        """The status code of each computed cell."""
        finite: dict[int, np.ndarray] = {}
        for code, variable in enumerate(self.variables, start=1):
            if self.decides(variable):
                own = tuple(
                    range(values[variable.name].ndim - len(variable.dims), values[variable.name].ndim)
                )
                finite[code] = np.asarray(np.isfinite(values[variable.name]).all(axis=own))
        status = np.full(next(iter(finite.values())).shape, OK, np.int8)
        for code in sorted(finite, reverse=True):
            status = np.where(finite[code], status, np.int8(code))
        return status.astype(np.int8)

    def status_names(self) -> dict[int, str]:
        """Name of every status code, as stores and programs have it."""
        codes = {
            i: v.status or f"{v.name.upper()}_NOT_FINITE"
            for i, v in enumerate(self.variables, start=1)
            if self.decides(v)
        }
        return {PENDING: "PENDING", OK: "OK", **codes}

    def status_message(self, code: int) -> str:
        """What to tell a person about cells of a status code."""
        if code == PENDING:
            return "not computed yet; run the same command again to complete them"
        return "computed" if code == OK else self.variables[code - 1].not_finite

    def failures(self, status: np.ndarray) -> dict[str, int]:
        """Why cells have no result: a message for people, and how many cells it concerns."""
        codes, counts = np.unique(status, return_counts=True)
        found = zip(codes.tolist(), counts.tolist(), strict=True)
        return {self.status_message(code): count for code, count in found if code != OK}
