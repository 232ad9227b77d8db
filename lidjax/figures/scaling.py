"""Figure 1, and the top row of Figure 3: L_gen(N), L_inf(k; N) and β_eff(N) side by side."""

from typing import NamedTuple

import jax
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lidjax.difficulty import mean_inverse_precision
from lidjax.figures.curves import distinct_curves
from lidjax.figures.facets import SYMBOLS, cell_title
from lidjax.figures.fits import draw_saturation
from lidjax.figures.lid_parameters import LidParameters, lid_parameters
from lidjax.figures.style import (
    EXPONENT_LABEL,
    FAILURE_LABEL,
    GUIDE,
    K_LABEL,
    LGEN_LABEL,
    N_LABEL,
    REFERENCE,
    SPAN,
    legends_below,
    new_figure,
    number,
    paper_style,
    readable_ticks,
    sequential,
    series_style,
    set_title,
)
from lidjax.laws import intrinsic_failure

PARAMETERS = ("beta", "delta", "c", "nu")
NUM_CURVES = 6  # values of N in the middle panel, at most


class References(NamedTuple):
    """What the reference lines are drawn from."""

    dim: float
    noise_variance: float
    """Mean variance of a label's noise: σ_η² E[1/τ], or the mean of v over real instances; infinite for β ≤ 2."""
    model: LidParameters | None
    """None for a sweep on real features."""
    factor: float | None = None
    """With correlated τ and x, the mean of L_gen at large N over that of independent τ; NaN where it is not known."""


