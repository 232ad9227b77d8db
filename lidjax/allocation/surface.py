"""Figure 2: L_tot over (R, Ñ) at one budget, with the losses as they are and with one β for all N."""

from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np

from lidjax.allocation.budget import Budget, Line, Split
from lidjax.allocation.curves import MeasuredLine, Statistic, read_curves, sweep_laws
from lidjax.allocation.exact import checked_modes
from lidjax.allocation.losses import Losses, Model
from lidjax.allocation.rules import WindowLaws, marginal, solve
from lidjax.allocation.window import window_laws
from lidjax.difficulty import Difficulty, mean_inverse_precision
from lidjax.errors import InputError

if TYPE_CHECKING:
    import xarray as xr

POINTS = 400  # along the budget; and beside each other for the exact losses, 0.6 s


class Surface(NamedTuple):
    """One panel: L_tot over weights (r,) and sizes (m,), where it is least, and where a rule says that it is."""

    log10_total: np.ndarray
    best_n: np.ndarray
    rule_n: np.ndarray


class AllocationSurface(NamedTuple):
    """Both panels of Figure 2, over weights R (r,) and training sizes N (m,) with k (m,) attempts left.

    `finite_n` has the losses as they are, and Eq. 24; `constant_beta` has Eq. 23 with one β and P̃, and Eq. 25. `shift`
    is the optimal N of the first over that of the second, for each R.
    """

    budget: float
    cost_train: float
    weight: np.ndarray
    n: np.ndarray
    k: np.ndarray
    finite_n: Surface
    constant_beta: Surface
    shift: np.ndarray
    source: str


def surface_exact(
    budget,
    *,
    cost_train,
    cost_infer,
    weight,
    eigenvalues,
    theta,
    beta: float,
    sigma_eta: float,
    delta: float,
    ridge: float,
    queries=1,
    difficulty: Difficulty = "gamma",
    window: tuple[float, float] = (100.0, 10_000.0),
) -> AllocationSurface:
    """Figure 2 from the exact losses, at one budget and for weights (r,). Arguments as in `allocate`."""
    eigenvalues, theta = checked_modes(eigenvalues, theta)
    money = Budget.checked(budget, cost_train, cost_infer, queries)
    noise = sigma_eta**2 * float(mean_inverse_precision(beta, difficulty))
    if not np.isfinite(noise):
        raise InputError(f"beta={beta:g}: L_gen(N) has a mean for beta > 2 only")
    with jax.enable_x64(True):
        losses = Losses(eigenvalues, theta, difficulty)
        model = Model(noise, ridge, beta, delta, sigma_eta)
        laws = window_laws(losses, model, money.max_n, window)
        line = Line(money)
        split = _evenly(line, line.low, line.high)
        values = losses.values(split.log_n, split.log_k, model)
    return _surface(money, line, split, values.log_lgen, values.log_failure, laws, weight, "exact")


def surface_sweep(
    data: "xr.Dataset",
    budget,
    *,
    cost_train,
    cost_infer,
    weight,
    queries=1,
    statistic: Statistic = "median",
    window: tuple[float, float] | None = None,
) -> AllocationSurface:
    """Figure 2 from the curves of a sweep, at one budget and for weights (r,). Arguments as in `allocate_sweep`."""
    curves = read_curves(data, window)
    money = Budget.checked(budget, cost_train, cost_infer, queries)
    losses = curves.draw(np.arange(len(curves.lgen)), statistic)
    measured = MeasuredLine(money, curves)
    split = _evenly(measured.line, measured.low, measured.high)
    along = measured.losses(*losses, split)
    return _surface(
        money, measured.line, split, *along, sweep_laws(curves, *losses), weight, f"{statistic} of the sweep"
    )


def _evenly(line: Line, low: float, high: float) -> Split:
    """Splits at equal steps of Ñ, which is how Figure 2 is drawn, from s = low to s = high."""
    first, last = (float(line.at(np.float64(s)).trains) for s in (low, high))
    share = np.linspace(first, last, POINTS)
    inside = np.log(share[1:-1]) - np.log1p(-share[1:-1])
    return line.at(np.concatenate([[low], inside, [high]]))


def _surface(
    money: Budget, line: Line, split: Split, log_lgen, log_failure, laws: WindowLaws, weight, source: str
):
    weight = np.atleast_1d(np.asarray(weight, float))
    if weight.ndim != 1 or not (np.isfinite(weight) & (weight > 0)).all():
        raise InputError(f"weight must be a list of numbers greater than 0, not {weight}")
    log_weight = np.log(weight)
    n = np.exp(split.log_n)
    panels: list[Any] = []
    for rule in ("eq24", "constant_beta"):
        if rule == "eq24":
            total = np.logaddexp(log_weight[:, None] + log_lgen[None, :], log_failure[None, :])
        else:
            total = np.stack([marginal(rule, laws, split, w).log_total for w in log_weight])
        said = np.array([solve(rule, laws, line, w) for w in log_weight])
        panels.append(
            Surface(
                total / np.log(10),
                n[np.argmin(total, axis=1)],
                np.exp(line.at(np.clip(said, split.s[0], split.s[-1])).log_n),
            )
        )
    return AllocationSurface(
        float(money.total),
        float(money.cost_train),
        weight,
        n,
        np.exp(split.log_k),
        *panels,
        shift=panels[0].best_n / panels[1].best_n,
        source=source,
    )
