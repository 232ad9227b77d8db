"""The crossover k_c(N) against the integral, its leading order, and where there is none."""

import numpy as np
import pytest
from helpers.laws_twin import failure, model
from scipy.optimize import brentq

from lidjax.errors import InputError
from lidjax.laws import intrinsic_failure, log_crossover_k


@pytest.mark.parametrize(
    ("beta", "window", "v", "difficulty", "tolerance"),
    [
        (2.5, 0.05, 0.1, "gamma", 0.1),  # seen 0.06
        (4.0, 0.2, 0.5, "gamma", 0.1),  # seen 0.05
        (1.5, 0.3, 0.1, "gamma", 0.1),  # seen 0.02
        (2.5, 0.01, 0.5, "power", 0.4),  # seen 0.29
        (4.0, 0.2, 0.5, "power", 0.7),  # seen 0.53
    ],
)
def test_crossover_is_where_failure_is_twice_the_intrinsic_part(beta, window, v, difficulty, tolerance):
    law = float(log_crossover_k(v, **model(beta, window, difficulty)))

    def excess(log_k):
        intrinsic = intrinsic_failure(np.exp(log_k), beta, delta=window, sigma_eta=1.0, difficulty=difficulty)
        return np.log(failure(np.exp(log_k), v, beta, window, difficulty) / (2 * intrinsic))

    assert abs(brentq(excess, law - 1, law + 1, xtol=1e-3) - law) < tolerance


def test_crossover_where_there_is_none():
    assert log_crossover_k(0.2, **model(2.5, 0.1, "power")) == np.inf  # γ = 5 > β
    assert log_crossover_k(0.5, **model(2.5, 0.1, "power")) < np.inf  # γ = 2 < β


@pytest.mark.parametrize("window", [1e-9, 0.1, 1.0])
def test_crossover_tends_to_its_leading_order(window):
    v = np.array([1e-2, 1e-4, 1e-6])
    ratio = log_crossover_k(v, **model(2.5, window)) / log_crossover_k(v, **model(2.5, window), leading=True)
    assert np.all(np.diff(np.abs(ratio - 1)) < 0)
    assert abs(ratio[-1] - 1) < 2e-3


def test_leading_crossover_is_4_over_beta2_v_for_a_narrow_window_only():
    narrow, wide = log_crossover_k(0.1, **model(2.5, np.array([1e-9, 1.0])), leading=True)
    assert np.isclose(narrow, 4 / (2.5**2 * 0.1))
    assert wide > 3 * narrow
    with pytest.raises(InputError, match="leading=True"):
        log_crossover_k(0.1, **model(2.5, 0.1, "power"), leading=True)
