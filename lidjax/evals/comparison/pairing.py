"""Which two groups are compared, and the problems that both have."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lidjax.errors import InputError
from lidjax.evals.arguments import check_distinct
from lidjax.evals.attempt_details import take_details
from lidjax.evals.curve import MANY_PROBLEMS
from lidjax.evals.table import EvalData, Group

MOST_LISTED = 12  # groups named in one message


def choose_pair(data: Sequence[EvalData], names: Sequence[str] | None = None) -> tuple[Group, Group]:
    """The two groups to compare: those with the two `names`, or, without names, the only two that there are.

    A name may be a part of the group's name that no other group has. InputError where it is not clear which are meant.
    """
    groups = [group for one in data for group in one.groups]
    listed = ", ".join(repr(group.name) for group in groups[:MOST_LISTED])
    listed += f" and {len(groups) - MOST_LISTED} more" if len(groups) > MOST_LISTED else ""
    if names is None:
        if len(groups) != 2:
            raise InputError(
                f"two models are compared, and {len(groups)} group{'s were' if len(groups) != 1 else ' was'} read: "
                f"{listed}; choose two with --between A B, or name another log"
            )
        return groups[0], groups[1]
    chosen: list[Group] = []
    for name in names:
        found = [group for group in groups if group.name == name] or [
            group for group in groups if name in group.name
        ]
        if len(found) != 1:
            what = "no group has this name" if not found else f"{len(found)} groups have it in their name"
            raise InputError(f"--between {name!r}: {what}; allowed: {listed}")
        chosen += found
    if chosen[0] is chosen[1]:
        raise InputError(f"--between: {names[0]!r} and {names[1]!r} are the same group, {chosen[0].name!r}")
    return chosen[0], chosen[1]


def common_problems(first: Group, second: Group) -> tuple[Group, Group, tuple[int, int]]:
    """The two groups on the problems that both have, in the order of the first, and how many each has alone.

    Groups of one name get the numbers 1 and 2. InputError if they have no problem in common.
    """
    place = {problem: index for index, problem in enumerate(second.problems)}
    shared = [index for index, problem in enumerate(first.problems) if problem in place]
    if not shared:
        raise InputError(
            f"{first.name!r} and {second.name!r} have no problem in common: the first has "
            f"{', '.join(map(repr, first.problems[:3]))}, the second {', '.join(map(repr, second.problems[:3]))}; "
            "problems are matched by name, so give them the same names in both"
        )
    if len(shared) > MANY_PROBLEMS:
        raise InputError(
            f"{len(shared):,} problems in common: at most {MANY_PROBLEMS:,} can be compared; a random sample of them "
            "answers the same questions"
        )
    order = [place[first.problems[index]] for index in shared]
    one, two = take_problems(first, shared), take_problems(second, order)
    if one.name == two.name:
        one, two = replace(one, name=f"{one.name} (1)"), replace(two, name=f"{two.name} (2)")
    for group in (one, two):
        check_distinct(group.n, group.c, f"group {group.name!r}")
    return one, two, (len(first.problems) - len(shared), len(second.problems) - len(shared))


def take_problems(group: Group, index: Sequence[int]) -> Group:
    """A group with some of its problems, in the order of `index`."""
    chosen = np.asarray(index, dtype=np.int64)
    return replace(
        group,
        problems=tuple(group.problems[i] for i in index),
        n=group.n[chosen],
        c=group.c[chosen],
        outcomes=None if group.outcomes is None else tuple(group.outcomes[i] for i in index),
        details=take_details(group.details, index),
    )
