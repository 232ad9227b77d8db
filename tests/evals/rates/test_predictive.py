"""The posterior predictive check: level on families that fit, and counts that none fits."""

import numpy as np
import pytest
from scipy import special, stats

from lidjax.evals import EvalData, Group, fit_evals
from lidjax.evals.rates.posterior import sample_posterior
from lidjax.evals.rates.predictive import bin_chances, bin_edges, predictive_p_value
from lidjax.evals.rates.quadrature import COARSE_GRID, count_rows


def p_value(n, c):
    rows = count_rows(n, c, COARSE_GRID)
    return predictive_p_value(np.random.default_rng(0), sample_posterior(rows), rows)


def comb(rng, problems, attempts):
    """Rates at eight narrow spikes, which no family of the average has."""
    return rng.binomial(attempts, special.expit(rng.choice(np.arange(-7.0, 1.0), problems)))


def test_counts_that_a_family_gives_are_not_refuted_and_a_comb_is():
    """Six groups: the check is conservative, so a p-value below 0.002 in one of them has a probability below 0.012."""
    n = np.full(128, 300)
    for seed in range(2):
        rng = np.random.default_rng(seed)
        for rates in (rng.beta(0.3, 5, 128), special.expit(rng.normal(-4, 2, 128)), np.full(128, 0.2)):
            assert p_value(n, rng.binomial(300, rates)) > 2e-3
    n, c = np.full(200, 3000), comb(np.random.default_rng(0), 200, 3000)
    group = Group("comb", {}, tuple(map(str, range(200))), n, c)
    (fit,) = fit_evals(EvalData((group,), "by hand"), models=False, bootstrap="none")
    assert "no_model_fits" in [finding.kind for finding in fit.findings]


def test_chances_of_bins_are_binomial():
    """Averaged over the hat function, by 400 points in SciPy."""
    edges = np.array([0.0, 0.05, 0.3])
    found = bin_chances(40, edges)
    node = int(np.argmin(np.abs(COARSE_GRID.nodes + 2)))
    x = np.linspace(COARSE_GRID.nodes[node - 1], COARSE_GRID.nodes[node + 1], 401)
    hat = np.interp(x, COARSE_GRID.nodes[node - 1 : node + 2], [0, 1, 0])
    below = stats.binom.cdf(np.array([0, 2, 12])[:, None], 40, special.expit(x)) @ hat / hat.sum()
    assert found[node] == pytest.approx(np.diff(below, prepend=0, append=1), abs=1e-3)
    assert np.all(np.diff(special.logit(bin_edges(np.full(90, 100), np.arange(1, 91)))[1:]) >= 0.5)
    assert np.isnan(p_value(np.ones(20, int), np.repeat([0, 1], 10)))
