"""Curves of a sweep over training sets, and the part of a budget line that they cover.

Losses are interpolated in logarithms, by shape-preserving cubics over log N and log k. Nothing is extrapolated.
"""

import math
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from lidjax.allocation.budget import Budget, BudgetLine, BudgetSplit, whole_split
from lidjax.allocation.measured_attempts import affordable, attempt_grid, attempts_on_grid
from lidjax.allocation.sweep_model import check_one_model, sweep_window
from lidjax.errors import InputError

if TYPE_CHECKING:
    import xarray as xr

Statistic = Literal["median", "mean"]
POINTS = 500  # along the budget line, with a parabola between them
FEWEST_SIZES = 5  # a smoothing spline of β_eff(N) needs as many


class SweepCurves(NamedTuple):
    """Measured curves of every training set. Seeds that share a train/validation split count as one, their mean."""

    log_n: np.ndarray
    """log N, increasing, (n,)."""
    log_k: np.ndarray
    """log k, increasing, (k,)."""
    lgen: np.ndarray
    """L_gen, (training sets, n)."""
    failure: np.ndarray
    """L_inf, (training sets, n, k)."""
    dim: float
    """d, or 0 if the sweep does not say."""
    window: tuple[float, float]
    """The ends of the window of k for β_eff."""
    few: np.ndarray
    """Whether L_inf rests on too few instances in half of the training sets or more (`low_ess`), (n, k)."""

    def rests_on_few(self, n: float, k: float) -> bool:
        """Whether L_inf rests on too few instances at one of the values between which (n, k) lies."""
        i = np.clip(np.searchsorted(self.log_n, np.log(n)), 1, len(self.log_n) - 1)
        j = np.clip(np.searchsorted(self.log_k, np.log(k)), 1, len(self.log_k) - 1)
        return bool(self.few[i - 1 : i + 1, j - 1 : j + 1].any())

    def combined(self, rows: np.ndarray, statistic: Statistic) -> tuple[np.ndarray, np.ndarray]:
        """log of the median or mean over the training sets `rows`: log L_gen (n,), log L_inf (n, k)."""
        middle = np.median if statistic == "median" else np.mean
        return np.log(middle(self.lgen[rows], axis=0)), np.log(middle(self.failure[rows], axis=0))


def read_curves(data: "xr.Dataset", window: tuple[float, float] | None = None) -> SweepCurves:
    """The curves of a sweep of one model. Training sets with a failed cell are left out.

    `window` is the sweep's own, `fit.window` of its spec, unless given.

    Raises:
        InputError: The results lack an axis or a variable, hold more than one model, have fewer than `FEWEST_SIZES` N
            or three k, a failed cell in every training set, or an L_inf of zero.
    """
    from lidjax.status import CellStatus

    for name in ("n", "k"):
        if name not in data.dims:
            raise InputError(f"the store has no axis {name!r}; allocation needs n, k and seed")
    for name in ("lgen", "failure", "status"):
        if name not in data:
            raise InputError(f"the store has no variable {name!r}")
    check_one_model(data)
    data = data.squeeze([d for d in data.dims if d not in ("n", "k", "seed")])
    if "seed" not in data.dims:
        data = data.expand_dims("seed")
    if data.sizes["n"] < FEWEST_SIZES:
        raise InputError(
            f"the store has {data.sizes['n']} training sizes; allocation needs at least {FEWEST_SIZES} of n"
        )
    if data.sizes["k"] < 3:
        raise InputError(f"the store has {data.sizes['k']} values of k; allocation needs at least 3")
    failed = (data["status"] != CellStatus.OK).any("n")
    data = data.isel(seed=np.flatnonzero(~failed.values)).sortby("n").sortby("k")
    if not data.sizes["seed"]:
        raise InputError("every training set of the store has a failed cell")
    lgen, failure = data["lgen"], data["failure"]
    low = data["low_ess"] if "low_ess" in data else failure.isnull()  # a store of exact values has no mask
    few = low.transpose("seed", "n", "k").values.mean(axis=0) >= 0.5
    if "split" in data.coords:
        lgen, failure = (x.groupby("split").mean("seed").rename(split="seed") for x in (lgen, failure))
    lgen, failure = lgen.transpose("seed", "n").values, failure.transpose("seed", "n", "k").values
    if not (np.median(failure, axis=0) > 0).all():
        raise InputError(
            "L_inf(k) is zero somewhere in the store (plain draws at large k?): its logarithm cannot be interpolated"
        )
    dim = float(data["dim"]) if "dim" in data.coords else float(data.attrs.get("feature_dim", 0))
    log_n, log_k = (np.log(data[name].values.astype(float)) for name in ("n", "k"))
    return SweepCurves(
        log_n, log_k, lgen.astype(float), failure.astype(float), dim, window or sweep_window(data), few
    )


def mean_has_no_variance(data: "xr.Dataset") -> bool:
    """Whether the variance of L_gen over training sets is infinite, which it is for β ≤ 4; False if β is not known."""
    return "beta" in data.coords and bool((data["beta"] <= 4).all())


