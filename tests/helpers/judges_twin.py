"""The best-of-k loss of the LID model by another route: 2 ∫ δ L_inf(k; δ) dδ over tolerances δ."""

import numpy as np

import lidjax


def by_tolerances(k: float, v: float, beta: float, difficulty: str) -> float:
    """A trapezoid sum in log δ; both ends are powers, summed as geometric series. σ = 1."""
    log_delta, step = np.linspace(-np.log(k) - 18, 24, 256, retstep=True)
    delta = np.exp(log_delta)
    failure = lidjax.pass_at_k_failure(k, v, beta=beta, delta=delta, sigma_eta=1.0, difficulty=difficulty)
    values = 2 * delta**2 * np.asarray(failure)
    ends = values[0] / np.expm1(2 * step) + values[-1] / np.expm1((beta - 2) * step)
    return float(step * (values.sum() + ends))
