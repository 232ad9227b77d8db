"""The summary against the unbiased estimates it is made of."""

import numpy as np
import pytest

from lidjax import InputError
from lidjax.distill import summarise_distillation
from lidjax.passk import failure_from_counts


def test_the_summary_is_the_mean_of_the_unbiased_estimates(whole):
    data, _ = whole
    found = summarise_distillation(data)
    part = data.sel(target="truth").isel(n=2)
    for k in (1, 16):
        expected = failure_from_counts(part["attempts"].values, part["correct"].values, k).mean()
        assert found["failure"].sel(target="truth", k=k).values[2] == pytest.approx(expected, rel=1e-12)
    assert (found["greedy_loss_low"] <= found["greedy_loss_high"]).all()
    greedy = 1 - data["greedy"].mean(["seed", "question"]).transpose("target", "n")
    np.testing.assert_allclose(found["greedy_loss"].sel(target="truth"), greedy.sel(target="truth"))


def test_a_student_that_diverges_has_a_status_and_the_summary_leaves_it_out(whole):
    data = whole[0].copy(deep=True)
    data["status"][0, 1] = 1
    data["correct"][0, 1] = 0
    data["attempts"][0, 1] = 0
    data["lgen"][0, 1] = np.nan
    found = summarise_distillation(data)
    alone = data.isel(n=0, seed=0).sel(target="truth")
    expected = failure_from_counts(alone["attempts"].values, alone["correct"].values, 4).mean()
    assert found["failure"].sel(target="truth", k=4).values[0] == pytest.approx(expected, rel=1e-12)
    assert np.isfinite(found["lgen"]).all()


def test_a_window_with_too_few_values_of_k_is_refused(whole):
    with pytest.raises(InputError, match=r"contains 2 values of k \(they go from 1 to 16\)"):
        summarise_distillation(whole[0], window=(2, 3))


def test_what_rests_on_few_questions_is_marked(whole):
    """Kish's number of questions, by hand at one N; with all but two questions solved every time it is 2."""
    data = whole[0].copy(deep=True)
    data["correct"][:] = data["attempts"]
    data["correct"][..., :2] = 0
    found = summarise_distillation(data)
    at = {"target": "truth", "k": 4}
    np.testing.assert_allclose(found["effective_sample_size"].sel(at), 2.0)
    assert found["low_ess"].sel(at).all()
    assert found["beta_eff_low_ess"].sel(target="truth").all()
    part = whole[0].sel(target="truth").isel(n=1)
    terms = failure_from_counts(part["attempts"].values, part["correct"].values, 4).mean(axis=0)
    expected = terms.sum() ** 2 / np.sum(terms**2)
    sizes = summarise_distillation(whole[0])["effective_sample_size"]
    assert sizes.sel(at).values[1] == pytest.approx(expected, rel=1e-12)
