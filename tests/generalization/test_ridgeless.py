"""Ridgeless L_gen from three scalars: its distribution, and the error of leaving out a small ridge."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from lidjax.generalization import lgen_cell
from lidjax.generalization.ridgeless import ols_noise_gain, ridgeless_shift
from lidjax.model import power_law_spectrum, power_law_teacher

ALARM = 1e-3  # false-alarm rate of a test
DIM = 20
EIGENVALUES, THETA = power_law_spectrum(DIM, 0.5), power_law_teacher(DIM)


def test_scalar_gain_is_an_f_variable():
    """L_gen/‖η‖² has mean d/(N(N-d-1)); with ‖η‖² = χ²_N it would be d/(N-d+1) F_{d,N-d+1}, a known law."""
    n, size = 35.0, 200_000
    keys = jax.random.split(jax.random.key(0), size)
    gain = jax.vmap(lambda key: ols_noise_gain(key, jnp.asarray(n), DIM))(keys)
    norm = stats.chi2(n).rvs(size, random_state=1)
    scaled = np.asarray(gain) * norm * (n - DIM + 1) / DIM
    assert stats.kstest(scaled, stats.f(DIM, n - DIM + 1).cdf).pvalue > ALARM
    assert stats.kstest(scaled, stats.f(DIM, n - DIM).cdf).pvalue < 1e-6


def test_shift_of_the_mean_is_what_it_states():
    """Leaving out a small ridge: same key for ‖η‖² both ways is not possible, so the shift of the mean is measured on
    Bartlett cells with common random numbers. It is the stated one or less (to 5 %, of which the deterministic
    equivalent behind the statement is good at d = 20), and not far below."""
    n, sigma_eta, size = 60, 0.3, 2000
    keys = jax.random.split(jax.random.key(0), size)
    noise_variance = sigma_eta**2 / 2

    @jax.jit
    def mean(ridge):
        cell = functools.partial(
            lgen_cell, eigenvalues=EIGENVALUES, theta=THETA, beta=6.0, sigma_eta=sigma_eta
        )
        return jnp.mean(jax.vmap(lambda key: cell(key, n, ridge=ridge, method="bartlett"))(keys))

    for ridge in (1e-7, 1e-6, 1e-5):
        stated = ridgeless_shift(
            n,
            eigenvalues=np.asarray(EIGENVALUES),
            theta=np.asarray(THETA),
            noise_variance=noise_variance,
            ridge=ridge,
        )
        measured = abs(float(mean(ridge) / mean(0.0)) - 1)
        assert 0.3 * stated < measured < 1.05 * stated
