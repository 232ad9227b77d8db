"""What the allocations return."""

from typing import Any, NamedTuple


class RuleSplit(NamedTuple):
    """What one of the paper's rules chooses, and what that costs. Fields have the shape of the allocation."""

    n: Any
    """Training instances that the rule chooses, whole."""
    k: Any
    """Attempts that are left, whole."""
    loss: Any
    """L_tot there."""
    regret: Any
    """L_tot over the least L_tot, minus 1; at least 0."""
    width: Any = None
    """Width P that the rule chooses, where it is free; None elsewhere."""


class Allocation(NamedTuple):
    """The best split of each budget, from exact losses.

    Fields are Python scalars if every argument was a scalar, otherwise arrays of the broadcast shape.
    """

    n: Any
    """Training instances, exact whole counts: int, or arrays of int64 (of Python integers if one is larger)."""
    k: Any
    """Attempts for each query at most, exact whole counts like `n`. Where they stop at the first success it may be
    infinite, in an array of Python numbers, and k beyond 2^53 is as exact as the expected attempts are."""
    loss: Any
    """L_tot = R L_gen(n) + L_inf(k; n)."""
    kind: Any
    """Where the optimum lies: "all_training" if no more instances can be bought (k is 1, or what the last instance
    leaves), "all_inference" if no more attempts can (N is 1, or what the last attempt leaves), otherwise "interior"."""
    regret: dict[str, Any]
    """Of each of the paper's rules, by name: its L_tot over the least, minus 1."""
    lgen: Any
    """L_gen(n)."""
    failure: Any
    """L_inf(k; n)."""
    n_low: Any
    """The smallest N around n, at the same budget, with a loss within 1 % of the least."""
    n_high: Any
    """The largest such N."""
    slope_at_n1: Any
    """dL_tot/d(N c_N) with one training instance; positive where a second instance does harm."""
    slope_at_k1: Any
    """dL_tot/d(N c_N) with one attempt; negative where a second attempt is not worth its cost."""
    rules: dict[str, RuleSplit]
    """What each of the paper's rules chooses, by name."""
    expected_attempts: Any
    """Attempts that are made and paid for each query in expectation: k, or A(k; n) where they stop at the first
    success."""
    width: Any = None
    """P, the number of random features of the best model, where widths were given to choose from; None elsewhere."""


class SweepAllocation(NamedTuple):
    """The best split of each budget, from the curves of a sweep.

    Fields are Python scalars if every argument was a scalar, otherwise arrays of the broadcast shape.
    """

    n: Any
    """Training instances, whole, between the store's smallest and largest N."""
    k: Any
    """Attempts for each query that are left, whole; at most as many where they stop at the first success."""
    loss: Any
    """L_tot = R L_gen(n) + L_inf(k; n), interpolated between the store's N and k."""
    kind: Any
    """Where the optimum lies: "all_training" or "all_inference" at an end of the budget line or of the store, otherwise
    "interior"."""
    regret: dict[str, Any]
    """Of each of the paper's rules, by name: its L_tot over the least, minus 1."""
    lgen: Any
    """L_gen(n)."""
    failure: Any
    """L_inf(k; n)."""
    n_low: Any
    """The smallest N around n, at the same budget, with a loss within 1 % of the least."""
    n_high: Any
    """The largest such N."""
    n_lower: Any
    """Lower end of the percentile interval of n over bootstrap samples of training sets. NaN without bootstrap, with
    one training set, and for the mean where β ≤ 4."""
    n_upper: Any
    """Upper end of that interval."""
    limited: Any
    """The edge of the store at which the optimum lies, so that the true one is beyond: "smallest n", "largest n",
    "smallest k" or "largest k"; "" elsewhere."""
    few_instances: Any
    """Whether L_inf at the optimum rests on fewer than 30 sampled instances (`low_ess` of the results): neither it nor
    the optimum should then be relied on."""
    rules: dict[str, RuleSplit]
    """What each of the paper's rules chooses, by name."""
    expected_attempts: Any
    """Attempts that are made and paid for each query in expectation: k, or A(k; n) where they stop at the first
    success."""
