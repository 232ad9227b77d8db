"""Curves that several tests of the fits share: one shape, so that one compiled program serves them all."""

import numpy as np

K = np.geomspace(10, 1e5, 25)
LOG_K = np.log(K)
NOISE = 0.03
ROWS = 240  # every batch below has so many curves
TWO_TAIL = np.array([2.0, 0.5, 3.0, 0.01])  # β, γ, c1, c2: both tails in the window
STRETCHED = np.array([2.0, 0.7, 3.0, 0.3])  # β, v, c1, c2


def two_tail(beta, gamma, c1, c2):
    return c1 * K**-beta + c2 * K**-gamma


def stretched_two_tail(beta, v, c1, c2):
    return c1 * K**-beta + c2 * np.exp(-2 * np.sqrt(LOG_K / v))


def power(beta=1.5, c=1.0):
    return c * K**-beta


def stretched(v=0.7, c=0.3):
    return c * np.exp(-2 * np.sqrt(LOG_K / v))


def noisy(law, seed, rows=ROWS, noise=NOISE):
    """`rows` curves with independent relative noise at every point, log-normal."""
    return law * np.exp(noise * np.random.default_rng(seed).normal(size=(rows, K.size)))


def padded(*curves):
    """The curves given, then copies of the last one up to `ROWS`."""
    curves = np.stack(curves)
    return np.concatenate([curves, np.repeat(curves[-1:], ROWS - len(curves), axis=0)])
