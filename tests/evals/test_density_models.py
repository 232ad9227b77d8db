"""Comparison of models: extremes, and the pass@k of a fitted model."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.eval_logs import draw_counts
from scipy import special

from lidjax.errors import InputError
from lidjax.evals import compare_models
from lidjax.evals.density_models import MODELS, fit_models, model_pass_at_k
from lidjax.evals.rates.families import BETA, with_zero
from lidjax.evals.rates.quadrature import count_rows

EXTREMES = {
    "none solved": (np.full(20, 30), np.zeros(20, int)),
    "all solved": (np.full(20, 30), np.full(20, 30)),
    "one problem": (np.array([30]), np.array([3])),
}


@pytest.mark.parametrize("case", EXTREMES)
def test_extremes_are_fitted_or_said_not_to_be(case):
    n, c = EXTREMES[case]
    rows = count_rows(n, c)
    for model in fit_models(rows, (BETA, with_zero(BETA))):
        assert np.isfinite(float(model.fit.log_likelihood))
        assert model.status != "ok"  # every one of these leaves a parameter at its edge
        assert 0 <= model_pass_at_k(model.family, model.fit.params, rows, 1000)[0] <= 1


def test_pass_at_k_of_a_model_is_the_mean_over_problems_of_their_posteriors():
    n, c = draw_counts(3, 0.4, 8.0, problems=20)
    rows = count_rows(n, c)
    a, b, k = 0.4, 8.0, 500
    direct = np.mean(-np.expm1(special.betaln(a + c, b + n - c + k) - special.betaln(a + c, b + n - c)))
    assert model_pass_at_k(BETA, jnp.log(jnp.array([a, b])), rows, k)[0] == pytest.approx(direct, abs=1e-3)


def test_models_are_compared_from_bare_counts():
    n, c = draw_counts(3, 0.4, 8.0, problems=20)
    names = ["beta-binomial", "beta-binomial+zero"]
    found = compare_models(n.tolist(), c.tolist(), models=names)
    expected = fit_models(count_rows(n, c), [MODELS[name] for name in names])
    assert [model.to_dict() for model in found] == [model.to_dict() for model in expected]
    with jax.enable_x64(False):
        assert compare_models(n, c, models=names)[0].aic == found[0].aic
    with pytest.raises(InputError, match="did you mean 'beta-binomial'"):
        compare_models(n, c, models=["beta-binomal"])
