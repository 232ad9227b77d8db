"""Population failure L_inf(k): values, error estimate, derivatives, limits, and a rule too coarse to pass."""

import ast
import functools
import json

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from helpers.mpmath_failure import TABLE, Problem
from scipy.special import erfc

from lidjax.difficulty import sample_precision
from lidjax.passk.population import COARSE, Rule, log_failure, pass_at_k_failure
from lidjax.passk.success import log_success_and_miss

# Tolerances on log L_inf, hence relative on L_inf; the worst case seen is beside each.
VALUE = 1e-11  # 1.1e-12 over the table (power prior, k = 1, β = 20, δ/σ = 10)
BOX = 1e-9  # 2.1e-10 over 2400 random points of the box, same corner
FLOAT32 = 1e-5  # times 1 + |log L_inf|
DERIVATIVE = 1e-6  # 2e-7, mostly the finite difference's own

SLOTS = 32


def failure(k, v, beta, eps, difficulty="gamma"):
    """log L_inf and its error for up to 32 points, always as one call of the same shape, compiled once.

    At σ = 2, so that the scaling with σ is always under test.
    """
    points = jnp.broadcast_arrays(*(jnp.asarray(x, dtype=float) for x in (k, v, beta, eps)))
    size = points[0].size
    k, v, beta, eps = (jnp.pad(x.ravel(), (0, SLOTS - size), mode="edge") for x in points)
    options = {"difficulty": difficulty, "log": True, "with_error": True}
    estimate = pass_at_k_failure(k, 4 * v, beta=beta, delta=2 * eps, sigma_eta=2.0, **options)
    return estimate.failure[:size], estimate.relative_error[:size]


@functools.cache
def table():
    """{difficulty: (array of (k, v, β, δ/σ) columns, log L_inf in mpmath)}."""
    rows = [(ast.literal_eval(key), value) for key, value in json.loads(TABLE.read_text()).items()]
    with mp.workdps(30):
        return {
            prior: (
                [
                    jnp.array(column)
                    for column in zip(*[row[:4] for row, _ in rows if row[4] == prior], strict=True)
                ],
                [mp.log(mp.mpf(value)) for row, value in rows if row[4] == prior],
            )
            for prior in ("gamma", "power")
        }


@functools.cache
def table_errors(difficulty):
    """True and reported error of log L_inf over the table."""
    columns, exact = table()[difficulty]
    measured, reported = failure(*columns, difficulty)
    return np.array([float(abs(m - e)) for m, e in zip(measured.tolist(), exact, strict=True)]), reported


def draw_box(count, seed):
    """Random points of the stated box: k, v, β, δ/σ."""
    rng = np.random.default_rng(seed)
    k = 10 ** np.where(np.arange(count) % 3, rng.uniform(0, 30, count), rng.uniform(0, 6, count))
    v, beta = 10 ** rng.uniform(-8, 4, count), 10 ** rng.uniform(-1, np.log10(20), count)
    eps = 10 ** np.where(np.arange(count) % 2, rng.uniform(-6, 1, count), rng.uniform(-2, 1, count))
    return [jnp.asarray(x) for x in (k, v, beta, eps)]


def over_points(function):
    return jax.jit(lambda points: jax.lax.map(lambda point: function(*point), points))


@pytest.mark.parametrize("difficulty", ["gamma", "power"])
def test_corners_of_the_box_match_mpmath(difficulty):
    error, _ = table_errors(difficulty)
    assert error.size >= 14
    assert error.max() < VALUE


@pytest.mark.parametrize("difficulty", ["gamma", "power"])
def test_reported_error_bounds_the_true_one_and_is_of_use(difficulty):
    error, reported = table_errors(difficulty)
    assert np.all(error <= reported)
    assert reported.max() < 1e-7


def test_too_few_nodes_fail_and_the_distance_to_a_finer_rule_shows_it():
    columns, exact = table()["gamma"]
    poor = over_points(lambda *point: log_failure(*point, "gamma", Rule(48, 32, 10, 12.0)))(columns)
    error = np.array([float(abs(m - e)) for m, e in zip(poor.tolist(), exact, strict=True)])
    assert error.max() > 1e-4


