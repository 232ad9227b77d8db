"""The budget C = N c_N + k c_k of Sec. 4.3, counted exactly.

Counts are Python integers. Costs are rational numbers, taken as the decimals they print as: 1.0 buys ten attempts at
0.1, and a budget of 10^18 is spent to the last unit, although floats cannot count beyond 2^53.
"""

import math
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from jax.typing import ArrayLike

from lidjax.errors import InputError

MOST_ATTEMPTS = 10**30  # L_inf(k) was tested up to here

FloatArray = np.ndarray | np.floating  # what NumPy's functions return, of arrays and of scalars


def as_fraction(value: Any, name: str) -> Fraction:
    """`value` as the decimal that it prints as.

    Raises:
        InputError: `value`, which the message calls `name`, is not one finite number.
    """
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
    """A budget and what it is spent on, in one unit of cost."""

    total: Fraction
    """C, all there is to spend."""
    cost_train: Fraction
    """c_N of one training instance."""
    cost_infer: Fraction
    """Q c_k: one attempt at each of Q queries."""

    @classmethod
    def checked(cls, budget: Any, cost_train: Any, cost_infer: Any, queries: Any) -> "Budget":
        """The budget of four numbers as a user gives them.

        Raises:
            InputError: A number is not finite, a cost is not positive, the queries are fewer than one, the budget does
                not pay for one training instance and one attempt, or it buys more than `MOST_ATTEMPTS` attempts.
        """
        total = as_fraction(budget, "budget")
        train, infer, many = (
            as_fraction(value, name)
            for value, name in ((cost_train, "cost_train"), (cost_infer, "cost_infer"), (queries, "queries"))
        )
        for value, name, given in ((train, "cost_train", cost_train), (infer, "cost_infer", cost_infer)):
            if value <= 0:
                raise InputError(f"{name}={given} must be greater than 0")
        if many < 1:
            raise InputError(f"queries={queries} must be at least 1: the queries that the model answers")
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
        """Most training instances that leave money for one attempt."""
        return self.instances(1)

    @property
    def max_k(self) -> int:
        """Most attempts that leave money for one training instance."""
        return self.attempts(1)

    @property
    def units(self) -> tuple[int, int, int]:
        """C, c_N and Q c_k as whole multiples of the largest unit that allows it."""
        unit = math.lcm(*(x.denominator for x in self))
        total, train, infer = (int(x * unit) for x in self)
        return total, train, infer

    def attempts(self, n: int) -> int:
        """Attempts that can be paid after `n` training instances."""
        return math.floor((self.total - n * self.cost_train) / self.cost_infer)

    def paid_attempts(self, n: int) -> float:
        """Attempts that can be paid after `n` training instances, where they need not be whole: an expected number."""
        return float((self.total - n * self.cost_train) / self.cost_infer)

    def instances(self, k: int) -> int:
        """Training instances that can be paid after `k` attempts."""
        return math.floor((self.total - k * self.cost_infer) / self.cost_train)


class BudgetSplit(NamedTuple):
    """One or many real-valued points (N, k) of a budget line; fields are scalars or arrays of one shape."""

    s: np.ndarray
    """log of the money for training over the money for attempts, N c_N / (k c_k)."""
    log_n: np.ndarray
    """log N."""
    log_k: np.ndarray
    """log k."""

    @property
    def training_share(self) -> FloatArray:
        """p, the share of the budget that is spent on training; d log k/ds = -p."""
        return np.exp(-np.logaddexp(0, -self.s))

    @property
    def sampling_share(self) -> FloatArray:
        """1 - p without cancellation, the share that is spent on attempts; d log N/ds = 1 - p."""
        return np.exp(-np.logaddexp(0, self.s))


class BudgetLine:
    """The line C = N c_N + k c_k in floats, by the coordinate s of `BudgetSplit`: from N = 1 (`low`) to k = 1 (`high`).

    The coordinate s resolves both ends logarithmically, and N = (C/c_N)/(1 + e^-s) and k = (C/c_k)/(1 + e^s) have no
    cancellation.
    """

    def __init__(self, budget: Budget):
        total, train, infer = budget
        self.log_all_n = math.log(total / train)
        self.log_all_k = math.log(total / infer)
        self.low = math.log(train / (total - train))
        self.high = math.log((total - infer) / infer)

    def at(self, s: ArrayLike) -> BudgetSplit:
        """The splits at `s`, of any shape."""
        s = np.asarray(s, float)
        return BudgetSplit(
            s,
            np.maximum(self.log_all_n - np.logaddexp(0, -s), 0.0),
            np.maximum(self.log_all_k - np.logaddexp(0, s), 0.0),
        )

    def s_of_n(self, n: ArrayLike) -> FloatArray:
        """s where N = `n`, clipped to the line."""
        part = np.minimum(np.log(np.maximum(n, 1.0)) - self.log_all_n, -1e-300)
        with np.errstate(divide="ignore"):
            return np.clip(part - np.log(-np.expm1(part)), self.low, self.high)

    def s_of_k(self, k: float) -> float:
        """s where there are `k` attempts, clipped to the line."""
        s = math.log(math.expm1(max(self.log_all_k - math.log(k), 1e-300)))
        return min(max(s, self.low), self.high)


def whole_split(budget: Budget, split: BudgetSplit) -> tuple[int, int]:
    """The whole (N, k) nearest to one real split.

    The smaller share of the budget is rounded, and the rest pays for the other count: at N = 10^18, rounding the
    float N first would change k by a thousand attempts.
    """
    if split.s > 0:
        n = budget.instances(nearest_count(split.log_k, budget.max_k))
    else:
        n = nearest_count(split.log_n, budget.max_n)
    return n, budget.attempts(n)


def nearest_count(log_count: FloatArray, largest: int) -> int:
    """The whole count from 1 to `largest` that is nearest to a real one."""
    return min(max(round(float(np.exp(log_count))), 1), largest)
