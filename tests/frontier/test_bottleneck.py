"""The max-bottleneck law, its compute optimum, and the fits of the pass@k side on these curves."""

import jax
import numpy as np
import pytest

from lidjax.errors import InputError
from lidjax.fitting import FitStatus, effective_exponent, fit_saturation, fit_two_tail
from lidjax.frontier import (
    balance_exponent,
    bottleneck_loss,
    capacity_loss,
    compute_optimum,
    coverage_loss,
    optimisation_loss,
)

KAPLAN = 1 / 0.73 - 1  # κ a b for N ∝ C^0.73


def test_the_smooth_law_tends_to_the_largest_loss():
    losses = np.array([0.3, 0.05]), np.array([0.1, 0.2]), np.array([0.01, 0.01])
    np.testing.assert_allclose(bottleneck_loss(*losses), [0.3, 0.2])
    np.testing.assert_allclose(bottleneck_loss(*losses, order=1), [0.41, 0.26])
    for order in (2.0, 60.0):
        twin = sum(x**order for x in losses) ** (1 / order)
        np.testing.assert_allclose(bottleneck_loss(*losses, order=order), twin, rtol=1e-12)
    with pytest.raises(InputError, match=r"order = 0\.5"):
        bottleneck_loss(*losses, order=0.5)


def optima(against, **given):
    """`compute_optimum` at one shape, so that one program serves every test."""
    arguments = {"kappa": 0.6, "rate_exponent": 1.3, "batch": 32.0, "order": np.inf, "scale": 1.0} | given
    shape = np.broadcast_shapes(*(np.shape(x) for x in arguments.values()))
    padded = {name: np.resize(np.broadcast_to(x, shape).astype(float), 16) for name, x in arguments.items()}
    best = compute_optimum(padded.pop("compute"), padded.pop("exponent"), against=against, **padded)
    return jax.tree.map(lambda x: np.asarray(x)[: np.prod(shape, dtype=int)].reshape(shape), best)


@pytest.mark.parametrize("against", ["data", "steps"])
def test_the_optimum_is_that_of_a_plain_search(against):
    a, compute, batch, orders = 1.4, 1e14, 32.0, np.array([1.0, 4.0, np.inf])
    best = optima(against, exponent=a, compute=compute, order=orders)
    for i, order in enumerate(orders):
        low, high = 1.0, 26.0
        for _ in range(6):  # each pass a hundred times finer, to where the minimum is flat to rounding
            log_n = np.linspace(low, high, 401)
            n = np.exp(log_n)
            first, other = capacity_loss(n, a, kappa=0.6), compute / 6 / n
            if against == "data":
                second = coverage_loss(other, a)
            else:
                second = optimisation_loss(other / batch, a, rate_exponent=1.3)
            loss = np.asarray(bottleneck_loss(first, second, order=order))
            at = np.argmin(loss)
            low, high = log_n[max(at - 2, 0)], log_n[min(at + 2, 400)]
        np.testing.assert_allclose(best.loss[i], loss[at], rtol=1e-10)
        np.testing.assert_allclose(np.log(best.parameters[i]), log_n[at], atol=1e-5)
    used = best.parameters * best.other * 6 * (batch if against == "steps" else 1)
    np.testing.assert_allclose(used, compute, rtol=1e-12)


@pytest.mark.parametrize(
    ("against", "kappa_a", "b", "exponent"),
    [
        ("data", 1.0, 1.0, 0.5),
        ("steps", 1.0, KAPLAN, 0.73),
        ("steps", KAPLAN, 1.0, 0.73),
        ("steps", 1.0, 1.0, 0.5),
    ],
)
def test_the_two_equilibria(against, kappa_a, b, exponent):
    """N ∝ C^0.5 and N ∝ C^0.73, measured on the exact losses, for the largest loss and for the sum."""
    a = np.array([1.2, 1.5, 2.0])
    arguments = {"kappa": kappa_a / a, "rate_exponent": b}
    np.testing.assert_allclose(balance_exponent(a, **arguments, against=against), exponent, rtol=1e-12)
    compute, order = np.array([1e18, 1e24])[:, None, None], np.array([np.inf, 1.0])[:, None]
    best = optima(against, compute=compute, exponent=a, order=order, **arguments)
    np.testing.assert_allclose(best.exponent, exponent, atol=5e-3)
    measured = np.diff(np.log(best.parameters), axis=0) / np.diff(np.log(compute), axis=0)
    np.testing.assert_allclose(measured, exponent, atol=5e-3)


def test_the_other_bottleneck_gives_another_exponent():
    """Negative control: the law that gives 0.73 against steps gives 0.5 against data."""
    best = optima("data", compute=1e22, exponent=1.5, kappa=1 / 1.5, rate_exponent=KAPLAN)
    assert abs(best.exponent - 0.73) > 0.2


def test_the_optimum_has_derivatives():
    @jax.jit
    def log_n(kappa, compute):
        return jax.numpy.log(compute_optimum(compute, 1.5, kappa=kappa, order=2.0).parameters)

    slope = jax.jit(jax.grad(log_n))(0.6, 1e16)
    step = 1e-4
    plain = (log_n(0.6 + step, 1e16) - log_n(0.6 - step, 1e16)) / (2 * step)
    np.testing.assert_allclose(slope, plain, rtol=1e-5)


def test_a_budget_too_small_to_balance_says_so():
    best = optima("data", compute=7.0, exponent=1.5, kappa=5.0, scale=1e6)
    assert np.isnan(best.exponent)
    with pytest.raises(InputError, match="compute = -1"):
        compute_optimum(-1.0, 1.5, kappa=1.0)
    with pytest.raises(InputError, match=r"against = 'date' is not known \(did you mean 'data'"):
        compute_optimum(1e10, 1.5, kappa=1.0, against="date")


def test_the_fits_of_passk_run_on_these_curves():
    """Coverage is pass@k: one power over decades; two bottlenecks of nearby strength add to the two-tail law."""
    a, b, batch = 1.5, 2.0, 1e-3
    k = np.geomspace(1e4, 1e12, 49)
    slope = (a - 1) / a
    fit = effective_exponent(k, coverage_loss(k, a), window=(1e4, 1e12))
    np.testing.assert_allclose(fit.beta_eff, slope, rtol=1e-5)

    total = coverage_loss(k, a) + optimisation_loss(k / batch, a, rate_exponent=b)
    two = fit_two_tail(k, total)
    assert int(two.status) == FitStatus.OK
    assert bool(two.separated)
    np.testing.assert_allclose([two.beta, two.gamma], [slope, slope / b], rtol=1e-3)
    alone = fit_two_tail(k, coverage_loss(k, a))  # negative control: one bottleneck is one power
    assert int(alone.status) == FitStatus.NOT_SEPARATED


def test_the_local_exponent_saturates_as_capacity_grows():
    """Along D the exponent of L_N + L_D rises with N from 0 to (a-1)/a: Eq. 20 fits with β near it."""
    a, k, n = 1.5, np.geomspace(1e4, 1e6, 25), np.geomspace(1e2, 1e9, 29)
    total = capacity_loss(n, a, kappa=0.8)[:, None] + coverage_loss(k, a)[None, :]
    beta_eff = effective_exponent(k, total, window=(1e4, 1e6)).beta_eff
    fit = fit_saturation(n, beta_eff)
    assert int(fit.status) == FitStatus.OK
    np.testing.assert_allclose(fit.beta, (a - 1) / a, rtol=0.02)
    np.testing.assert_allclose(fit.beta - fit.delta, 0, atol=0.02)
