"""App. B.4: when drawing from the model is equivalent to drawing from the target, and when it is not.

At zero bias L_inf(k) is an integral over (τ, u) with u = η√τ/σ standard normal; its local slope far out is
the exponent. Quadrature here is NumPy's trapezoid rule; the success probability is the kernel's,
which is checked against mpmath and against simulation first.
"""

import functools
import inspect

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from helpers.literal_draws import model_draw_first_success
from scipy import special

from lidjax.passk.instances import instance_failure, log_miss_probability, sample_success
from lidjax.passk.model_draw import model_draw_success, realised_gap
from lidjax.passk.success import success_probability

DELTA = 0.1


def student_t_reference(gap, delta, df):
    """P(|gap + t| ≤ delta) from survival functions in 60 digits."""
    with mpmath.workdps(60):
        gap, delta, df = map(mpmath.mpf, (gap, delta, df))

        def survival(t):
            return mpmath.betainc(df / 2, mpmath.mpf(1) / 2, 0, df / (df + t * t), regularized=True) / 2

        if gap >= delta:
            return float(survival(gap - delta) - survival(gap + delta))
        return float(1 - survival(delta - gap) - survival(delta + gap))


@pytest.mark.parametrize("df", [0.3, 1.0, 4.0, 100.0])
def test_student_t_window_to_thirteen_digits(df):
    """Tolerance 1e-13 (measured: 2e-14 over 600 random windows); both forms and the switch between them."""
    for gap in (0.0, 1e-3, 0.7, 12.0, 1e4, 1e8):
        for delta in (1e-6, 0.01, 0.3, 1.0, 50.0):
            got = model_draw_success(gap, delta=delta, scale=1.0, proposal="student_t", df=df)
            expected = student_t_reference(gap, delta, df)
            assert float(got) == pytest.approx(expected, rel=1e-13, abs=1e-300)
            scaled = model_draw_success(-3 * gap, delta=3 * delta, scale=3.0, proposal="student_t", df=df)
            assert float(scaled) == pytest.approx(expected, rel=1e-13, abs=1e-300)
    naive = special.stdtr(1.0, 1e8 + 1e-6) - special.stdtr(1.0, 1e8 - 1e-6)
    assert abs(naive / student_t_reference(1e8, 1e-6, 1.0) - 1) > 0.01  # control: the plain difference


def test_normal_proposals_are_the_target_draw_with_the_roles_exchanged():
    """y* = m and ξ ~ N(0, σ²/τ): not merely the same exponent, the same number."""
    bias, tau = jnp.array([0.0, 0.4, -2.0]), jnp.array([1e-8, 0.3, 5.0])
    target = success_probability(bias, tau, delta=DELTA, sigma_eta=0.5)
    np.testing.assert_allclose(
        model_draw_success(bias, delta=DELTA, scale=0.5 / jnp.sqrt(tau)), target, rtol=1e-13
    )


@pytest.mark.parametrize(("proposal", "df"), [("normal", None), ("student_t", 3.0), ("student_t", 0.8)])
def test_simulated_proposals_succeed_as_often_as_they_should(proposal, df):
    gap = jnp.linspace(-4, 4, 3000)
    noise = {"delta": 0.3, "scale": 0.8, "proposal": proposal, "df": df}
    draw = jax.jit(lambda key: model_draw_first_success(key, gap, **noise, max_draws=300))
    success = jax.jit(lambda delta: model_draw_success(gap, **(noise | {"delta": delta})))
    first, s = np.asarray(draw(jax.random.key(0))), np.asarray(success(0.3))
    for k in (1, 5, 40, 300):
        p = (1 - s) ** k
        z = (np.sum(first > k) - p.sum()) / np.sqrt((p * (1 - p)).sum())
        assert abs(z) < 4.5  # false alarm 7e-6 each
    p = (1 - np.asarray(success(0.4))) ** 40
    assert abs((np.sum(first > 40) - p.sum()) / np.sqrt((p * (1 - p)).sum())) > 6  # control


MISS = np.linspace(-9, 9, 121)  # u = η√τ/σ
LOG_TAU = np.linspace(-90, 6, 641)


@functools.cache
def log_miss_table(inherits, realised=True, df=None):
    """log(1 - s) over (τ, u): noise scale 1/√τ or 1, gap η = u/√τ or 0, normal or Student-t noise."""

    @jax.jit
    def table():
        root, u = jnp.broadcast_arrays(jnp.exp(jnp.asarray(LOG_TAU) / 2)[:, None], jnp.asarray(MISS)[None, :])
        gap = u / root if realised else jnp.zeros_like(u)
        scale = 1 / root if inherits else jnp.ones_like(root)
        proposal = "normal" if df is None else "student_t"
        success = model_draw_success(gap, delta=DELTA, scale=scale, proposal=proposal, df=df)
        return jnp.log1p(-jnp.minimum(success, 1 - 1e-16))

    return np.asarray(table())


def log_slopes(beta, k, inherits, **noise):
    """-Δ log L_inf / Δ log k between neighbours of k."""
    weight = np.exp(beta / 2 * LOG_TAU - np.exp(LOG_TAU))[:, None] * np.exp(-(MISS**2) / 2)
    curve = np.array([np.sum(weight * np.exp(x * log_miss_table(inherits, **noise))) for x in k])
    return -np.diff(np.log(curve)) / np.diff(np.log(k))


