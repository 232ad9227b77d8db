"""The paper's conditions for the optimum, as rules that can be scored against it (Eq. 24, Eq. 25).

They know L_gen as a power law, P_N N^-γ, and L_inf as one over a window of k, P̃(N) k^-β_eff(N). With p the share of
the budget that trains, each is the zero of dL_tot/dlog N in its own form:

    eq24           γ R P_N N^-γ = P̃(N) k^-β_eff(N) [β_eff(N) p/(1-p) - β_eff'(log N) ln k]
    eq24_prefactor the same with + d ln P̃/d log N in the bracket, which Eq. 24 drops
    quasi_static   without the logarithmic term, β_eff and P̃ taken at N (text below Eq. 25)
    constant_beta  Eq. 25 with the β and P̃ of a well-trained model
    saturated      the rule of thumb: train until β_eff reaches 95 % of β, sample with the rest

A line through log L_inf over a window around k₀ has ln P̃ = ln L_inf(k₀) + β_eff ln k₀, so that P̃ and β_eff move
together: d ln P̃ = d ln L_inf(k₀) + ln k₀ dβ_eff. Dropping it puts ln k where ln(k/k₀) should be, and leaves out what N
does to L_inf(k₀) itself.
"""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from lidjax.allocation.budget import Line, Split
from lidjax.arrays import check_window
from lidjax.errors import unknown_name

Rule = Literal["eq24", "eq24_prefactor", "quasi_static", "constant_beta", "saturated"]
RULES: tuple[Rule, ...] = ("eq24", "eq24_prefactor", "quasi_static", "constant_beta", "saturated")
NEAR_BETA = 0.95  # heuristic: what "near β" means to the rule of thumb
POINTS = 3000  # along s; a zero is interpolated between two of them, to 1e-4 in log N at C = 1e18


class RuleSplit(NamedTuple):
    """What a rule chooses, what it gives, and its regret L_tot/L_tot* - 1."""

    n: Any
    k: Any
    loss: Any
    regret: Any


def check_rules(rules: Sequence[str], window: tuple[float, float]) -> None:
    """InputError for an unknown rule or a window that is none."""
    for rule in rules:
        if rule not in RULES:
            raise unknown_name("rule", rule, RULES)
    check_window(window, attempts=True)


class WindowLaws:
    """The losses as Sec. 4.3 has them: power laws, with β_eff(N) and P̃(N) between the sizes `log_n` by PCHIP.

    `gamma`, `log_p_n`: L_gen = P_N N^-γ. `beta`, `log_prefactor`: of a well-trained model. Outside the sizes given
    β_eff and P̃ keep their end values.
    """

    def __init__(self, log_n, beta_eff, log_prefactors, *, gamma, log_p_n, beta, log_prefactor):
        self.ends = float(log_n[0]), float(log_n[-1])
        from scipy.interpolate import PchipInterpolator  # slow to import

        self._beta_eff = PchipInterpolator(log_n, beta_eff)
        self._log_prefactor = PchipInterpolator(log_n, log_prefactors)
        self.gamma, self.log_p_n = float(gamma), float(log_p_n)
        self.beta, self.log_prefactor = float(beta), float(log_prefactor)

    def exponent(self, log_n):
        """β_eff and its derivative in log N."""
        return self._beyond(self._beta_eff, log_n)

    def prefactor(self, log_n):
        """ln P̃ and its derivative in log N."""
        return self._beyond(self._log_prefactor, log_n)

    def _beyond(self, curve, log_n):
        held = np.clip(log_n, *self.ends)
        return curve(held), np.where(held == log_n, curve(held, 1), 0.0)


class Marginal(NamedTuple):
    """A rule's own view along a line: log of its L_tot (Eq. 23), and dL_tot/dlog N."""

    log_total: np.ndarray
    slope: np.ndarray


def marginal(rule: Rule, laws: WindowLaws, split: Split, log_weight: float) -> Marginal:
    """Eq. 23 and the difference of the two sides of the rule's condition."""
    log_training = log_weight + laws.log_p_n - laws.gamma * split.log_n
    if rule == "constant_beta":
        beta_eff, log_prefactor = laws.beta, laws.log_prefactor
        turn = 0.0
    else:
        (beta_eff, steepening), (log_prefactor, drift) = (
            laws.exponent(split.log_n),
            laws.prefactor(split.log_n),
        )
        turn = {
            "eq24": -steepening * split.log_k,
            "eq24_prefactor": drift - steepening * split.log_k,
            "quasi_static": 0.0,
        }[rule]
    log_failure = log_prefactor - beta_eff * split.log_k
    total = np.logaddexp(log_training, log_failure)
    slope = np.exp(log_failure - total) * (beta_eff * np.exp(split.s) + turn)
    return Marginal(total, slope - laws.gamma * np.exp(log_training - total))


def solve(rule: Rule, laws: WindowLaws, line: Line, log_weight: float) -> float:
    """Where the rule puts the budget, as s. Of several solutions, or ends, the one it thinks best."""
    if rule not in RULES:
        raise unknown_name("rule", rule, RULES)
    if rule == "saturated":
        log_n = np.linspace(*laws.ends, POINTS)
        reached = laws.exponent(log_n)[0] >= NEAR_BETA * laws.beta
        return float(line.at_n(np.exp(log_n[np.argmax(reached)])) if reached.any() else line.high)
    s = np.linspace(line.low, line.high, POINTS)
    total, slope = marginal(rule, laws, line.at(s), log_weight)
    turns = np.flatnonzero((slope[:-1] < 0) & (slope[1:] >= 0))
    part = -slope[turns] / (slope[turns + 1] - slope[turns])
    chosen = [*(s[turns] + part * (s[turns + 1] - s[turns]))]
    worth = [*np.minimum(total[turns], total[turns + 1])]
    for edge, ends_there in ((0, slope[0] >= 0), (-1, slope[-1] < 0)):
        if ends_there:
            chosen.append(s[edge])
            worth.append(total[edge])
    return float(chosen[int(np.argmin(worth))])
