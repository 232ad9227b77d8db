"""Bootstrap: replicates against single fits, and their spread against the information."""

import numpy as np
import pytest

from lidjax.errors import InputError
from lidjax.evals.bootstrap import bootstrap_family
from lidjax.evals.rates.families import BETA
from lidjax.evals.rates.likelihood import fit_family
from lidjax.evals.rates.quadrature import count_rows


@pytest.fixture(scope="module")
def counts():
    rng = np.random.default_rng(0)
    return np.full(100, 60), rng.binomial(60, rng.beta(0.5, 5, 100))


@pytest.mark.parametrize("over", ["problems", "attempts"])
def test_replicates_are_the_fits_to_the_resampled_counts(counts, over):
    found = bootstrap_family(*counts, over=over, replicates=200 if over == "problems" else 6)
    assert found.converged > 0.95
    for pair, params in zip(found.counts[:6], found.params[:6], strict=True):
        single = fit_family(BETA, count_rows(*pair))
        np.testing.assert_allclose(params, single.params, atol=0.02)  # a tenth of a standard error
    if over == "attempts":
        assert all(np.all(c[counts[1] == 0] == 0) for _, c in found.counts)


def test_the_bootstrap_has_the_spread_of_the_information(counts):
    """Standard deviation of log a over 200 replicates, itself known to 5 %, against the model's own; 25 % apart at
    most."""
    found = bootstrap_family(*counts, replicates=200)
    information = np.asarray(fit_family(BETA, count_rows(*counts)).information)
    assert found.params[:, 0].std() == pytest.approx(np.sqrt(np.linalg.inv(information)[0, 0]), rel=0.25)


def test_an_unknown_bootstrap_is_named():
    with pytest.raises(InputError, match=r"problem.*did you mean 'problems'"):
        bootstrap_family(np.array([3, 3]), np.array([1, 2]), over="problem")
