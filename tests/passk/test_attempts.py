"""Expected attempts up to the first success: against sums, simulation and mpmath, and where the limit exists."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import mpmath_attempts
from scipy.special import ndtr

from lidjax import expected_attempts, pass_at_k_failure
from lidjax.errors import InputError

REFERENCE = json.loads(Path(mpmath_attempts.__file__).with_name("reference_attempts.json").read_text())
MODEL = {"beta": 2.5, "delta": 0.5, "sigma_eta": 1.0}
SIZE = 24


def attempts(k, v, beta=2.5, delta=0.5, sigma_eta=1.0, difficulty="gamma", log=False):
    """`expected_attempts` of up to SIZE values, always in one compiled shape."""
    columns = np.broadcast_arrays(*(np.asarray(x, float) for x in (k, v, beta, delta, sigma_eta)))
    shape = columns[0].shape
    assert columns[0].size <= SIZE
    k, v, beta, delta, sigma = (np.resize(x.ravel(), SIZE) for x in columns)
    found = expected_attempts(k, v, beta=beta, delta=delta, sigma_eta=sigma, difficulty=difficulty, log=log)
    return np.asarray(found)[: int(np.prod(shape))].reshape(shape)


@pytest.mark.parametrize("difficulty", ["gamma", "power"])
def test_it_is_the_sum_of_the_failures(difficulty):
    """A(k) = Σ L_inf(j) over j < k; the largest error seen is 5e-15."""
    v = np.array([0.0, 1e-3, 0.8, 100.0])
    failure = pass_at_k_failure(np.arange(40)[:, None], v, **MODEL, difficulty=difficulty)
    k = np.array([1, 2, 3, 10, 40])
    sums = np.concatenate([np.zeros((1, 4)), np.cumsum(failure, axis=0)])[k]
    np.testing.assert_allclose(attempts(k[:, None], v, difficulty=difficulty), sums, rtol=1e-12)


@pytest.mark.parametrize("difficulty", ["gamma", "power"])
def test_against_mpmath(difficulty):
    cases = [case for case in mpmath_attempts.CASES if case[4] == difficulty]
    expected = [float(REFERENCE[repr(case)]) for case in cases]
    k, v, beta, delta = np.array([case[:4] for case in cases]).T
    np.testing.assert_allclose(attempts(k, v, beta, delta, difficulty=difficulty), expected, rtol=1e-9)


def test_against_simulated_attempts():
    """Geometric numbers of attempts of 2e6 instances, cut at k: within 4 standard errors (false alarm 6e-5 each), which
    are below 1e-3 of the mean. A tolerance δ that is 2 % smaller is told apart, so the test can fail."""
    rng = np.random.default_rng(3)
    size, v, sigma = 2_000_000, 0.3, 0.7
    root, bias = np.sqrt(rng.gamma(1.25, size=size)), rng.normal(0, np.sqrt(v), size)
    success = ndtr((0.5 - bias) * root) - ndtr((-0.5 - bias) * root)
    with np.errstate(divide="ignore"):
        made = np.ceil(np.log(1 - rng.random(size)) / np.log1p(-success))
    right, wrong = (attempts([3.0, 40.0], v * sigma**2, 2.5, d * sigma, sigma) for d in (0.5, 0.49))
    for i, k in enumerate((3, 40)):
        cut = np.minimum(made, k)
        error = cut.std() / np.sqrt(size)
        assert error < 1e-3 * right[i]
        assert abs(cut.mean() - right[i]) < 4 * error
        assert abs(cut.mean() - wrong[i]) > 4 * error


@pytest.mark.parametrize("difficulty", ["gamma", "power"])
def test_where_the_mean_of_1_over_s_exists(difficulty):
    """Where it does, A(k) gains from 1e18 to 1e24 a constant share less than from 1e12 to 1e18; elsewhere it is ∞."""
    cases = {
        "gamma": [(2.5, 0.0, True), (1.0, 0.0, False), (2.5, 1e-6, False), (2.5, 0.5, False)],
        "power": [(2.5, 0.5, True), (2.5, 1.0, True), (2.5, 1.01, False), (1.0, 0.5, False)],
    }[difficulty]
    beta, v, finite = (np.array(column) for column in zip(*cases, strict=True))
    k = np.array([1e12, 1e18, 1e24, np.inf])[:, None]
    first, middle, far, last = attempts(k, v, beta, difficulty=difficulty)
    np.testing.assert_array_equal(np.isfinite(last), finite)
    assert np.all(middle <= far * (1 + 1e-9))
    assert np.all(far <= last * (1 + 1e-9))
    settles = far - middle <= 0.95 * (middle - first) + 1e-9 * far
    assert np.all(settles[finite])
    assert not np.all(settles[~finite])


def test_the_limit_is_nowhere_near_for_the_gamma_prior_though_infinite():
    """At L_gen = σ²/100 a limit of 1e12 attempts costs what one of 1e3 does, to a per mille; yet E[1/S] = ∞."""
    few, many, last = attempts([1e3, 1e12, np.inf], 0.01)
    assert many / few - 1 < 1e-3
    assert np.isinf(last)


def test_derivatives():
    """Central differences of the fourth order, in every argument."""
    at = np.array([30.0, 0.4, 2.5, 0.5, 0.9])

    def value(x):
        return expected_attempts(x[0], x[1], beta=x[2], delta=x[3], sigma_eta=x[4], log=True)

    slope = jax.grad(value)(jnp.asarray(at))
    steps = np.array([-2, -1, 1, 2])
    points = at + 1e-3 * steps[None, :, None] * np.eye(5)[:, None, :] * at  # (argument, step, coordinate)
    near = attempts(*np.moveaxis(points, -1, 0), log=True)
    difference = (near @ np.array([1, -8, 8, -1])) / 12e-3 / at
    np.testing.assert_allclose(slope, difference, rtol=1e-7)


def test_float32():
    k, v = np.array([1, 10, 1e6, 1e20]), np.array([[0.0], [0.3], [20.0]])
    exact = attempts(k, v, log=True)
    with jax.enable_x64(False):
        single = attempts(k, v, log=True)
        assert single.dtype == np.float32
        too_large, endless = attempts([1e36, np.inf], 0.3, log=True)
    np.testing.assert_allclose(single, exact, rtol=2e-5, atol=2e-5)
    assert np.isnan(too_large)
    assert np.isinf(endless)


def test_bad_input_is_named():
    with pytest.raises(InputError, match=r"k = 0\.5: must be at least 1, or infinite"):
        expected_attempts(0.5, 0.1, **MODEL)
    with pytest.raises(InputError, match="delta = 0"):
        expected_attempts(2, 0.1, beta=2.5, delta=0.0, sigma_eta=1.0)
