"""Results that commands read: first it is said whether they are complete."""

import argparse
import sys
from typing import TYPE_CHECKING

from lidjax.errors import InputError

if TYPE_CHECKING:
    import xarray as xr


class Unfinished(Exception):
    """A store is not complete, and `--strict` asks for a complete one. The reason has been printed."""


def add_strict(parser: argparse.ArgumentParser) -> None:
    """Add `--strict`."""
    parser.add_argument(
        "--strict",
        action="store_true",
        help="stop with exit code 1 if the run of the store is not finished, instead of reading what is complete",
    )


def read_results(store: str, *, strict: bool) -> "xr.Dataset":
    """The results of a sweep. Of an unfinished one those that are complete, after saying so on standard error."""
    from lidjax import complete_part, open_results

    data = open_results(store)
    if data.attrs["tiles_done"] == data.attrs["tiles"]:
        return data
    say_unfinished(store, "run", "tiles", data, strict=strict)
    try:
        part = complete_part(data)
    except InputError as error:
        raise InputError(f"{store}: {error}") from None
    cells = " x ".join(
        f"{part.sizes[axis]} of {size} {axis}" for axis, size in data["status"].sizes.items() if size > 1
    )
    print(f"lidjax: what follows is of the part that is complete: {cells}", file=sys.stderr)
    return part


def say_unfinished(store: str, command: str, unit: str, data: "xr.Dataset", *, strict: bool) -> None:
    """Say how much of a store is done, and what completes it. Raises `Unfinished` where that is not enough."""
    done, of = data.attrs["tiles_done"], data.attrs["tiles"]
    if done == of:
        return
    print(
        f"lidjax: {store}: {done:,} of {of:,} {unit} are done; `lidjax {command} SPEC.toml --out {store}` with the "
        "same spec completes it",
        file=sys.stderr,
    )
    if strict:
        raise Unfinished
