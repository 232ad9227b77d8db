"""Marking answers against a target, for logs that keep the texts but not whether each answer is correct."""

import re
from collections.abc import Callable

NUMBER = re.compile(r"-?[$0-9.,]{2,}|-?[0-9]+")
STRICT = re.compile(r"#### ?(-?[0-9.,]+)")

Extractor = Callable[[str], str | None]
"""Finds the answer in a text; None where there is none."""


def strict_number(text: str) -> str | None:
    """The number after ####, as GSM8K writes its answers."""
    match = STRICT.search(text)
    return tidy(match[1]) if match else None


def last_number(text: str) -> str | None:
    """The last number in the text."""
    found = NUMBER.findall(text)
    return tidy(found[-1]) if found else None


def boxed(text: str) -> str | None:
    r"""The content of the last \boxed{...}, as MATH writes its answers, without spaces."""
    start = text.rfind("\\boxed{")
    if start < 0:
        return None
    depth, first = 1, start + len("\\boxed{")
    for position in range(first, len(text)):
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        if depth == 0:
            return "".join(text[first:position].split())
    return None


def whole_text(text: str) -> str | None:
    """The text itself, without case and outer spaces."""
    return text.strip().casefold() or None


def target_field(text: str) -> str | None:
    """The text itself, to be compared with the field `target` as it stands, outer spaces aside."""
    return text.strip() or None


def tidy(number: str) -> str:
    """A number without separators, dollar signs and a final full stop."""
    return number.replace(",", "").replace("$", "").rstrip(".")


EXTRACTORS: dict[str, Extractor] = {
    "strict-number": strict_number,
    "last-number": last_number,
    "boxed": boxed,
    "whole-text": whole_text,
    "target": target_field,
}
"""Ways of finding the answer in a text, by the names that --answer takes."""


def pattern_extractor(pattern: str) -> Extractor:
    """An extractor from a regular expression: its first group, or all of it, at the last match."""
    compiled = re.compile(pattern)

    def extract(text: str) -> str | None:
        match = None
        for match in compiled.finditer(text):  # noqa: B007 - the last match is wanted
            pass
        return None if match is None else tidy((match[1] if compiled.groups else match[0]).strip())

    return extract


def is_correct(extract: Extractor, given: str | None, target: str) -> bool:
    """Whether an extracted answer equals the target: as extracted from it, as it is, or after #### or boxed in it."""
    accepted = (extract(target), tidy(target.strip()), strict_number(target), boxed(target))
    return given is not None and given in accepted
