"""The mean of L_gen under SGD: against mpmath, plain simulation, finite differences and its own limits."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from lidjax import power_law_spectrum, power_law_teacher, sgd_mean_lgen, sgd_noise_floor
from lidjax.errors import InputError

DIM = 5
MODEL = {"eigenvalues": power_law_spectrum(DIM, 1.0), "theta": power_law_teacher(DIM, 0.5)}
PLAIN = {"noise_variance": 0.3, "learning_rate": 0.2, "batch": 2.0}
TIMES = [0, 1, 7, 1000, 123_456_789, 10**9]


def exact_mean(t, *, noise_variance, learning_rate, batch, momentum=0.0):
    """L after t steps by powers of the map of all (m, c, q), written out with 60 digits."""
    with mpmath.workdps(60):
        lam = [mpmath.mpf(float(x)) for x in MODEL["eigenvalues"]]
        eta, b, mu, noise = (mpmath.mpf(x) for x in (learning_rate, batch, momentum, noise_variance))
        size = 3 * DIM + 1
        step = mpmath.zeros(size)
        step[size - 1, size - 1] = 1
        for j, x in enumerate(lam):
            m, c, q = j, DIM + j, 2 * DIM + j
            new_q = [mpmath.mpf(0)] * size
            new_q[q], new_q[c], new_q[m] = mu**2, 2 * mu * eta * x, (eta * x) ** 2 * (1 + 1 / b)
            for i, other in enumerate(lam):
                new_q[i] += eta**2 * x * other / b
            new_q[-1] = eta**2 * x * noise / b
            ahead = [mpmath.mpf(0)] * size
            ahead[c], ahead[m] = mu, eta * x
            for i in range(size):
                step[q, i] = new_q[i]
                step[c, i] = ahead[i] - new_q[i]
                step[m, i] = new_q[i] - 2 * ahead[i] + (i == m)
        start = mpmath.zeros(size, 1)
        for j, x in enumerate(MODEL["theta"]):
            start[j] = mpmath.mpf(float(x)) ** 2
        start[size - 1] = 1
        end = step**t * start
        return float(sum(x * end[j] for j, x in enumerate(lam)))


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_powers_reach_a_thousand_million_steps_to_twelve_digits(momentum):
    law = PLAIN | {"momentum": momentum, "learning_rate": 0.03}
    found = sgd_mean_lgen(TIMES, **MODEL, **law, method="powers")
    np.testing.assert_allclose(found, [exact_mean(t, **law) for t in TIMES], rtol=1e-12)


def test_a_direction_in_which_training_has_hardly_begun_keeps_its_precision():
    """η = 1e-9: after 10⁹ steps L has fallen to about exp(-2) of itself in the first direction alone."""
    law = {"noise_variance": 1e-6, "learning_rate": 1e-9, "batch": 1.0}
    found = sgd_mean_lgen(10**9, **MODEL, **law)
    np.testing.assert_allclose(found, exact_mean(10**9, **law), rtol=1e-12)


@pytest.mark.parametrize("momentum", [0.0, 0.7])
def test_step_by_step_is_the_same(momentum):
    times = [0, 1, 2, 50, 200]
    both = [
        sgd_mean_lgen(times, **MODEL, **PLAIN, momentum=momentum, method=method)
        for method in ("steps", "powers")
    ]
    np.testing.assert_allclose(both[0], both[1], rtol=1e-12)
    np.testing.assert_allclose(
        both[0][0], float(jnp.sum(MODEL["eigenvalues"] * MODEL["theta"] ** 2)), rtol=1e-14
    )


def simulated(times, runs, *, noise_variance, learning_rate, batch, momentum, decay, decay_steps):
    """L of many runs with Gaussian labels' noise, by plain NumPy."""
    rng = np.random.default_rng(5)
    lam, theta = np.asarray(MODEL["eigenvalues"]), np.asarray(MODEL["theta"])
    error, velocity = np.tile(-theta, (runs, 1)), np.zeros((runs, DIM))
    found = []
    for t in range(max(times) + 1):
        if t in times:
            found.append(error**2 @ lam)
        x = rng.normal(size=(runs, int(batch), DIM)) * np.sqrt(lam)
        residual = (
            np.einsum("rbd,rd->rb", x, error) - rng.normal(size=(runs, int(batch))) * noise_variance**0.5
        )
        velocity = np.einsum("rbd,rb->rd", x, residual) / batch + momentum * velocity
        error = error - learning_rate * (1 + t / decay_steps) ** -decay * velocity
    return np.array(found)


@pytest.mark.parametrize(("momentum", "decay"), [(0.0, 0.0), (0.6, 0.5)])
def test_it_is_the_mean_of_simulated_runs(momentum, decay):
    """Five times at |z| < 4.2 in two cases: false alarms under 10 x 2.7e-5 < 1e-3, fixed seed."""
    times, runs = [1, 3, 10, 30, 100], 20_000
    law = PLAIN | {"momentum": momentum, "decay": decay, "decay_steps": 20.0}
    runs_of = simulated(times, runs, **law)
    error = runs_of.std(axis=1, ddof=1) / np.sqrt(runs)
    right = np.asarray(sgd_mean_lgen(times, **MODEL, **law))
    assert np.abs((runs_of.mean(axis=1) - right) / error).max() < 4.2
    # negative controls: a batch that is wrong by one instance, no decay or momentum where there is one
    wrong = np.asarray(sgd_mean_lgen(times, **MODEL, **(law | {"batch": 3.0})))
    assert np.abs((runs_of.mean(axis=1) - wrong) / error).max() > 10
    if momentum:
        for name in ("momentum", "decay"):
            wrong = np.asarray(sgd_mean_lgen(times, **MODEL, **(law | {name: 0.0})))
            assert np.abs((runs_of.mean(axis=1) - wrong) / error).max() > 10


