"""Fixed-cost chi-square draws against scipy's distribution functions.

Kolmogorov tests on fixed keys; `ALARM` is the false-alarm rate of a whole test, split over its cases.
"""

import functools

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from scipy import stats

from lidjax.generalization.chi_square import ROUNDS, chi_square, draw_chi_square, log_acceptance
from lidjax.generalization.variates import paired_uniforms, standard_normal

ALARM = 1e-3
DRAWS = 100_000
DOFS = (1.0, 2.0, 3.0, 4.0, 5.0, 9.0, 40.0, 511.0, 1e5, 1e10, 1e15)


@functools.cache
def draws(dtype, variates=None):
    """{degrees of freedom: draws}, from one compiled call; `variates` is the dtype of the normals and exponentials."""
    variates = variates or dtype
    dof = jnp.broadcast_to(jnp.asarray(DOFS, dtype)[:, None], (len(DOFS), DRAWS))
    result = jax.jit(chi_square)(
        dof,
        standard_normal(jax.random.uniform(jax.random.key(0), (ROUNDS, *dof.shape), variates)),
        jax.random.exponential(jax.random.key(1), (ROUNDS, *dof.shape), variates),
    )
    assert result.dtype == dtype
    assert bool(jnp.all(jnp.isfinite(result) & (result > 0)))
    return dict(zip(DOFS, np.asarray(result, float), strict=True))


@pytest.mark.parametrize("dof", DOFS)
def test_float64_law(dof):
    assert stats.kstest(draws(jnp.float64)[dof], stats.chi2(dof).cdf).pvalue > ALARM / len(DOFS)


@pytest.mark.parametrize("dof", DOFS)
def test_float64_law_from_float32_variates(dof):
    sample = draws(jnp.float64, jnp.float32)[dof]
    assert stats.kstest(sample, stats.chi2(dof).cdf).pvalue > ALARM / len(DOFS)


@pytest.mark.parametrize("dof", [d for d in DOFS if d < 1e6])
def test_float32_law(dof):
    assert stats.kstest(draws(jnp.float32)[dof], stats.chi2(dof).cdf).pvalue > ALARM / len(DOFS)


def test_float32_keeps_what_float32_can_hold_at_large_dof():
    assert np.all(np.abs(draws(jnp.float32)[1e15] / 1e15 - 1) < 4 * np.finfo(np.float32).eps)


@pytest.mark.parametrize("dof", [1.0, 2.0, 40.0])
def test_one_degree_of_freedom_more_is_caught(dof):
    assert stats.kstest(draws(jnp.float64)[dof], stats.chi2(dof + 1).cdf).pvalue < 1e-10


Z = np.linspace(-12, 12, 20_001)


def acceptance(shape, dtype=jnp.float64):
    """Chance of accepting a proposal at each of the normals Z, and the density of Z times their spacing."""
    delta = shape - 1 / 3
    s = Z / np.sqrt(9 * delta)
    log_accept = np.asarray(log_acceptance(jnp.asarray(s, dtype), jnp.asarray(delta, dtype)), float)
    return np.where(s > -1, np.exp(np.minimum(log_accept, 0)), 0), stats.norm.pdf(Z) * (Z[1] - Z[0])


def test_failure_chance_of_a_proposal_is_what_the_docstring_says():
    """Numerical integral of the acceptance chance at the shapes named there."""
    for shape, stated in ((1.5, 0.027), (5.0, 0.0062)):
        accept, density = acceptance(shape)
        assert 1 - np.sum(accept * density) == pytest.approx(stated, rel=0.02)
    assert 0.027**ROUNDS < 6e-7


