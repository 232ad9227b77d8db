"""The paper's conditions for the optimum, as rules that can be scored against it (Eq. 24, Eq. 25).

A rule knows L_gen as a power law P_N N^-γ, and L_inf as a power law P̃(N) k^-β_eff(N) within a window of k. With p the
share of the budget that is spent on training, each rule but the last is the zero of dL_tot/dlog N in its own form:

    eq24           γ R P_N N^-γ = P̃(N) k^-β_eff(N) [β_eff(N) p/(1-p) - β_eff'(log N) ln k]
    eq24_prefactor the same with + d ln P̃/d log N in the bracket, which Eq. 24 leaves out
    quasi_static   without the logarithmic term, β_eff and P̃ taken at N (text below Eq. 25)
    constant_beta  Eq. 25 with the β and P̃ of a well-trained model
    saturated      the rule of thumb: train until β_eff reaches 95 % of β, spend the rest on attempts

The term in P̃ matters. A line through log L_inf over a window around k₀ has ln P̃ = ln L_inf(k₀) + β_eff ln k₀, so that
d ln P̃ = d ln L_inf(k₀) + ln k₀ dβ_eff. Without that term, ln k stands where ln(k/k₀) should, and the effect of N on
L_inf(k₀) itself is missing.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from lidjax.allocation.budget import BudgetLine, BudgetSplit
from lidjax.allocation.power_laws import PowerLaws
from lidjax.arrays import check_window
from lidjax.errors import check_choice

Rule = Literal["eq24", "eq24_prefactor", "quasi_static", "constant_beta", "saturated"]
RULES: tuple[Rule, ...] = ("eq24", "eq24_prefactor", "quasi_static", "constant_beta", "saturated")
"""Names of the paper's rules, in the order in which results list them (see `allocate`)."""
NEAR_BETA = 0.95  # heuristic: how near to β counts as trained for the rule of thumb
POINTS = 3000  # along s; a zero is interpolated between two of them, to 1e-4 in log N at C = 1e18


def check_rules(rules: Sequence[str], window: tuple[float, float], known: Sequence[str] = RULES) -> None:
    """Raise InputError for a rule that is not known or a window that is not an increasing pair of attempts."""
    for rule in rules:
        check_choice("rule", rule, known)
    check_window(window, attempts=True)


class RuleView(NamedTuple):
    """What a rule takes the loss along a budget line to be; arrays of the shape of the splits."""

    log_total: np.ndarray
    """log L_tot by the power laws (Eq. 23)."""
    slope: np.ndarray
    """(dL_tot/dlog N)/L_tot by the rule's own condition."""


def rule_view(rule: Rule, power_laws: PowerLaws, split: BudgetSplit, log_weight: float) -> RuleView:
    """Eq. 23 at `split`, and the difference of the two sides of the rule's condition."""
    log_training = log_weight + power_laws.log_p_n - power_laws.gamma * split.log_n
    if rule == "constant_beta":
        beta_eff, log_prefactor = power_laws.beta, power_laws.log_prefactor
        changing = 0.0
    else:
        beta_eff, beta_slope = power_laws.exponent(split.log_n)
        log_prefactor, prefactor_slope = power_laws.prefactor(split.log_n)
        changing = {
            "eq24": -beta_slope * split.log_k,
            "eq24_prefactor": prefactor_slope - beta_slope * split.log_k,
            "quasi_static": 0.0,
        }[rule]
    log_failure = log_prefactor - beta_eff * split.log_k
    total = np.logaddexp(log_training, log_failure)
    slope = np.exp(log_failure - total) * (beta_eff * np.exp(split.s) + changing)
    return RuleView(total, slope - power_laws.gamma * np.exp(log_training - total))


def solve(rule: Rule, power_laws: PowerLaws, line: BudgetLine, log_weight: float) -> float:
    """The coordinate s at which the rule splits the budget.

    Of several zeros of its condition, and of the ends of the line where the condition points outwards, it is the one
    with the least L_tot by the rule's own power laws.
    """
    check_choice("rule", rule, RULES)
    if rule == "saturated":
        log_n = np.linspace(*power_laws.ends, POINTS)
        reached = power_laws.exponent(log_n)[0] >= NEAR_BETA * power_laws.beta
        return float(line.s_of_n(np.exp(log_n[np.argmax(reached)])) if reached.any() else line.high)
    s = np.linspace(line.low, line.high, POINTS)
    total, slope = rule_view(rule, power_laws, line.at(s), log_weight)
    zeros = np.flatnonzero((slope[:-1] < 0) & (slope[1:] >= 0))
    part = -slope[zeros] / (slope[zeros + 1] - slope[zeros])
    candidates = [*(s[zeros] + part * (s[zeros + 1] - s[zeros]))]
    values = [*np.minimum(total[zeros], total[zeros + 1])]
    for edge, points_outwards in ((0, slope[0] >= 0), (-1, slope[-1] < 0)):
        if points_outwards:
            candidates.append(s[edge])
            values.append(total[edge])
    return float(candidates[int(np.argmin(values))])
