"""Slow NumPy twin of the population integrals: plain quadrature in (log τ, B), nothing shared with the library."""

import numpy as np
from scipy.special import gammaln, log_ndtr

PRIORS = ("gamma", "power")
SETTINGS = [  # β, δ/σ, v
    (2.5, 0.5, 1.0),
    (2.5, 0.05, 0.1),
    (4.0, 0.2, 0.5),
    (10.0, 0.1, 0.1),
    (0.5, 0.1, 0.1),
]


def model(beta, window, difficulty="gamma"):
    """The model's arguments of a law in units where σ = 1, so that `window` is δ/σ."""
    return {"beta": beta, "delta": window, "sigma_eta": 1.0, "difficulty": difficulty}


def log_success(b, tau, window):
    """log s for bias b and window in units of σ: a difference of log Φ, or sinh(ah)/(ah) where that would cancel."""
    root = np.sqrt(tau)
    a, h = b * root, window * root
    with np.errstate(all="ignore"):
        upper, lower = log_ndtr(h - a), log_ndtr(-h - a)
        wide = upper + np.log(-np.expm1(lower - upper))
        x = np.minimum(a * h, 700)
        ratio = np.where(x < 1e-6, 1.0, np.sinh(x) / np.maximum(x, 1e-300))
        narrow = np.log(2 * h) - 0.5 * a**2 - 0.5 * np.log(2 * np.pi) + np.log(ratio)
    return np.where(h < 1e-3, narrow, wide)


def prior_nodes(beta, difficulty, count=1500):
    """Nodes in log τ and weights of the prior: trapezoid, graded towards the edge τ = 1 of the power prior."""
    depth = 60 + 240 / beta
    if difficulty == "gamma":
        u = np.linspace(-depth, np.log(800.0), count)
        return u, np.exp(beta / 2 * u - np.exp(u) - gammaln(beta / 2)) * (u[1] - u[0])
    x = np.linspace(-32, np.log(depth), count)
    u = -np.exp(x)
    return u, beta / 2 * np.exp(beta / 2 * u + x) * (x[1] - x[0])


def failure(k, v, beta, window, difficulty="gamma"):
    """L_inf(k) by the trapezoid rule over (log τ, B/√V); good to 1e-9 for k ≤ 1e12 (tested)."""
    u, weight = prior_nodes(beta, difficulty)
    z = np.linspace(0, 38, 800)
    z_weight = np.exp(-0.5 * z**2) * np.sqrt(2 / np.pi) * (z[1] - z[0])
    z_weight[0] /= 2
    log_s = log_success(z[None, :] * np.sqrt(v), np.exp(u)[:, None], window)
    miss = np.exp(k * np.log1p(-np.minimum(np.exp(log_s), 1 - 1e-16)))
    return weight @ miss @ z_weight


def threshold(log_s, tau, window):
    """The bias at which log_success is log_s, by bisection; 0 where even no bias does not reach s."""
    low, high = np.zeros_like(tau), window + (np.sqrt(2 * max(-log_s, 0)) + 1) / np.sqrt(tau)
    hopeless = log_success(low, tau, window) <= log_s
    for _ in range(80):
        middle = (low + high) / 2
        below = log_success(middle, tau, window) <= log_s
        high, low = np.where(below, middle, high), np.where(below, low, middle)
    return np.where(hopeless, 0, high)


def log_finite_n_cdf(log_s, v, beta, window, difficulty):
    """log of the part of P(S ≤ s) that needs a bias: E[2Q(b/√v); s reachable without bias]."""
    u, weight = prior_nodes(beta, difficulty, 4000)
    b = threshold(log_s, np.exp(u), window)
    part = (b > 0) & (weight > 0)
    terms = np.log(2 * weight[part]) + log_ndtr(-b[part] / np.sqrt(v))
    return terms.max() + np.log(np.sum(np.exp(terms - terms.max())))
