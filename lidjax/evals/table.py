"""What every reader returns: counts of right answers, problem by problem, in groups of one model and setting."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Int

from lidjax.errors import InputError

Label = str | float
GroupKey = tuple[tuple[str, Label], ...]


@dataclass(frozen=True)
class Group:
    """Counts of one group: `n` attempts and `c` right answers for each of P problems.

    `fields` are the columns that set the group apart (model, params, tokens...). `outcomes`, where the log keeps the
    order of the attempts, has one bytes object a problem: 1 right, 0 wrong.
    """

    name: str
    fields: Mapping[str, Label]
    problems: tuple[str, ...]
    n: Int[np.ndarray, " p"]
    c: Int[np.ndarray, " p"]
    outcomes: tuple[bytes, ...] | None = None


@dataclass(frozen=True)
class Published:
    """A pass@k value that stood in the file, for the check against the counts beside it."""

    group: str
    problem: str
    n: int
    c: int
    k: int
    value: float


@dataclass(frozen=True)
class EvalData:
    """Everything one command read. `notes` say, for people, what was assumed or left aside while reading."""

    groups: tuple[Group, ...]
    format: str
    notes: tuple[str, ...] = ()
    published: tuple[Published, ...] = ()


@dataclass
class Tally:
    """Counts in the making. A reader adds attempts or counts; `finish` makes the groups. One byte an attempt."""

    format: str
    notes: list[str] = field(default_factory=list)
    published: list[Published] = field(default_factory=list)
    _attempts: dict[GroupKey, dict[str, bytearray]] = field(default_factory=dict)
    _counts: dict[GroupKey, dict[str, tuple[int, int]]] = field(default_factory=dict)

    def add_attempts(self, fields: Mapping[str, Label], problem: str, correct: Iterable[bool]) -> None:
        """Append attempts at one problem, in the order they were made."""
        self._attempts.setdefault(tuple(fields.items()), {}).setdefault(problem, bytearray()).extend(correct)

    def add_counts(self, fields: Mapping[str, Label], problem: str, n: int, c: int, where: str) -> None:
        """Set the counts of one problem; a second, different row for it is an error."""
        rows = self._counts.setdefault(tuple(fields.items()), {})
        if problem in rows:
            raise InputError(
                f"{where}: problem {problem!r} stands twice in group {group_name(fields)!r}: once with "
                f"(n, c) = {rows[problem]}, now with {(n, c)}. If a further column tells these rows apart, name it "
                "with --group"
            )
        check_count(n, c, where)
        rows[problem] = (n, c)

    def finish(self) -> EvalData:
        """The groups, in the order in which they first appeared."""
        groups = []
        for key, problems in self._attempts.items():
            outcomes = tuple(bytes(row) for row in problems.values())
            n = np.array([len(row) for row in outcomes], dtype=np.int64)
            c = np.array([sum(row) for row in outcomes], dtype=np.int64)
            groups.append(Group(group_name(dict(key)), dict(key), tuple(problems), n, c, outcomes))
        for key, rows in self._counts.items():
            n, c = np.array(list(rows.values()), dtype=np.int64).reshape(-1, 2).T
            groups.append(Group(group_name(dict(key)), dict(key), tuple(rows), n, c))
        return EvalData(tuple(groups), self.format, tuple(self.notes), tuple(self.published))


def group_name(fields: Mapping[str, Label]) -> str:
    """A short name: the model if there is one, with every further field that is not part of it."""
    if not fields:
        return "all"
    parts = [f"{value:g}" if isinstance(value, float) else str(value) for value in fields.values()]
    if "model" in fields:
        rest = [f"{key}={part}" for (key, part) in zip(fields, parts, strict=True) if key != "model"]
        return " ".join([str(fields["model"]), *rest])
    return " ".join(f"{key}={part}" for key, part in zip(fields, parts, strict=True))


def check_count(n: int, c: int, where: str) -> None:
    """Counts are whole numbers with n ≥ 1 and 0 ≤ c ≤ n."""
    if n < 1:
        raise InputError(f"{where}: n = {n} attempts; every problem needs at least one")
    if not 0 <= c <= n:
        raise InputError(f"{where}: c = {c} right answers of n = {n} attempts; c must be between 0 and n")