@pytest.mark.parametrize("method", ["steps", "powers"])
def test_derivatives_in_the_learning_rate_are_finite_differences(method):
    law = {name: PLAIN[name] for name in ("noise_variance", "batch")}

    def lgen(rate):
        return jnp.sum(sgd_mean_lgen([3, 90], **MODEL, **law, learning_rate=rate, method=method))

    eta, h = 0.2, 1e-5
    difference = (lgen(eta + h) - lgen(eta - h)) / (2 * h)
    np.testing.assert_allclose(jax.grad(lgen)(eta), difference, rtol=1e-8)
    np.testing.assert_allclose(jax.jvp(lgen, (eta,), (1.0,))[1], difference, rtol=1e-8)


def test_shapes_broadcast_and_steps_come_last():
    rates = np.array([[0.01], [0.1]])
    found = sgd_mean_lgen(
        [1, 5, 9], **MODEL, noise_variance=np.array([0.1, 0.2, 0.3]), learning_rate=rates, batch=1
    )
    assert found.shape == (2, 3, 3)
    one = sgd_mean_lgen(5, **MODEL, noise_variance=0.2, learning_rate=0.1, batch=1)
    assert one.shape == ()
    np.testing.assert_allclose(found[1, 1, 1], one, rtol=1e-13)
    with_jit = jax.jit(lambda eta: sgd_mean_lgen(5, **MODEL, noise_variance=0.2, learning_rate=eta, batch=1))(
        0.1
    )
    np.testing.assert_allclose(with_jit, one, rtol=1e-13)


def test_another_value_does_not_compile_again():
    from lidjax.sgd.mean import _powers, _steps

    for method, program in (("steps", _steps), ("powers", _powers)):
        sgd_mean_lgen([1, 200], **MODEL, **PLAIN, method=method)
        before = program._cache_size()
        for change in (
            {"learning_rate": 0.17},
            {"batch": 7},
            {"noise_variance": 0.0},
            {"noise_variance": jnp.inf},
        ):
            sgd_mean_lgen([5, 130], **MODEL, **(PLAIN | change), method=method)
        assert program._cache_size() == before


def test_limits():
    law = {"learning_rate": 0.2, "batch": 1}
    noisy = sgd_mean_lgen([0, 1], **MODEL, **law, noise_variance=np.inf)
    assert np.isfinite(noisy[0])
    assert np.isposinf(noisy[1])
    late = sgd_mean_lgen(10**12, **MODEL, **law, noise_variance=0.3)
    floor = sgd_noise_floor(eigenvalues=MODEL["eigenvalues"], **law, noise_variance=0.3)
    np.testing.assert_allclose(late, floor, rtol=1e-12)
    assert np.isposinf(sgd_mean_lgen(10**9, **MODEL, learning_rate=1.5, batch=1, noise_variance=0.3))
    # full batch without noise: gradient descent, each direction by itself
    gd = sgd_mean_lgen(50, **MODEL, noise_variance=0.0, learning_rate=0.5, batch=1e15)
    lam, theta = (np.asarray(MODEL[name]) for name in ("eigenvalues", "theta"))
    np.testing.assert_allclose(gd, np.sum(lam * theta**2 * (1 - 0.5 * lam) ** 100), rtol=1e-10)
    with_nan = jax.jit(lambda eta: sgd_mean_lgen(5, **MODEL, noise_variance=0.2, learning_rate=eta, batch=1))(
        -0.1
    )
    assert np.isnan(with_nan)


def test_single_precision_is_right_or_says_that_it_is_not():
    model = {name: value.astype(jnp.float32) for name, value in MODEL.items()}
    law = {"noise_variance": 0.3, "learning_rate": 0.2, "batch": 2}
    found = sgd_mean_lgen([10, 10**9], **model, **law)
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, sgd_mean_lgen([10, 10**9], **MODEL, **law), rtol=1e-5)
    steps = sgd_mean_lgen([10, 100_000], **model, **law, method="steps")
    assert np.isfinite(steps[0])
    assert np.isnan(steps[1])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"learning_rate": 0.0}, "learning_rate = 0: must be greater than 0"),
        ({"batch": 0}, "batch = 0: must be at least 1"),
        ({"momentum": 1.0}, "momentum = 1: must be at least 0, below 1"),
        ({"steps": -1}, "steps = -1: must be a whole number"),
        ({"steps": [1.5]}, r"steps = 1\.5: must be a whole number"),
        ({"theta": np.ones(3)}, r"theta of shape \(3,\)"),
        ({"method": "fast"}, "method ="),
        ({"method": "powers", "decay": 0.5}, "leave decay out"),
    ],
)
def test_bad_arguments_are_named(change, words):
    with pytest.raises(InputError, match=words):
        sgd_mean_lgen(**({"steps": 10} | MODEL | PLAIN | change))
    with pytest.raises(InputError, match="steps is traced"):
        jax.jit(lambda t: sgd_mean_lgen(t, **MODEL, **PLAIN))(3)
