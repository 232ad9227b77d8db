"""The deterministic equivalent against mpmath, another group's published curves, and simulated means."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from lidjax.generalization import deterministic_lgen, sample_lgen
from lidjax.generalization.deterministic import effective_ridge
from lidjax.model import power_law_spectrum, power_law_teacher

DIM = 20
RIDGES = (0.0, 1e-30, 1e-12, 1e-6, 1e-3, 1.0, 1e4)
SIZES = (1.0, 3.0, 9.99, 10.0, 19.0, 19.999, 20.0, 20.0001, 21.0, 40.0, 1e4, 1e15)


def reference(n, eigenvalues, theta, noise, ridge):
    """(κ, L_gen) with 60 digits, by bisection of the defining equation as it stands."""
    with mpmath.workdps(60):
        modes = [mpmath.mpf(float(v)) for v in eigenvalues]
        n, ridge = mpmath.mpf(n), mpmath.mpf(ridge)

        def excess(log_kappa):
            kappa = mpmath.exp(log_kappa)
            return kappa * (1 - sum(v / (v + kappa) for v in modes) / n) - ridge

        low = mpmath.log(max(ridge, min(modes) * max(1 - n / len(modes), mpmath.mpf(0)))) - 1
        high = mpmath.log(ridge + sum(modes) / n) + 1
        for _ in range(150):
            middle = (low + high) / 2
            low, high = (middle, high) if excess(middle) < 0 else (low, middle)
        kappa = mpmath.exp(low)
        df2 = sum((v / (v + kappa)) ** 2 for v in modes)
        bias = sum(v * (kappa * float(t) / (v + kappa)) ** 2 for v, t in zip(modes, theta, strict=True))
        return kappa, (bias + noise * df2 / n) / (1 - df2 / n)


@pytest.mark.parametrize("ridge", RIDGES)
@pytest.mark.parametrize("alpha", [0.5, 3.0])
def test_kappa_and_value_against_mpmath(alpha, ridge):
    """Worst relative error seen: 7e-15 in κ, 2e-14 in L_gen."""
    eigenvalues, theta = power_law_spectrum(DIM, alpha), power_law_teacher(DIM, 0.3)
    for n in SIZES:
        if ridge == 0 and n >= DIM:
            continue
        kappa, lgen = reference(n, eigenvalues, theta, 0.1, ridge)
        assert float(effective_ridge(n, eigenvalues, jnp.ones(DIM), ridge)) == pytest.approx(
            float(kappa), rel=1e-12
        )
        value = deterministic_lgen(n, eigenvalues=eigenvalues, theta=theta, noise_variance=0.1, ridge=ridge)
        assert float(value) == pytest.approx(float(lgen), rel=1e-12)


def test_ridgeless_limits():
    eigenvalues, theta = power_law_spectrum(DIM, 0.5), power_law_teacher(DIM)

    def value(n, ridge, noise=0.1):
        return float(
            deterministic_lgen(n, eigenvalues=eigenvalues, theta=theta, noise_variance=noise, ridge=ridge)
        )

    assert value(50, 0) == pytest.approx(0.1 * DIM / 30, rel=1e-14)  # OLS
    assert value(50, 1e-14) == pytest.approx(value(50, 0), rel=1e-9)
    assert value(10, 1e-14) == pytest.approx(value(10, 0), rel=1e-9)
    assert value(DIM, 0) == np.inf
    assert value(DIM, 0, noise=0.0) == 0
    peak = [value(DIM, ridge) for ridge in (1e-4, 1e-8, 1e-12)]
    assert peak[2] / peak[1] == pytest.approx(100, rel=1e-2)  # ~ ρ^(-1/2) at the peak
    assert peak[1] / peak[0] > 30


@pytest.mark.parametrize(("n", "ridge"), [(7.0, 0.0), (7.0, 1e-3), (20.0, 1e-3), (30.0, 0.0), (30.0, 1e-6)])
def test_derivatives_against_central_differences(n, ridge):
    """Gradient in every argument, and one second derivative, to the accuracy of differences of 60-digit values."""
    eigenvalues, theta = power_law_spectrum(DIM, 0.5), power_law_teacher(DIM, 0.3)

    def value(n, ridge, noise, eigenvalues, theta):
        return deterministic_lgen(n, eigenvalues=eigenvalues, theta=theta, noise_variance=noise, ridge=ridge)

    gradient = jax.grad(value, argnums=(0, 1, 2, 3, 4))(n, ridge, 0.1, eigenvalues, theta)
    second = jax.hessian(value)(n, ridge, 0.1, eigenvalues, theta)

    def exact(n, ridge, noise, v3, t3):
        values, teacher = np.array(eigenvalues, object), np.array(theta)
        values[3], teacher[3] = v3, t3
        return reference(n, values, teacher, noise, ridge)[1]

    point = [n, ridge, 0.1, float(eigenvalues[3]), float(theta[3])]
    actual = [gradient[0], gradient[1], gradient[2], gradient[3][3], gradient[4][3]]
    for i, slope in enumerate(actual):
        step = 1e-6 * point[i] or 1e-7
        if i == 1 and ridge == 0 and n >= DIM:
            continue  # the reference takes logarithms of κ, and κ = 0 here
        up, down = list(point), list(point)
        up[i] += step
        down[i] = max(down[i] - step, 0.0)
        difference = (exact(*up) - exact(*down)) / (mpmath.mpf(up[i]) - mpmath.mpf(down[i]))
        assert float(slope) == pytest.approx(float(difference), rel=2e-4)
    if ridge > 0:
        h = 1e-4
        difference = exact(n * (1 + h), *point[1:]) - 2 * exact(*point) + exact(n * (1 - h), *point[1:])
        assert float(second) == pytest.approx(float(difference / (h * n) ** 2), rel=1e-4)


def test_broadcasting_and_dtype():
    eigenvalues = jnp.stack([power_law_spectrum(DIM, 0.5), power_law_spectrum(DIM, 2.0)])[:, None, None]
    theta = power_law_teacher(DIM)
    sizes, ridges = jnp.asarray([5, 20, 1000])[:, None], jnp.asarray([1e-6, 1e-2])
    values = deterministic_lgen(sizes, eigenvalues=eigenvalues, theta=theta, noise_variance=0.1, ridge=ridges)
    assert values.shape == (2, 3, 2)
    one = deterministic_lgen(
        1000, eigenvalues=eigenvalues[1, 0, 0], theta=theta, noise_variance=0.1, ridge=1e-2
    )
    assert float(values[1, 2, 1]) == pytest.approx(float(one), rel=1e-14)
    single = deterministic_lgen(
        10**15,
        eigenvalues=eigenvalues[0, 0, 0].astype(jnp.float32),
        theta=theta,
        noise_variance=0.1,
        ridge=1e-3,
    )
    assert single.dtype == jnp.float32
    double = deterministic_lgen(
        10**15, eigenvalues=eigenvalues[0, 0, 0], theta=theta, noise_variance=0.1, ridge=1e-3
    )
    assert float(single) == pytest.approx(float(double), rel=1e-5)


def test_multiplicity_is_repetition():
    eigenvalues, theta = jnp.asarray([1.0, 0.2, 0.05]), jnp.asarray([0.5, 0.3, 0.1])
    counts = np.array([1, 4, 9])
    for n in (3.0, 12.0, 14.0, 50.0):
        folded = deterministic_lgen(
            n,
            eigenvalues=eigenvalues,
            theta=theta,
            noise_variance=0.1,
            ridge=1e-4,
            multiplicity=jnp.asarray(counts, float),
        )
        spread = deterministic_lgen(
            n,
            eigenvalues=jnp.repeat(eigenvalues, counts),
            theta=jnp.repeat(theta, counts),
            noise_variance=0.1,
            ridge=1e-4,
        )
        assert float(folded) == pytest.approx(float(spread), rel=1e-13)


@pytest.mark.parametrize(
    "n", [60, 200, *(pytest.param(n, marks=pytest.mark.slow) for n in (20, 90, 110, 800))]
)
def test_against_simulated_means(n):
    """d = 100, ridge 1e-3, β = 6: within 3 %, plus 4 standard errors of 1000 draws (false alarm 6e-5 a case)."""
    eigenvalues, theta = power_law_spectrum(100, 0.5), power_law_teacher(100)
    draws = sample_lgen(
        jax.random.key(n),
        n,
        eigenvalues=eigenvalues,
        theta=theta,
        beta=6.0,
        sigma_eta=0.3,
        ridge=1e-3,
        num_samples=1000,
    )
    expected = deterministic_lgen(
        n, eigenvalues=eigenvalues, theta=theta, noise_variance=0.3**2 / 2, ridge=1e-3
    )
    error = float(draws.std()) / np.sqrt(1000)
    assert abs(float(draws.mean()) - float(expected)) < 0.03 * float(expected) + 4 * error


@pytest.fixture(scope="module")
def published(real_data):
    path = real_data / "kernelgen" / "kernelgen_powerlaw_dim20.npz"
    if not path.is_file():
        pytest.skip(f"published learning curves are not at {path}")
    with np.load(path) as archive:
        return dict(archive)


def curves(published):
    """Our theory on their problem: modes λ with degeneracies, target power λ² a mode, four noise levels a curve."""
    some = published["degens"] * published["spectrum"] > 0
    eigenvalues = jnp.asarray(published["spectrum"][some])
    return np.asarray(
        deterministic_lgen(
            jnp.asarray(published["P"])[None, :, None],
            eigenvalues=eigenvalues,
            theta=jnp.sqrt(eigenvalues),
            noise_variance=jnp.asarray(published["noise_var"])[:, None, :],
            ridge=float(published["lamb"]),
            multiplicity=jnp.asarray(published["degens"][some]),
        )
    )


def test_published_theory(published):
    """Canatar, Bordelon and Pehlevan (2021), dimension 20, ridgeless; their own solver is good to 1.3e-7."""
    np.testing.assert_allclose(curves(published), published["GenErr_theory"], rtol=1e-6)


def test_published_experiments(published):
    """704 means over 30 runs: each within one standard deviation of a run (5.5 standard errors), and the standardised
    errors have the size that chance gives."""
    measured = published["GenErr_exp_std"] > 0
    error = (published["GenErr_exp_mean"] - curves(published))[measured]
    spread = published["GenErr_exp_std"][measured]
    assert measured.sum() == 704
    assert np.all(np.abs(error) < spread)
    root_mean_square = np.sqrt(np.mean((error / spread) ** 2) * int(published["num_repeat"]))
    assert 0.8 < root_mean_square < 1.6
