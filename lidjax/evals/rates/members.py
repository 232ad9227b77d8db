"""The families that the default model averages over, each with its prior.

A member turns parameters (M, d), which are independent normal variables under its prior, into the masses (M, G) that M
populations of success rates put on the nodes of a grid of x = logit p. The masses of each sum to 1. The families are
computed in single precision: all terms are positive, so that a log-likelihood of a hundred problems is right to 1e-3.

beta, kumaraswamy     p ~ p^(a-1) towards zero; wide enough for rates that are nearly equal and for U shapes
bent                  a generalised logistic in x whose lower slope may increase with depth (`DEPTH`)
straight              the same where -log pass@k is close to a power law a k^-b (`curvature`)
log-odds              normal in x, with different widths below and above its mode
two-bumps             a mixture of two normal laws in x
atoms-1 ... atoms-4   that number of distinct rates; with one, all problems are equally hard
always-or-never       every problem is solved at each attempt or at none

The continuous ones and atoms-1 may also have an atom at p = 0, for problems that are never solved (`posterior.py`).

The prior weights and INFLATED were chosen by hand and by coordinate search on counts of Pythia checkpoints on GSM8K, on
eight sets of agents' runs and on fifteen made-up families (the development families of
`benchmarks/forecast_families.py`): about 200 settings were looked at. The prior of "bent" and STRAIGHT are older: they
were chosen on the GSM8K counts and on power laws.
"""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from lidjax.evals.rates.quadrature import COARSE_GRID, LogitGrid

Params = Float[np.ndarray, "m d"]
Masses = Float[np.ndarray, "m g"]
Values = Float[np.ndarray, " m"]

DEPTH = 5.0
"""Distance below the knee at which the lower slope of a bent logistic is stated: a factor e^5 = 150 in p."""
CURVATURE_AT = (1.0, 1e2, 1e4)  # values of k
STRAIGHT = 0.07  # standard deviation of the curvature of a straight curve
SMALLEST = 1e-37  # stands for zero under a logarithm in single precision


class Member(NamedTuple):
    """One family with its prior."""

    name: str
    """Name in reports."""
    mean: tuple[float, ...]
    """Prior means of the parameters (d,)."""
    scale: tuple[float, ...]
    """Prior standard deviations of the parameters (d,)."""
    masses: Callable[[Params, LogitGrid], Masses]
    """Parameters → masses of the nodes."""
    weight: float
    """Prior probability, up to a common factor."""
    tail_index: Callable[[Params], Values] | None = None
    """Exponent of the unsolved share as k → ∞, where the family has one."""
    log_factor: Callable[[Masses, LogitGrid], Values] | None = None
    """Logarithm of a further factor of the prior, which depends on the masses."""
    inflated: bool = True
    """Whether it may have an atom at p = 0."""


def log_rates(grid: LogitGrid) -> tuple[Float[np.ndarray, " g"], Float[np.ndarray, " g"]]:
    """(log p, log(1-p)) at the nodes, in single precision."""
    x = np.asarray(grid.nodes)
    return (-np.logaddexp(0, -x)).astype(np.float32), (-np.logaddexp(0, x)).astype(np.float32)


def masses_of(log_density: Float[np.ndarray, "m g"], grid: LogitGrid) -> Masses:
    """Masses of densities of x that are given by their logarithms at the nodes, up to constants.

    The mass beyond either end of the grid is added to the end node. There the density is extrapolated as the
    exponential through its last two nodes.
    """
    nodes, weights = np.asarray(grid.nodes), np.asarray(grid.weights)
    rise = (log_density[:, 1] - log_density[:, 0]) / (nodes[1] - nodes[0])
    fall = (log_density[:, -2] - log_density[:, -1]) / (nodes[-1] - nodes[-2])
    mass = np.exp(log_density - log_density.max(axis=1, keepdims=True)) * weights.astype(np.float32)
    mass[:, 0] *= 1 + 1 / (np.maximum(rise, 1e-3) * weights[0])
    mass[:, -1] *= 1 + 1 / (np.maximum(fall, 1e-3) * weights[-1])
    return mass / mass.sum(axis=1, keepdims=True)


