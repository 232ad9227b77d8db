"""Natural order of names: numbers count as numbers, with the suffixes K, M, B and T, so that 70M comes before 1B."""

import re
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

MULTIPLES = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}
NUMBER = re.compile(r"(\d+(?:\.\d+)?(?:e[+-]?\d+)?)([kmbt](?![a-z0-9]))?", re.IGNORECASE)


def natural_key(name: str) -> list[tuple[int, float, str]]:
    """What `name` is sorted by: its texts and its numbers in turn; a number comes before a text."""
    key: list[tuple[int, float, str]] = []
    end = 0
    for found in NUMBER.finditer(name):
        if found.start() > end:
            key.append((1, 0.0, name[end : found.start()].casefold()))
        key.append((0, float(found[1]) * MULTIPLES[(found[2] or "").lower()], ""))
        end = found.end()
    if end < len(name):
        key.append((1, 0.0, name[end:].casefold()))
    return key


def natural_order(names: Sequence[str]) -> list[int]:
    """Positions of `names` in their natural order; equal names keep theirs."""
    return sorted(range(len(names)), key=lambda i: natural_key(names[i]))
