"""Summaries: on results made by hand, every number is known."""

import numpy as np
import pytest
import xarray as xr

from lidjax import summarise
from lidjax.errors import InputError
from lidjax.status import CellStatus

N = np.array([10, 20, 40, 80, 160, 320, 640, 1280])
K = np.geomspace(1, 1000, 13)
TRUTH = {"beta": 2.0, "delta": 1.5, "c": 0.01, "nu": 1.1}


def made_results(noise=0.0, seeds=6, splits=False):
    """Power-law curves with β_eff(N) of Eq. 20; `noise` is the spread of log prefactors over seeds."""
    beta_eff = TRUTH["beta"] - TRUTH["delta"] / (1 + TRUTH["c"] * N ** TRUTH["nu"])
    rng = np.random.default_rng(5)
    tilt = noise * rng.normal(size=(1, seeds, 1))
    failure = 0.5 * K ** -(beta_eff[:, None, None] + tilt)
    lgen = np.broadcast_to(1.0 / N[:, None], (len(N), seeds)) * rng.lognormal(0, noise, (len(N), seeds))
    coords = {"dim": [4], "n": N, "seed": np.arange(seeds), "k": K}
    data = xr.Dataset(
        {
            "lgen": (("dim", "n", "seed"), lgen[None]),
            "failure": (("dim", "n", "seed", "k"), failure[None]),
            "status": (("dim", "n", "seed"), np.zeros((1, len(N), seeds), np.int8)),
        },
        coords=coords,
        attrs={
            "kind": "synthetic",
            "spec": {"name": "made", "fit": {"window": [2.0, 500.0], "from_n": 0.0, "published": []}},
        },
    )
    return data.assign_coords(split=("seed", np.arange(seeds) // 2)) if splits else data


def test_exact_power_laws_give_back_their_exponents_and_eq_20():
    summary = summarise(made_results())
    expected = TRUTH["beta"] - TRUTH["delta"] / (1 + TRUTH["c"] * N ** TRUTH["nu"])
    np.testing.assert_allclose(summary["beta_eff"].values.ravel(), expected, rtol=1e-10)
    np.testing.assert_allclose(summary["beta_eff_high"] - summary["beta_eff_low"], 0, atol=1e-10)
    np.testing.assert_allclose(summary["lgen_median"].values.ravel(), 1 / N, rtol=1e-12)
    for name, value in TRUTH.items():
        assert summary["saturation"].sel(parameter=name).item() == pytest.approx(value, rel=1e-4)


def test_only_n_beyond_the_peak_enters_the_fit():
    summary = summarise(made_results())
    np.testing.assert_array_equal(summary["in_fit"].values.ravel(), N > 6)
    summary = summarise(made_results(), from_n=40)
    np.testing.assert_array_equal(summary["in_fit"].values.ravel(), N >= 40)


def test_the_jackknife_error_is_that_of_the_mean_slope():
    """Small spreads of the exponent over seeds: the jackknife gives their standard error of the mean."""
    data = made_results(noise=0.01, seeds=40)
    summary = summarise(data)
    slopes = slopes_of(data["failure"].isel(dim=0, n=0).values)
    expected = slopes.std(ddof=1) / np.sqrt(len(slopes))
    assert summary["beta_eff_mean_curve_se"].values.ravel()[0] == pytest.approx(expected, rel=0.05)


def slopes_of(curves):
    inside = (K > 2) & (K < 500)
    return -np.polynomial.polynomial.polyfit(np.log(K[inside]), np.log(curves[:, inside]).T, 1)[1]


def test_the_exponent_is_that_of_the_typical_training_set():
    """One training set that never improves decides the mean curve at large k, and not the median."""
    data = made_results(noise=0.01, seeds=9)
    data["failure"][0, :, 4, :] = 0.4
    summary = summarise(data)
    typical = slopes_of(data["failure"].isel(dim=0, n=-1).values)
    assert summary["beta_eff"].values.ravel()[-1] == pytest.approx(np.median(typical), rel=1e-9)
    assert summary["beta_eff_mean_curve"].values.ravel()[-1] < 0.5 * np.median(typical)
    assert summary["beta_eff_low"].values.ravel()[-1] == pytest.approx(np.sort(typical)[1], rel=1e-9)


def test_seeds_that_share_a_split_count_once():
    summary = summarise(made_results(noise=0.05, splits=True))
    curves = made_results(noise=0.05)["failure"].values.reshape(1, len(N), 3, 2, len(K)).mean(axis=3)
    np.testing.assert_allclose(summary["failure"], np.median(curves, axis=2), rtol=1e-9)
    np.testing.assert_allclose(summary["beta_eff"][0, 0], np.median(slopes_of(curves[0, 0])), rtol=1e-9)


def test_failed_cells_do_not_pass_for_numbers():
    data = made_results()
    data["status"][0, 2, 1] = CellStatus.LGEN_NOT_FINITE
    summary = summarise(data)
    assert np.isnan(summary["lgen_mean"].values.ravel()[2])
    assert np.isnan(summary["beta_eff"].values.ravel()[2])
    assert np.isfinite(np.delete(summary["beta_eff"].values.ravel(), 2)).all()  # the other cells stand


def test_a_window_without_points_is_refused():
    with pytest.raises(InputError, match=r"fit.window = \[2000.0, 3000.0\]: contains 0"):
        summarise(made_results(), window=(2000.0, 3000.0))
