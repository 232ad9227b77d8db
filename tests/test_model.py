"""The LID model: spectrum, teacher, and what a training set is made of."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from lidjax.model import power_law_spectrum, power_law_teacher, sample_features, sample_training_set

EIGENVALUES = power_law_spectrum(6, 0.5)
THETA = power_law_teacher(6, 1.0)


def draw(seed, n=20_000, **changes):
    arguments = {"eigenvalues": EIGENVALUES, "theta": THETA, "beta": 5.0, "sigma_eta": 0.3} | changes
    return sample_training_set(jax.random.key(seed), n, **arguments)


def test_spectrum_is_the_stated_power():
    np.testing.assert_allclose(power_law_spectrum(4, 0.5), [1, 2**-1.5, 3**-1.5, 4**-1.5], rtol=1e-15)
    np.testing.assert_allclose(power_law_spectrum(3, 1), [1, 1 / 4, 1 / 9], rtol=1e-15)
    np.testing.assert_array_equal(
        jax.jit(lambda a: power_law_spectrum(5, a))(0.7), power_law_spectrum(5, 0.7)
    )


@pytest.mark.parametrize("decay", [0.0, 1.5])
def test_teacher_has_unit_norm_and_the_stated_decay(decay):
    theta = np.asarray(power_law_teacher(50, decay))
    assert np.linalg.norm(theta) == pytest.approx(1, rel=1e-14)
    np.testing.assert_allclose(theta[7] / theta[0], 8 ** (-decay / 2), rtol=1e-13)


@pytest.mark.parametrize("make", [power_law_spectrum, power_law_teacher])
def test_dtype_follows_the_exponent_and_no_dimension_is_refused(make):
    assert make(3, jnp.float32(0.5)).dtype == jnp.float32
    assert make(3, 1).dtype == jnp.float64
    with pytest.raises(ValueError, match="dim = 0: must be at least 1"):
        make(0, 0.5)


def test_features_have_the_covariance_of_the_spectrum():
    n = 20_000
    x = np.asarray(sample_features(jax.random.key(0), n, EIGENVALUES))
    white = x / np.sqrt(np.asarray(EIGENVALUES))
    error = (white.T @ white / n - np.eye(6)) * np.sqrt(n / (1 + np.eye(6)))  # a z-score for each entry
    assert np.abs(error).max() < 4.8  # 21 entries: false alarm 3e-5
    assert stats.kstest(white.ravel(), "norm").pvalue > 1e-4  # false alarm 1e-4
    assert stats.kstest(x.ravel(), "norm").pvalue < 1e-6  # control: the spectrum is there


def test_labels_are_the_teacher_plus_noise_of_the_right_law():
    x, y = map(np.asarray, draw(1))
    noise = y - x @ np.asarray(THETA)
    law = stats.t(5, scale=0.3 * np.sqrt(2 / 5))
    assert stats.kstest(noise, law.cdf).pvalue > 1e-4
    assert stats.kstest(y, law.cdf).pvalue < 1e-6  # control: the signal is there
    # independent of the features: under independence √n times a rank correlation is standard normal
    scores = [
        np.sqrt(len(y)) * stats.spearmanr(noise**p, x[:, j] ** p).statistic for j in range(6) for p in (1, 2)
    ]
    assert np.abs(scores).max() < 4.8  # 12 comparisons: false alarm 2e-5


def test_bounded_prior_reaches_the_labels():
    x, y = map(np.asarray, draw(2, difficulty="power"))
    noise = y - x @ np.asarray(THETA)
    variance = 0.3**2 * 5 / (5 - 2)
    z = (np.mean(noise**2) - variance) / (np.std(noise**2) / np.sqrt(len(noise)))
    assert abs(z) < 4.5  # β = 5: E[η⁴] exists, barely, so z is only roughly normal
    assert stats.kstest(noise, stats.t(5, scale=0.3 * np.sqrt(2 / 5)).cdf).pvalue < 1e-6


def test_same_key_same_data_and_the_features_do_not_depend_on_the_noise():
    first, again, louder = draw(3, 50), draw(3, 50), draw(3, 50, sigma_eta=3.0)
    np.testing.assert_array_equal(first.y, again.y)
    np.testing.assert_array_equal(first.x, louder.x)
    np.testing.assert_allclose(louder.y - louder.x @ THETA, 10 * (first.y - first.x @ THETA), rtol=1e-9)


def test_float32_stays_float32():
    data = draw(4, 10, eigenvalues=EIGENVALUES.astype(jnp.float32), theta=THETA.astype(jnp.float32))
    assert data.x.dtype == data.y.dtype == jnp.float32
