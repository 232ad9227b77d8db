"""SGD on random features: the mean of L_gen given the projection, against direct simulation."""

import jax
import numpy as np
import pytest

from lidjax import power_law_spectrum, power_law_teacher, sgd_mean_lgen, sgd_width_lgen
from lidjax.errors import InputError

DIM = 8
MODEL = {"eigenvalues": power_law_spectrum(DIM, 0.5), "theta": power_law_teacher(DIM)}
LAW = {"noise_variance": 0.05, "learning_rate": 0.15, "batch": 2}


@pytest.mark.parametrize("width", [3, 14])
def test_it_is_the_mean_of_simulated_runs(width):
    """Three times and two widths at |z| < 4.1: false alarms under 6 x 4.2e-5 < 1e-3, fixed seed."""
    key, times, runs = jax.random.key(4), [2, 20, 120], 10_000
    found = np.asarray(sgd_width_lgen(key, times, width=width, **MODEL, **LAW))
    lam, theta = (np.asarray(MODEL[name]) for name in ("eigenvalues", "theta"))
    projection = np.asarray(jax.random.normal(key, (DIM, width))) / np.sqrt(width)
    rng = np.random.default_rng(6)
    weights, simulated = np.zeros((runs, width)), []
    for t in range(1, max(times) + 1):
        x = rng.normal(size=(runs, 2, DIM)) * np.sqrt(lam)
        y = x @ theta + rng.normal(size=(runs, 2)) * LAW["noise_variance"] ** 0.5
        residual = np.einsum("rbp,rp->rb", x @ projection, weights) - y
        weights = weights - 0.15 * np.einsum("rbp,rb->rp", x @ projection, residual) / 2
        if t in times:
            simulated.append(((weights @ projection.T - theta) ** 2) @ lam)
    simulated = np.array(simulated)
    error = simulated.std(axis=1, ddof=1) / np.sqrt(runs)
    assert np.abs((simulated.mean(axis=1) - found) / error).max() < 4.1
    wrong = np.asarray(sgd_width_lgen(key, times, width=width, **MODEL, **(LAW | {"batch": 3})))
    assert np.abs((simulated.mean(axis=1) - wrong) / error).max() > 8  # negative control


def test_many_features_are_the_latent_ones():
    """With P = 10⁵, FFᵀ is the identity to 1 part in 300."""
    wide = sgd_width_lgen(jax.random.key(0), [10, 1000], width=100_000, **MODEL, **LAW)
    np.testing.assert_allclose(wide, sgd_mean_lgen([10, 1000], **MODEL, **LAW), rtol=0.02)


def test_bad_arguments_are_named():
    with pytest.raises(InputError, match="width = 0: must be at least 1"):
        sgd_width_lgen(jax.random.key(0), 5, width=0, **MODEL, **LAW)
    with pytest.raises(InputError, match="learning_rate = 0"):
        sgd_width_lgen(jax.random.key(0), 5, width=4, **MODEL, **(LAW | {"learning_rate": 0.0}))
