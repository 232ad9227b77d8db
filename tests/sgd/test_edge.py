"""The stability edge and the noise floor of SGD: against the spectral radius and the fixed point of the whole map."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lidjax import power_law_spectrum, power_law_teacher, sgd_noise_floor, sgd_stability_edge
from lidjax.errors import InputError
from lidjax.sgd.moments import Training, step_matrix

DIM = 6
SPECTRUM = power_law_spectrum(DIM, 0.5)


def whole_map(rate, batch, momentum):
    """The map of (m, c, q), without its constant part, and that part, for unit noise."""
    one = jnp.ones(())
    training = Training(
        SPECTRUM, power_law_teacher(DIM), one, rate * one, batch * one, momentum * one, 0 * one, one
    )
    step = np.eye(3 * DIM + 1) - np.asarray(step_matrix(training, with_momentum=True))
    return step[:-1, :-1], step[:-1, -1]


@pytest.mark.parametrize("batch", [1.0, 4.0, 1e6])
@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.95])
def test_the_spectral_radius_is_one_at_the_edge(batch, momentum):
    edge = float(sgd_stability_edge(eigenvalues=SPECTRUM, batch=batch, momentum=momentum))
    for factor, stable in ((0.3, True), (0.999, True), (1.001, False), (1.5, False)):
        radius = np.abs(np.linalg.eigvals(whole_map(factor * edge, batch, momentum)[0])).max()
        assert (radius < 1) == stable, (factor, radius)


@pytest.mark.parametrize("momentum", [0.0, 0.8])
def test_the_floor_is_the_fixed_point(momentum):
    step, constant = whole_map(0.05, 2.0, momentum)
    moments = np.linalg.solve(np.eye(3 * DIM) - step, constant)
    law = {"eigenvalues": SPECTRUM, "learning_rate": 0.05, "batch": 2, "momentum": momentum}
    floor = sgd_noise_floor(noise_variance=1.0, **law)
    np.testing.assert_allclose(floor, moments[:DIM] @ np.asarray(SPECTRUM), rtol=1e-12)
    wrong = sgd_noise_floor(noise_variance=1.0, **(law | {"batch": 3}))  # negative control
    assert abs(wrong / floor - 1) > 0.2


def test_limits_of_the_edge_and_the_floor():
    np.testing.assert_allclose(sgd_stability_edge(eigenvalues=SPECTRUM, batch=1e15), 2.0, rtol=1e-12)
    # gradient descent with momentum: 2 (1 + μ)/λ_max
    with_momentum = sgd_stability_edge(eigenvalues=SPECTRUM, batch=1e15, momentum=0.5)
    np.testing.assert_allclose(with_momentum, 3.0, rtol=1e-12)
    assert np.isposinf(sgd_stability_edge(eigenvalues=np.zeros(3), batch=1))
    law = {"eigenvalues": SPECTRUM, "batch": 1}
    assert np.isposinf(sgd_noise_floor(noise_variance=0.0, learning_rate=2.0, **law))
    assert sgd_noise_floor(noise_variance=0.0, learning_rate=0.1, **law) == 0
    assert np.isposinf(sgd_noise_floor(noise_variance=np.inf, learning_rate=0.1, **law))
    assert np.isnan(jax.jit(lambda b: sgd_stability_edge(eigenvalues=SPECTRUM, batch=b))(0.0))
    assert sgd_noise_floor(noise_variance=np.array([1.0, 2.0]), learning_rate=0.1, **law).shape == (2,)


def test_bad_arguments_are_named():
    with pytest.raises(InputError, match="learning_rate = -1"):
        sgd_noise_floor(eigenvalues=SPECTRUM, noise_variance=1.0, learning_rate=-1, batch=1)
    with pytest.raises(InputError, match="batch = 0"):
        sgd_stability_edge(eigenvalues=SPECTRUM, batch=0)