def test_simulated_instances_agree():
    """Four z-tests on 4e5 instances; |z| < 4.4 in each has a false-alarm rate below 5e-5 in all."""
    key_b, key_tau = jax.random.split(jax.random.key(3))
    tau = sample_precision(key_tau, jnp.array(2.5), (400_000,))
    bias = jnp.sqrt(0.3) * jax.random.normal(key_b, tau.shape)
    log_miss = jax.jit(log_success_and_miss)(jnp.abs(bias) * jnp.sqrt(tau), 0.5 * jnp.sqrt(tau))[1]
    k = jnp.array([1.0, 10.0, 100.0, 1000.0])
    terms = jnp.exp(k[:, None] * log_miss[None, :])
    expected = jnp.exp(failure(k, 0.3, 2.5, 0.5)[0])
    z = (terms.mean(1) - expected) / (terms.std(1) / tau.size**0.5)
    assert jnp.abs(z).max() < 4.4


def test_bias_free_limit_is_eq_15_at_large_k():
    k = jnp.array([3.0, 300.0, 1e5, 1e12])
    beta, c = 2.5, float(np.sqrt(2 / np.pi)) * 0.5
    prefactor = 2 * float(mp.gamma(beta) / mp.gamma(beta / 2)) / c**beta
    ratio = jnp.exp(failure(k, 0.0, beta, 0.5)[0]) / (prefactor * k**-beta)
    exact = [0.153094745755638, 0.985094040460092, 0.999956246928092]  # mpmath, one-dimensional
    np.testing.assert_allclose(ratio[:3], exact, rtol=1e-12)
    assert abs(ratio[3] - 1) < 1e-10


def test_limits_and_bad_input():
    points = [
        (1e30, 0.0, 20.0, 1.0),  # far below the smallest float
        (0.0, 0.1, 2.5, 0.5),  # no trial
        (10.0, 0.1, 2.5, 0.0),  # no window
        (10.0, 1e12, 2.5, 0.5),  # nothing but bias
        (10.0, jnp.nan, 2.5, 0.5),  # a cell that failed
    ]
    value, _ = failure(*(jnp.array(column) for column in zip(*points, strict=True)))
    assert -1500 < value[0] < -1300
    assert value[1] == 0
    assert value[2] == 0
    assert -1e-3 < value[3] <= 0
    assert jnp.isnan(value[4])


GOOD = {"k": 10.0, "lgen": 0.1, "beta": 2.5, "delta": 0.5, "sigma_eta": 1.0}
BAD = [
    ("k", -1.0, "k = -1: must be at least 0, and finite"),
    ("k", jnp.nan, "k = nan: must be at least 0, and finite"),
    ("k", np.array([1.0, -2.0]), r"k\[1\] = -2: must be at least 0, and finite, shape \(2,\)"),
    ("lgen", -0.1, "lgen = -0.1: must be at least 0"),
    ("beta", 0.0, "beta = 0: must be from 0.01 to 100"),
    ("beta", 300.0, "beta = 300"),
    ("delta", -1e-3, "delta = -0.001"),
    ("sigma_eta", 0.0, "sigma_eta = 0: must be greater than 0"),
]


@pytest.mark.parametrize(("name", "bad", "message"), BAD, ids=lambda x: str(x)[:20])
def test_values_that_are_not_allowed_are_refused_and_traced_ones_give_nan(name, bad, message):
    with pytest.raises(ValueError, match=message):
        pass_at_k_failure(**{**GOOD, name: bad})
    if np.ndim(bad) == 0:
        point = {key: jnp.asarray(value) for key, value in {**GOOD, name: bad}.items()}
        assert np.isnan(compiled_failure(**point))


@jax.jit
def compiled_failure(**arguments):
    return pass_at_k_failure(**arguments)


def test_shapes_that_do_not_broadcast_are_named():
    with pytest.raises(ValueError, match=r"k \(3,\), lgen \(2,\)"):
        pass_at_k_failure(**{**GOOD, "k": np.ones(3), "lgen": np.ones(2)})


def test_no_k_gives_no_values():
    assert pass_at_k_failure(**{**GOOD, "k": np.ones(0)}).shape == (0,)


