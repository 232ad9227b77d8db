"""Summaries: on results made by hand, every number is known."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from lidjax import load_spec, run_sweep, summarise, summary_tables
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
    with pytest.raises(InputError, match=r"fit.window = \[2000, 3000\]: contains 0"):
        summarise(made_results(), window=(2000.0, 3000.0))


def sampled_results(sizes):
    """Results whose L_inf(k) is a mean over test instances; `sizes` (n, seed, k) are those on which each rests."""
    data = made_results()
    data["effective_sample_size"] = (data["failure"].dims, np.asarray(sizes, np.float32)[None])
    return data


def test_no_slope_is_fitted_through_what_rests_on_few_instances():
    """Few instances at one k of one training set: that size has no β_eff, and is not in the fit of Eq. 20."""
    sizes = np.full((len(N), 6, len(K)), 1e4)
    sizes[3, 2, 6] = 29
    sizes[5, :, -1] = 3  # k = 1000, which lies outside of the window
    data = sampled_results(sizes)
    summary, exact = summarise(data), summarise(made_results())
    left_out = np.arange(len(N)) == 3
    np.testing.assert_array_equal(summary["beta_eff_low_ess"].values.ravel(), left_out)
    np.testing.assert_array_equal(np.isnan(summary["beta_eff"].values.ravel()), left_out)
    np.testing.assert_array_equal(
        summary["in_fit"].values.ravel(), exact["in_fit"].values.ravel() & ~left_out
    )
    np.testing.assert_array_equal(summary["low_ess"].values[0], (sizes < 30).any(axis=1))
    # all training sets together rest on enough: their mean curve keeps its slope
    np.testing.assert_allclose(summary["beta_eff_mean_curve"], exact["beta_eff_mean_curve"], rtol=1e-12)
    assert not exact["low_ess"].any()
    (table,) = summary_tables(summary)
    assert [row[3] for row in table.rows].count("too few instances") == 1
    assert any("left out at N = 80" in note for note in table.notes)
    assert table.record["rows"][3]["resolved_to_k"] == K[5]


def test_the_sample_sizes_of_training_sets_add_up_as_those_of_one_mean():
    """Terms c of six training sets, pooled by hand: (Σ c)² / Σ c²."""
    rng = np.random.default_rng(2)
    terms = rng.lognormal(0, 2, (len(N), 6, len(K), 50)) * rng.uniform(0.1, 10, (1, 6, 1, 1))
    data = sampled_results(terms.sum(axis=-1) ** 2 / np.sum(terms**2, axis=-1))
    data["failure"] = (data["failure"].dims, terms.mean(axis=-1)[None])
    pooled = terms.sum(axis=(1, 3)) ** 2 / np.sum(terms**2, axis=(1, 3))
    assert 0.2 < np.mean(pooled < 30) < 0.8
    inside = (K >= 2) & (K <= 500)
    expected = (pooled[:, inside] < 30).any(axis=1)
    summary = summarise(data, window=(2.0, 500.0))
    np.testing.assert_array_equal(np.isnan(summary["beta_eff_mean_curve"].values.ravel()), expected)


def test_a_store_that_does_not_know_its_sample_sizes_is_read_with_care():
    """Versions before wrote none. Terms of at most 1 with mean L_inf rest on at least m L_inf instances."""
    data = made_results()
    data.attrs["spec"]["model"] = {"failure": "instances", "num_instances": 1000}
    summary = summarise(data)
    few = (1000 * data["failure"].values[0] < 30).any(axis=1)
    np.testing.assert_array_equal(summary["low_ess"].values[0], few)
    terms = np.random.default_rng(1).beta(0.2, 3.0, (100, 1000))
    kish = terms.sum(axis=1) ** 2 / np.sum(terms**2, axis=1)
    assert (kish >= terms.sum(axis=1)).all()


def test_the_quickstart_shows_the_exponent_it_was_given():
    """The shipped spec at its largest sizes: β_eff within 1 % of β = 2.5, where the default of the spec has it."""
    spec = load_spec(Path(__file__).resolve().parents[2] / "sweeps" / "quickstart.toml")
    assert spec.model.failure == "quadrature"
    largest = spec.grid.n[-3:]
    grid = dataclasses.replace(spec.grid, n=largest, seed=spec.grid.seed[:4])
    summary = summarise(run_sweep(dataclasses.replace(spec, grid=grid)))
    np.testing.assert_allclose(summary["beta_eff"].values.ravel()[-1], spec.grid.beta[0], rtol=0.01)
