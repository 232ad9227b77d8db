"""The three-way map: width, data and attempts of the best plan over budgets and numbers of queries.

L_gen(N; P) is computed once on a grid of N and P, and L_inf and A at these L_gen (see `stopped_table`). At every budget
and number of queries each width has a scan along its budget line, in the log of the money for training over the rest,
and two finer ones around the best; between the N of the grid all is interpolated in log N. A parabola through the best
width and its neighbours is the last step.
"""

from typing import NamedTuple

import jax
import numpy as np
import numpy.typing as npt

from lidjax.allocation.budget import as_fraction
from lidjax.allocation.cases import check_ranges, label_noise_variance
from lidjax.allocation.exact import check_modes
from lidjax.allocation.losses import ExactLosses, LossParameters
from lidjax.allocation.stopped import StoppedLosses
from lidjax.allocation.stopped_table import StoppedRows, StoppedTable
from lidjax.allocation.three_ways import check_widths
from lidjax.difficulty import Difficulty, check_difficulty
from lidjax.errors import InputError

PER_UNIT = 12  # training sizes per unit of log N
NODES, ZOOMS = 48, 2  # of a budget line: a step of 1 % in the money that is left, over 30 units of its log
BUYS = ("model", "data", "attempts")
"""What a larger budget buys most of, as in `ThreeWayMap.next_buy`."""


class ThreeWayMap(NamedTuple):
    """The best plan over budgets (b,) and numbers of queries (q,); N and the attempts are real-valued."""

    budget: np.ndarray
    """Budgets C, (b,)."""
    queries: np.ndarray
    """Numbers of queries Q, (q,)."""
    width: np.ndarray
    """P, interpolated between the widths of the grid, (b, q); NaN where no model can be paid."""
    n: np.ndarray
    """N, (b, q)."""
    k: np.ndarray
    """Attempts for each query at most, (b, q)."""
    expected_attempts: np.ndarray
    """Attempts for each query that are made and paid in expectation, (b, q)."""
    loss: np.ndarray
    """L_tot of the best plan on the grid, (b, q)."""
    training_share: np.ndarray
    """Share of the budget that is spent on training, (b, q)."""
    next_buy: np.ndarray
    """What grows fastest with the budget at this number of queries: "model" (P), "data" (N) or "attempts" (their
    expected number), (b, q); "" where no model can be paid."""
    chinchilla_n: np.ndarray
    """N of the plan that spends the same training compute on the least L_gen, (b, q)."""
    chinchilla_width: np.ndarray
    """P of that plan, (b, q)."""


