"""Slow twins of `allocate`: every split of a budget, from failure tables that share no code with its search."""

from fractions import Fraction
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.interpolate import CubicSpline

from lidjax import deterministic_lgen, mean_inverse_precision, power_law_spectrum, power_law_teacher
from lidjax.passk import build_curve, eval_curve

SPECTRA = ((6, 0.5), (30, 1.5), (100, 1.0))
MOST = 192  # attempts in a table of all of them
GRID = 512  # attempts in a table over many decades
BLOCK = 1024
WHOLE = 64  # attempts that are summed one by one


class Setting(NamedTuple):
    """One problem of `random_settings`; `spectrum` counts in SPECTRA."""

    spectrum: int
    budget: float
    cost_train: float
    cost_infer: float
    queries: int
    weight: float
    beta: float
    sigma_eta: float
    delta: float
    ridge: float
    width: float | None = None

    @property
    def modes(self):
        dim, alpha = SPECTRA[self.spectrum]
        return power_law_spectrum(dim, alpha), power_law_teacher(dim)


def random_settings(seed: int, count: int, size: str) -> list[Setting]:
    """Budgets for up to 3e4 instances and MOST attempts ("few"), 200 to 1e4 of both ("some"), 300 to 1e12 ("many")."""
    rng = np.random.default_rng(seed)
    out = []
    while len(out) < count:
        spectrum = int(rng.integers(len(SPECTRA)))
        cost_train, cost_infer = (float(f"{10 ** rng.uniform(-2, 2):.3g}") for _ in range(2))
        queries = int(rng.choice([1, 7, 1000]))
        if size == "few":
            n, k = 10 ** rng.uniform(0.1, 4.4), 10 ** rng.uniform(0.1, 2.2)
            budget = float(f"{cost_train * n + 0.02:.4g}")
            cost_infer = float(f"{budget / k / queries:.4g}")
        elif size == "some":
            budget = float(f"{cost_train * 10 ** rng.uniform(2.3, 4):.4g}")
            cost_infer = float(f"{budget * 10 ** rng.uniform(-4, -2.3) / queries:.4g}")
        else:
            budget = float(f"{cost_train * 10 ** rng.uniform(2.5, 12):.4g}")
            cost_infer = float(f"{budget * 10 ** rng.uniform(-12, -2.5) / queries:.4g}")
        sigma = 10 ** rng.uniform(-2, 0)
        setting = Setting(
            spectrum,
            budget,
            cost_train,
            cost_infer,
            queries,
            weight=10 ** rng.uniform(-2, 5),
            beta=rng.uniform(2.1, 6),
            sigma_eta=sigma,
            delta=sigma * 10 ** rng.uniform(-1.3, 0),
            ridge=float(rng.choice([1e-9, 1e-5, 1e-3])),
        )
        if budget >= cost_train + queries * cost_infer:
            out.append(setting)
    return out


@partial(jax.jit, static_argnames="nodes")
def tables(v, k, log_v_low, log_v_high, beta, window, nodes=1):
    """L_inf at every v (BLOCK,) and k, (BLOCK, len(k))."""
    curve = build_curve(
        log_v_low, log_v_high, k, beta=beta, delta_over_sigma=window, checks=0, bias_nodes=320 * nodes
    )
    return jax.vmap(eval_curve, (None, 0))(curve, v)


def lgens(setting: Setting, sizes: np.ndarray) -> np.ndarray:
    """L_gen at whole sizes, padded to blocks for one compiled shape."""
    eigenvalues, theta = setting.modes
    padded = np.pad(sizes.astype(float), (0, -len(sizes) % BLOCK), mode="edge")
    noise = setting.sigma_eta**2 * float(mean_inverse_precision(setting.beta))
    parts = [
        deterministic_lgen(
            jnp.asarray(block),
            eigenvalues=eigenvalues,
            theta=theta,
            noise_variance=noise,
            ridge=setting.ridge,
            width=setting.width,
        )
        for block in padded.reshape(-1, BLOCK)
    ]
    return np.concatenate(parts)[: len(sizes)]


def failures(setting: Setting, lgen: np.ndarray, k: np.ndarray) -> np.ndarray:
    """L_inf for all pairs."""
    v = lgen / setting.sigma_eta**2
    padded = np.pad(v, (0, -len(v) % BLOCK), mode="edge").reshape(-1, BLOCK)
    ends = jnp.log(v.min() * 0.99), jnp.log(v.max() * 1.01)
    window = setting.delta / setting.sigma_eta
    parts = [tables(jnp.asarray(b), jnp.asarray(k), *ends, setting.beta, window) for b in padded]
    return np.concatenate(parts)[: len(v)]


