"""One β for several training sizes: scipy on the joint problem, coverage, and curves that show only one tail."""

import numpy as np
import pytest
from helpers.fit_curves import NOISE, ROWS, K, power, two_tail
from scipy.optimize import least_squares

from lidjax.errors import InputError
from lidjax.fitting import FitStatus, fit_two_tail, fit_two_tail_shared

pytestmark = pytest.mark.xdist_group("shared_beta")  # one worker: what its tests share is computed once

GAMMAS = np.array([0.4, 0.8, 3.0])
BETA = 2.0
LAWS = np.stack([two_tail(BETA, g, 3.0, c2) for g, c2 in zip(GAMMAS, [0.01, 0.03, 2e3], strict=True)])
SETS = 120


@pytest.fixture(scope="module")
def curves():
    return LAWS * np.exp(NOISE * np.random.default_rng(0).normal(size=(SETS, *LAWS.shape)))


@pytest.fixture(scope="module")
def fit(curves):
    return fit_two_tail_shared(K, curves, standard_error=NOISE * LAWS)


def test_gamma_may_lie_on_either_side_of_the_shared_beta(fit):
    np.testing.assert_allclose(np.median(fit.gamma, axis=0), GAMMAS, rtol=0.05)
    assert np.median(fit.beta) == pytest.approx(BETA, rel=0.01)
    assert np.mean(np.asarray(fit.status) == FitStatus.OK) > 0.95
    assert np.asarray(fit.separated).mean() > 0.95


def test_the_objective_is_as_low_as_scipys(curves, fit):
    log_k = np.log(K)

    def joint(p, logs, error):
        beta, gamma, c2, c1 = np.exp(p[0]), np.exp(p[1:4]), p[4:7], p[7:]
        law = np.logaddexp(c1[:, None] - beta * log_k, c2[:, None] - gamma[:, None] * log_k)
        return ((law - logs) / error).ravel()

    for row in range(8):
        logs = np.log(curves[row])
        guesses = [(b, 0.5 * s, 0.9 * s, 2.5 * s) for b in (1.8, 2.2) for s in (0.8, 1.2)]
        starts = [np.log([*guess, 0.02, 0.05, 1e3, 2, 2, 2]) for guess in guesses]
        found = [
            least_squares(
                joint, s, args=(logs, NOISE * LAWS / curves[row]), xtol=1e-14, ftol=1e-14, gtol=1e-14
            )
            for s in starts
        ]
        assert fit.cost[row] == pytest.approx(2 * min(f.cost for f in found), rel=1e-6)


def test_the_interval_of_beta_and_the_errors_of_gamma_cover(fit):
    """120 sets: four binomial deviations are 0.08, one false alarm in 16 000 each."""
    beta = (np.asarray(fit.beta_lower) < BETA) & (np.asarray(fit.beta_upper) > BETA)
    assert beta.mean() == pytest.approx(0.95, abs=0.08)
    wald = np.abs(np.asarray(fit.gamma) - GAMMAS) < 1.96 * np.asarray(fit.gamma_se)
    np.testing.assert_allclose(wald.mean(axis=0), 0.95, atol=0.08)


def test_sharing_narrows_beta(curves, fit):
    rows = np.concatenate([curves[:, 0], curves[:, 0]])[:ROWS]  # the shape that other tests compile for
    alone = fit_two_tail(K, rows, standard_error=NOISE * LAWS[0])
    assert np.median(fit.beta_se) < 0.95 * np.median(alone.beta_se)


def test_a_curve_with_one_tail_is_not_separated_while_the_others_are(curves):
    mixed = curves.copy()
    mixed[:, 2] *= power(BETA, 1.0) / LAWS[2]
    fit = fit_two_tail_shared(K, mixed, standard_error=NOISE * np.stack([*LAWS[:2], power(BETA, 1.0)]))
    separated = np.asarray(fit.separated)
    assert separated[:, 2].mean() < 0.1
    assert np.all(np.isinf(np.asarray(fit.gamma_se)[:, 2][~separated[:, 2]]))
    assert separated[:, :2].mean() > 0.95


def test_statuses_and_bad_input(curves):
    spoilt, error = curves.copy(), np.broadcast_to(NOISE * LAWS, curves.shape).copy()
    spoilt[0, 1, 4] = -1.0
    error[1, :, 3:] = np.nan  # nine points for ten parameters
    fit = fit_two_tail_shared(K, spoilt, standard_error=error)
    assert np.asarray(fit.status)[:2].tolist() == [FitStatus.NOT_POSITIVE, FitStatus.TOO_FEW_POINTS]
    assert np.isnan(np.asarray(fit.beta)[:2]).all()
    assert np.isfinite(np.asarray(fit.beta)[2:]).all()
    with pytest.raises(InputError, match="share = 'gamma'"):
        fit_two_tail_shared(K, curves, share="gamma")
    with pytest.raises(InputError, match="at least two axes"):
        fit_two_tail_shared(K, curves[0, 0])


@pytest.mark.slow
def test_c1_may_be_shared_too():
    curves = LAWS[:2] * np.exp(NOISE * np.random.default_rng(1).normal(size=(100, 2, K.size)))
    fit = fit_two_tail_shared(K, curves, standard_error=NOISE * LAWS[:2], share="beta and c1")
    c1 = np.asarray(fit.c1)
    assert np.all(c1[:, 0] == c1[:, 1])
    covered = np.abs(c1[:, 0] - 3.0) < 1.96 * np.asarray(fit.c1_se)[:, 0]
    assert covered.mean() == pytest.approx(0.95, abs=4 * np.sqrt(0.05 * 0.95 / 100))