def three_way_map(
    budget: npt.ArrayLike,
    queries: npt.ArrayLike,
    *,
    cost_train: float,
    cost_infer: float,
    weight: float,
    width: npt.ArrayLike,
    eigenvalues: npt.ArrayLike,
    theta: npt.ArrayLike,
    beta: float,
    sigma_eta: float,
    delta: float,
    ridge: float,
    difficulty: Difficulty = "gamma",
    stop_at_success: bool = True,
) -> ThreeWayMap:
    """Width, data and attempts of the best plan, and what to buy next, over budgets and numbers of queries.

    The budget is C = c_N N P + Q c_k P E[attempts], as in `allocate` with `width`, which searches whole counts at one
    budget; the map is made of real-valued ones. `lidjax.figures.three_way_figure` draws it. 25 budgets, 19 numbers of
    queries and 40 widths take about two minutes.

    Args:
        budget: Budgets C, increasing, at least 2, (b,).
        queries: Numbers of queries Q ≥ 1, (q,).
        cost_train: c_N > 0 of one feature on one training instance, in the unit of the budget.
        cost_infer: c_k > 0 of one feature for one attempt, in the unit of the budget.
        weight: R ≥ 0, the weight of L_gen against L_inf.
        width: Numbers of random features P to choose from, whole, at least 3, (w,).
        eigenvalues: Spectrum of the features, all > 0, (d,).
        theta: Teacher in the eigenbasis, (d,).
        beta: β > 2, the near-zero index of the difficulty prior.
        sigma_eta: σ_η > 0, the scale of the label noise.
        delta: δ > 0, the tolerance of the verifier.
        ridge: ρ ≥ 0 of Eq. 6.
        difficulty: Family of the prior on the precision, "gamma" or "power".
        stop_at_success: Attempts stop at the first success; if not, all k are paid.

    Returns:
        A `ThreeWayMap`.

    Raises:
        InputError: An argument is out of its range, or no budget pays for the smallest model.

    References:
        Eq. 21; the widths are those of Maloney, Roberts and Sully, arXiv:2210.16859. The map was derived for this
        project and is compared with `allocate` in tests/allocation/test_three_ways.py.

    Example:
        >>> import lidjax
        >>> from lidjax.allocation import three_way_map
        >>> modes = dict(eigenvalues=lidjax.power_law_spectrum(16, 1.0), theta=lidjax.power_law_teacher(16))
        >>> model = dict(beta=4.0, sigma_eta=0.1, delta=0.05, ridge=1e-6)
        >>> found = three_way_map(
        ...     [1e3, 1e4], [1, 100], cost_train=1, cost_infer=1, weight=10.0, width=[4, 8, 16, 32], **modes, **model
        ... )
        >>> found.width.shape, bool((found.loss[1] < found.loss[0]).all())
        ((2, 2), True)
    """
    check_difficulty(difficulty)
    eigenvalues, theta = check_modes(eigenvalues, theta)
    widths = np.array(check_widths(width), float)
    budgets, many = (np.asarray(x, float) for x in (budget, queries))
    if budgets.ndim != 1 or len(budgets) < 2 or not (np.diff(budgets) > 0).all():
        raise InputError(f"budget must be two or more numbers that increase, not {budget}")
    if many.ndim != 1 or not len(many) or not (many >= 1).all():
        raise InputError(f"queries={queries} must be a list of numbers of at least 1")
    if len(widths) < 3:
        raise InputError(f"width={width} must be at least three widths")
    train, infer = (
        float(as_fraction(x, n)) for x, n in ((cost_train, "cost_train"), (cost_infer, "cost_infer"))
    )
    for name, value in (("cost_train", train), ("cost_infer", infer)):
        if value <= 0:
            raise InputError(f"{name}={value:g} must be greater than 0")
    check_ranges(weight, beta, sigma_eta, delta, ridge)
    if budgets[-1] < widths[0] * (train + infer * many.min()):
        raise InputError(
            f"budget={budgets[-1]:g} pays for no model: {widths[0] * (train + infer * many.min()):g} is the least, for "
            f"one training instance and one attempt at the smallest width={widths[0]:g}"
        )
    largest = np.log(budgets[-1] / train / widths[0])
    log_n = np.linspace(0, largest, 2 + int(PER_UNIT * largest))
    noise = label_noise_variance(beta, sigma_eta, difficulty)
    with jax.enable_x64(True):
        exact = ExactLosses(eigenvalues, theta, difficulty)
        pairs = (x.ravel() for x in np.meshgrid(widths, log_n, indexing="ij"))
        all_widths, all_n = pairs
        parameters = LossParameters(noise, ridge, beta, delta, sigma_eta, all_widths)
        log_lgen, _ = exact.lgen(all_n, parameters)
        log_v = StoppedLosses.log_v(log_lgen, parameters)
        rows = StoppedTable(log_v, beta, delta / sigma_eta, difficulty).at(log_v)
    curves = _Curves(widths, log_n, log_lgen.reshape(len(widths), -1), rows)
    prices = _Prices(train, infer, weight, stop_at_success)
    cells = [_best(curves, prices, total, q) for total in budgets.tolist() for q in many.tolist()]
    columns = np.array(cells).reshape(len(budgets), len(many), 8)
    p, n, k, attempts, least, share, free_n, free_p = np.moveaxis(columns, -1, 0)
    return ThreeWayMap(
        budgets, many, p, n, k, attempts, least, share, _next_buy(budgets, p, n, attempts), free_n, free_p
    )


class _Prices(NamedTuple):
    """What is paid, and what counts."""

    train: float
    infer: float
    weight: float
    stop: bool


class _Curves(NamedTuple):
    """Losses on the grid of widths (w,) and sizes (m,)."""

    widths: np.ndarray
    log_n: np.ndarray
    log_lgen: np.ndarray
    """log L_gen, (w, m)."""
    rows: StoppedRows
    """L_inf and A there, (w m,) rows."""

    def at(self, which: np.ndarray, log_n: np.ndarray) -> tuple[np.ndarray, StoppedRows]:
        """log L_gen, and L_inf and A, at log N (p,) of the widths with index `which` (p,), interpolated in log N."""
        piece = np.clip(np.searchsorted(self.log_n, log_n, side="right") - 1, 0, len(self.log_n) - 2)
        share = (log_n - self.log_n[piece]) / (self.log_n[1] - self.log_n[0])
        left = which * len(self.log_n) + piece
        lgen = self.log_lgen.ravel()
        return lgen[left] * (1 - share) + lgen[left + 1] * share, self.rows.between(left, share)