def test_slopes_where_failure_is_certain_are_the_limits():
    """At k = 0 the slope in k is E[log(1 - s)], at δ = 0 that in δ is -k E[∂s/∂δ]; all other slopes are 0 there."""
    slopes = over_points(jax.grad(lambda *point: log_failure(*point, "gamma"), (0, 1, 2, 3)))
    points = [jnp.array(x) for x in ([0.0, 0.0, 100.0], [0.1, 0.5, 0.1], [2.5, 1.0, 2.5], [0.5, 0.05, 0.0])]
    measured = np.array(slopes(points)).T
    y = np.linspace(-60, 6, 4001)  # log τ
    a, weight = np.polynomial.hermite_e.hermegauss(100)
    for (k, v, beta, eps), slope in zip(np.array(points).T, measured, strict=True):
        prior = np.exp(beta / 2 * y - np.exp(y)) / float(mp.gamma(beta / 2)) * (y[1] - y[0])
        root = np.exp(y / 2)[:, None]
        if k == 0:
            term = np.log(
                erfc((eps - abs(a) * np.sqrt(v)) * root / np.sqrt(2)) / 2
                + erfc((eps + abs(a) * np.sqrt(v)) * root / np.sqrt(2)) / 2
            )
        else:
            term = -k * root * np.sqrt(2 / np.pi) * np.exp(-0.5 * v * root**2 * a**2)
        exact = prior @ np.asarray(term) @ weight / weight.sum()
        at = 0 if k == 0 else 3
        assert slope[at] == pytest.approx(exact, rel=1e-8)
        np.testing.assert_allclose(np.delete(slope, at), 0, atol=1e-8)


def test_float32_holds_over_the_documented_ranges_and_says_nan_beyond():
    """Random points of the box and whole k, which JAX without x64 would wrap to 32 bits as integers."""
    k, v, beta, eps = (np.asarray(x) for x in draw_box(4 * SLOTS, 5))
    whole = [np.array([10**10, 10**18]), 3_000_000_000, 10**12]
    model = {"beta": 2.5, "delta": 0.5, "sigma_eta": 1.0, "log": True}

    def values():
        box = pass_at_k_failure(k, v, beta=beta, delta=eps, sigma_eta=1.0, log=True)
        return np.concatenate(
            [np.ravel(x) for x in (box, *(pass_at_k_failure(n, 0.1, **model) for n in whole))]
        )

    exact = values()
    with jax.enable_x64(False):
        single = values()
        beyond = pass_at_k_failure(np.array([1e31, 10**40]), 0.1, **model)
    assert single.dtype == np.float32
    assert np.all(np.abs(single - exact) < FLOAT32 * (1 + np.abs(exact)))
    assert np.all(np.isnan(beyond))


def test_broadcasting_and_vmap_give_the_same_numbers():
    k, v = jnp.array([1, 10, 1000]), jnp.array([[0.0], [0.2]])
    grid = pass_at_k_failure(k, v, beta=2.5, delta=0.5, sigma_eta=1.0)
    assert grid.shape == (2, 3)
    assert jnp.all(jnp.diff(grid, axis=1) < 0)
    assert jnp.all(grid[1] > grid[0])
    by_vmap = jax.vmap(lambda v: pass_at_k_failure(k, v, beta=2.5, delta=0.5, sigma_eta=1.0))(v[:, 0])
    np.testing.assert_allclose(by_vmap, grid, rtol=1e-13)
    np.testing.assert_allclose(grid[1], jnp.exp(failure(k, 0.2, 2.5, 0.5)[0]), rtol=1e-12)


def test_float32_stays_float32():
    points = [jnp.array(x) for x in ([1.0, 1e3, 1e9], [0.1, 1e-3, 3.0], [2.5, 4.0, 1.0], [0.5, 0.05, 0.01])]
    k, v, beta, eps = (x.astype("float32") for x in points)
    single = pass_at_k_failure(k, v, beta=beta, delta=eps, sigma_eta=1.0, log=True)
    assert single.dtype == jnp.float32
    np.testing.assert_allclose(single, failure(*points)[0], rtol=1e-5, atol=1e-5)