def softplus(z: Float[np.ndarray, "m g"]) -> Float[np.ndarray, "m g"]:
    """log(1 + e^z)."""
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))


def columns(params: Params) -> list[Float[np.ndarray, "m 1"]]:
    """The parameters one by one, as columns in single precision."""
    return [params[:, i : i + 1].astype(np.float32) for i in range(params.shape[1])]


def beta_masses(params: Params, grid: LogitGrid) -> Masses:
    """p ~ Beta(a, b), params = (log a, log b)."""
    log_p, log_q = log_rates(grid)
    a, b = columns(np.exp(params))
    return masses_of(a * log_p + b * log_q, grid)


def kumaraswamy_masses(params: Params, grid: LogitGrid) -> Masses:
    """P(rate ≤ p) = 1 - (1 - p^a)^b, params = (log a, log b)."""
    log_p, log_q = log_rates(grid)
    a, b = columns(np.exp(params))
    rest = np.log(np.maximum(-np.expm1(a * log_p), SMALLEST))
    return masses_of(a * log_p + log_q + (b - 1) * rest, grid)


def bent_masses(params: Params, grid: LogitGrid) -> Masses:
    """A generalised logistic with a lower slope that may increase with depth.

    params = (x₀, log s, log b, log q, logit r); log f = a (x-x₀) - (a+b)/q · log(1 + e^(q (x-x₀))) - ½ κ
    softplus(x₀-x)². At DEPTH below the knee x₀ the slope is s. The share r of it comes from the increase, so
    a = (1-r) s and κ = r s/DEPTH. For r = 0 the density is a power law at small p; for r = 1 it falls like a normal law
    of the log-odds. A hundred attempts hardly tell the two apart, but what thousands will solve depends on it.
    """
    x0, log_s, log_b, log_q, logit_r = columns(params)
    s, b, q, r = np.exp(log_s), np.exp(log_b), np.exp(log_q), 1 / (1 + np.exp(-logit_r))
    z = np.asarray(grid.nodes, dtype=np.float32) - x0
    a = (1 - r) * s
    bend = 0.5 * r * s / np.float32(DEPTH) * softplus(-z) ** 2
    return masses_of(a * z - (a + b) / q * softplus(q * z) - bend, grid)


def split_normal_masses(params: Params, grid: LogitGrid) -> Masses:
    """x is normal with width σ/t below its mode and σ t above, params = (mode, log σ, log t)."""
    mode, log_width, log_ratio = columns(params)
    z = np.asarray(grid.nodes, dtype=np.float32) - mode
    width = np.exp(log_width + np.where(z < 0, -log_ratio, log_ratio))
    return masses_of(-0.5 * (z / width) ** 2, grid)


def two_bump_masses(params: Params, grid: LogitGrid) -> Masses:
    """Two normal laws of x, params = (lower mode, log distance, log σ₁, log σ₂, logit weight of the lower)."""
    low, log_gap, log_1, log_2, logit = columns(params)
    x = np.asarray(grid.nodes, dtype=np.float32)
    weights = np.asarray(grid.weights, dtype=np.float32)
    parts = [
        np.exp(-0.5 * ((x - mode) / np.exp(log_width)) ** 2) * weights
        for mode, log_width in ((low, log_1), (low + np.exp(log_gap), log_2))
    ]
    lower, upper = (part / np.maximum(part.sum(axis=1, keepdims=True), SMALLEST) for part in parts)
    share = 1 / (1 + np.exp(-logit))
    mass = share * lower + (1 - share) * upper
    return mass / np.maximum(mass.sum(axis=1, keepdims=True), SMALLEST)


