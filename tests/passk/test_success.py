"""Single-trial success against mpmath: value, log, complement, derivatives, and what the plain difference loses."""

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from jax.scipy.special import ndtr

from lidjax.passk.success import log_window, mills_ratio, success_probability

# Tolerances, with the worst case seen on these points beside them.
LOG = 1e-12  # 5e-14, relative error of log s and of log(1 - s)
VALUE = 1e-12  # 6e-14, relative error of s
GRADIENT = 5e-12  # 1.2e-12, relative error of the derivatives of log s in a and h


def exact_window(a, h):
    """s, 1 - s, ∂s/∂a, ∂s/∂h by the direct difference, with enough digits for what it cancels at either end."""
    with mp.workdps(60 + 2 * max(0, -int(np.log10(h))) + int(max(0, h - a) ** 2 / 4)):
        a, h = mp.mpf(float(a)), mp.mpf(float(h))
        s = (mp.erfc((a - h) / mp.sqrt(2)) - mp.erfc((a + h) / mp.sqrt(2))) / 2
        near, far = mp.npdf(a - h), mp.npdf(a + h)
        return s, 1 - s, far - near, far + near


def make_points():
    rng = np.random.default_rng(20)
    a = 10 ** rng.uniform(-4, 3, 300)
    h = 10 ** rng.uniform(-9, 1.3, 300)
    edge = 10 ** rng.uniform(-4, 1.4, 100)
    side = rng.choice([-1, 1], 100)
    edge_h = edge * (1 + 10 ** rng.uniform(-8, -0.5, 100) * side)  # the window's edge near the centre
    a = np.concatenate([a, edge, [0, 0, 0, 1e8, 1e8, 1e8, 0.5, 0.5, 2]])
    h = np.concatenate([h, edge_h, [1e-9, 0.3, 5, 1e-12, 1e-6, 3, 0.5, 0.4999999, 0.25]])
    return a, h


@pytest.fixture(scope="module")
def points():
    a, h = make_points()
    return jnp.asarray(a), jnp.asarray(h), [exact_window(*point) for point in zip(a, h, strict=True)]


def worst(measured, exact):
    pairs = zip(np.asarray(measured).tolist(), exact, strict=True)
    return max(float(abs(m - e) / (abs(e) if e else 1)) for m, e in pairs)


def test_log_success_and_log_failure_match_mpmath(points):
    a, h, exact = points
    log_s, log_miss = log_window(a, h)
    assert worst(log_s, [mp.log(s) for s, *_ in exact]) < LOG
    # Where s is below the smallest float, log(1 - s) is rightly 0.
    log_miss = jnp.where(log_s > -700, log_miss, 0)
    expected = [mp.log(miss) if mp.log(s) > -700 else mp.mpf(0) for s, miss, *_ in exact]
    assert worst(log_miss, expected) < LOG


def test_success_probability_matches_mpmath_where_it_is_a_normal_float(points):
    a, h, exact = points
    s = success_probability(a, 1.0, delta=h, sigma_eta=1.0)
    normal = [i for i, e in enumerate(exact) if e[0] > 1e-300]
    assert len(normal) > 200
    assert worst(s[jnp.array(normal)], [exact[i][0] for i in normal]) < VALUE


def test_plain_difference_of_normal_cdfs_fails_the_same_bound(points):
    a, h, exact = points
    plain = ndtr(a + h) - ndtr(a - h)
    assert worst(plain, [e[0] for e in exact]) > 0.1


def test_derivatives_of_log_success_match_mpmath(points):
    a, h, exact = points
    d_a, d_h = jax.vmap(jax.grad(lambda a, h: log_window(a, h)[0], (0, 1)))(a, h)
    assert worst(d_a, [e[2] / e[0] for e in exact]) < GRADIENT
    assert worst(d_h, [e[3] / e[0] for e in exact]) < GRADIENT


def test_derivatives_in_the_public_arguments_are_finite_and_right():
    def log_s(bias, tau, delta, sigma):
        return success_probability(bias, tau, delta=delta, sigma_eta=sigma, log=True)

    for bias, tau, delta, sigma in [(-0.7, 0.3, 0.05, 1.2), (0.0, 2.0, 1e-6, 1.0), (40.0, 9.0, 0.5, 0.1)]:
        measured = jax.grad(log_s, (0, 1, 2, 3))(bias, tau, delta, sigma)
        root = np.sqrt(tau) / sigma
        s, _, s_a, s_h = exact_window(abs(bias) * root, delta * root)
        by_root = (s_a * abs(bias) + s_h * delta) / s  # ∂ log s / ∂(√τ/σ)
        exact = (
            s_a / s * np.sign(bias) * root,
            by_root * root / (2 * tau),
            s_h / s * root,
            -by_root * root / sigma,
        )
        assert worst(jnp.stack(measured), exact) < 1e-11


def test_limits_symmetry_and_broadcasting():
    s = success_probability(jnp.array([[0.3], [-0.3]]), jnp.array([0.0, 1.0, 4.0]), delta=0.2, sigma_eta=1.0)
    assert s.shape == (2, 3)
    np.testing.assert_array_equal(s[0], s[1])
    assert s[0, 0] == 0  # τ = 0: the noise is everywhere
    assert success_probability(0.3, 1.0, delta=0.0, sigma_eta=1.0) == 0
    assert success_probability(0.3, jnp.inf, delta=1.0, sigma_eta=1.0) == 1
    assert jnp.isnan(success_probability(jnp.nan, 1.0, delta=1.0, sigma_eta=1.0))


def test_float32_stays_float32_and_keeps_its_own_precision():
    a, h = (jnp.asarray(x) for x in make_points())
    keep = (a < 30) & (h > 1e-6)
    a, h = a[keep], h[keep]
    s32 = success_probability(
        a.astype(jnp.float32), 1.0, delta=h.astype(jnp.float32), sigma_eta=1.0, log=True
    )
    assert s32.dtype == jnp.float32
    a, h = (x.astype(jnp.float32).astype(float) for x in (a, h))
    s64 = success_probability(a, 1.0, delta=h, sigma_eta=1.0, log=True)
    np.testing.assert_allclose(s32, s64, rtol=2e-6, atol=2e-6)


def test_mills_ratio_from_zero_to_far_out():
    x = np.concatenate([[0.0], 10.0 ** np.arange(-8, 9), [0.5, 3.0, 4.5, 7.0, 20.0]])
    exact = [mp.mpf(1) / v if v > 1e7 else mp.ncdf(-mp.mpf(v)) / mp.npdf(v) for v in x]
    assert worst(mills_ratio(jnp.asarray(x)), exact) < 1e-14
