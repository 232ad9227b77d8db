"""Instance-level failure against a slow twin, 2-D quadrature in NumPy, and itself over repetitions.

z-scores use the estimate's own standard error and fixed keys. |z| < 4.5 has a false-alarm rate of 7e-6 a
comparison if the estimate is normal; about 60 comparisons here, so 4e-4 for the file.
"""

import functools

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from scipy import special, stats

from lidjax.passk.instances import (
    MIN_EFFECTIVE_SAMPLE_SIZE,
    instance_failure,
    log_miss_probability,
    sample_instances,
    sample_success,
)

Z = 4.5


def quadrature(k, v, *, beta, delta, difficulty="gamma"):
    """L_inf(k) at σ = 1 by Simpson's rule in log τ and the trapezoid rule in B/√v, with scipy's log Φ.

    To 1e-4 or better for every case below (halving both steps), where a standard error is 1e-2."""
    t = np.linspace(-70 / beta - 2 * np.log(k * delta + 1), 6 if difficulty == "gamma" else 0, 3201)
    weight = (t[1] - t[0]) / 3 * np.where(np.arange(t.size) % 2, 4.0, 2.0)
    weight[[0, -1]] /= 2
    a = beta / 2
    weight *= np.exp(a * t - np.exp(t) - special.gammaln(a)) if difficulty == "gamma" else a * np.exp(a * t)
    z = np.linspace(0, 16, 401)
    z_weight = np.full_like(z, z[1] - z[0]) * 2 * stats.norm.pdf(z)
    z_weight[[0, -1]] /= 2
    total = 0.0
    for part, w in zip(np.array_split(t, 40), np.array_split(weight, 40), strict=True):
        root = np.exp(part / 2)[:, None]
        near, far = (np.sqrt(v) * z - delta) * root, (np.sqrt(v) * z + delta) * root
        high, low = special.log_ndtr(-near), special.log_ndtr(-far)
        with np.errstate(divide="ignore", invalid="ignore"):
            s = np.exp(high) * -np.expm1(np.minimum(low - high, 0))
            total += w @ (np.exp(k * np.log1p(-np.where(np.isnan(s), 0, s))) @ z_weight)
    return total


@functools.partial(jax.jit, static_argnames=("num_instances", "difficulty"))
def estimate(key, k, v, *, beta, delta, reach, num_instances=40_000, difficulty="gamma"):
    sample = sample_success(
        key,
        v,
        beta=beta,
        delta=delta,
        sigma_eta=1.0,
        reach=reach,
        num_instances=num_instances,
        difficulty=difficulty,
    )
    log_miss = log_miss_probability(sample.bias, sample.tau, delta=delta, sigma_eta=1.0)
    return sample, log_miss, instance_failure(k, log_miss=log_miss, log_weight=sample.log_weight)


@functools.partial(jax.jit, static_argnames=("num_instances", "difficulty"))
def plain_estimate(key, k, v, *, beta, delta, num_instances=40_000, difficulty="gamma"):
    sample = sample_instances(key, v, beta=beta, num_instances=num_instances, difficulty=difficulty)
    log_miss = log_miss_probability(sample.bias, sample.tau, delta=delta, sigma_eta=1.0)
    return sample, log_miss, instance_failure(k, log_miss=log_miss)


def test_reference_quadrature_agrees_with_the_known_values():
    """Values converged to all digits shown, computed apart from this file."""
    for k, v, beta, delta, expected in [
        (1e2, 0.1, 2.5, 0.5, 2.7886228614521e-04),
        (1e6, 0.1, 2.5, 0.5, 3.2517888115347e-13),
        (1e6, 3.0, 2.5, 0.5, 1.4356096174773e-02),
    ]:
        assert quadrature(k, v, beta=beta, delta=delta) == pytest.approx(expected, rel=1e-6)


def test_agrees_with_the_mean_written_out_in_high_precision():
    rng = np.random.default_rng(0)
    success = 10 ** rng.uniform(-12, 0, 60)
    log_weight = rng.normal(size=60)
    k = np.array([1, 3.5, 1e4, 1e9, 1e30])
    got = instance_failure(k, success, log_weight=log_weight)
    with mpmath.workdps(50):
        for i, power in enumerate(k):
            terms = [
                mpmath.e ** mpmath.mpf(w) * (1 - mpmath.mpf(s)) ** mpmath.mpf(power)
                for s, w in zip(success, log_weight, strict=True)
            ]
            mean = mpmath.fsum(terms) / 60
            error = mpmath.sqrt(mpmath.fsum((t - mean) ** 2 for t in terms) / (60 * 59))
            effective = mpmath.fsum(terms) ** 2 / mpmath.fsum(t**2 for t in terms)
            assert float(got.effective_sample_size[i]) == pytest.approx(float(effective), rel=1e-9)
            if mean > 1e-300:
                assert float(got.failure[i]) == pytest.approx(float(mean), rel=1e-9)
                assert float(got.standard_error[i]) == pytest.approx(float(error), rel=1e-9)


