"""Counting money: exact, whole, and named when it does not suffice."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lidjax.allocation.budget import Budget, BudgetLine, as_fraction, whole_split
from lidjax.errors import InputError


def test_decimals_count_as_they_are_written():
    assert Budget.checked(1.0, 0.1, 0.1, 1).attempts(3) == 7  # 0.7 / 0.1 is 6.999… in floats
    assert as_fraction(np.float32(0.1), "x") == Fraction(1, 10)
    assert as_fraction(10**18 + 1, "x") == 10**18 + 1
    assert as_fraction(np.int64(2**62 + 1), "x") == 2**62 + 1


def test_every_unit_of_a_budget_beyond_floats_is_spent():
    budget = Budget.checked(10**18 + 7, 3, 2, 1)
    n = 10**17 + 1
    assert budget.attempts(n) == (10**18 + 7 - 3 * n) // 2
    assert budget.max_n == (10**18 + 5) // 3
    assert budget.instances(budget.attempts(n)) >= n


@settings(deadline=None, derandomize=True)
@given(
    st.decimals(1, 10**18, places=3),
    st.decimals("0.001", 1000, places=3),
    st.decimals("0.001", 1000, places=3),
    st.floats(0, 1),
)
def test_a_whole_split_never_overspends_nor_leaves_an_attempt(total, train, infer, position):
    total = total + train + infer
    budget = Budget(Fraction(total), Fraction(train), Fraction(infer))
    line = BudgetLine(budget)
    n, k = whole_split(budget, line.at(line.low + position * (line.high - line.low)))
    assert n >= 1
    assert k >= 1
    spent = n * budget.cost_train + k * budget.cost_infer
    assert spent <= budget.total < spent + budget.cost_infer


def test_the_line_ends_at_one_instance_and_one_attempt():
    line = BudgetLine(Budget.checked(1e18, 2.0, 0.5, 4))
    low, high = line.at(np.array([line.low, line.high])).log_n
    assert low == pytest.approx(0, abs=1e-12)
    assert np.exp(high) == pytest.approx((1e18 - 2) / 2, rel=1e-12)
    assert line.at(line.high).log_k == pytest.approx(0, abs=1e-12)
    for n in (1.0, 37.0, 1e9, 4.9e17):
        assert np.exp(line.at(line.s_of_n(np.float64(n))).log_n) == pytest.approx(n, rel=1e-12)
    for k in (1.0, 37.0, 1e9, 4.9e17):
        assert np.exp(line.at(np.float64(line.s_of_k(k))).log_k) == pytest.approx(k, rel=1e-12)
    middle = line.at(np.float64(3.0))
    assert middle.training_share + middle.sampling_share == pytest.approx(1, rel=1e-15)
    spent = 2 * np.exp(middle.log_n) + 2 * np.exp(middle.log_k)
    assert spent == pytest.approx(1e18, rel=1e-12)


@pytest.mark.parametrize(
    ("money", "words"),
    [
        ((0.5, 1, 1, 1), "budget=0.5 does not pay for one training instance, cost_train=1"),
        ((1.0, 1, 0.1, 1), r"budget=1.0 leaves no attempt after one training instance: 1.1 is the least"),
        ((10, 0, 1, 1), "cost_train=0 must be greater than 0"),
        ((10, 1, -2.0, 1), "cost_infer=-2.0 must be greater than 0"),
        ((10, 1, 1, 0), "queries=0 must be at least 1"),
        ((10, 1, 1, 0.9), r"queries=0\.9 must be at least 1"),
        ((float("nan"), 1, 1, 1), "budget=nan is not a finite number"),
        ((float("inf"), 1, 1, 1), "budget=inf is not a finite number"),
        (("much", 1, 1, 1), "budget='much' is not a finite number"),
        ((1e18, 1, 1e-13, 1), r"buys 1e\+31 attempts"),
        ((100, 1, 1, 1000), "100 leaves no attempt.* 1001 is the least"),
    ],
)
def test_what_cannot_be_paid_is_named(money, words):
    with pytest.raises(InputError, match=words):
        Budget.checked(*money)
