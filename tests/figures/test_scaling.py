"""Figure 1: what is drawn is what the results say."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from lidjax import run_sweep, summarise
from lidjax.errors import InputError
from lidjax.figures import save_figure, scaling_figure
from lidjax.sweep import Fit, Model, SyntheticGrid, SyntheticSpec


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


def test_the_curves_shown_are_those_of_n_above_d(summary):
    centre = scaling_figure(summary).axes[1]
    labels = [str(x.get_label()) for x in centre.get_lines() if "N=" in str(x.get_label())]
    assert labels == [f"$N={n}$" for n in (20, 30, 40, 80, 160, 320)]


def test_files_are_written_as_vector_and_raster(summary, tmp_path):
    paths = save_figure(scaling_figure(summary), tmp_path / "figures", "scaling")
    pdf, png = (Path(path).read_bytes()[:8] for path in paths)
    assert pdf.startswith(b"%PDF")
    assert png.startswith(b"\x89PNG")


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        save_figure(Figure(), tmp_path / "file" / "figures", "x")
