"""Single-trial success against mpmath: value, log, complement, derivatives; a plain difference must fail."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from jax.scipy.special import ndtr

from lidjax.passk import success
from lidjax.passk.success import log_success_and_miss, mills_ratio

success_probability = jax.jit(
    success.success_probability, static_argnames="log"
)  # eager, each call compiles 100 ops

# Tolerances, with the worst case seen on these points beside them.
LOG = 1e-12  # 5e-14, relative error of log s and of log(1 - s)
VALUE = 1e-12  # 6e-14, relative error of s
GRADIENT = 5e-12  # 1.2e-12, relative error of the derivatives of log s in a and h


class Exact(NamedTuple):
    s: mp.mpf
    log_s: mp.mpf
    log_miss: mp.mpf
    by_a: mp.mpf  # ∂ log s / ∂a
    by_h: mp.mpf


def exact_window(a, h):
    """The direct difference of erfc, with the digits that it cancels at either end."""
    with mp.workdps(60 + 2 * max(0, -int(np.log10(h))) + int(max(0, h - a) ** 2 / 4)):
        a, h = mp.mpf(float(a)), mp.mpf(float(h))
        s = (mp.erfc((a - h) / mp.sqrt(2)) - mp.erfc((a + h) / mp.sqrt(2))) / 2
        near, far = (mp.exp(-(x**2) / 2) / mp.sqrt(2 * mp.pi) for x in (a - h, a + h))
        return Exact(s, mp.log(s), mp.log1p(-s), (far - near) / s, (far + near) / s)


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
    log_s, log_miss = jax.jit(log_success_and_miss)(a, h)
    assert worst(log_s, [e.log_s for e in exact]) < LOG
    # log(1 - s) where it is a normal float; below that it is rightly 0, here or in mpmath's rounding.
    normal = jnp.array([i for i, e in enumerate(exact) if e.log_miss < -1e-300])
    assert normal.size > 300
    assert worst(log_miss[normal], [exact[i].log_miss for i in normal]) < LOG


def test_success_probability_matches_mpmath_where_it_is_a_normal_float(points):
    a, h, exact = points
    s = success_probability(a, 1.0, delta=h, sigma_eta=1.0)
    normal = jnp.array([i for i, e in enumerate(exact) if e.s > 1e-300])
    assert normal.size > 200
    assert worst(s[normal], [exact[i].s for i in normal]) < VALUE


def test_plain_difference_of_normal_cdfs_fails_the_same_bound(points):
    a, h, exact = points
    assert worst(ndtr(a + h) - ndtr(a - h), [e.s for e in exact]) > 0.1


def test_derivatives_of_log_success_match_mpmath(points):
    a, h, exact = points
    by_a, by_h = jax.jit(jax.vmap(jax.grad(lambda a, h: log_success_and_miss(a, h)[0], (0, 1))))(a, h)
    assert worst(by_a, [e.by_a for e in exact]) < GRADIENT
    assert worst(by_h, [e.by_h for e in exact]) < GRADIENT


def test_derivatives_in_the_public_arguments_are_finite_and_right():
    @jax.jit
    def log_s_gradient(bias, tau, delta, sigma):
        def log_s(bias, tau, delta, sigma):
            return success_probability(bias, tau, delta=delta, sigma_eta=sigma, log=True)

        return jax.grad(log_s, (0, 1, 2, 3))(bias, tau, delta, sigma)

    for bias, tau, delta, sigma in [(-0.7, 0.3, 0.05, 1.2), (0.0, 2.0, 1e-6, 1.0), (40.0, 9.0, 0.5, 0.1)]:
        root = np.sqrt(tau) / sigma
        exact = exact_window(abs(bias) * root, delta * root)
        by_root = exact.by_a * abs(bias) + exact.by_h * delta
        by_bias, by_delta = exact.by_a * np.sign(bias) * root, exact.by_h * root
        expected = (by_bias, by_root * root / (2 * tau), by_delta, -by_root * root / sigma)
        assert worst(jnp.stack(log_s_gradient(bias, tau, delta, sigma)), expected) < 1e-11


def test_limits_symmetry_and_broadcasting():
    s = success_probability(jnp.array([[0.3], [-0.3]]), jnp.array([0.0, 1.0, 4.0]), delta=0.2, sigma_eta=1.0)
    assert s.shape == (2, 3)
    np.testing.assert_array_equal(s[0], s[1])
    assert s[0, 0] == 0  # τ = 0: the noise is everywhere
    assert success_probability(0.3, 1.0, delta=0.0, sigma_eta=1.0) == 0
    assert success_probability(0.3, 1e300, delta=1.0, sigma_eta=1.0) == 1
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
    with mp.workdps(50):
        root = mp.sqrt(2)
        exact = [mp.sqrt(mp.pi) / root * mp.exp(mp.mpf(v) ** 2 / 2) * mp.erfc(v / root) for v in x]
    assert worst(jax.jit(mills_ratio)(jnp.asarray(x)), exact) < 1e-14
