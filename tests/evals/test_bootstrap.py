"""Bootstrap, tail indices and advice: replicates against single fits, expectations against simulation."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

from lidjax.errors import InputError
from lidjax.evals.baselines import BASELINES
from lidjax.evals.bootstrap import bootstrap
from lidjax.evals.next_attempts import next_attempts
from lidjax.evals.rates.families import BETA, bent_logistic_log_density
from lidjax.evals.rates.likelihood import fit_family
from lidjax.evals.rates.population import Posterior, sample_posterior
from lidjax.evals.rates.quadrature import COARSE, count_rows
from lidjax.evals.tail_index import loglog_slope, tail_indices, weighted_quantile, window_slope


@pytest.fixture(scope="module")
def counts():
    rng = np.random.default_rng(0)
    return np.full(100, 60), rng.binomial(60, rng.beta(0.5, 5, 100))


@pytest.mark.parametrize("over", ["problems", "attempts"])
def test_replicates_are_the_fits_to_the_resampled_counts(counts, over):
    found = bootstrap(*counts, over=over, replicates=200 if over == "problems" else 6)
    assert found.converged > 0.95
    for pair, params in zip(found.counts[:6], found.params[:6], strict=True):
        single = fit_family(BETA, count_rows(*pair))
        np.testing.assert_allclose(params, single.params, atol=0.02)  # a tenth of a standard error
    if over == "attempts":
        assert all(np.all(c[counts[1] == 0] == 0) for _, c in found.counts)


def test_the_bootstrap_has_the_spread_of_the_information(counts):
    """Standard deviation of log a over 200 replicates, itself known to 5 %, against the model's own; 25 % apart at
    most."""
    found = bootstrap(*counts, replicates=200)
    information = np.asarray(fit_family(BETA, count_rows(*counts)).information)
    assert found.params[:, 0].std() == pytest.approx(np.sqrt(np.linalg.inv(information)[0, 0]), rel=0.25)


def test_an_unknown_bootstrap_is_named():
    with pytest.raises(InputError, match=r"problem.*did you mean 'problems'"):
        bootstrap(np.array([3, 3]), np.array([1, 2]), over="problem")


def test_slopes_of_known_curves():
    """40,000 problems with rates Beta(0.4, 1): the failure falls like k^-0.4. The slope's standard error is 0.007."""
    rng = np.random.default_rng(0)
    n = np.full(40_000, 1000)
    c = rng.binomial(1000, rng.beta(0.4, 1.0, 40_000))
    assert window_slope(n, c) == pytest.approx(0.4, abs=0.03)
    # another quantity: -log pass@k is the failure only where the failure is small
    assert 0.4 < loglog_slope(n, c) < 0.6
    assert np.isnan(window_slope(np.array([5, 5]), np.array([5, 5])))


def test_estimators_are_named_and_disagree(counts):
    posterior = sample_posterior(count_rows(*counts, COARSE))
    found = {tail.estimator: tail for tail in tail_indices(*counts, posterior, bootstrap(*counts))}
    assert list(found) == ["slope-log-failure", "slope-log-log-pass", "beta-binomial", "default"]
    assert all(tail.lower <= tail.upper for tail in found.values())
    assert found["default"].interval == "posterior"
    assert weighted_quantile(np.array([3.0, 1.0, 2.0]), np.array([0.2, 0.5, 0.3]), 0.6) == 2.0


def test_advice_is_the_expected_fall_of_the_variance():
    """One fixed population; the gain of a problem against direct quadrature."""
    n, c = np.array([20, 20, 20, 20]), np.array([0, 1, 20, 5])
    rows = count_rows(n, c, COARSE)
    params = np.array([-3.0, -0.7, 1.0, 0.0, -1.5])
    posterior = Posterior(params[None, :], np.ones(1), 1000.0, 0.0)
    k, more = 200, 16
    found = next_attempts(posterior, rows, k, more=more, chosen=2)
    gain = dict(zip(found.order.tolist(), found.gain.tolist(), strict=True))
    assert gain[2] < 1e-8  # solved every time: nothing to learn
    assert found.after < found.before
    x = np.linspace(-40, 12, 8001)
    density = np.interp(
        x, COARSE.nodes, np.exp(np.asarray(bent_logistic_log_density(jnp.asarray(params), COARSE)))
    )
    rate = special.expit(x)
    solved = -np.expm1(k * np.log1p(-rate))
    weight = density * stats.binom.pmf(0, 20, rate)
    weight /= weight.sum()
    drawn = stats.binom.pmf(np.arange(more + 1)[:, None], more, rate) * weight
    mass = drawn.sum(axis=1)
    later = np.sum(drawn @ solved**2 - (drawn @ solved) ** 2 / mass)
    now = weight @ solved**2 - (weight @ solved) ** 2
    assert gain[0] == pytest.approx((now - later) / 16, rel=0.02)


def test_baselines_on_counts_of_their_own_family():
    """Beta rates: the beta-binomial forecast is right within five standard errors of 4000 problems."""
    rng = np.random.default_rng(1)
    n, c = np.full(4000, 100), rng.binomial(100, rng.beta(0.6, 6, 4000))
    exact = -np.expm1(special.betaln(0.6, 1006) - special.betaln(0.6, 6))
    assert float(BASELINES["beta-binomial"](n, c, 1000)) == pytest.approx(exact, abs=0.02)
    assert float(BASELINES["discretised-beta"](n, c, 1000)) == pytest.approx(exact, abs=0.1)
    assert 0 < float(BASELINES["least-squares"](n, c, 1000)) < 1
