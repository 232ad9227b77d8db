"""Laws of judges against their losses: exponents, amplitudes, where a finite k is best, and the LID average."""

import math

import numpy as np
import pytest
from helpers.judges_twin import by_tolerances

import lidjax


def test_exponents_and_amplitudes_over_training_sizes():
    """Losses at k = 1e10 and 1e12 for L_gen = 1/N: min{2, s²/V}, with logarithms where s²/V < 2, and the amplitude."""
    v = 1 / np.array([0.25, 0.5, 1.0, 2.5, 5.0, 20.0])
    log_loss = np.asarray(lidjax.best_of_k_loss([1e10, 1e12], v, scale=1.0, log=True))
    slope = -np.diff(log_loss, axis=1)[:, 0] / math.log(100)
    law = np.asarray(lidjax.judged_exponent(v, scale=1.0))
    np.testing.assert_allclose(slope[v < 0.3], 2.0, rtol=1e-6)
    below = law < 2
    assert np.all(np.abs(slope[below] / law[below] - 1) < 0.25)
    assert np.all(np.diff(slope) > -1e-9)
    log_power = np.log(np.asarray(lidjax.judged_amplitude(v, scale=1.0))) - 2 * math.log(1e12)
    assert np.isnan(log_power[v >= 0.5]).all()
    np.testing.assert_allclose(log_loss[v < 0.3, 1], log_power[v < 0.3], rtol=0, atol=1e-6)
    assert abs(log_loss[-1, 1] - math.log(math.pi) + 2 * math.log(1e12)) > 1e-3  # without the factor of V


def test_the_amplitude_with_a_reward_error():
    """(loss - W) k² at k = 1000, to 5 % where the power is reached; its sign says whether a finite k is best."""
    k = 1e3
    v, w = np.array([(0.1, 0.05), (0.2, 0.1), (0.01, 0.24), (0.01, 0.26), (0.2, 0.2), (0.3, 0.0)]).T
    excess = (np.asarray(lidjax.best_of_k_loss([k, 1e6], v, scale=1.0, reward_variance=w))[:, 0] - w) * k**2
    law = np.asarray(lidjax.judged_amplitude(v, scale=1.0, reward_variance=w))
    turns = np.asarray(lidjax.judged_turns(v, scale=1.0, reward_variance=w))
    np.testing.assert_array_equal(turns, [False, False, False, True, True, False])
    np.testing.assert_array_equal(excess < 0, turns)
    np.testing.assert_array_equal(law < 0, turns)
    assert np.all(np.abs(excess / law - 1)[:2] < 0.05)


@pytest.mark.parametrize(
    ("difficulty", "beta", "v"),
    [("gamma", 2.5, 0.1), pytest.param("power", 4.0, 1.0, marks=pytest.mark.slow)],
)
def test_the_lid_loss_is_an_integral_of_the_failure_over_tolerances(difficulty, beta, v):
    k = np.array([1.0, 10.0, 1e6])
    found = np.asarray(lidjax.best_of_k_lid_loss(k, v, beta=beta, sigma_eta=1.0, difficulty=difficulty))
    mean = float(lidjax.mean_inverse_precision(beta, difficulty))
    assert abs(found[0] / (mean + v) - 1) < 1e-12
    twin = [by_tolerances(each, v, beta, difficulty) for each in k[1:]]
    np.testing.assert_allclose(found[1:], twin, rtol=1e-8)  # 1e-11 measured


@pytest.mark.slow
def test_exponents_of_the_lid_loss():
    """Bounded prior: min{2, σ²/V}. Gamma prior: 2 as long as log k < σ²/V, and then less than every power."""
    k = np.array([1e4, 1e6, 1e10, 1e12])

    def slopes(v, difficulty):
        log_loss = np.asarray(
            lidjax.best_of_k_lid_loss(k, v, beta=4.0, sigma_eta=1.0, difficulty=difficulty, log=True)
        )
        return -np.diff(log_loss)[[0, 2]] / math.log(100)

    early, late = slopes(0.1, "power")
    assert abs(early - 2) < 1e-3
    assert abs(late - 2) < 1e-6
    early, late = slopes(1.0, "power")
    assert 1 < late < early < 1.2  # 1, with logarithms
    early, late = slopes(0.03, "gamma")  # log 1e12 = 27.6 < 1/v = 33
    assert abs(early - 2) < 1e-2
    early, late = slopes(1.0, "gamma")
    assert late < early < 0.5  # 1/√(v log k) = 0.19 at k = 1e12, without prefactors
