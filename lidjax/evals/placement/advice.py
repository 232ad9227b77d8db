"""What further attempts are worth: the interval of pass@K that they are expected to lead to."""

from typing import NamedTuple

import numpy as np

from lidjax.evals.forecasts.answer import Answer, format_interval
from lidjax.evals.json_types import NextAttemptsJson
from lidjax.evals.placement.next_attempts import NextAttempts
from lidjax.evals.table import Group

WORTHWHILE = 0.1
"""Advice is shown where the interval is expected to become narrower by this share or more."""


class Advice(NamedTuple):
    """The interval of a group's answer, and what it is expected to become with further attempts at these problems.

    The expected interval lies around the same value; its two sides shrink like the standard deviation.

    Example:
        >>> from lidjax.evals import Advice
        >>> advice = Advice(1000, 12_800, 128, (0.66, 0.79), (0.69, 0.77), (0.70, 0.76), 40)
        >>> advice.worthwhile, advice.placing_helps
        (True, True)
    """

    k: int
    """The K of the pass@K."""
    total: int
    """Number of further attempts, over all problems."""
    problems: int
    """Number of problems."""
    now: tuple[float, float]
    """The interval now."""
    uniform: tuple[float, float]
    """The interval that is expected if the attempts are spread evenly."""
    placed: tuple[float, float]
    """The interval that is expected if they are placed where they tell most."""
    chosen: int
    """Number of problems that get attempts when they are placed."""

    @property
    def worthwhile(self) -> bool:
        """Whether one of the two ways narrows the interval by a tenth or more."""
        return min(width(self.uniform), width(self.placed)) <= (1 - WORTHWHILE) * width(self.now)

    @property
    def placing_helps(self) -> bool:
        """Whether the interval after placing the attempts is narrower by a tenth or more than after spreading them."""
        return width(self.placed) <= (1 - WORTHWHILE) * width(self.uniform)

    @property
    def sentence(self) -> str:
        """The advice in one sentence."""
        said = f"{self.total:,} more attempts are expected to narrow the interval"
        if not self.worthwhile:
            return f"{said} by less than a tenth."
        even = "{1} to {2}".format(*format_interval(self.uniform[0], *self.uniform))
        best = "{1} to {2}".format(*format_interval(self.placed[0], *self.placed))
        where = f"where they tell most ({self.chosen:,} of {self.problems:,} problems)"
        if not self.placing_helps:
            return f"{said} to {even} if spread evenly; {where} they gain no tenth more."
        if width(self.uniform) > (1 - WORTHWHILE) * width(self.now):
            return f"{said} to {best} {where}; spread evenly they gain less than a tenth."
        return f"{said} to {even} if spread evenly, to {best} {where}."


def width(interval: tuple[float, float]) -> float:
    """Width of an interval."""
    return interval[1] - interval[0]


def make_advice(answer: Answer, following: NextAttempts) -> Advice:
    """The advice that goes with an answer; `following` has the best placement of the attempts."""

    def narrowed(sd: float) -> tuple[float, float]:
        share = min(sd / following.sd, 1.0) if following.sd > 0 else 0.0
        value = answer.pass_at_k
        return value - share * (value - answer.lower), value + share * (answer.upper - value)

    return Advice(
        following.k,
        following.total,
        answer.problems,
        (answer.lower, answer.upper),
        narrowed(following.sd_uniform),
        narrowed(following.sd_placed),
        int(np.sum(following.attempts > 0)),
    )


def advice_to_dict(group: Group, advice: Advice, following: NextAttempts) -> NextAttemptsJson:
    """Plain numbers, as `lidjax fit --json` prints them."""
    return {
        "k": advice.k,
        "total": advice.total,
        "lower": advice.now[0],
        "upper": advice.now[1],
        "uniform_lower": advice.uniform[0],
        "uniform_upper": advice.uniform[1],
        "placed_lower": advice.placed[0],
        "placed_upper": advice.placed[1],
        "worthwhile": advice.worthwhile,
        "attempts": {
            group.problems[i]: int(following.attempts[i])
            for i in following.order
            if following.attempts[i] > 0
        },
    }
