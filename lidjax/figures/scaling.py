"""Figure 1, and the top row of Figure 3: L_gen(N), L_inf(k; N) and β_eff(N) side by side."""

from typing import NamedTuple

import jax
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lidjax.difficulty import mean_inverse_precision
from lidjax.figures.facets import cell_title
from lidjax.figures.lid_parameters import LidParameters, lid_parameters
from lidjax.figures.style import new_figure, paper_style, sequential
from lidjax.laws import intrinsic_failure, saturating_exponent
from lidjax.sweep.select import varied_in_spec

NUM_CURVES = 6  # values of N in the middle panel


class References(NamedTuple):
    """What the reference lines are drawn from."""

    dim: float
    noise_variance: float
    """Mean variance of a label's noise: σ_η² E[1/τ], or the mean of v over real instances; infinite for β ≤ 2."""
    model: LidParameters | None
    """None for a sweep on real features."""


def scaling_figure(summary: xr.Dataset) -> Figure:
    """Figure 1 of a sweep: L_gen(N), L_inf(k; N) and β_eff(N) in three panels.

    Dashed lines are the theory: the noise floor of L_gen beyond N = d, the intrinsic tail P̃ k^-β, and Eq. 20 fitted to
    β_eff. For a sweep on real features the middle one is a power law with the slope measured at the largest N.

    Args:
        summary: Result of `lidjax.summarise` with no axes left but `n` and `k`: choose one value of every other axis
            with `isel` or `sel`.

    Returns:
        A figure that belongs to no window; `save_figure` writes it.

    References:
        Figure 1, and the top row of Figure 3; Eq. 4, Eq. 15, Eq. 20.

    Example:
        >>> import lidjax
        >>> from lidjax.figures import scaling_figure
        >>> from lidjax.sweep import Fit, SyntheticGrid, SyntheticSpec
        >>> grid = SyntheticGrid(n=(20, 40, 80), k=(1, 10, 100), dim=(4,), ridge=(0.0,), seed=(0, 1))
        >>> data = lidjax.run_sweep(SyntheticSpec(name="small", grid=grid, fit=Fit(window=(1, 100))))
        >>> one = {name: 0 for name in ("beta", "alpha", "dim", "ridge", "sigma_eta", "delta")}
        >>> figure = scaling_figure(lidjax.summarise(data).isel(one))
        >>> [axes.get_xlabel() for axes in figure.axes]
        ['training instances $N$', 'attempts $k$', 'training instances $N$']
    """
    with paper_style():
        figure, panels = new_figure(3)
        references = scaling_panels(panels, summary)
        fixed = [rf"$\beta={references.model['beta']:g}$"] if references.model else []
        fixed += [rf"$d={references.dim:.0f}$"]
        others = [str(name) for name in summary.coords if name not in ("beta", "dim")]
        fixed += [
            cell_title({name: summary[name].item()})
            for name in varied_in_spec(summary.attrs, others)
            if summary[name].size == 1
        ]
        figure.suptitle(f"{summary.attrs['spec']['name']}:  " + ",  ".join(fixed), fontsize=9)
    return figure


def scaling_panels(panels: list[Axes], summary: xr.Dataset) -> References:
    """Draw the three panels on axes of another figure; returns what the reference lines were drawn from."""
    left, centre, right = panels
    references = _references(summary)
    _training_panel(left, summary, references)
    _inference_panel(centre, summary, references)
    _exponent_panel(right, summary, references)
    return references


def _references(summary: xr.Dataset) -> References:
    dim = summary["dim"].item() if "dim" in summary.coords else summary.attrs["feature_dim"]
    if "beta" not in summary.coords:
        return References(dim, summary.attrs["noise_variance"], None)
    model = lid_parameters(summary)
    with jax.enable_x64(True):
        mean_inverse = float(mean_inverse_precision(model["beta"], model["difficulty"]))
    return References(dim, model["sigma_eta"] ** 2 * mean_inverse, model)


def _training_panel(axes: Axes, summary: xr.Dataset, references: References) -> None:
    n = summary["n"].values
    axes.fill_between(n, summary["lgen_low"], summary["lgen_high"], color="C0", alpha=0.25, lw=0)
    axes.plot(n, summary["lgen_median"], "o-", color="C0", label=r"median over $\mathcal{D}_N$")
    axes.plot(n, summary["lgen_mean"], "x", color="C3", ms=4, label="mean")
    dim, noise = references.dim, references.noise_variance
    tail = n[n > 1.5 * dim]
    if np.isfinite(noise) and len(tail):
        label = r"$\sigma_\eta^2\,\mathrm{E}[1/\tau]\,d/N$" if references.model else r"$\overline{v}\,d/N$"
        axes.plot(tail, noise * dim / tail, "k--", lw=0.9, label=label)
    axes.axvline(dim, color="0.5", lw=0.7, ls=":")
    axes.annotate("$N=d$", (dim, 0.03), xycoords=("data", "axes fraction"), fontsize=7, color="0.4")
    axes.set(
        xscale="log", yscale="log", xlabel="training instances $N$", ylabel=r"$\mathcal{L}_{\rm gen}(N)$"
    )
    axes.legend()


