"""The answer for one group in one sentence: pass@K with its interval, and how many problems will stay unsolved."""

import math
from typing import NamedTuple

import numpy as np

from lidjax.evals.forecasts.forecast import PassAtKForecast
from lidjax.evals.json_types import AnswerJson
from lidjax.evals.table import Group


class Answer(NamedTuple):
    """What a group's forecast says, in a few numbers. `sentence` has them in words.

    Example:
        >>> from lidjax.evals import Answer
        >>> Answer(1000, 0.73, 0.66, 0.79, 0.9, 128, 10_000, 34, 26, 41, made=False).sentence[:58]
        'pass@1,000 of these 128 problems is 0.73 (0.66 to 0.79, 90'
    """

    k: int
    """The K of the pass@K: the first target beyond all attempts made, or the largest target."""
    pass_at_k: float
    """pass@K of these problems: the median of the posterior."""
    lower: float
    """Lower end of its interval."""
    upper: float
    """Upper end of its interval."""
    level: float
    """Level of the intervals."""
    problems: int
    """Number of problems."""
    unsolved_at: int
    """Number of attempts that the number of unsolved problems is for: the largest target, or the attempts made."""
    unsolved: int
    """Number of problems that are expected to be unsolved then."""
    unsolved_lower: int
    """Lower end of its interval."""
    unsolved_upper: int
    """Upper end of its interval."""
    made: bool
    """Whether these attempts have been made, so that the number of unsolved problems is known."""

    @property
    def sentence(self) -> str:
        """The answer in one sentence."""
        value, low, high = format_interval(self.pass_at_k, self.lower, self.upper)
        these = "this problem" if self.problems == 1 else f"these {self.problems:,} problems"
        said = f"pass@{self.k:,} of {these} is {value} ({low} to {high}, {100 * self.level:g} %)"
        if self.made and not self.unsolved:
            return f"{said}; every problem is solved already."
        noun = "problem" if self.unsolved == 1 else "problems"
        if self.made:
            return f"{said}; {self.unsolved:,} {noun} unsolved so far."
        verb = "is" if self.unsolved == 1 else "are"
        return (
            f"{said}; {self.unsolved:,} {noun} ({self.unsolved_lower:,} to {self.unsolved_upper:,}) {verb} expected to "
            f"stay unsolved at {self.unsolved_at:,} attempts."
        )

    def to_dict(self) -> AnswerJson:
        """Plain numbers and the sentence, as `lidjax fit --json` prints them."""
        return {
            "sentence": self.sentence,
            "k": self.k,
            "pass_at_k": self.pass_at_k,
            "lower": self.lower,
            "upper": self.upper,
            "unsolved_at": self.unsolved_at,
            "unsolved": self.unsolved,
            "unsolved_lower": self.unsolved_lower,
            "unsolved_upper": self.unsolved_upper,
            "made": self.made,
        }


def make_answer(group: Group, forecast: PassAtKForecast, run: PassAtKForecast) -> Answer:
    """The answer from a group's forecast. `run` is the forecast at the largest target of a run that goes on.

    In such a run a solved problem stays solved, however the number of attempts was chosen.
    """
    most = int(group.n.max())
    index = next((i for i, k in enumerate(forecast.k.tolist()) if k > most), len(forecast.k) - 1)
    last = int(run.k[-1])
    unsolved = int(np.sum(group.c == 0))
    low = high = unsolved
    made = last <= most or not unsolved
    if not made:
        shares = 1 - np.array([run.prediction[-1], run.upper[-1], run.lower[-1]])
        unsolved, low, high = (round(float(share) * len(group.n)) for share in shares)
    return Answer(
        int(forecast.k[index]),
        float(forecast.latent[index]),
        float(forecast.latent_lower[index]),
        float(forecast.latent_upper[index]),
        forecast.level,
        len(group.n),
        most if made else last,
        unsolved,
        low,
        high,
        made,
    )


def format_interval(value: float, lower: float, upper: float, *, fewest: int = 2) -> tuple[str, str, str]:
    """A value and its interval as text, with as many decimals as the width of the interval needs to be seen.

    Args:
        value: The value.
        lower: Lower end of its interval.
        upper: Upper end of its interval.
        fewest: Smallest number of decimals.

    Returns:
        The value, the lower and the upper end; with four decimals where the interval has no width.

    Example:
        >>> import lidjax.evals
        >>> lidjax.evals.format_interval(0.5715, 0.5386, 0.6043)
        ('0.57', '0.54', '0.60')
        >>> lidjax.evals.format_interval(0.000301, 0.000275, 0.000330)
        ('0.00030', '0.00028', '0.00033')
    """
    width = upper - lower
    decimals = 4 if not width > 0 else min(max(fewest, 1 - math.floor(math.log10(width))), 12)
    return f"{value:.{decimals}f}", f"{lower:.{decimals}f}", f"{upper:.{decimals}f}"