def test_k_up_to_the_largest_float_neither_overflows_nor_turns_nan():
    k = jnp.array([1.0, 1e30, 1e300])
    got = instance_failure(k, jnp.array([0.0, 1e-31, 0.3, 1.0]))
    np.testing.assert_allclose(
        got.failure, [0.25 * (1 + 1 + 0.7), 0.25 * (1 + np.exp(-0.1)), 0.25], rtol=1e-12
    )
    certain = instance_failure(k, jnp.ones(5))
    np.testing.assert_array_equal(certain.failure, 0)
    np.testing.assert_array_equal(certain.effective_sample_size, 0)
    assert certain.low_ess.all()
    assert np.isnan(instance_failure(k, jnp.array([0.5, jnp.nan])).failure).all()


def test_miss_probability_keeps_what_success_would_lose():
    """δ√τ/σ = 9: 1 - s is 2e-19, and s rounds to 1."""
    log_miss = log_miss_probability(0.0, 1.0, delta=9.0, sigma_eta=1.0)
    got = instance_failure(jnp.ones(1), log_miss=log_miss[None])
    assert float(got.failure[0]) == pytest.approx(2 * special.ndtr(-9), rel=1e-12)
    lost = instance_failure(jnp.ones(1), jnp.exp(jnp.log1p(-jnp.exp(log_miss)))[None])
    assert float(lost.failure[0]) == 0  # control


def test_exactly_one_of_success_and_miss():
    for arguments in ({}, {"success": jnp.ones(2), "log_miss": jnp.zeros(2)}):
        with pytest.raises(ValueError, match="exactly one"):
            instance_failure(jnp.ones(1), **arguments)


@pytest.mark.parametrize("difficulty", ["gamma", "power"])
@pytest.mark.parametrize(
    ("beta", "v", "delta"), [(2.5, 0.1, 0.5), (0.5, 3.0, 0.02), (6.0, 0.01, 0.5), (4.0, 0.0, 0.1)]
)
def test_importance_sampling_agrees_with_quadrature_deep_in_the_tail(beta, v, delta, difficulty):
    k = np.array([1.0, 1e2, 1e5, 1e9])
    sample, log_miss, got = estimate(
        jax.random.key(1), k, v, beta=beta, delta=delta, reach=1e9, difficulty=difficulty
    )
    expected = np.array([quadrature(x, v, beta=beta, delta=delta, difficulty=difficulty) for x in k])
    assert np.all(got.effective_sample_size > MIN_EFFECTIVE_SAMPLE_SIZE)
    assert np.all(np.abs(got.failure - expected) / got.standard_error < Z)
    # negative control: the same draws with their weights off by the square root miss by far
    skewed = jax.jit(instance_failure)(k, log_miss=log_miss, log_weight=sample.log_weight / 2)
    assert np.any(np.abs(skewed.failure - expected) / skewed.standard_error > 10)


@pytest.mark.parametrize("difficulty", ["gamma", "power"])
def test_weights_are_bounded_and_have_mean_one(difficulty):
    for beta, v, reach in [(0.3, 0.0, 1.0), (2.5, 0.1, 1e6), (20.0, 100.0, 1e30)]:
        sample, _, _ = estimate(
            jax.random.key(2), np.ones(4), v, beta=beta, delta=0.5, reach=reach, difficulty=difficulty
        )
        weight = np.exp(sample.log_weight)
        assert weight.max() <= 4 * (1 + 1e-12)
        assert abs(weight.mean() - 1) * np.sqrt(len(weight)) / weight.std() < Z


def test_it_reaches_k_of_1e30_where_plain_sampling_sees_nothing():
    """Without bias the limit is that of Eq. 15, for the bounded prior Γ(β+1) (c_δ k)^-β."""
    beta, delta, k = 2.5, 0.5, np.array([1e15, 1e20, 1e25, 1e30])
    c = np.sqrt(2 / np.pi) * delta
    expected = special.gamma(beta + 1) * (c * k) ** -beta
    *_, got = estimate(jax.random.key(3), k, 0.0, beta=beta, delta=delta, reach=1e30, difficulty="power")
    assert not got.low_ess.any()
    assert np.all(np.abs(got.failure - expected) < Z * got.standard_error)
    plain = sample_instances(jax.random.key(3), 0.0, beta=beta, num_instances=40_000)
    blind = instance_failure(
        k, log_miss=log_miss_probability(plain.bias, plain.tau, delta=delta, sigma_eta=1.0)
    )
    assert blind.low_ess.all()
    assert np.all(blind.failure < 1e-3 * expected)


@pytest.mark.parametrize("difficulty", ["gamma", "power"])
def test_plain_instances_have_the_law_of_the_model(difficulty):
    k = np.array([1.0, 10.0, 30.0, 100.0])
    *_, got = plain_estimate(jax.random.key(4), k, 0.3, beta=2.5, delta=0.5, difficulty=difficulty)
    expected = np.array([quadrature(x, 0.3, beta=2.5, delta=0.5, difficulty=difficulty) for x in k])
    assert np.all(np.abs(got.failure - expected) / got.standard_error < Z)
    assert not got.low_ess.any()


