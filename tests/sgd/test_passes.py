"""Training on a fixed training set: against closed forms in NumPy, and the two ways of training against each other."""

import jax
import numpy as np
import pytest

from lidjax import power_law_spectrum, power_law_teacher, sample_training_set, sgd_against_ridge
from lidjax.errors import InputError

DIM, N, RATE = 4, 24, 0.1
MODEL = {"eigenvalues": power_law_spectrum(DIM, 1.0), "theta": power_law_teacher(DIM)}
LAW = MODEL | {"beta": 6.0, "sigma_eta": 0.3}
PASSES = [1, 5, 40]


def test_gradient_descent_and_ridge_are_their_closed_forms():
    """One step a pass (B = N): SGD is gradient descent, which shrinks each eigenvector of the sample covariance."""
    key = jax.random.key(2)
    found = sgd_against_ridge(key, PASSES, n=N, **LAW, learning_rate=RATE, batch=N)
    data = sample_training_set(jax.random.split(key)[0], N, **LAW)
    x, y, lam, theta = (np.asarray(a) for a in (data.x, data.y, MODEL["eigenvalues"], MODEL["theta"]))
    s, q = np.linalg.eigh(x.T @ x / N)
    target = q.T @ (x.T @ y) / N
    for i, t in enumerate(PASSES):
        np.testing.assert_allclose(found.penalty[i], 1 / (RATE * t), rtol=1e-12)
        for name, weights in (
            ("gradient_descent", q @ ((1 - (1 - RATE * s) ** t) / s * target)),
            ("ridge", q @ (target / (s + 1 / (RATE * t)))),
        ):
            np.testing.assert_allclose(
                getattr(found, name)[i], np.sum(lam * (weights - theta) ** 2), rtol=1e-9
            )
    np.testing.assert_allclose(found.multi_pass, found.gradient_descent, rtol=1e-9)


def test_small_steps_in_any_order_come_to_gradient_descent():
    def distance(rate, passes, batch=4):
        found = sgd_against_ridge(jax.random.key(2), [passes], n=N, **LAW, learning_rate=rate, batch=batch)
        return float(abs(found.multi_pass / found.gradient_descent - 1)[0])

    assert distance(1e-4, 1000) < 1e-3
    assert distance(0.1, 1) > 1e-3  # negative control: large steps do not


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"batch": 5}, "batch = 5: must divide n = 24"),
        ({"batch": 0}, "batch = 0: must be at least 1"),
        ({"passes": [0, 1]}, r"passes = \[0, 1\]: must be a list of ascending whole numbers from 1"),
        ({"learning_rate": 0.0}, "learning_rate = 0: must be greater than 0"),
    ],
)
def test_bad_arguments_are_named(change, words):
    with pytest.raises(InputError, match=words):
        sgd_against_ridge(
            jax.random.key(0),
            **({"passes": PASSES, "n": N, "learning_rate": RATE, "batch": 4} | LAW | change),
        )