def _inference_panel(axes: Axes, summary: xr.Dataset, references: References) -> None:
    k = summary["k"].values
    above = np.flatnonzero(summary["n"].values > references.dim)
    above = above if len(above) else np.arange(summary.sizes["n"])
    chosen = np.unique(np.linspace(above[0], above[-1], min(NUM_CURVES, len(above))).round().astype(int))
    for index, colour in zip(chosen, sequential(len(chosen)), strict=True):
        curve = summary["failure"].isel(n=index)
        # what rests on fewer than 30 sampled instances (see `lidjax.summarise`) is faded
        low = summary["low_ess"].isel(n=index).values if "low_ess" in summary else np.zeros(len(k), bool)
        axes.plot(k, curve.where(low & (curve > 0)), ":", color=colour, alpha=0.4)
        label = f"$N={int(summary['n'][index]):,}$".replace(",", "{,}")
        axes.plot(k, curve.where(~low), color=colour, label=label)
    last = summary["failure"].isel(n=-1).values
    if references.model:
        with jax.enable_x64(True):
            line = np.asarray(intrinsic_failure(k, **references.model))
        label = r"$\tilde P\,k^{-\beta}$, Eq. 15"
    else:
        low, high = summary.attrs["window"]
        slope = summary["beta_eff"].isel(n=-1).item()
        anchor = np.exp(np.interp(np.log(np.sqrt(low * high)), np.log(k), np.log(last)))
        line = anchor * (k / np.sqrt(low * high)) ** -slope
        label = rf"$k^{{-{slope:.2f}}}$, slope at the largest $N$"
    shown = (line < 1) & (line > last.min() / 10)
    if np.isfinite(line).all():  # no slope is fitted through points that rest on too few instances
        axes.plot(k[shown], line[shown], "k--", lw=0.9, label=label)
    if "low_ess" in summary and summary["low_ess"].any():
        resolved = summary["failure"].where(~summary["low_ess"] & (summary["failure"] > 0)).min().item()
        axes.set_ylim(bottom=resolved / 30 if np.isfinite(resolved) else None)
    axes.axvspan(*summary.attrs["window"], color="0.93", zorder=0, lw=0)
    axes.set(xscale="log", yscale="log", xlabel="attempts $k$", ylabel=r"$\mathcal{L}_{\rm inf}(k;N)$")
    axes.legend(loc="lower left")


def _exponent_panel(axes: Axes, summary: xr.Dataset, references: References) -> None:
    n, fitted = summary["n"].values, summary["in_fit"].values
    beta_eff = summary["beta_eff"].values
    low = np.nan_to_num(beta_eff - summary["beta_eff_low"].values)
    high = np.nan_to_num(summary["beta_eff_high"].values - beta_eff)
    for mask, colour, label in (
        (fitted, "C0", r"$\hat\beta_{\rm eff}(N)$"),
        (~fitted, "0.65", "not in the fit"),
    ):
        if mask.any():
            errors = np.stack([low, high])[:, mask]
            axes.errorbar(
                n[mask],
                beta_eff[mask],
                errors,
                color=colour,
                label=label,
                fmt="o",
                ms=3.5,
                lw=0.8,
                capsize=1.5,
            )
    beta, delta, c, nu = (summary["saturation"].sel(parameter=p).item() for p in ("beta", "delta", "c", "nu"))
    if np.isfinite(beta) and fitted.any():
        smooth = np.geomspace(n[fitted].min(), n[fitted].max(), 200)
        with jax.enable_x64(True):
            curve = np.asarray(saturating_exponent(smooth, beta, delta, c, nu))
        axes.plot(smooth, curve, color="C1", label=rf"Eq. 20: $\hat\beta={beta:.2f}$, $\nu={nu:.2f}$")
    if references.model:
        axes.axhline(references.model["beta"], color="k", ls=":", lw=0.9, label=r"$\beta$")
    axes.axvline(references.dim, color="0.5", lw=0.7, ls=":")
    axes.set(xscale="log", xlabel="training instances $N$", ylabel=r"$\beta_{\rm eff}(N)$")
    axes.set_ylim(0, 1.3 * axes.get_ylim()[1])  # room for the legend above the points
    axes.legend(loc="upper left", ncols=2, fontsize=6, handlelength=1.0)
