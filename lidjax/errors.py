"""Errors that are for people: bad input says what was wrong, where, and what is allowed."""

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Something the user can mend: a spec, a file, a folder. The command line prints it and exits with 2."""


def unknown_name(what: str, name: str, allowed: Iterable[str]) -> InputError:
    """The error for a misspelt name, with the nearest allowed one."""
    allowed = list(allowed)
    near = difflib.get_close_matches(name, allowed, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return InputError(f"{what} {name!r} is not known{hint} Allowed: {', '.join(allowed)}")
