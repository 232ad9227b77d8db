"""The counts that every reader returns: attempts and correct answers of each problem, in groups.

A group holds the problems of one model in one setting.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import repeat

import numpy as np
from jaxtyping import Int

from lidjax.errors import InputError
from lidjax.evals.attempt_details import (
    NO_DETAILS,
    AttemptDetail,
    GroupDetails,
    ProblemDetails,
    collect_details,
)

MOST_ATTEMPTS = 1 << 53
"""Largest number of attempts at one problem: the fits compute with float64, which holds whole numbers up to here."""

FieldValue = str | float
GroupFields = tuple[tuple[str, FieldValue], ...]


@dataclass(frozen=True)
class Group:
    """Counts of the P problems of one group.

    Example:
        >>> import numpy as np
        >>> from lidjax.evals import Group
        >>> group = Group("small", {"model": "small"}, ("p1", "p2"), np.array([10, 10]), np.array([3, 0]))
        >>> float(np.mean(group.c > 0))
        0.5
    """

    name: str
    """Name for tables and figures."""
    fields: Mapping[str, FieldValue]
    """Values of the columns that define the group, such as model or tokens. Numbers are floats."""
    problems: tuple[str, ...]
    """Names of the P problems."""
    n: Int[np.ndarray, " p"]
    """Number of attempts at each problem (P,), at least 1."""
    c: Int[np.ndarray, " p"]
    """Number of correct answers to each problem (P,), from 0 to `n`."""
    outcomes: tuple[bytes, ...] | None = None
    """Where the log keeps the order of the attempts: for each problem one byte an attempt, 1 if correct, else 0."""
    placed_by: str = ""
    """What decided by the outcomes how many attempts each problem gets; empty where nothing is known of it."""
    details: GroupDetails = NO_DETAILS
    """Where the log has them: the counts of each answer, the tokens of the attempts, the verdicts of a verifier."""


@dataclass(frozen=True)
class PublishedPassAtK:
    """A value of pass@k that the file holds beside the counts. `check_evals` compares it with them."""

    group: str
    """Name of the group."""
    problem: str
    """Name of the problem."""
    n: int
    """Number of attempts."""
    c: int
    """Number of correct answers."""
    k: int
    """Number of attempts that the value is for."""
    value: float
    """The published value, as read."""


@dataclass(frozen=True)
class LeftAside:
    """Attempts at one problem that are in the files but not in the counts, because nothing says if they are correct.

    Example:
        >>> from lidjax.evals import LeftAside
        >>> LeftAside({"model": "small"}, "p1", 2, "no verdict").count
        2
    """

    fields: Mapping[str, FieldValue]
    """Fields of the group."""
    problem: str
    """Name of the problem."""
    count: int
    """Number of attempts, at least 1."""
    reason: str
    """Why they are left aside."""


@dataclass(frozen=True)
class EvalData:
    """Everything that one call of `read_evals` read.

    Example:
        >>> import numpy as np
        >>> from lidjax.evals import EvalData, Group
        >>> group = Group("small", {"model": "small"}, ("p1", "p2"), np.array([10, 10]), np.array([3, 0]))
        >>> data = EvalData((group,), "made by hand")
        >>> [group.name for group in data.groups]
        ['small']
    """

    groups: tuple[Group, ...]
    """The groups, in the order of their first appearance."""
    format: str
    """Name of the format of the first file."""
    notes: tuple[str, ...] = ()
    """Sentences for people: what the readers assumed and which records they skipped."""
    published: tuple[PublishedPassAtK, ...] = ()
    """Published values of pass@k that the files hold beside the counts."""
    left_aside: tuple[LeftAside, ...] = ()
    """Attempts that are not in the counts, because nothing says whether they are correct."""


@dataclass
class Tally:
    """Collects attempts or counts while a reader goes through its file. `finish` makes the groups.

    Attempts take one byte each.
    """

    format: str
    notes: list[str] = field(default_factory=list[str])
    placed_by: str = ""
    published: list[PublishedPassAtK] = field(default_factory=list[PublishedPassAtK])
    _attempts: dict[GroupFields, dict[str, bytearray]] = field(
        default_factory=dict[GroupFields, dict[str, bytearray]]
    )
    _counts: dict[GroupFields, dict[str, tuple[int, int]]] = field(
        default_factory=dict[GroupFields, dict[str, tuple[int, int]]]
    )

    _details: dict[tuple[GroupFields, str], ProblemDetails] = field(
        default_factory=dict[tuple[GroupFields, str], ProblemDetails]
    )
    _left_aside: dict[tuple[GroupFields, str, str], int] = field(
        default_factory=dict[tuple[GroupFields, str, str], int]
    )

    def add_attempts(
        self,
        fields: Mapping[str, FieldValue],
        problem: str,
        verdicts: Iterable[bool | None],
        reason: str = "no verdict",
        details: Iterable[AttemptDetail] | None = None,
    ) -> None:
        """Append attempts at one problem, in the order in which they were made, with what else is known of each.

        Those without a verdict are left aside, and `reason` says why there is none.
        """
        key = tuple(fields.items())
        for verdict, detail in zip(verdicts, repeat(None) if details is None else details, strict=False):
            if verdict is None:
                self.leave_aside(fields, problem, 1, reason)
                continue
            self._attempts.setdefault(key, {}).setdefault(problem, bytearray()).append(verdict)
            if detail is not None:
                self._details.setdefault((key, problem), ProblemDetails()).add(detail, right=verdict)

    def leave_aside(self, fields: Mapping[str, FieldValue], problem: str, count: int, reason: str) -> None:
        """Note attempts that do not count."""
        key = (tuple(fields.items()), problem, reason)
        self._left_aside[key] = self._left_aside.get(key, 0) + count

    def add_counts(self, fields: Mapping[str, FieldValue], problem: str, n: int, c: int, where: str) -> None:
        """Set the counts of one problem. InputError if the problem has counts already."""
        counts = self._counts.setdefault(tuple(fields.items()), {})
        if problem in counts:
            raise InputError(
                f"{where}: problem {problem!r} appears twice in group {group_name(fields)!r}: once with "
                f"(n, c) = {counts[problem]}, now with {(n, c)}. If another column tells these rows apart, name it "
                "with --group"
            )
        check_count(n, c, where)
        counts[problem] = (n, c)

    def finish(self) -> EvalData:
        """The groups, in the order in which they first appeared."""
        groups: list[Group] = []
        for key, problems in self._attempts.items():
            outcomes = tuple(bytes(attempts) for attempts in problems.values())
            n = np.array([len(attempts) for attempts in outcomes], dtype=np.int64)
            c = np.array([sum(attempts) for attempts in outcomes], dtype=np.int64)
            details = collect_details([self._details.get((key, problem)) for problem in problems])
            name = group_name(dict(key))
            groups.append(Group(name, dict(key), tuple(problems), n, c, outcomes, self.placed_by, details))
        for key, counts in self._counts.items():
            n, c = np.array(list(counts.values()), dtype=np.int64).reshape(-1, 2).T
            groups.append(
                Group(group_name(dict(key)), dict(key), tuple(counts), n, c, placed_by=self.placed_by)
            )
        left_aside = tuple(
            LeftAside(dict(key), problem, count, reason)
            for (key, problem, reason), count in self._left_aside.items()
        )
        return EvalData(tuple(groups), self.format, tuple(self.notes), tuple(self.published), left_aside)


def format_field(value: FieldValue | None) -> str:
    """A field's value as text; numbers in their shortest form."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def group_name(fields: Mapping[str, FieldValue]) -> str:
    """A short name: the model's, if there is one, followed by the other fields as name=value."""
    if not fields:
        return "all"
    others = [f"{key}={format_field(value)}" for key, value in fields.items() if key != "model"]
    return " ".join([str(fields["model"]), *others] if "model" in fields else others)


def check_count(n: int, c: int, where: str) -> None:
    """Raise InputError unless n ≥ 1 and 0 ≤ c ≤ n. `where` names the file and line."""
    if n < 1:
        raise InputError(f"{where}: n = {n} attempts; every problem needs at least one")
    if n > MOST_ATTEMPTS:
        raise InputError(
            f"{where}: n = {n:.6g} attempts; at most 2^53 = {MOST_ATTEMPTS:,} can be counted exactly"
        )
    if not 0 <= c <= n:
        raise InputError(f"{where}: c = {c} correct answers of n = {n} attempts; c must be between 0 and n")
