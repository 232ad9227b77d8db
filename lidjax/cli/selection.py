"""Options that choose cells of a sweep: `--at` for `show`, `plot` and `allocate`."""

import argparse
from typing import TYPE_CHECKING

from lidjax.errors import InputError

if TYPE_CHECKING:
    import xarray as xr


def add_at(parser: argparse.ArgumentParser) -> None:
    """Add `--at`."""
    parser.add_argument(
        "--at",
        action="extend",
        nargs="+",
        default=[],
        metavar="AXIS=VALUE",
        help="choose values of axes, such as --at beta=2.5 dim=128, or several of one: delta=2e-4,5e-4",
    )


def chosen_values(words: list[str]) -> dict[str, list[float | str]]:
    """The values that `--at` names, by axis. An axis that is named twice has the values of both."""
    chosen: dict[str, list[float | str]] = {}
    for word in words:
        axis, equals, values = word.partition("=")
        if not equals or not axis or not values:
            raise InputError(f"--at {word}: write AXIS=VALUE, such as beta=2.5")
        chosen.setdefault(axis.strip(), []).extend(_value(value) for value in values.split(","))
    return chosen


def _value(word: str) -> float | str:
    try:
        return float(word)
    except ValueError:
        return word.strip()


def select_at(data: "xr.Dataset", words: list[str]) -> "xr.Dataset":
    """The results at the values chosen with `--at`."""
    from lidjax import select_cells

    chosen = chosen_values(words)
    try:
        return select_cells(data, **chosen)
    except InputError as error:
        raise InputError(f"--at {error}") from None
