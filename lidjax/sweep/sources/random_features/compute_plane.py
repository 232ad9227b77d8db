"""The plane of N and P at equal compute C = 6 N P: isoFLOP curves, their minima, and how these grow with C.

At one C a loss is a curve over P, with N = C/(6P). Its minimum is that of a parabola in log P through the lowest point
and up to three neighbours on each side. The exponent of P*(C) is the slope of a line through the minima in log-log
coordinates, and that of N*(C) is one minus it. Intervals come from a bootstrap over seeds, which share F and the
training sets along the curves. An interval holds the error of sampling, not that of a parabola or a power law.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

FLOPS = 6.0
"""Compute of a training run for each instance and parameter: forward and backward pass."""
LEVELS = 9
"""Most values of C."""
FEWEST = 5
"""Points of an isoFLOP curve, and of a parabola."""
REACH = 3
"""Points of a parabola on each side of the lowest one. With two, minima of noisy curves scatter more; heuristic."""
RESAMPLES = 400
"""Bootstrap samples of the seeds."""


class IsoFlops(NamedTuple):
    """Where a loss over (N, P) is cut at equal compute."""

    compute: Float[np.ndarray, " c"]
    """C of each curve, ascending."""
    log_width: Float[np.ndarray, " p"]
    """log P of the points of all curves."""
    position: Float[np.ndarray, "c p"]
    """N = C/(6P) as a position between the values of N; NaN where it is outside of the grid."""


def isoflops(n: Float[np.ndarray, " n"], width: Float[np.ndarray, " p"]) -> IsoFlops | None:
    """Up to `LEVELS` values of C whose curves have at least five points inside the grid; None if there are no three.

    C is 6 N times the P in the middle: where N and P are spaced by the same factor, they run through its cells.
    """
    n, width = np.asarray(n, float), np.asarray(width, float)
    if len(n) < FEWEST or len(width) < FEWEST:
        return None
    compute = FLOPS * n * width[len(width) // 2]
    sizes = compute[:, None] / (FLOPS * width[None, :])
    tolerance = 1 + 1e-9
    inside = (sizes >= n[0] / tolerance) & (sizes <= n[-1] * tolerance)
    compute, sizes, inside = (x[inside.sum(axis=1) >= FEWEST] for x in (compute, sizes, inside))
    if len(compute) < 3:
        return None
    some = np.unique(np.linspace(0, len(compute) - 1, LEVELS).round().astype(int))
    position = np.interp(np.log(sizes), np.log(n), np.arange(len(n)))
    return IsoFlops(compute[some], np.log(width), np.where(inside, position, np.nan)[some])


def along(log_loss: Float[np.ndarray, "*b n p"], curves: IsoFlops) -> Float[np.ndarray, "*b c p"]:
    """log loss along the isoFLOP curves, interpolated in log N; NaN outside of the grid."""
    last = log_loss.shape[-2] - 1
    at = np.nan_to_num(curves.position)
    low = np.clip(np.floor(at).astype(int), 0, max(last - 1, 0))
    share = at - low
    column = np.arange(log_loss.shape[-1])[None, :]
    values = (1 - share) * log_loss[..., low, column] + share * log_loss[
        ..., np.minimum(low + 1, last), column
    ]
    return np.where(np.isnan(curves.position), np.nan, values)


def log_minimum(
    log_width: Float[np.ndarray, " p"], log_loss: Float[np.ndarray, "*b p"]
) -> Float[np.ndarray, "*b"]:
    """log P of the minimum of each curve; NaN where the lowest point is at an end, or no parabola opens upwards."""
    flat = log_loss.reshape(-1, log_loss.shape[-1])
    known = np.isfinite(flat)
    lowest = np.argmin(np.where(known, flat, np.inf), axis=1)
    index = lowest[:, None] + np.arange(-REACH, REACH + 1)[None, :]
    bounded = np.clip(index, 0, flat.shape[1] - 1)
    used = (index == bounded) & np.take_along_axis(known, bounded, axis=1)
    x = log_width[bounded] - log_width[lowest][:, None]
    y = np.where(used, np.take_along_axis(np.where(known, flat, 0.0), bounded, axis=1), 0.0)
    powers = np.where(used[..., None], x[..., None] ** np.arange(3), 0.0)
    matrix = np.einsum("bij,bik->bjk", powers, powers)
    inner = used[:, REACH - 1] & used[:, REACH + 1] & (used.sum(axis=1) >= FEWEST)
    matrix = np.where(inner[:, None, None], matrix, np.eye(3))
    _, slope, curvature = np.linalg.solve(matrix, np.einsum("bij,bi->bj", powers, y)[..., None])[..., 0].T
    vertex = -slope / (2 * np.where(curvature > 0, curvature, 1.0))
    reach = np.where(used, np.abs(x), 0.0).max(axis=1)
    found = inner & (curvature > 0) & (np.abs(vertex) <= reach)
    return np.where(found, log_width[lowest] + vertex, np.nan).reshape(log_loss.shape[:-1])


def exponent(
    compute: Float[np.ndarray, " c"], log_optimum: Float[np.ndarray, "*b c"]
) -> Float[np.ndarray, "*b"]:
    """Slope of log P* against log C by least squares; NaN where fewer than three minima are inside their curves."""
    known = np.isfinite(log_optimum)
    count = np.maximum(known.sum(axis=-1), 1)
    x = np.broadcast_to(np.log(compute), log_optimum.shape)
    y = np.where(known, log_optimum, 0.0)
    dx = np.where(known, x - (np.where(known, x, 0.0).sum(axis=-1) / count)[..., None], 0.0)
    enough = known.sum(axis=-1) >= 3
    spread = np.where(enough, np.sum(dx**2, axis=-1), 1.0)
    return np.where(enough, np.sum(dx * y, axis=-1) / spread, np.nan)


class Optimum(NamedTuple):
    """Best width at each compute, and how it grows; the ends are those of 95 % intervals, NaN without seeds."""

    curves: Float[np.ndarray, "c p"]
    width: Float[np.ndarray, "c"]
    width_low: Float[np.ndarray, "c"]
    width_high: Float[np.ndarray, "c"]
    exponent: float
    exponent_low: float
    exponent_high: float
    draws: Float[np.ndarray, "r c"]
    """log P* of each bootstrap sample, the same samples for every loss."""


def optimum(
    curves: IsoFlops, loss: Float[np.ndarray, "n p"], resampled: Float[np.ndarray, "r n p"] | None
) -> Optimum:
    """The optimum of a loss, with intervals from the same loss of `resampled` seeds."""
    with np.errstate(divide="ignore", invalid="ignore"):
        values = along(np.log(loss), curves)
        best = log_minimum(curves.log_width, values)
        slope = float(exponent(curves.compute, best))
        nothing = np.full_like(best, np.nan)
        if resampled is None:
            return Optimum(values, np.exp(best), nothing, nothing, slope, np.nan, np.nan, nothing[None])
        draws = log_minimum(curves.log_width, along(np.log(resampled), curves))
    low, high = (np.exp(end) for end in interval(draws))
    slope_low, slope_high = (float(end) for end in interval(exponent(curves.compute, draws)))
    return Optimum(values, np.exp(best), low, high, slope, slope_low, slope_high, draws)


def mean_of_known(values: Float[np.ndarray, "*b c"]) -> Float[np.ndarray, "*b"]:
    """Mean over C of the values that are known; NaN where none is."""
    known = np.isfinite(values)
    count = known.sum(axis=-1)
    mean = np.where(known, values, 0.0).sum(axis=-1) / np.maximum(count, 1)
    return np.where(count > 0, mean, np.nan)


def interval(draws: Float[np.ndarray, "r *s"]) -> Float[np.ndarray, "2 *s"]:
    """The middle 95 % of bootstrap draws; NaN where a tenth or more of them have no value."""
    missing = np.isnan(draws).mean(axis=0) >= 0.1
    filled = np.where(np.isnan(draws), np.inf, draws)
    ordered = np.sort(filled, axis=0)
    count = np.maximum((~np.isnan(draws)).sum(axis=0), 1)
    ends = [
        np.take_along_axis(ordered, np.floor(q * (count - 1)).astype(int)[None], axis=0)[0]
        for q in (0.025, 0.975)
    ]
    return np.where(missing, np.nan, np.stack(ends))


def bootstrap_counts(seeds: int, resamples: int = RESAMPLES) -> Float[np.ndarray, "r s"]:
    """How often each seed is in each bootstrap sample, from a fixed stream."""
    rng = np.random.default_rng(0)
    return rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=resamples).astype(float)
