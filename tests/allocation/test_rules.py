"""The rules are the conditions they claim to be: their slopes against differences, their zeros against closed forms."""

import numpy as np
import pytest

from lidjax.allocation.budget import Budget, BudgetLine
from lidjax.allocation.power_laws import PowerLaws
from lidjax.allocation.rules import RULES, check_rules, rule_view, solve
from lidjax.errors import InputError

LINE = BudgetLine(Budget.checked(1e5, 2, 0.5, 3))
LOG_N = np.linspace(0, np.log(1e5), 4000)


def rising(*, prefactor_moves=True):
    """β_eff of Eq. 20 from 0.4 to 2, with ln P̃ that follows it for a window around k₀ = 300."""
    beta_eff = 2 - 1.6 / (1 + 0.003 * np.exp(LOG_N) ** 1.3)
    log_prefactor = -3 + (np.log(300) * beta_eff if prefactor_moves else 0 * beta_eff)
    return PowerLaws(
        LOG_N, beta_eff, log_prefactor, gamma=1.0, log_p_n=1.0, beta=2.0, log_prefactor=-3 + 2 * np.log(300)
    )


def derivative(rule, power_laws, s):
    """d log L_tot/d log N of the rule's own L_tot, by differences along the line."""
    h = 1e-4
    up, down = (rule_view(rule, power_laws, LINE.at(x), 2.0).log_total for x in (s + h, s - h))
    return (up - down) / (2 * h) / LINE.at(s).sampling_share


@pytest.mark.parametrize(
    ("rule", "moves", "holds"),
    [
        ("constant_beta", True, True),
        ("eq24_prefactor", True, True),
        ("eq24", False, True),  # P̃ constant, as Eq. 24 has it
        ("eq24", True, False),  # P̃ moving with β_eff: Eq. 24 is no derivative of Eq. 23
        ("quasi_static", False, False),
    ],
)
def test_conditions_are_derivatives_of_eq_23(rule, moves, holds):
    power_laws = rising(prefactor_moves=moves)
    s = np.linspace(LINE.low + 3, LINE.high - 1, 60)
    slope = rule_view(rule, power_laws, LINE.at(s), 2.0).slope
    off = np.abs(slope - derivative(rule, power_laws, s))
    assert (off.max() < 2e-4) == holds


@pytest.mark.parametrize("weight", [1e-6, 0.1, 30.0, 1e6])
def test_closed_form_at_beta_1(weight):
    """β = γ = 1: R P_N c_N/Ñ² = P̃ c_k/(C - Ñ)², so Ñ = C/(1 + √(P̃ c_k/(R P_N c_N)))."""
    power_laws = PowerLaws(
        LOG_N[[0, -1]], [1.0, 1.0], [0.3, 0.3], gamma=1.0, log_p_n=-1.0, beta=1.0, log_prefactor=0.3
    )
    ratio = np.sqrt(np.exp(0.3) * 1.5 / (weight * np.exp(-1.0) * 2))
    for rule in ("constant_beta", "quasi_static", "eq24", "eq24_prefactor"):
        s = solve(rule, power_laws, LINE, np.log(weight))
        assert LINE.at(s).training_share == pytest.approx(1 / (1 + ratio), rel=1e-3)


def test_ends_are_taken_where_the_condition_has_no_zero():
    power_laws = rising()
    for rule in ("constant_beta", "eq24_prefactor"):
        assert solve(rule, power_laws, LINE, 60.0) == pytest.approx(LINE.high)
    flat = PowerLaws(
        LOG_N[[0, -1]], [1.0, 1.0], [0.0, 0.0], gamma=0.0, log_p_n=0.0, beta=1.0, log_prefactor=0.0
    )
    assert solve("quasi_static", flat, LINE, 0.0) == pytest.approx(LINE.low)


def test_the_rule_of_thumb_stops_at_95_percent():
    s = solve("saturated", rising(), LINE, 0.0)
    n = np.exp(LINE.at(s).log_n)
    assert 2 - 1.6 / (1 + 0.003 * n**1.3) == pytest.approx(1.9, rel=1e-3)


def test_unknown_rules_and_windows_are_named():
    with pytest.raises(InputError, match=r"rule 'eq_24' is not known \(did you mean 'eq24'"):
        check_rules(["eq_24"], (1.0, 10.0))
    with pytest.raises(InputError, match="window"):
        check_rules(RULES, (10.0, 10.0))
