"""Runs of SGD: the law of a gradient against drawn rows, the mean of L_gen against the recursion, optax's own steps."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.stats import ks_2samp

from lidjax import mean_inverse_precision, power_law_spectrum, power_law_teacher, sgd_lgen, sgd_mean_lgen
from lidjax.errors import InputError
from lidjax.sgd.gradients import BLOCK, Batches, batch_gradient

DIM, RUNS = 12, 2000
MODEL = {"eigenvalues": power_law_spectrum(DIM, 1.0), "theta": power_law_teacher(DIM)}
TIMES = [1, 4, 30]


@partial(jax.jit, static_argnames=("method", "difficulty"))
def all_runs(keys, numbers, method, difficulty):
    def one(key):
        return sgd_lgen(key, TIMES, **MODEL, **numbers, difficulty=difficulty, method=method, largest_batch=8)

    return jax.vmap(one)(keys)


def runs(keys, *, law, method="law", difficulty="gamma"):
    """L_gen (runs, t)."""
    numbers = {"momentum": 0.0, "decay": 0.0, "decay_steps": 1.0} | law
    numbers = {name: jnp.asarray(value, float) for name, value in numbers.items()}
    return np.asarray(all_runs(keys, numbers, method, difficulty))


@pytest.mark.parametrize(("beta", "difficulty"), [(1.5, "gamma"), (2.5, "power"), (5.0, "gamma")])
def test_the_law_of_the_gradient_gives_the_runs_that_rows_give(beta, difficulty):
    """Kolmogorov-Smirnov at three times, three cases: p > 1e-4 each, false alarms under 1e-3. Keys are fixed."""
    law = {"beta": beta, "sigma_eta": 0.3, "learning_rate": 0.25, "batch": 3, "momentum": 0.4}
    first, second, third = (jax.random.split(jax.random.key(seed), RUNS) for seed in (1, 2, 3))
    by_law = runs(first, law=law, difficulty=difficulty)
    by_rows = runs(second, law=law, method="rows", difficulty=difficulty)
    wrong = runs(third, law=law | {"batch": 4}, method="rows", difficulty=difficulty)  # negative control
    assert min(ks_2samp(by_law[:, i], by_rows[:, i]).pvalue for i in range(len(TIMES))) > 1e-4
    assert min(ks_2samp(by_law[:, i], wrong[:, i]).pvalue for i in range(len(TIMES))) < 1e-6


@pytest.mark.parametrize(
    "change", [{}, {"momentum": 0.7, "learning_rate": 0.05}, {"decay": 0.6, "decay_steps": 5.0}]
)
def test_the_mean_is_the_recursion(change):
    """Three times, three cases, |z| < 4.1: false alarms under 9 x 4.2e-5 < 1e-3. β = 12, so that moments exist."""
    law = {"beta": 12.0, "sigma_eta": 0.5, "learning_rate": 0.25, "batch": 3} | change
    lgen = runs(jax.random.split(jax.random.key(7), RUNS), law=law)
    error = lgen.std(axis=0, ddof=1) / np.sqrt(RUNS)
    noise = float(law["sigma_eta"] ** 2 * mean_inverse_precision(law["beta"]))
    rest = {name: value for name, value in law.items() if name not in ("beta", "sigma_eta")}
    exact = np.asarray(sgd_mean_lgen(TIMES, **MODEL, **rest, noise_variance=noise))
    assert np.abs((lgen.mean(axis=0) - exact) / error).max() < 4.1
    wrong = np.asarray(sgd_mean_lgen(TIMES, **MODEL, **(rest | {"batch": 6}), noise_variance=noise))
    assert (
        np.abs((lgen.mean(axis=0) - wrong) / error).max() > 8
    )  # negative control: the factor of another batch


def test_steps_are_those_of_optax_on_the_rows_of_the_batches():
    """The loop written out, with plain optax and its automatic gradient of half the mean squared residual."""
    key, dim, batch = jax.random.key(3), DIM, 3
    batches = Batches(MODEL["eigenvalues"], jnp.asarray(2.5), jnp.asarray(0.3), jnp.asarray(3.0))
    optimiser = optax.sgd(0.1, momentum=0.5)
    weights = jnp.zeros(dim)
    state, found = optimiser.init(weights), []
    for step in range(TIMES[1]):
        own = jax.random.fold_in(key, step)
        gradient = batch_gradient(
            own, weights - MODEL["theta"], batches, rows=batch, difficulty="gamma", method="rows"
        )
        with jax.numpy_dtype_promotion("standard"):
            update, state = optimiser.update(gradient, state)
        weights = optax.apply_updates(weights, update)
        if step + 1 in TIMES:
            found.append(float(jnp.sum(MODEL["eigenvalues"] * (weights - MODEL["theta"]) ** 2)))
    law = {"beta": 2.5, "sigma_eta": 0.3, "learning_rate": 0.1, "batch": batch, "momentum": 0.5}
    np.testing.assert_allclose(sgd_lgen(key, TIMES[:2], **MODEL, **law, method="rows"), found, rtol=1e-10)


def test_the_gradient_of_rows_is_the_automatic_derivative():
    key, error = jax.random.key(5), jnp.linspace(-1, 1, DIM)
    batches = Batches(MODEL["eigenvalues"], jnp.asarray(2.5), jnp.asarray(0.3), jnp.asarray(3.0))
    found = batch_gradient(key, error, batches, rows=3, difficulty="gamma", method="rows")
    # the gradient is affine in the error, so differences between two errors need no noise: they are XᵀX/B
    other = batch_gradient(key, error + 1, batches, rows=3, difficulty="gamma", method="rows")
    block = jax.random.fold_in(jax.random.split(key)[1], 0)
    x = (
        jax.random.normal(jax.random.split(block)[0], (BLOCK, DIM))[:3]
        * jnp.sqrt(MODEL["eigenvalues"])[None, :]
    )
    half_mean_square = jax.grad(lambda shift: jnp.mean((x @ shift) ** 2) / 2)(jnp.ones(DIM))
    np.testing.assert_allclose(other - found, half_mean_square, rtol=1e-9)


@pytest.mark.parametrize("method", ["law", "rows"])
def test_a_batch_does_not_depend_on_how_many_rows_others_need(method):
    law = {"beta": 2.5, "sigma_eta": 0.3, "learning_rate": 0.1, "batch": 3, "method": method}
    one = sgd_lgen(jax.random.key(0), [5], **MODEL, **law)
    more = sgd_lgen(jax.random.key(0), [5], **MODEL, **law, largest_batch=40)
    np.testing.assert_allclose(one, more, rtol=1e-12)


def test_numbers_out_of_range_are_nan_where_they_are_traced():
    def lgen(rate, batch):
        law = {"beta": 2.5, "sigma_eta": 0.3, "learning_rate": rate, "batch": batch, "largest_batch": 4}
        return sgd_lgen(jax.random.key(0), [5], **MODEL, **law)[0]

    found = jax.jit(jax.vmap(lgen))(jnp.array([0.1, -0.1, 0.1]), jnp.array([2.0, 2.0, 5.0]))
    assert np.isfinite(found).tolist() == [True, False, False]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"learning_rate": 0.0}, "learning_rate = 0: must be greater than 0"),
        ({"batch": 0}, "batch = 0: must be at least 1"),
        ({"batch": 1.5}, r"batch = 1\.5: must be a whole number"),
        ({"largest_batch": 2}, "largest_batch = 2"),
        ({"steps": [5, 5]}, r"steps = \[5, 5\]: must be a list of ascending"),
        ({"steps": 5}, "steps = 5: must be a list"),
        ({"method": "fast"}, "method ="),
        ({"momentum": -0.1}, r"momentum = -0\.1"),
    ],
)
def test_bad_arguments_are_named(change, words):
    law = {"steps": [5], "beta": 2.5, "sigma_eta": 0.3, "learning_rate": 0.1, "batch": 3}
    with pytest.raises(InputError, match=words):
        sgd_lgen(jax.random.key(0), **(MODEL | law | change))