class MeasuredLine:
    """The part of a budget line that a sweep covers, and the losses along it.

    `low` and `high` are its ends in the coordinate s of `BudgetSplit`. `low_edge` and `high_edge` name the edge of the
    store there, or are "" where the budget line itself ends. `split` holds `POINTS` evenly spaced splits.

    Where attempts stop at the first success (`stopped`), the second coordinate of the splits is the log of the expected
    attempts, and the line is cut at the store's N only: at its largest k money is left over.
    """

    def __init__(self, budget: Budget, curves: SweepCurves, *, stopped: bool = False):
        self.budget, self.line, self.curves, self.stopped = budget, BudgetLine(budget), curves, stopped
        sizes, attempts = np.exp(curves.log_n), np.exp(curves.log_k)
        if stopped:
            self._init_stopped(sizes, attempts)
            return
        low = [
            (self.line.low, ""),
            (float(self.line.s_of_n(sizes[0])), "smallest n" if sizes[0] > 1 else ""),
            (self.line.s_of_k(attempts[-1]), "largest k"),
        ]
        high = [
            (self.line.high, ""),
            (float(self.line.s_of_n(sizes[-1])), "largest n"),
            (self.line.s_of_k(attempts[0]), "smallest k" if attempts[0] > 1 else ""),
        ]
        (self.low, self.low_edge), (self.high, self.high_edge) = max(low), min(high)
        fits = budget.max_n >= sizes[0] * (1 - 1e-9) and budget.max_k >= attempts[0] * (1 - 1e-9)
        if self.low > self.high + 1e-12 or not fits:
            most, least = (
                budget.attempts(min(max(round(n), 1), budget.max_n)) for n in (sizes[0], sizes[-1])
            )
            raise InputError(
                f"budget={float(budget.total):g} leaves k from {least:g} to {most:g} for the store's N = {sizes[0]:g} "
                f"to {sizes[-1]:g}; the store holds k = {attempts[0]:g} to {attempts[-1]:g}"
            )
        self.split = self.line.at(np.linspace(self.low, max(self.high, self.low), POINTS))

    def _init_stopped(self, sizes: np.ndarray, attempts: np.ndarray) -> None:
        """The ends and splits where attempts stop at the first success."""
        if attempts[0] > 1 + 1e-9:
            raise InputError(
                f"the store's smallest k is {attempts[0]:g}: attempts that stop at the first success need k from 1"
            )
        if self.budget.max_n < sizes[0] * (1 - 1e-9):
            raise InputError(
                f"budget={float(self.budget.total):g} pays for at most {self.budget.max_n} instances beside one "
                f"attempt; the store's smallest N is {sizes[0]:g}"
            )
        low = float(self.line.s_of_n(sizes[0]))
        high = float(self.line.s_of_n(sizes[-1]))
        self.low, self.low_edge = low, "smallest n" if sizes[0] > 1 else ""
        self.high, self.high_edge = high, "largest n" if high < self.line.high else ""
        self.split = self.line.at(np.linspace(low, max(high, low), POINTS))

    def losses(
        self, log_lgen: np.ndarray, log_failure: np.ndarray, split: BudgetSplit | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """log L_gen and log L_inf along the line, or at `split`, from the curves `combined` returns."""
        if self.stopped:
            log_lgen, at_k, _, _ = self._stopped_losses(log_lgen, log_failure, split)
            return log_lgen, at_k
        from scipy.interpolate import PchipInterpolator  # slow to import

        split = self.split if split is None else split
        curves = self.curves
        log_n = np.clip(split.log_n, curves.log_n[0], curves.log_n[-1])
        log_k = np.clip(split.log_k, curves.log_k[0], curves.log_k[-1])
        rows = PchipInterpolator(curves.log_n, log_failure)(log_n)
        pieces = PchipInterpolator(curves.log_k, rows.T)
        # each split has a curve of its own, of which only the piece around its k is evaluated
        piece = np.clip(np.searchsorted(curves.log_k, log_k, side="right") - 1, 0, len(curves.log_k) - 2)
        step = log_k - curves.log_k[piece]
        c = pieces.c[:, piece, np.arange(len(log_k))]
        return PchipInterpolator(curves.log_n, log_lgen)(log_n), (
            (c[0] * step + c[1]) * step + c[2]
        ) * step + c[3]

    def attempts(
        self, log_lgen: np.ndarray, log_failure: np.ndarray, split: BudgetSplit | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """log of the largest k that is paid for, and of the attempts then expected, along the line or at `split`."""
        split = self.split if split is None else split
        if self.stopped:
            _, _, log_k, expected = self._stopped_losses(log_lgen, log_failure, split)
            return log_k, expected
        return split.log_k, split.log_k

    def _stopped_losses(
        self, log_lgen: np.ndarray, log_failure: np.ndarray, split: BudgetSplit | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """log L_gen, log L_inf, and what `attempts` gives, where attempts stop at the first success."""
        from scipy.interpolate import PchipInterpolator  # slow to import

        split = self.split if split is None else split
        curves = self.curves
        log_n = np.clip(split.log_n, curves.log_n[0], curves.log_n[-1])
        rows = PchipInterpolator(curves.log_n, log_failure)(log_n)
        grid = attempt_grid(float(curves.log_k[-1]))
        on_grid = PchipInterpolator(curves.log_k, rows, axis=1)(np.minimum(np.log(grid), curves.log_k[-1]))
        sums = attempts_on_grid(grid, on_grid)
        log_k, at_k = affordable(grid, sums, on_grid, np.exp(split.log_k))
        expected = np.minimum(split.log_k, np.log(sums[:, -1]))
        return PchipInterpolator(curves.log_n, log_lgen)(log_n), at_k, log_k, expected

    def whole_split(self, s: float) -> tuple[int, int]:
        """The whole (N, k) near s, with N within the store's sizes."""
        n, _ = whole_split(self.budget, self.line.at(np.float64(s)))
        ends = (
            math.ceil(np.exp(self.curves.log_n[0]) - 1e-6),
            math.floor(np.exp(self.curves.log_n[-1]) + 1e-6),
        )
        n = min(max(n, ends[0]), ends[1], self.budget.max_n)
        return n, self.budget.attempts(n)
