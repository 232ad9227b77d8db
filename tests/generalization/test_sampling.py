"""Draws from the exact distribution of L_gen against simulation of features and labels.

Two-sample Kolmogorov tests and means of log L_gen (which exist for every β), fixed keys; `ALARM` is the
chance that a right program fails a test at all, split over its cases.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from lidjax.generalization import chi_square, lgen_cell, resolve_method, sample_lgen
from lidjax.generalization.cells import draw_chosen
from lidjax.model import power_law_spectrum, power_law_teacher

ALARM = 1e-3
DIM = 20
EIGENVALUES, THETA = power_law_spectrum(DIM, 0.5), power_law_teacher(DIM)
BETAS, RATIOS, RIDGES = (1.5, 2.5, 5.0), (0.5, 0.9, 1.1, 2, 50), (0.0, 1e-9, 1e-3)
CASES = [(b, q, r) for b in BETAS for q in RATIOS for r in RIDGES]
FAST = [(1.5, 0.5, 1e-3), (5.0, 0.9, 0.0), (1.5, 1.1, 1e-3), (2.5, 1.1, 0.0), (5.0, 2, 1e-9), (2.5, 50, 1e-3)]


def draws(method, beta, n, ridge, *, seed, size=4000, difficulty="gamma", dtype=jnp.float64):
    return np.asarray(
        sample_lgen(
            jax.random.key(seed),
            n,
            eigenvalues=EIGENVALUES.astype(dtype),
            theta=THETA.astype(dtype),
            beta=beta,
            sigma_eta=0.3,
            ridge=ridge,
            num_samples=size,
            method=method,
            difficulty=difficulty,
        ),
        float,
    )


def assert_same_law(first, second, alarm):
    """Kolmogorov p-value and the standardised difference of mean logs both pass at false-alarm rate `alarm`."""
    assert stats.ks_2samp(first, second).pvalue > alarm / 2
    first, second = np.log(first), np.log(second)
    z = (first.mean() - second.mean()) / np.hypot(
        first.std() / first.size**0.5, second.std() / second.size**0.5
    )
    assert 2 * stats.norm.sf(abs(z)) > alarm / 2


def check_case(beta, ratio, ridge, *, difficulty="gamma", cases):
    n = round(ratio * DIM)
    simulated = draws("simulate", beta, n, ridge, seed=1, difficulty=difficulty)
    methods = {resolve_method("exact", n, DIM, ridge), "bartlett" if n >= DIM else "dual"}
    for method in sorted(methods):
        assert_same_law(
            simulated, draws(method, beta, n, ridge, seed=2, difficulty=difficulty), ALARM / cases
        )


@pytest.mark.parametrize(("beta", "ratio", "ridge"), FAST)
def test_exact_against_simulation(beta, ratio, ridge):
    check_case(beta, ratio, ridge, cases=len(FAST))


@pytest.mark.slow
@pytest.mark.parametrize(("beta", "ratio", "ridge"), CASES)
@pytest.mark.parametrize("difficulty", ["gamma", "power"])
def test_exact_against_simulation_on_the_whole_grid(beta, ratio, ridge, difficulty):
    check_case(beta, ratio, ridge, difficulty=difficulty, cases=2 * len(CASES))


@pytest.mark.parametrize("n", [10, pytest.param(22, marks=pytest.mark.slow)])
def test_a_wrong_degree_of_freedom_is_caught(n, monkeypatch):
    method = resolve_method("exact", n, DIM, 1e-9)
    simulated = draws("simulate", 5.0, n, 1e-9, seed=1, size=20_000)

    @functools.partial(jax.jit, static_argnums=1)
    def exact(key, _wrong):
        keys = jax.random.split(key, 20_000)
        arguments = {"eigenvalues": EIGENVALUES, "theta": THETA, "beta": 5.0, "sigma_eta": 0.3, "ridge": 1e-9}
        return jax.vmap(lambda key: lgen_cell(key, n, method=method, **arguments))(keys)

    assert stats.ks_2samp(simulated, np.asarray(exact(jax.random.key(2), False))).pvalue > ALARM / 2
    right = chi_square.chi_square
    monkeypatch.setattr(chi_square, "chi_square", lambda dof, *variates: right(dof + 1, *variates))
    assert stats.ks_2samp(simulated, np.asarray(exact(jax.random.key(2), True))).pvalue < 1e-6


@pytest.mark.parametrize(
    ("n", "ridge"), [(22, 0.0), (40, 0.0), (1000, 0.0), (10**6, 0.0), (10**15, 0.0), (40, 1e-12)]
)
@pytest.mark.parametrize("method", ["scalar", "bartlett"])
def test_mean_is_the_closed_form(n, ridge, method):
    """E[L_gen] = σ² E[1/τ] d/(N-d-1) at β = 6 within 4 standard errors (false alarm 6e-5 a case).

    At N = d + 2 the mean exists but not the variance, so N starts at d + 2 only through its median.
    """
    sample = draws(method, 6.0, n, ridge, seed=3, size=8000)
    if n == DIM + 2:
        gain = stats.f(DIM, n - DIM + 1)  # (‖η‖²/N)·d/(N-d+1)·F, with ‖η‖² fluctuating by 20 %
        scaled = sample / (0.3**2 / 2 * DIM / (n - DIM + 1))
        assert np.median(scaled) == pytest.approx(gain.median(), rel=0.1)
        return
    expected = 0.3**2 * (2 / 4) * DIM / (n - DIM - 1)
    assert abs(sample.mean() - expected) < 4 * sample.std() / np.sqrt(sample.size) + 1e-9 * expected


@pytest.mark.slow
@pytest.mark.parametrize(("n", "ridge"), [(10, 1e-3), (40, 1e-9), (40, 0.0), (1000, 1e-3), (10**12, 1e-3)])
def test_float32_in_law(n, ridge):
    for method in {resolve_method("exact", n, DIM, ridge), "bartlett" if n >= DIM else "dual"}:
        single = draws(method, 2.5, n, ridge, seed=4, dtype=jnp.float32)
        assert_same_law(single, draws(method, 2.5, n, ridge, seed=5), ALARM / 6)


@pytest.mark.parametrize(
    ("sizes", "method"), [((40, 41, 10**6), "bartlett"), ((5, 6, 19), "dual"), ((30, 99, 10**15), "scalar")]
)
def test_one_compilation_serves_every_n_on_a_side(sizes, method, monkeypatch):
    from lidjax.generalization import sampling

    traced = []

    def counting(key, choice, *args, **kwargs):
        traced.append(choice.methods)
        return draw_chosen(key, choice, *args, **kwargs)

    monkeypatch.setattr(sampling, "draw_chosen", counting)
    counts = []
    for n in sizes:
        for beta in (2.5, 3.5):
            draws(method, beta, n, 1e-3, seed=n % 1000, size=7, difficulty="power")
            counts.append(len(traced))
    assert counts[0] > 0
    assert counts == counts[:1] * len(counts)


@pytest.mark.slow
def test_simulation_agrees_with_ridge_regression_on_its_own_law():
    """The slow twin against the library's data generator and ridge_fit, at sizes on both sides of d."""
    from lidjax.model import sample_training_set
    from lidjax.ridge import ridge_fit

    for n in (10, 300):

        def one(key, n=n):
            x, y = sample_training_set(key, n, eigenvalues=EIGENVALUES, theta=THETA, beta=2.5, sigma_eta=0.3)
            return jnp.sum(EIGENVALUES * (ridge_fit(x, y, 1e-3) - THETA) ** 2)

        direct = np.asarray(jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(8), 4000)))
        assert_same_law(direct, draws("simulate", 2.5, n, 1e-3, seed=9), ALARM / 2)


def test_numbers_out_of_range_are_refused():
    with pytest.raises(ValueError, match="beta = 0: must be greater than 0"):
        sample_lgen(
            jax.random.key(0),
            7,
            eigenvalues=EIGENVALUES,
            theta=THETA,
            beta=0.0,
            sigma_eta=1.0,
            ridge=0.0,
            num_samples=1,
        )
