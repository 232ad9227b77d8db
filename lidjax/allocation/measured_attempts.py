"""A(k) = Σ_{j<k} L_inf(j) along measured curves of L_inf, and its inverse, in O(log k).

Up to WHOLE attempts the sum is taken term by term. Beyond, between neighbouring points of a fine grid in log k, L_inf
is the power law through both, and its sum is the integral that ends half an attempt earlier.
"""

import numpy as np

WHOLE = 32
PER_UNIT = 12  # grid points per unit of log k beyond WHOLE


def attempt_grid(log_k_end: float) -> np.ndarray:
    """Increasing k from 1 to the last one: every whole k up to WHOLE, then PER_UNIT a unit of log k, (g,)."""
    last = float(np.exp(log_k_end))
    whole = np.arange(1.0, min(WHOLE, int(last * (1 + 1e-12))) + 1)
    if last <= whole[-1] * (1 + 1e-12):
        return whole
    span = np.log(last / whole[-1])
    beyond = whole[-1] * np.exp(span * np.arange(1, 2 + int(PER_UNIT * span)) / (1 + int(PER_UNIT * span)))
    return np.append(whole, beyond)


def attempts_on_grid(k: np.ndarray, log_failure: np.ndarray) -> np.ndarray:
    """A(k) at the grid (g,) for rows of log L_inf there, (m, g)."""
    failure, whole = np.exp(log_failure), int(np.sum(k <= WHOLE) if k[-1] > WHOLE else len(k))
    first = np.cumsum(failure[:, : whole - 1], axis=1)
    sums = np.concatenate([np.ones((len(failure), 1)), 1 + first], axis=1)  # A(1) to A(whole)
    if whole == len(k):
        return sums
    x = np.log(k - 0.5)
    # L_inf at j is the mean over (j - 1/2, j + 1/2), so in terms of x its power law is taken at k - 1/2
    log_half = _shifted(np.log(k), log_failure, x)
    step = np.diff(x[whole - 1 :])
    ends = log_half[:, whole - 1 :] + x[None, whole - 1 :]  # log of k L_inf
    rise = np.diff(ends, axis=1)
    growth = np.where(np.abs(rise) < 1e-8, 1 + rise / 2, np.expm1(rise) / np.where(rise == 0, 1.0, rise))
    parts = np.exp(ends[:, :-1]) * growth * step
    return np.concatenate([sums, sums[:, -1:] + np.cumsum(parts, axis=1)], axis=1)


def _shifted(x: np.ndarray, rows: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Rows over x, linearly interpolated at `at`; beyond the ends as at the ends."""
    piece = np.clip(np.searchsorted(x, at, side="right") - 1, 0, len(x) - 2)
    share = np.clip((at - x[piece]) / (x[piece + 1] - x[piece]), 0.0, 1.0)
    return rows[:, piece] * (1 - share) + rows[:, piece + 1] * share


def affordable(
    k: np.ndarray, attempts: np.ndarray, log_failure: np.ndarray, paid: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """log of the largest real k with A(k) ≤ `paid`, (m,), at most the last of the grid, and log L_inf there.

    Between two points A is linear in k^(1-p), with p the slope of L_inf there.
    """
    rows = np.arange(len(paid))
    piece = np.clip(np.sum(attempts <= paid[:, None], axis=1) - 1, 0, len(k) - 2)
    log_k = np.log(k)
    step = log_k[piece + 1] - log_k[piece]
    slope = (log_failure[rows, piece + 1] - log_failure[rows, piece]) / step  # -p
    low, high = attempts[rows, piece], attempts[rows, piece + 1]
    share = np.clip((paid - low) / np.where(high > low, high - low, 1.0), 0.0, 1.0)
    power = (1 + slope) * step
    flat = np.abs(power) < 1e-8
    bent = np.log1p(share * np.expm1(np.where(flat, 1.0, power))) / np.where(flat, 1.0, power)
    move = np.where(flat, share, bent) * step
    move = np.where(paid >= attempts[:, -1], log_k[-1] - log_k[piece], move)
    return log_k[piece] + move, log_failure[rows, piece] + slope * move
