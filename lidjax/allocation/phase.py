"""The phase map: where in the plane of budget and weight the optimum only trains, only samples, or does both."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lidjax.allocation.exact import allocate
from lidjax.difficulty import Difficulty
from lidjax.errors import InputError

SMALLEST_SIDE = 4  # contours of a smaller map would show nothing
WEIGHT_RANGE = (
    1e-8,
    1e8,
)  # around the central weight; heuristic, so wide that both ends of the line are reached

Steps = Callable[[str, Sequence[float]], Iterable[float]]


def _silent(stage: str, steps: Sequence[float]) -> Iterable[float]:
    """The steps, without showing progress."""
    return steps


class PhaseMap(NamedTuple):
    """The exact optimum over budgets (b,) and weights (r,)."""

    budget: np.ndarray
    """Budgets C, (b,)."""
    weight: np.ndarray
    """Weights R, (r,)."""
    kind: np.ndarray
    """Where the optimum lies, as in `Allocation.kind`, (b, r)."""
    training_share: np.ndarray
    """N c_N / C at the optimum, (b, r)."""


def phase_axes(
    budget: npt.ArrayLike,
    *,
    cost_train: float,
    cost_infer: float,
    weight: npt.ArrayLike = 1.0,
    queries: float = 1,
    side: int = 24,
) -> tuple[np.ndarray, np.ndarray]:
    """Budgets and weights for a phase map around those of interest.

    Args:
        budget: Budgets of interest, a number or an array.
        cost_train: c_N > 0 of one training instance, in the unit of the budget.
        cost_infer: c_k > 0 of one attempt, in the unit of the budget.
        weight: Weights of interest; the map is centred on the first positive one, or on 1.
        queries: Q ≥ 1, how many queries are answered with k attempts each.
        side: How many budgets, and how many weights; at least 4.

    Returns:
        `side` budgets in geometric progression from four times the larger of c_N and Q c_k to ten times the largest
        budget, and `side` weights over 16 decades.

    Raises:
        InputError: `side` is less than 4, or the largest budget is not above the first budget of the map.

    Example:
        >>> from lidjax.allocation import phase_axes
        >>> budgets, weights = phase_axes([100, 1000], cost_train=1, cost_infer=0.1, side=5)
        >>> budgets.shape, round(float(budgets[0])), round(float(budgets[-1]))
        ((5,), 4, 10000)
        >>> [f"{weight:g}" for weight in weights]
        ['1e-08', '0.0001', '1', '10000', '1e+08']
    """
    if side < SMALLEST_SIDE:
        raise InputError(f"side={side} must be at least {SMALLEST_SIDE}: a map of budgets and weights")
    budgets, weights = (np.ravel(np.asarray(x, dtype=object)) for x in (budget, weight))
    largest = max(float(b) for b in budgets)
    low = 4 * max(float(cost_train), float(cost_infer) * float(queries))
    if largest <= low:
        raise InputError(
            f"the largest budget, {largest:g}, must be above {low:g}: four times the larger of cost_train and "
            "queries x cost_infer"
        )
    centre = float(next((w for w in weights if w > 0), 1))
    return np.geomspace(low, 10 * largest, side), centre * np.geomspace(*WEIGHT_RANGE, side)


def phase_map(
    budget: npt.ArrayLike,
    *,
    cost_train: float,
    cost_infer: float,
    weight: npt.ArrayLike,
    eigenvalues: npt.ArrayLike,
    theta: npt.ArrayLike,
    beta: float,
    sigma_eta: float,
    delta: float,
    ridge: float,
    queries: float = 1,
    difficulty: Difficulty = "gamma",
    stop_at_success: bool = False,
    progress: Steps = _silent,
) -> PhaseMap:
    """The kind of the exact optimum and its training share over a grid of budgets and weights.

    `phase_axes` gives a grid, `sweep_model` the model of a sweep, and `lidjax.figures.phase_figure` draws the map. It
    takes about a minute for 24 budgets and 24 weights.

    Args:
        budget: Budgets C, (b,), in any unit of cost.
        cost_train: c_N > 0 of one training instance, in the unit of the budget.
        cost_infer: c_k > 0 of one attempt, in the unit of the budget.
        weight: Weights R ≥ 0 of L_gen against L_inf, (r,).
        eigenvalues: Spectrum of the features, all > 0, (d,).
        theta: Teacher in the eigenbasis, (d,).
        beta: β > 2, the near-zero index of the difficulty prior.
        sigma_eta: σ_η > 0, the scale of the label noise.
        delta: δ > 0, the tolerance of the verifier.
        ridge: ρ ≥ 0 of Eq. 6.
        queries: Q ≥ 1, how many queries the trained model answers with k attempts each.
        difficulty: Family of the prior on the precision, "gamma" or "power".
        stop_at_success: Attempts stop at the first success, and the budget pays for those that are made.
        progress: Called as `progress("phase map", budgets)`; returns the budgets one by one and shows how far they are.

    Returns:
        A `PhaseMap`.

    Raises:
        InputError: As `allocate`, or `budget` or `weight` is not a list.

    References:
        Eq. 21, Sec. 4.3; the map was derived for this project.

    Example:
        >>> import lidjax
        >>> from lidjax.allocation import phase_map
        >>> modes = dict(eigenvalues=lidjax.power_law_spectrum(8, 1.0), theta=lidjax.power_law_teacher(8))
        >>> model = dict(beta=4.0, sigma_eta=0.1, delta=0.05, ridge=1e-6)
        >>> found = phase_map([10.0, 1e3], cost_train=1, cost_infer=1, weight=[0.0, 100.0], **modes, **model)
        >>> found.kind.shape
        (2, 2)
        >>> found.training_share[:, 1] > found.training_share[:, 0]  # a heavier weight trains more
        array([ True,  True])
    """
    budgets, weights = np.asarray(budget, float), np.asarray(weight, float)
    for name, values in (("budget", budgets), ("weight", weights)):
        if values.ndim != 1 or not len(values):
            raise InputError(f"{name} must be a list of numbers, not of shape {values.shape}")
    rows = [
        allocate(
            one,
            cost_train=cost_train,
            cost_infer=cost_infer,
            weight=weights,
            queries=queries,
            eigenvalues=eigenvalues,
            theta=theta,
            beta=beta,
            sigma_eta=sigma_eta,
            delta=delta,
            ridge=ridge,
            difficulty=difficulty,
            stop_at_success=stop_at_success,
            rules=(),
        )
        for one in progress("phase map", budgets.tolist())
    ]
    n = np.stack([np.asarray(row.n, float) for row in rows])
    return PhaseMap(
        budget=budgets,
        weight=weights,
        kind=np.stack([row.kind for row in rows]),
        training_share=n * float(cost_train) / budgets[:, None],
    )