def scaling_figure(summary: xr.Dataset) -> Figure:
    """Figure 1 of a sweep: L_gen(N), L_inf(k; N) and β_eff(N) in three panels.

    Dashed black lines are the theory: the noise floor of L_gen beyond N = d, and the intrinsic tail P̃ k^-β. For a sweep
    on real features the latter is a power law with the slope measured at the largest N, drawn over the window that it
    was measured in. The middle panel shows up to six N whose curves can be told apart. Eq. 20 is drawn as far as the
    fit stands behind it: dashed and grey where a parameter is not determined, not at all where the estimates should not
    be used. The legend says which.

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
        scaling_panels(panels, summary)
        legends_below(panels, columns=2)
        set_title(figure, summary.attrs["spec"]["name"], settings_of(summary))
        readable_ticks(figure)
    return figure


def settings_of(summary: xr.Dataset) -> list[str]:
    """The values of the axes that results have one value of, for the title of a figure."""
    known = {name: summary[name].item() for name in SYMBOLS if name in summary.coords}
    if "feature_dim" in summary.attrs:
        known |= {"dim": summary.attrs["feature_dim"]}
    return [cell_title({name: known[name]}) for name in SYMBOLS if name in known]


def scaling_panels(panels: list[Axes], summary: xr.Dataset) -> None:
    """Draw the three panels on axes of another figure."""
    left, centre, right = panels
    references = _references(summary)
    _training_panel(left, summary, references)
    _inference_panel(centre, summary, references)
    _exponent_panel(right, summary, references)


def _references(summary: xr.Dataset) -> References:
    dim = summary["dim"].item() if "dim" in summary.coords else summary.attrs["feature_dim"]
    if "beta" not in summary.coords:
        return References(dim, summary.attrs["noise_variance"], None)
    model = lid_parameters(summary, "correlated" if "correlated" in summary.attrs["spec"] else "model")
    factor = float(summary["factor"].item()) if "factor" in summary else None
    with jax.enable_x64(True):
        mean_inverse = float(mean_inverse_precision(model["beta"], model["difficulty"]))
    return References(dim, model["sigma_eta"] ** 2 * mean_inverse, model, factor)


def _training_panel(axes: Axes, summary: xr.Dataset, references: References) -> None:
    n = summary["n"].values
    colour, marker = series_style(0)
    axes.fill_between(
        n,
        summary["lgen_low"],
        summary["lgen_high"],
        color=colour,
        alpha=0.25,
        lw=0,
        label="its 95 % interval",
    )
    axes.plot(n, summary["lgen_median"], marker=marker, color=colour, label=r"median over $\mathcal{D}_N$")
    axes.plot(n, summary["lgen_mean"], "x", color=series_style(1).colour, ms=4, label="mean")
    dim, noise, factor = references.dim, references.noise_variance, references.factor
    if factor is not None:
        noise *= factor
    tail = n[n > 1.5 * dim]
    if np.isfinite(noise) and len(tail):
        label = r"$\sigma_\eta^2\,\mathrm{E}[1/\tau]\,d/N$" if references.model else r"$\overline{v}\,d/N$"
        if factor is not None:
            label = "its mean, leading order in $1/N$"
        axes.plot(tail, noise * dim / tail, **REFERENCE, label=label)
    axes.axvline(dim, **GUIDE, label="$N=d$")
    axes.set(xscale="log", yscale="log", xlabel=N_LABEL, ylabel=LGEN_LABEL)


def _inference_panel(axes: Axes, summary: xr.Dataset, references: References) -> None:
    n, k = summary["n"].values, summary["k"].values
    curves = summary["failure"].transpose("n", "k").values
    faded = np.zeros(curves.shape, bool)
    if "low_ess" in summary:  # what rests on fewer than 30 sampled instances
        faded = summary["low_ess"].transpose("n", "k").values
    sound = np.where(faded | (curves <= 0), np.nan, curves)
    above = np.flatnonzero(n > references.dim)
    above = above if len(above) else np.arange(len(n))
    chosen = above[distinct_curves(n[above], np.log(sound[above]), NUM_CURVES)]
    for index, colour in zip(chosen, sequential(len(chosen)), strict=True):
        axes.plot(k, sound[index], color=colour, label=f"$N={number(float(n[index]))}$")
        rest = np.where(faded[index] & (curves[index] > 0), curves[index], np.nan)
        axes.plot(k, rest, ":", color=colour, alpha=0.4)
    if faded[chosen].any():
        axes.plot([], [], ":", color="0.4", alpha=0.6, label="fewer than 30 instances")
    low, high = summary.attrs["window"]
    if references.model:
        with jax.enable_x64(True):
            line = np.asarray(intrinsic_failure(k, **references.model))
        label, inside = r"$\tilde P\,k^{-\beta}$, Eq. 15", line < 1
    else:
        slope = summary["beta_eff"].isel(n=-1).item()  # NaN if its window rests on too few instances
        middle = np.sqrt(low * high)
        anchor = np.exp(np.interp(np.log(middle), np.log(k), np.log(curves[-1])))
        line = anchor * (k / middle) ** -slope
        label = rf"$k^{{-{slope:.2f}}}$, slope at $N={number(float(n[-1]))}$"
        inside = (k >= low) & (k <= high)
    bottom = np.nanmin(sound[chosen]) if np.isfinite(sound[chosen]).any() else 0.1
    inside &= line > bottom / 3
    if inside.any():
        axes.plot(k[inside], line[inside], **REFERENCE, label=label)
    axes.axvspan(low, high, **SPAN, label=r"window of $\beta_{\rm eff}$")
    axes.set(xscale="log", yscale="log", xlabel=K_LABEL, ylabel=FAILURE_LABEL)
    axes.set_ylim(bottom / 3, 1.5)


def _exponent_panel(axes: Axes, summary: xr.Dataset, references: References) -> None:
    n, fitted = summary["n"].values, summary["in_fit"].values
    beta_eff = summary["beta_eff"].values
    low = np.nan_to_num(beta_eff - summary["beta_eff_low"].values)
    high = np.nan_to_num(summary["beta_eff_high"].values - beta_eff)
    colour, marker = series_style(0)
    for mask, shade, inside, label in (
        (fitted, colour, colour, r"median $\hat\beta_{\rm eff}$, 95 %"),
        (~fitted, "0.6", "w", "not in the fit"),
    ):
        if mask.any():
            errors = np.stack([low, high])[:, mask]
            axes.errorbar(
                n[mask],
                beta_eff[mask],
                errors,
                label=label,
                lw=0.8,
                capsize=1.5,
                fmt=marker,
                color=shade,
                mfc=inside,
            )
    if "beta_eff_low_ess" in summary and summary["beta_eff_low_ess"].any():
        few = n[summary["beta_eff_low_ess"].values]
        axes.plot(
            few, np.zeros(len(few)), "|", color="0.4", ms=6, clip_on=False, label="fewer than 30 instances"
        )
    if np.isfinite(beta_eff).any():
        draw_saturation(
            axes,
            n[fitted] if fitted.any() else n,
            summary["saturation"].sel(parameter=list(PARAMETERS)).values,
            summary["identifiable"].sel(parameter=list(PARAMETERS)).values,
            status=int(summary["fit_status"].item()),
            color=series_style(1).colour,
        )
    if references.model:
        axes.axhline(references.model["beta"], color="k", ls=":", lw=0.9, label=r"$\beta$")
    axes.axvline(references.dim, **GUIDE, label="$N=d$")
    axes.set(xscale="log", xlabel=N_LABEL, ylabel=EXPONENT_LABEL)
    axes.set_xlim(min(n.min(), references.dim) / 1.5, max(n.max(), references.dim) * 1.5)
    axes.set_ylim(bottom=min(0, axes.get_ylim()[0]) if (beta_eff < 0).any() else 0)