def atom_masses(params: Params, grid: LogitGrid) -> Masses:
    """J rates, params = (x₁, ..., x_J, log w₂/w₁, ..., log w_J/w₁). Each is divided between the two nodes beside it."""
    count = (params.shape[1] + 1) // 2
    nodes = np.asarray(grid.nodes)
    share = np.exp(np.column_stack([np.zeros(len(params)), params[:, count:]]))
    share /= share.sum(axis=1, keepdims=True)
    mass = np.zeros((len(params), len(nodes)), dtype=np.float32)
    row = np.arange(len(params))
    for j in range(count):
        x = np.clip(params[:, j], nodes[0], nodes[-1])
        left = np.clip(np.searchsorted(nodes, x) - 1, 0, len(nodes) - 2)
        above = (x - nodes[left]) / (nodes[left + 1] - nodes[left])
        mass[row, left] += share[:, j] * (1 - above)
        mass[row, left + 1] += share[:, j] * above
    return mass


def extreme_masses(params: Params, grid: LogitGrid) -> Masses:
    """Rates at the two ends of the grid, params = (log-odds of the upper,)."""
    mass = np.zeros((len(params), len(grid.nodes)), dtype=np.float32)
    mass[:, -1] = 1 / (1 + np.exp(-params[:, 0]))
    mass[:, 0] = 1 - mass[:, -1]
    return mass


@cache
def curvature_terms(grid_size: int) -> tuple[Float[np.ndarray, "g 3"], Float[np.ndarray, "g 3"]]:
    """(pass@k, 1 - pass@k) of the nodes of COARSE_GRID at CURVATURE_AT."""
    assert grid_size == len(COARSE_GRID.nodes)
    log_miss = -np.logaddexp(0, np.asarray(COARSE_GRID.nodes))[:, None] * np.array(CURVATURE_AT)
    return -np.expm1(log_miss), np.exp(log_miss)


def curvature(masses: Masses) -> Values:
    """Second difference of log(-log pass@k) over CURVATURE_AT: 0 where -log pass@k = a k^-b."""
    solved, failed = (masses.astype(float) @ term for term in curvature_terms(masses.shape[1]))
    minus_log = np.where(
        solved < 0.5, -np.log(np.maximum(solved, SMALLEST)), -np.log1p(-np.minimum(failed, 0.5))
    )
    first, middle, last = np.log(np.maximum(minus_log, SMALLEST)).T
    return first - 2 * middle + last


def log_straightness(masses: Masses, grid: LogitGrid) -> Values:
    """-c²/2s² of the curvature c."""
    del grid
    return -0.5 * (curvature(masses) / STRAIGHT) ** 2


def index_of(column: int) -> Callable[[Params], Values]:
    """A tail index whose logarithm is the parameter in this column."""
    return lambda params: np.exp(params[:, column])


BENT_MEAN, BENT_SCALE = (-4.0, -1.2, 1.65, 0.3, -2.5), (3.0, 0.42, 0.6, 0.6, 1.2)


def atoms(count: int, weight: float) -> Member:
    """The member with `count` rates."""
    mean, scale = (-3.0,) * count + (0.0,) * (count - 1), (3.5,) * count + (1.5,) * (count - 1)
    return Member(f"atoms-{count}", mean, scale, atom_masses, weight, inflated=count == 1)


MEMBERS = (
    Member("beta", (-0.6, 1.2), (1.1, 2.2), beta_masses, 0.7, index_of(0)),
    Member("kumaraswamy", (-0.6, 0.7), (1.1, 1.5), kumaraswamy_masses, 1.0, index_of(0)),
    Member("straight", BENT_MEAN, BENT_SCALE, bent_masses, 1.6, None, log_straightness),
    Member("bent", BENT_MEAN, BENT_SCALE, bent_masses, 2.0, index_of(1)),
    Member("log-odds", (-3.0, 0.7, 0.0), (3.0, 0.7, 0.5), split_normal_masses, 1.0),
    Member("two-bumps", (-5.0, 1.2, 0.0, 0.0, 0.0), (3.0, 0.7, 0.8, 0.8, 1.5), two_bump_masses, 0.4),
    atoms(1, 0.8),
    atoms(2, 0.2),
    atoms(3, 0.2),
    atoms(4, 0.2),
    Member("always-or-never", (0.0,), (1.7,), extreme_masses, 1.0, inflated=False),
)