@pytest.fixture(scope="module", params=["gamma", pytest.param("power", marks=pytest.mark.slow)])
def gradients(request):
    """The prior, random points (then three at and near v = 0), and ∂ log L_inf in k, v, β, δ/σ at each."""
    points = draw_box(10, 7)
    points[1] = jnp.clip(points[1], 1e-2)  # smaller v: the finite difference loses what bias adds
    near_zero = (jnp.full(3, 300.0), jnp.array([0.0, 1e-13, 1e-11]), jnp.full(3, 2.5), jnp.full(3, 0.5))
    points = [jnp.concatenate(pair) for pair in zip(points, near_zero, strict=True)]
    gradient = jax.grad(lambda *point: log_failure(*point, request.param), (0, 1, 2, 3))
    return request.param, points, over_points(gradient)(points)


def test_derivatives_match_finite_differences(gradients):
    """In the logarithms, by eighth-order central differences of the rule, itself good to 1e-13, with two steps.

    Where a tail sets in within one step (e^-450 of one point here), the two steps disagree and so bound less.
    """
    difficulty, points, gradient = gradients
    points, slopes = [x[:-3] for x in points], [(g * x)[:-3] for g, x in zip(gradient, points, strict=True)]
    value = over_points(lambda *point: log_failure(*point, difficulty))
    weights = jnp.array([1 / 280, -4 / 105, 1 / 5, -4 / 5, 4 / 5, -1 / 5, 4 / 105, -1 / 280])

    def difference(axis, step):
        offsets = jnp.array([-4.0, -3.0, -2.0, -1.0, 1.0, 2.0, 3.0, 4.0]) * step
        moved = [jnp.repeat(x, 8) for x in points]
        moved[axis] = (points[axis][:, None] * jnp.exp(offsets)[None, :]).ravel()
        return value(moved).reshape(-1, 8) @ weights / step

    for axis in range(4):
        fine, coarse = difference(axis, 0.01), difference(axis, 0.02)
        doubt = jnp.abs(fine - coarse)
        allowed = DERIVATIVE * jnp.abs(fine) + 1e-9
        assert jnp.sum(doubt < allowed) >= 8, axis  # most points are tested to the full
        assert jnp.all(jnp.abs(fine - slopes[axis]) < allowed + doubt), axis


def test_slope_at_zero_bias_is_the_closed_form(gradients):
    """dL_inf/dv at v = 0 is half the mean curvature in B/σ, E[k (1-s)^(k-1) ε τ^(3/2) φ(ε√τ)]."""
    difficulty, points, gradient = gradients
    k, beta, eps = 300, mp.mpf(2.5), mp.mpf(0.5)

    def integrand(tau):
        h = eps * mp.sqrt(tau)
        prior = mp.exp(-tau) / mp.gamma(beta / 2) if difficulty == "gamma" else beta / 2
        return prior * tau ** (beta / 2) * k * mp.erfc(h / mp.sqrt(2)) ** (k - 1) * h * mp.npdf(h)

    exact = mp.quad(integrand, [0, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1])  # k = 300: nothing beyond τ = 1
    measured = gradient[1][-3:] * jnp.exp(failure(*(x[-3:] for x in points), difficulty)[0])
    np.testing.assert_allclose(measured, float(exact), rtol=1e-7)  # both sides of where the linear form ends


@pytest.mark.slow
@pytest.mark.parametrize("difficulty", ["gamma", "power"])
def test_random_points_of_the_box_against_a_rule_several_times_finer(difficulty):
    points = draw_box(1200, 1)
    dense = Rule(700, 700, 140, 42.0)
    fine, coarse, exact = (
        over_points(lambda *point, rule=rule: log_failure(*point, difficulty, rule))(points)
        for rule in (Rule(256, 192, 48, 28.0), COARSE, dense)
    )
    assert jnp.abs(fine - exact).max() < BOX
    assert jnp.all(jnp.abs(fine - exact) < jnp.abs(coarse - fine) + 1e-12 * (1 + jnp.abs(exact)))


@pytest.mark.slow
@pytest.mark.parametrize("case", [(1e2, 0.1, 2.5, 0.5, "gamma"), (3e4, 1.7, 6.0, 0.2, "power")])
def test_stored_reference_method_agrees_when_run_afresh(case):
    exact = mp.log(Problem(*case, step=4.0, nodes=16).value())
    assert abs(failure(*case)[0][0] - float(exact)) < 1e-11