def _losses(
    curves: _Curves, prices: _Prices, total: float, q: float, which: np.ndarray, s: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """log L_tot and log k at s, the log of the money for training over the rest, of widths `which`."""
    p = curves.widths[which]
    log_n = np.maximum(np.log(total / (1 + np.exp(-s)) / (prices.train * p)), 0.0)
    log_b = np.maximum(np.log(total / (1 + np.exp(s)) / (q * prices.infer * p)), 0.0)
    log_lgen, rows = curves.at(which, log_n)
    log_k = rows.affordable(log_b) if prices.stop else log_b
    with np.errstate(divide="ignore"):
        return np.logaddexp(np.log(prices.weight) + log_lgen, rows.failure_at(log_k)), log_k


def _best(curves: _Curves, prices: _Prices, total: float, q: float) -> tuple[float, ...]:
    """P, N, k, attempts, loss and training share of the best plan, and N and P of the least L_gen at its compute."""
    least_train, least_rest = prices.train * curves.widths, q * prices.infer * curves.widths
    which = np.flatnonzero(least_train + least_rest < total)
    if not len(which):
        return (np.nan,) * 8
    low = np.log(least_train[which] / (total - least_train[which]))
    high = np.log((total - least_rest[which]) / least_rest[which])
    every = np.arange(len(which))

    def scan(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """s, the index of the best, log L_tot and log k of every width on nodes from `low` to `high`."""
        s = np.linspace(low, high, NODES, axis=1)  # (w, nodes)
        loss, log_k = _losses(curves, prices, total, q, np.repeat(which, NODES), s.ravel())
        loss, log_k = loss.reshape(s.shape), log_k.reshape(s.shape)
        at = np.argmin(loss, axis=1)
        return s, at, loss[every, at], log_k[every, at]

    s, at, least, log_k = scan(low, high)
    for _ in range(ZOOMS):
        s, at, least, log_k = scan(s[every, np.maximum(at - 1, 0)], s[every, np.minimum(at + 1, NODES - 1)])
    s = s[every, at]
    log_p = np.log(curves.widths[which])
    i = int(np.argmin(least))
    best_p, _ = _vertex(log_p, least, i)
    best_s = float(np.interp(best_p, log_p, s))
    share, rest = (float(1 / (1 + np.exp(x))) for x in (-best_s, best_s))
    p = float(np.exp(best_p))
    compute = np.log(share * total / prices.train)
    free = np.array(
        [
            np.interp(compute - np.log(width), curves.log_n, row) if width <= np.exp(compute) else np.inf
            for width, row in zip(curves.widths, curves.log_lgen, strict=True)
        ]
    )
    log_free, _ = _vertex(np.log(curves.widths), free, int(np.argmin(free)))
    return (
        p,
        share * total / (prices.train * p),
        float(np.exp(np.interp(best_p, log_p, log_k))),
        rest * total / (q * prices.infer * p),
        float(np.exp(least[i])),
        share,
        float(np.exp(compute - log_free)),
        float(np.exp(log_free)),
    )


def _vertex(x: np.ndarray, values: np.ndarray, at: int) -> tuple[float, float]:
    """The lowest point of the parabola through the least of some values and its neighbours, where it has them."""
    if at in (0, len(x) - 1) or not np.isfinite(values[at - 1 : at + 2]).all():
        return float(x[at]), float(values[at])
    left, right = x[at - 1] - x[at], x[at + 1] - x[at]
    slope_left, slope_right = (values[at - 1] - values[at]) / left, (values[at + 1] - values[at]) / right
    curvature = (slope_right - slope_left) / (right - left)
    if curvature <= 0:
        return float(x[at]), float(values[at])
    slope = slope_left - curvature * left
    move = float(np.clip(-slope / (2 * curvature), left, right))
    return float(x[at]) + move, float(values[at] + slope * move + curvature * move**2)


def _next_buy(budgets: np.ndarray, p: np.ndarray, n: np.ndarray, attempts: np.ndarray) -> np.ndarray:
    """Which of P, N and the attempts grows fastest from each budget to the next."""
    growth = np.stack([np.gradient(np.log(x), np.log(budgets), axis=0) for x in (p, n, attempts)])
    known = np.isfinite(growth).all(axis=0)
    return np.where(known, np.array(BUYS)[np.argmax(np.where(known, growth, 0.0), axis=0)], "")