def all_whole_splits(setting: Setting):
    """The least L_tot over every whole (N, k) that the budget allows, and where."""
    total, train, infer = (Fraction(str(x)) for x in setting[1:4])
    infer *= setting.queries
    most = (total - infer) // train
    sizes = np.arange(1, int(most) + 1)
    attempts = np.array([(total - n * train) // infer for n in range(1, int(most) + 1)], int)
    assert attempts[0] <= MOST
    lgen = lgens(setting, sizes)
    k = np.arange(1, MOST + 1)
    loss = setting.weight * lgen[:, None] + failures(setting, lgen, k.astype(float))
    loss[k[None, :] > attempts[:, None]] = np.inf
    i, j = np.unravel_index(np.argmin(loss), loss.shape)
    return float(loss[i, j]), int(sizes[i]), int(k[j])


def along(setting: Setting, n: np.ndarray, k: np.ndarray) -> np.ndarray:
    """L_tot at pairs, from a table over GRID attempts and cubic splines in log k (1e-8 off at most)."""
    lgen = lgens(setting, n)
    grid = np.geomspace(1, max(k.max(), 2.0), GRID)
    out = []
    for i in range(0, len(n), BLOCK):
        part = slice(i, i + BLOCK)
        curves = CubicSpline(np.log(grid), np.log(failures(setting, lgen[part], grid)).T)
        log_k = np.log(k[part])
        piece = np.clip(np.searchsorted(curves.x, log_k, side="right") - 1, 0, GRID - 2)
        step = log_k - curves.x[piece]
        c = curves.c[:, piece, np.arange(len(step))]
        out.append(np.exp(((c[0] * step + c[1]) * step + c[2]) * step + c[3]))
    return setting.weight * lgen + np.concatenate(out)


def whole_line(setting: Setting):
    """The least L_tot over every whole N with all the attempts that are left, and where."""
    total, train, infer = (Fraction(str(x)) for x in setting[1:4])
    infer *= setting.queries
    n = np.arange(1, int((total - infer) // train) + 1)
    k = np.array([float((total - int(i) * train) // infer) for i in n])
    loss = along(setting, n, k)
    best = int(np.argmin(loss))
    return float(loss[best]), int(n[best]), int(k[best])


def summed_attempts(setting: Setting, n: np.ndarray, paid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(L_tot, k) where `paid` expected attempts are made at each N: A is the sum of L_inf over whole k up to WHOLE, and
    from there the integral of a cubic spline of k L_inf in log k (the midpoint rule of the sum, 1e-6 of its rest off).
    """
    lgen = lgens(setting, n)
    grid = np.concatenate([np.arange(1.0, WHOLE), np.geomspace(WHOLE, 1e18, 140)])
    failure = failures(setting, lgen, grid)
    sums = np.concatenate(
        [np.ones((len(n), 1)), 1 + np.cumsum(failure[:, : WHOLE - 1], axis=1)], axis=1
    )  # A(1..)
    last = slice(WHOLE - 4, None)
    dense = np.linspace(np.log(WHOLE), np.log(grid[-1]), 4000)
    integral = CubicSpline(np.log(grid[last]), failure[:, last] * grid[last], axis=1).antiderivative()
    start = integral(np.log(WHOLE - 0.5))[:, None]
    attempts = sums[:, -1:] + integral(np.log(np.exp(dense) - 0.5)) - start
    log_failure = CubicSpline(np.log(grid[last]), np.log(np.maximum(failure[:, last], 1e-300)), axis=1)(dense)
    fits = np.sum(sums <= paid[:, None] * (1 + 1e-9), axis=1)
    k, found = fits.astype(float), failure[np.arange(len(n)), np.minimum(fits, WHOLE - 1) - 1]
    for i in np.flatnonzero(fits == WHOLE):
        log_k = np.interp(paid[i], np.maximum.accumulate(attempts[i]), dense)
        k[i] = np.floor(np.exp(log_k)) if np.exp(log_k) < 1e9 else np.exp(log_k)
        found[i] = np.exp(np.interp(np.log(k[i]), dense, log_failure[i]))
    return setting.weight * lgen + found, k


def stopped_line(setting: Setting, most: int = 600):
    """The least L_tot over every whole N where attempts stop at the first success, and where; at most `most` of N."""
    total, train, infer = (Fraction(str(x)) for x in setting[1:4])
    infer *= setting.queries
    largest = int((total - infer) // train)
    n = (
        np.arange(1, largest + 1)
        if largest <= most
        else np.unique(np.geomspace(1, largest, most).astype(int))
    )
    paid = np.array([float((total - int(i) * train) / infer) for i in n])
    loss, k = summed_attempts(setting, n, paid)
    best = int(np.argmin(loss))
    return float(loss[best]), int(n[best]), float(k[best])


def fine_grid(setting: Setting, points: int = 2 * BLOCK):
    """The least L_tot over `points` real splits, uniform in the log of training over inference money."""
    total, train, infer = setting.budget, setting.cost_train, setting.cost_infer * setting.queries
    s = np.linspace(np.log(train / (total - train)), np.log((total - infer) / infer), points)
    n, k = total / train / (1 + np.exp(-s)), total / infer / (1 + np.exp(s))
    loss = along(setting, n, np.maximum(k, 1.0))
    best = int(np.argmin(loss))
    return float(loss[best]), float(n[best]), float(k[best])