@pytest.mark.parametrize("shape", [1.5, 2.0, 5.0, 10.0, 256.0, 1e5, 1e15])
def test_what_the_acceptance_test_loses_in_float32(shape):
    """Total variation of the accepted law, by integration; worst 1.8e-8. Against the formula as it is derived, too."""
    (single, density), (double, _) = acceptance(shape, jnp.float32), acceptance(shape)
    laws = [accept * density / np.sum(accept * density) for accept in (single, double)]
    assert np.sum(np.abs(laws[0] - laws[1])) / 2 < 3e-8
    with mpmath.workdps(60):
        for z in (-3.5, -0.5, 0.1, 2.0):
            delta = mpmath.mpf(shape) - mpmath.mpf(1) / 3
            v = (1 + z / mpmath.sqrt(9 * delta)) ** 3
            if v > 0:
                derived = float(mpmath.mpf(z) ** 2 / 2 + delta * (1 - v + mpmath.log(v)))
                s = z / np.sqrt(9 * float(delta))
                assert float(log_acceptance(jnp.asarray(s), jnp.asarray(float(delta)))) == pytest.approx(
                    derived, rel=1e-8, abs=1e-16
                )


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_variates_at_the_ends_of_the_uniform_interval(dtype):
    last = 1 - jnp.finfo(dtype).eps
    ends = jnp.asarray([0.0, last], dtype)
    assert bool(jnp.all(jnp.isfinite(standard_normal(ends))))


def test_normal_variates_in_law():
    sample = standard_normal(jax.random.uniform(jax.random.key(2), (DRAWS,), jnp.float64))
    assert stats.kstest(np.asarray(sample), stats.norm.cdf).pvalue > ALARM / 2


def test_draws_from_a_key_in_law():
    """What the laws of L_gen call: from one degree of freedom on, independent of each other."""
    dof = jnp.broadcast_to(jnp.asarray([1.0, 3.0, 511.0])[:, None], (3, DRAWS))
    sample = np.asarray(jax.jit(draw_chi_square)(jax.random.key(5), dof))
    for row, number in zip(sample, (1.0, 3.0, 511.0), strict=True):
        assert stats.kstest(row, stats.chi2(number).cdf).pvalue > ALARM / 6
        assert stats.kstest(row, stats.chi2(1.05 * number).cdf).pvalue < 1e-6
    assert stats.pearsonr(*np.log(sample[:2])).pvalue > ALARM / 6


def test_paired_uniforms_are_the_bits_of_their_words():
    """Against integers of Python: the two share no bit of a word and use all of them. The same in float32 mode."""
    key, shape = jax.random.key(3), (50, 2)
    wide, narrow = paired_uniforms(key, shape)
    assert wide.dtype == narrow.dtype == jnp.float32
    words = [int(w) for w in np.ravel(jax.random.bits(key, shape, jnp.uint64))]
    expected = [[(2 * (w >> 28) + 1) / 2**37 for w in words], [(2 * (w % 2**28) + 1) / 2**29 for w in words]]
    np.testing.assert_allclose([np.ravel(wide), np.ravel(narrow)], expected, rtol=2**-23)
    with jax.enable_x64(False):
        np.testing.assert_array_equal(paired_uniforms(key, shape), [wide, narrow])


@pytest.mark.parametrize("word", [0, 2**32 - 1])
def test_paired_uniforms_at_their_ends(word, monkeypatch):
    """All bits 0 and all bits 1: what is made of the uniforms is finite, and not zero where its logarithm is taken."""
    monkeypatch.setattr(jax.random, "key_data", lambda keys: jnp.full((*keys.shape, 2), word, jnp.uint32))
    for uniform in paired_uniforms(jax.random.key(0), (1,)):
        assert 0 < float(uniform[0]) < 1
        logs = jnp.log(uniform) + jnp.log(-jnp.log1p(-uniform))
        assert bool(jnp.isfinite(standard_normal(uniform) + logs)[0])


def cells(first, second, bins=16):
    """p-value of Pearson's test that two samples of uniforms are independent and uniform."""
    counts = np.histogram2d(np.ravel(first), np.ravel(second), bins, [[0, 1], [0, 1]])[0]
    return stats.chisquare(counts.ravel()).pvalue


def test_paired_uniforms_are_independent():
    wide, narrow = paired_uniforms(jax.random.key(4), (DRAWS,))
    assert cells(wide, narrow) > ALARM / 2
    overlapping = np.mod(np.asarray(wide, float) * 2**3, 1)  # shares one bit of those the bins resolve
    assert cells(wide, overlapping) < 1e-10
