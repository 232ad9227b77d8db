"""β_eff(N) and P̃(N) of the exact losses, for the paper's rules (Eq. 22)."""

import math

import numpy as np

from lidjax.allocation.losses import Losses, Model
from lidjax.allocation.rules import WindowLaws


def window_laws(losses: Losses, model: Model, max_n: int, window: tuple[float, float]) -> WindowLaws:
    """β_eff(N) and P̃(N) of the exact L_inf: the line through its values at both ends of the window.

    L_gen is Eq. 10 for N ≫ d: γ = 1, P_N = σ² E[1/τ] d. β and P̃ of a well-trained model are those at L_gen = 0.
    """
    away = np.geomspace(0.25, max(losses.dim / 2, 1), 16)
    near = np.log(np.concatenate([losses.dim + away, losses.dim - away[away < losses.dim - 1]]))
    log_n = np.concatenate(
        [np.linspace(0, math.log(max(max_n, 2)), 96), near[near < math.log(max(max_n, 2))]]
    )
    log_n = np.unique(log_n)
    log_k = np.log(np.array(window))
    low, high = (losses.values(log_n, x, model).log_failure for x in log_k)
    beta_eff = (low - high) / (log_k[1] - log_k[0])
    free = losses.without_bias(log_k, model)
    beta = float(free[0] - free[1]) / (log_k[1] - log_k[0])
    return WindowLaws(
        log_n,
        beta_eff,
        low + beta_eff * log_k[0],
        gamma=1.0,
        log_p_n=math.log(model.noise_variance * losses.dim),
        beta=beta,
        log_prefactor=float(free[0]) + beta * log_k[0],
    )