FAR = np.array([1e10, 1e11, 1e12])


@pytest.mark.parametrize("beta", [0.6, 2.5])
def test_equivalence_holds_where_the_proposal_inherits_the_difficulty(beta):
    np.testing.assert_allclose(log_slopes(beta, FAR, True, realised=False), beta, rtol=2e-4)
    for df in (1.0, 3.0):
        np.testing.assert_allclose(log_slopes(beta, FAR, True, df=df), beta, rtol=2e-4)


@pytest.mark.parametrize("df", [1.0, 3.0])
@pytest.mark.parametrize("beta", [0.6, 2.5])
def test_heavy_tailed_proposals_of_fixed_width_break_it(beta, df):
    """Exponent β/(1+a): the miss is as heavy as τ makes it, and f_ξ ~ |u|^-(1+a) turns it into s."""
    slopes = log_slopes(beta, FAR, False, df=df)
    np.testing.assert_allclose(slopes, beta / (1 + df), rtol=2e-3)
    assert np.all(slopes < 0.6 * beta)


@pytest.mark.parametrize("beta", [0.6, 2.5])
def test_normal_proposals_of_fixed_width_leave_no_power_law(beta):
    """L_inf ~ (log k)^-β/2: the slope falls like β/(2 log k), to zero."""
    k = np.array([1e6, 2e6, 1e14, 2e14])
    slopes = log_slopes(beta, k, False)[[0, 2]]
    np.testing.assert_allclose(slopes, beta / 2 / np.log(k[[0, 2]]), rtol=0.15)
    assert slopes[1] < 0.5 * slopes[0]


def test_a_realised_target_caps_the_exponent_at_one_for_normal_proposals():
    """Even a proposal with the target's own noise pays exp(-u²/2) for the target's own draw: min(β, 1)."""
    np.testing.assert_allclose(log_slopes(0.6, FAR, True), 0.6, rtol=5e-3)
    slopes = log_slopes(2.5, FAR, True)
    np.testing.assert_allclose(slopes, 1 + 0.5 / np.log(FAR[1:]), rtol=0.02)  # k^-1 (log k)^-1/2


def test_verifying_at_the_mean_with_fixed_noise_forgets_the_difficulty():
    """y* = m, ξ ~ N(0, ω²): (1-s)^k of the bias alone, exponent ω²/L_gen."""
    lgen, k = 0.4, np.array([1e6, 1e7, 1e8])
    z = np.linspace(-14, 14, 4001)
    s = np.asarray(model_draw_success(jnp.asarray(np.sqrt(lgen) * z), delta=DELTA, scale=1.0))
    curve = [np.sum(np.exp(-(z**2) / 2 + x * np.log1p(-s))) for x in k]
    slopes = -np.diff(np.log(curve)) / np.diff(np.log(k))
    np.testing.assert_allclose(slopes, 1 / lgen, rtol=0.06)  # (log k)^-1/2 corrections remain


def test_a_student_proposal_removes_the_finite_n_tail():
    """Bounded prior, L_gen = σ²: the target draw falls like k^-γ, γ = σ²/(τ_max L_gen) = 1, up to logarithms.
    A t proposal of the instance's own width falls like k^-β: its density at a bias B is a power of B√τ,
    so biased instances are never hopeless."""
    k, lgen, beta = np.array([1e2, 1e3, 1e4, 1e5]), 1.0, 2.5

    law = {"num_instances": 40_000, "difficulty": "power"}

    @jax.jit
    def curves(key):
        window, (key, gap_key) = {"delta": DELTA, "sigma_eta": 1.0}, jax.random.split(key)
        sample = sample_success(key, lgen, beta=beta, **window, reach=1e5, **law)
        gap = realised_gap(gap_key, sample.bias, sample.tau, sigma_eta=1.0)
        noise = {"scale": 1 / jnp.sqrt(sample.tau), "proposal": "student_t", "df": 1.0}
        success = model_draw_success(gap, delta=DELTA, **noise)
        log_miss = log_miss_probability(sample.bias, sample.tau, **window)
        return (
            instance_failure(k, success, log_weight=sample.log_weight),
            instance_failure(k, log_miss=log_miss, log_weight=sample.log_weight),
        )

    student, target = curves(jax.random.key(1))
    assert not jnp.concatenate([student.low_ess, target.low_ess]).any()
    slope = [-np.diff(np.log(np.asarray(c.failure)[[1, 3]]))[0] / np.log(100) for c in (student, target)]
    error = [
        np.hypot(*(np.asarray(c.standard_error / c.failure)[[1, 3]])) / np.log(100) for c in (student, target)
    ]
    assert abs(slope[0] - beta) < 4.5 * error[0]
    assert 0.9 < slope[1] < 1.4
    assert slope[1] < beta - 10 * error[1]


def test_bad_proposals_are_refused():
    with pytest.raises(ValueError, match=r"proposal = 'laplace' is not known; allowed: normal, student_t"):
        inspect.unwrap(model_draw_success)(0.1, delta=0.1, scale=1.0, proposal="laplace")
    with pytest.raises(ValueError, match="df = None: student_t proposals need"):
        model_draw_success(0.1, delta=0.1, scale=1.0, proposal="student_t")
    with pytest.raises(ValueError, match=r"df = 3\.0: normal proposals have no"):
        model_draw_success(0.1, delta=0.1, scale=1.0, df=3.0)
