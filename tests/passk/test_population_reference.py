"""L_inf(k) against values converged over three grid refinements of another quadrature (σ = 1, gamma prior)."""

import numpy as np
import pytest

from lidjax.passk import pass_at_k_failure

CONVERGED = [  # k, v, β, δ, L_inf(k)
    (1.0, 0.1, 2.5, 0.5, 6.4490937478771e-01),
    (1e2, 0.1, 2.5, 0.5, 2.7886228614521e-04),
    (1e6, 0.1, 2.5, 0.5, 3.2517888115347e-13),
    (1e12, 0.1, 2.5, 0.5, 2.2300707513192e-18),
    (1e6, 3.0, 2.5, 0.5, 1.4356096174773e-02),
    (1e8, 0.02, 4.0, 0.05, 1.53590513890e-24),
]


@pytest.mark.parametrize("sigma", [1.0, 1e-3])
def test_converged_values(sigma):
    k, v, beta, delta, expected = np.array(CONVERGED).T
    failure = pass_at_k_failure(k, v * sigma**2, beta=beta, delta=delta * sigma, sigma_eta=sigma)
    np.testing.assert_allclose(failure, expected, rtol=2e-11)


def test_the_logarithm_is_that_of_the_value():
    k, v, beta, delta, expected = np.array(CONVERGED).T
    log_failure = pass_at_k_failure(k, v, beta=beta, delta=delta, sigma_eta=1.0, log=True)
    np.testing.assert_allclose(log_failure, np.log(expected), rtol=1e-11)


def test_another_bias_gives_another_value():
    """Negative control: 1 % of v moves L_inf(1e12) by far more than the tolerance above."""
    exact, moved = (
        pass_at_k_failure(1e12, v, beta=2.5, delta=0.5, sigma_eta=1.0).item() for v in (0.1, 0.101)
    )
    assert abs(moved / exact - 1) > 1e-3
