"""Errors that are for people: bad input says what was wrong, where, and what is allowed."""

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Something the user can correct: a spec, a file, a folder, an argument.

    The command line prints the message without a traceback and exits with code 2.

    Example:
        >>> import lidjax
        >>> try:
        ...     lidjax.load_spec("nosuch.toml")
        ... except lidjax.InputError as error:
        ...     print(str(error).split(":")[0])
        nosuch.toml
    """


def unknown_name(what: str, name: str, allowed: Iterable[str]) -> InputError:
    """The error for a name that is not known, with the nearest allowed one.

    `what` says what the name stands for, such as "figure" or "model.difficulty =". A dotted name is compared by its
    last component, and only with names under the same parent.
    """
    allowed = list(allowed)
    parent, _, last = name.rpartition(".")
    siblings = {other.rpartition(".")[2]: other for other in allowed if other.rpartition(".")[0] == parent}
    near = difflib.get_close_matches(last, siblings, n=1)
    hint = f" (did you mean {siblings[near[0]]!r}?)" if near else ""
    return InputError(f"{what} {name!r} is not known{hint}; allowed: {', '.join(allowed)}")


def check_choice(what: str, name: str, allowed: Iterable[str]) -> None:
    """Raise `unknown_name` unless `name` is one of `allowed`."""
    allowed = list(allowed)
    if name not in allowed:
        raise unknown_name(what, name, allowed)