def test_correlated_difficulty_and_bias():
    """B = z/√τ: the bias grows with the noise, and B√τ does not depend on τ, so Gauss-Hermite does the rest.
    Shuffling τ against B, which keeps both margins, must change the answer."""
    beta, delta, k = 2.5, 0.5, np.array([1.0, 5.0, 30.0, 100.0])
    key, z_key = jax.random.split(jax.random.key(5))
    plain, _, _ = plain_estimate(key, k, 1.0, beta=beta, delta=delta)
    bias = jax.random.normal(z_key, (40_000,)) / jnp.sqrt(plain.tau)

    @jax.jit
    def estimate_from(bias, tau):
        return instance_failure(k, log_miss=log_miss_probability(bias, tau, delta=delta, sigma_eta=1.0))

    got = estimate_from(bias, plain.tau)
    z, z_weight = np.polynomial.hermite_e.hermegauss(120)
    t = np.linspace(-60, 6, 4001)
    density = np.exp(beta / 2 * t - np.exp(t) - special.gammaln(beta / 2)) * (t[1] - t[0])
    h = delta * np.exp(t / 2)[:, None]
    s = special.ndtr(z + h) - special.ndtr(z - h)
    expected = [density @ ((1 - s) ** x @ z_weight) / np.sqrt(2 * np.pi) for x in k]
    assert np.all(np.abs(got.failure - np.array(expected)) / got.standard_error < Z)
    shuffled = estimate_from(bias, plain.tau[::-1])
    assert np.all(np.abs(shuffled.failure - np.array(expected)) / shuffled.standard_error > 10)


def repetitions(sampler, k, v, size):
    """`instance_failure` of 300 independent test sets of `size` instances, cut from large ones; bounded prior."""
    keys = jax.random.split(jax.random.key(6), 300 * size // 40_000)
    draws = [sampler(key, k, v, beta=2.5, delta=0.5, difficulty="power")[:2] for key in keys]
    log_miss = jnp.concatenate([log_miss for _, log_miss in draws]).reshape(-1, size)
    log_weight = jnp.concatenate([sample.log_weight for sample, _ in draws]).reshape(-1, size)
    failure = jax.jit(jax.vmap(lambda m, w: instance_failure(k, log_miss=m, log_weight=w)))
    expected = np.array([quadrature(x, v, beta=2.5, delta=0.5, difficulty="power") for x in k])
    got = failure(log_miss, log_weight)
    with np.errstate(divide="ignore"):  # a test set that saw nothing at all has no error to divide by
        return got, np.abs(np.asarray(got.failure) - expected) / np.asarray(got.standard_error)


def test_standard_error_covers():
    """95 % intervals over 300 repetitions: the count is binomial, 4.5 deviations are allowed (7e-6)."""
    _, score = repetitions(functools.partial(estimate, reach=1e9), np.array([1.0, 1e2, 1e4, 1e6]), 0.3, 2000)
    assert score.shape == (300, 4)
    assert np.all(np.abs((score < 1.96).mean(axis=0) - 0.95) < Z * np.sqrt(0.95 * 0.05 / 300))


def test_the_flag_goes_up_where_the_standard_error_stops_being_true():
    """300 plain test sets of 2000. Flag down: the truth lies within 3.5 standard errors in nearly all.
    Flag up: it does not in many, so the flag is neither idle nor a nuisance."""
    got, score = repetitions(plain_estimate, np.array([1.0, 10.0, 1e4, 1e5]), 0.05, 2000)
    low = np.asarray(got.low_ess)
    assert not low[:, :2].any()
    assert low[:, 2:].all()
    assert (score > 3.5)[~low].mean() < 0.02
    assert (score > 3.5)[low].mean() > 0.3


def test_the_flag_goes_up_at_the_k_where_few_instances_carry_the_mean():
    k = np.array([1.0, 1e6])
    fine = instance_failure(k, np.full(100, 1e-9))
    assert not fine.low_ess.any()
    mixed = instance_failure(k, np.r_[np.full(99, 1e-3), 1e-7])
    np.testing.assert_array_equal(mixed.low_ess, [False, True])
    assert float(mixed.effective_sample_size[1]) == pytest.approx(1.0, abs=0.05)


def test_integers_numpy_and_float32():
    success = np.array([0.1, 0.5], np.float32)
    got = instance_failure(np.array([1, 2]), success)
    assert got.failure.dtype == jnp.float32
    np.testing.assert_allclose(got.failure, [0.7, (0.81 + 0.25) / 2], rtol=1e-6)
    f32 = jnp.float32
    sample, _, deep = jax.eval_shape(
        lambda: estimate(
            jax.random.key(0), jnp.ones(3, f32), f32(0.1), beta=f32(2.5), delta=f32(0.5), reach=f32(1e6)
        )
    )
    assert {x.dtype for x in sample} == {deep.failure.dtype} == {jnp.dtype(f32)}
