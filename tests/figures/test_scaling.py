"""Figure 1: what is drawn is what the results say."""

from pathlib import Path

import numpy as np
import pytest
from helpers.figure_results import sweep_summary
from matplotlib.figure import Figure

from lidjax import run_sweep, summarise
from lidjax.errors import InputError
from lidjax.figures import save_figure, scaling_figure
from lidjax.figures.curves import distinct_curves
from lidjax.fitting import FitStatus
from lidjax.sweep import Fit, Model, SyntheticGrid, SyntheticSpec

pytestmark = pytest.mark.xdist_group("scaling")  # one worker: what its tests share is computed once


@pytest.fixture(scope="module")
def summary():
    grid = SyntheticGrid(
        n=(20, 30, 40, 80, 160, 320),
        k=tuple(np.geomspace(1, 1e4, 13).tolist()),
        beta=(3.0,),
        dim=(8,),
        ridge=(0.0,),
        sigma_eta=(0.1,),
        delta=(0.05,),
        seed=(0, 1, 2, 3),
    )
    spec = SyntheticSpec(name="drawn", model=Model(), grid=grid, fit=Fit(window=(10.0, 1000.0)))
    return summarise(run_sweep(spec)).isel(beta=0, alpha=0, dim=0, ridge=0, sigma_eta=0, delta=0)


def line(axes, words):
    (found,) = [x for x in axes.get_lines() if words in str(x.get_label())]
    return np.asarray(found.get_xdata(), float), np.asarray(found.get_ydata(), float)


def test_the_panels_show_the_results_and_the_references(summary):
    figure = scaling_figure(summary)
    left, centre, right = figure.axes
    n, median = line(left, "median")
    np.testing.assert_array_equal(n, summary["n"])
    np.testing.assert_array_equal(median, summary["lgen_median"])

    n, reference = line(left, r"\mathrm{E}[1/\tau]")
    np.testing.assert_allclose(reference, 0.1**2 * 2 / (3.0 - 2) * 8 / n, rtol=1e-12)

    k, reference = line(centre, "Eq. 15")
    c_delta = np.sqrt(2 / np.pi) * 0.05 / 0.1
    prefactor = 2 * 2.0 / (np.sqrt(np.pi) / 2 * c_delta**3)  # Γ(3) = 2, Γ(3/2) = √π/2
    np.testing.assert_allclose(reference, prefactor * k**-3.0, rtol=1e-10)

    n, fitted = line(right, "Eq. 20")
    beta, delta, c, nu = summary["saturation"].values
    np.testing.assert_allclose(fitted, beta - delta / (1 + c * n**nu))
    for axes in figure.axes:
        assert axes.get_xlabel()
        assert axes.get_ylabel()


def test_the_curves_shown_are_some_of_n_above_d_that_can_be_told_apart(summary):
    centre = scaling_figure(summary).axes[1]
    labels = [str(x.get_label()) for x in centre.get_lines() if "N=" in str(x.get_label())]
    assert labels == [f"$N={n}$" for n in (20, 30, 40, 80, 320)]  # 160 looks like 320


def test_curves_are_chosen_apart_and_at_round_n():
    n = np.array([10, 13, 20, 27, 50, 70, 100, 140, 200])
    curves = -np.log(n)[:, None] * np.linspace(1, 2, 4)
    np.testing.assert_array_equal(n[distinct_curves(n, curves, 4)], [10, 20, 50, 200])
    curves[n >= 50] = curves[n == 50]
    np.testing.assert_array_equal(n[distinct_curves(n, curves, 4)], [10, 20, 200])
    np.testing.assert_array_equal(distinct_curves(n, np.full((9, 4), np.nan), 4), [])


@pytest.mark.parametrize("status", [FitStatus.NOT_IDENTIFIABLE, FitStatus.NOT_CONVERGED])
def test_a_fit_that_is_not_determined_is_marked_or_not_drawn(summary, status):
    changed = summary.assign(fit_status=int(status), identifiable=summary["identifiable"] & False)
    right = scaling_figure(changed).axes[2]
    (fit,) = (x for x in right.get_lines() if "Eq. 20" in str(x.get_label()))
    assert r"\hat\beta" not in fit.get_label()
    assert (len(fit.get_xdata()) > 0) == (status == FitStatus.NOT_IDENTIFIABLE)
    assert fit.get_linestyle() != "-"


def test_the_reference_of_real_features_ends_with_its_window(summary):
    low, high = summary.attrs["window"]
    names = ("beta", "alpha", "sigma_eta", "dim")
    real = summary.drop_vars(names).assign_attrs(feature_dim=8, noise_variance=0.02)
    k, _ = line(scaling_figure(real).axes[1], "slope at")
    assert (k.min(), k.max()) == (pytest.approx(low), pytest.approx(high))


def test_files_are_written_as_vector_and_raster(summary, tmp_path):
    paths = save_figure(scaling_figure(summary), tmp_path / "figures", "scaling")
    pdf, png = (Path(path).read_bytes()[:8] for path in paths)
    assert pdf.startswith(b"%PDF")
    assert png.startswith(b"\x89PNG")


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        save_figure(Figure(), tmp_path / "file" / "figures", "x")


def test_values_that_rest_on_few_instances_are_faded_and_have_no_slope():
    summary = sweep_summary(low_ess=True)
    _, centre, right = scaling_figure(summary).axes
    low_ess = summary["low_ess"].values
    faded = [x for x in centre.get_lines() if x.get_linestyle() == ":" and np.isfinite(x.get_ydata()).any()]
    full = [x for x in centre.get_lines() if str(x.get_label()).startswith("$N=")]
    assert len(faded) == len(full) > 0
    threshold = summary["failure"].where(low_ess).max().item()
    assert all(np.nanmax(x.get_ydata()) <= threshold for x in faded)
    assert all(np.nanmin(x.get_ydata()) > threshold for x in full)
    n, _ = line(right, "fewer than 30")
    np.testing.assert_array_equal(n, summary["n"][summary["beta_eff_low_ess"]])
    fitted, _ = line(right, "Eq. 20")
    assert fitted.max() < n.min()
