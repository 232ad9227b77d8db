"""Curves of a sweep over training sets, and the part of a budget line that they cover.

Interpolated in logarithms by shape-preserving cubics over log N and log k; nothing is extrapolated.
"""

# pyright: reportCallIssue=false
# (columns are unpacked into as many fields as a NamedTuple has, which a type checker cannot count)

import math
from typing import TYPE_CHECKING, Literal, NamedTuple

import jax
import numpy as np

from lidjax.allocation.budget import Budget, Line, Split, whole
from lidjax.allocation.rules import WindowLaws
from lidjax.errors import InputError
from lidjax.fitting import effective_exponent

if TYPE_CHECKING:
    import xarray as xr

Statistic = Literal["median", "mean"]
POINTS = 500  # along the budget line, with a parabola between them
FEWEST_SIZES = 5  # a smoothing spline of β_eff(N) wants as many


class Curves(NamedTuple):
    """Measured curves: log N (n,), log k (k,), L_gen (set, n) and L_inf (set, n, k) of every training set.

    Seeds that share a train/validation split are averaged and count as one training set.
    """

    log_n: np.ndarray
    log_k: np.ndarray
    lgen: np.ndarray
    failure: np.ndarray
    dim: float
    window: tuple[float, float]

    def draw(self, rows: np.ndarray, statistic: Statistic) -> tuple[np.ndarray, np.ndarray]:
        """log of the statistic over the training sets `rows`: log L_gen (n,), log L_inf (n, k)."""
        middle = np.median if statistic == "median" else np.mean
        return np.log(middle(self.lgen[rows], axis=0)), np.log(middle(self.failure[rows], axis=0))


def read_curves(data: "xr.Dataset", window: tuple[float, float] | None = None) -> Curves:
    """The curves of a sweep at one setting of everything but N, seed and k. Failed cells drop their training set."""
    from lidjax.status import CellStatus

    for name in ("n", "k"):
        if name not in data.dims:
            raise InputError(f"the store has no axis {name!r}; allocation needs n, k and seed")
    for name in ("lgen", "failure", "status"):
        if name not in data:
            raise InputError(f"the store has no variable {name!r}")
    open_axes = [
        f"{d} ({data.sizes[d]} values)"
        for d in data.dims
        if d not in ("n", "k", "seed") and data.sizes[d] > 1
    ]
    if open_axes:
        raise InputError(
            f"choose one value of {', '.join(map(str, open_axes))}: an allocation is for one model"
        )
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
    if "split" in data.coords:
        lgen, failure = (x.groupby("split").mean("seed").rename(split="seed") for x in (lgen, failure))
    lgen, failure = lgen.transpose("seed", "n").values, failure.transpose("seed", "n", "k").values
    if not (np.median(failure, axis=0) > 0).all():
        raise InputError(
            "L_inf(k) is zero somewhere in the store (plain draws at large k?): its logarithm cannot be interpolated"
        )
    dim = float(data["dim"]) if "dim" in data.coords else float(data.attrs.get("feature_dim", 0))
    fallback = tuple(data.attrs["spec"]["fit"]["window"]) if "spec" in data.attrs else (100.0, 10_000.0)
    logs = (np.log(data[name].values.astype(float)) for name in ("n", "k"))
    return Curves(*logs, lgen.astype(float), failure.astype(float), dim, window or fallback)


class MeasuredLine:
    """The part of a budget line that the store covers, and the losses along it."""

    def __init__(self, budget: Budget, curves: Curves):
        self.budget, self.line, self.curves = budget, Line(budget), curves
        sizes, attempts = np.exp(curves.log_n), np.exp(curves.log_k)
        low = [(self.line.low, ""), (float(self.line.at_n(sizes[0])), "smallest n" if sizes[0] > 1 else "")]
        low.append((self.line.at_k(attempts[-1]), "largest k"))
        high = [(self.line.high, ""), (float(self.line.at_n(sizes[-1])), "largest n")]
        high.append((self.line.at_k(attempts[0]), "smallest k" if attempts[0] > 1 else ""))
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

    def losses(self, log_lgen: np.ndarray, log_failure: np.ndarray, split: Split | None = None):
        """log L_gen and log L_inf along the line, or at `split`."""
        from scipy.interpolate import PchipInterpolator  # slow to import

        split = self.split if split is None else split
        curves = self.curves
        log_n = np.clip(split.log_n, curves.log_n[0], curves.log_n[-1])
        log_k = np.clip(split.log_k, curves.log_k[0], curves.log_k[-1])
        rows = PchipInterpolator(curves.log_n, log_failure)(log_n)
        pieces = PchipInterpolator(curves.log_k, rows.T)
        place = np.clip(np.searchsorted(curves.log_k, log_k, side="right") - 1, 0, len(curves.log_k) - 2)
        step = log_k - curves.log_k[place]
        c = pieces.c[:, place, np.arange(len(log_k))]
        return PchipInterpolator(curves.log_n, log_lgen)(log_n), (
            (c[0] * step + c[1]) * step + c[2]
        ) * step + c[3]

    def whole(self, s: float) -> tuple[int, int]:
        """Whole (N, k) near s, within the store's sizes."""
        n, _ = whole(self.budget, self.line.at(np.float64(s)))
        ends = (
            math.ceil(np.exp(self.curves.log_n[0]) - 1e-6),
            math.floor(np.exp(self.curves.log_n[-1]) + 1e-6),
        )
        n = min(max(n, ends[0]), ends[1], self.budget.max_n)
        return n, self.budget.attempts(n)


def sweep_laws(curves: Curves, log_lgen: np.ndarray, log_failure: np.ndarray) -> WindowLaws:
    """Smoothed β_eff(N) and P̃(N), the power law of L_gen, and the largest N's β and P̃."""
    from scipy.interpolate import make_smoothing_spline  # slow to import

    with jax.enable_x64(True):
        slopes = effective_exponent(np.exp(curves.log_k), log_failure, window=curves.window, log=True)
    beta_eff, intercept = np.asarray(slopes.beta_eff), np.asarray(slopes.log_intercept)
    if not np.isfinite(beta_eff).all():
        low, high = curves.window
        raise InputError(
            f"window={low:g} to {high:g} holds fewer than 3 of the store's k: β_eff cannot be measured"
        )
    fine = np.linspace(curves.log_n[0], curves.log_n[-1], 400)
    smooth = (make_smoothing_spline(curves.log_n, values)(fine) for values in (beta_eff, intercept))
    tail = np.exp(curves.log_n) > 1.5 * curves.dim
    tail = tail if tail.sum() >= 3 else np.ones_like(tail)
    slope, level = np.polyfit(curves.log_n[tail], log_lgen[tail], 1)
    return WindowLaws(
        fine, *smooth, gamma=-slope, log_p_n=level, beta=beta_eff[-1], log_prefactor=float(intercept[-1])
    )
