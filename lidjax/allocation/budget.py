"""The budget C = N c_N + k c_k of Sec. 4.3, counted exactly.

Counts are Python integers and costs rationals, taken as the decimals that were written: 1.0 buys ten attempts at
0.1, and a budget of 10^18 is spent to the last unit, where floats stop counting at 2^53.
"""

import math
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from jax.typing import ArrayLike

from lidjax.errors import InputError

MOST_ATTEMPTS = 10**30  # as far as L_inf(k) was measured


def as_fraction(value: Any, name: str) -> Fraction:
    """`value` as the decimal it prints as; InputError unless it is one finite number."""
    value = np.asarray(value)[()] if hasattr(value, "dtype") else value
    try:
        if isinstance(value, bool | np.bool_ | str):
            raise ValueError
        if isinstance(value, int | np.integer):
            return Fraction(int(value))
        return value if isinstance(value, Fraction) else Fraction(str(value))
    except (ValueError, TypeError, ZeroDivisionError):
        raise InputError(f"{name}={value!r} is not a finite number") from None


class Budget(NamedTuple):
    """`total`, split between training instances at `cost_train` and attempts at `cost_infer` (Q c_k for Q queries)."""

    total: Fraction
    cost_train: Fraction
    cost_infer: Fraction

    @classmethod
    def checked(cls, budget: Any, cost_train: Any, cost_infer: Any, queries: Any) -> "Budget":
        """From numbers as given; InputError names the one that will not do."""
        total, train, infer, many = (
            as_fraction(value, name)
            for value, name in (
                (budget, "budget"),
                (cost_train, "cost_train"),
                (cost_infer, "cost_infer"),
                (queries, "queries"),
            )
        )
        for value, name, given in (
            (train, "cost_train", cost_train),
            (infer, "cost_infer", cost_infer),
            (many, "queries", queries),
        ):
            if value <= 0:
                raise InputError(f"{name}={given} must be greater than 0")
        made = cls(total, train, infer * many)
        if total < train:
            raise InputError(
                f"budget={budget} does not pay for one training instance, cost_train={cost_train}"
            )
        least = train + made.cost_infer
        if total < least:
            raise InputError(
                f"budget={budget} leaves no attempt after one training instance: {float(least):g} is the least "
                f"(cost_train={cost_train} + queries={queries} x cost_infer={cost_infer})"
            )
        if made.max_k > MOST_ATTEMPTS:
            raise InputError(
                f"budget={budget} buys {float(made.max_k):.2g} attempts at cost_infer={cost_infer}; L_inf(k) is known "
                f"up to k = {MOST_ATTEMPTS:.0e}"
            )
        return made

    @property
    def max_n(self) -> int:
        """Most training instances that leave one attempt."""
        return self.instances(1)

    @property
    def max_k(self) -> int:
        """Most attempts that leave one training instance."""
        return self.attempts(1)

    @property
    def units(self) -> tuple[int, int, int]:
        """The three in the largest unit of which all are whole multiples."""
        unit = math.lcm(*(x.denominator for x in self))
        total, train, infer = (int(x * unit) for x in self)
        return total, train, infer

    def attempts(self, n: int) -> int:
        """Attempts that `n` training instances leave."""
        return math.floor((self.total - n * self.cost_train) / self.cost_infer)

    def instances(self, k: int) -> int:
        """Training instances that `k` attempts leave."""
        return math.floor((self.total - k * self.cost_infer) / self.cost_train)


class Split(NamedTuple):
    """Real-valued splits along s = log of money for training over money for attempts, as logs of N and k."""

    s: np.ndarray
    log_n: np.ndarray
    log_k: np.ndarray

    @property
    def trains(self) -> np.ndarray | np.floating:
        """p, the share of the budget that trains; d log k/ds = -p."""
        return np.exp(-np.logaddexp(0, -self.s))

    @property
    def samples(self) -> np.ndarray | np.floating:
        """1 - p, without cancellation; d log N/ds = 1 - p."""
        return np.exp(-np.logaddexp(0, self.s))


class Line:
    """The budget line C = N c_N + k c_k in floats: from N = 1 (`low`) to k = 1 (`high`) in s.

    In s both ends are logarithmic, and N = (C/c_N)/(1 + e^-s), k = (C/c_k)/(1 + e^s) without cancellation.
    """

    def __init__(self, budget: Budget):
        total, train, infer = budget
        self.log_all_n = math.log(total / train)
        self.log_all_k = math.log(total / infer)
        self.low = math.log(train / (total - train))
        self.high = math.log((total - infer) / infer)

    def at(self, s: ArrayLike) -> Split:
        """N, k and the share of the budget that trains."""
        s = np.asarray(s, float)
        return Split(
            s,
            np.maximum(self.log_all_n - np.logaddexp(0, -s), 0.0),
            np.maximum(self.log_all_k - np.logaddexp(0, s), 0.0),
        )

    def at_n(self, n: ArrayLike) -> np.ndarray | np.floating:
        """s at N, inside the line."""
        part = np.minimum(np.log(np.maximum(n, 1.0)) - self.log_all_n, -1e-300)
        with np.errstate(divide="ignore"):
            return np.clip(part - np.log(-np.expm1(part)), self.low, self.high)

    def at_k(self, k: float) -> float:
        """s at k attempts, inside the line."""
        s = math.log(math.expm1(max(self.log_all_k - math.log(k), 1e-300)))
        return min(max(s, self.low), self.high)


def whole(budget: Budget, split: Split) -> tuple[int, int]:
    """The whole (N, k) of a real split; the count on the poorer side is rounded, the other is what it leaves.

    Through the poorer side, for at N = 10^18 the rounding of N alone would be a thousand attempts.
    """
    if split.s > 0:
        n = budget.instances(clip_count(split.log_k, budget.max_k))
    else:
        n = clip_count(split.log_n, budget.max_n)
    return n, budget.attempts(n)


def clip_count(log_count, largest: int) -> int:
    """The whole count nearest to a real one, from 1 to `largest`."""
    return min(max(round(float(np.exp(log_count))), 1), largest)
