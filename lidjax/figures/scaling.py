"""Figure 1, and the top row of Figure 3: L_gen(N), L_inf(k; N) and β_eff(N) side by side."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.special import gammaln

from lidjax.figures.style import new_figure, paper_style, sequential

CURVES = 6  # values of N in the middle panel


def scaling_figure(summary: xr.Dataset) -> Figure:
    """Draw the three panels from a summary (`lidjax.summarise`) with no axes left but `n` and `k`."""
    with paper_style():
        figure, panels = new_figure(3)
        facts = scaling_panels(panels, summary)
        fixed = [rf"$\beta={facts['beta']:g}$"] if "beta" in facts else []
        fixed += [rf"$d={facts['dim']:.0f}$"]
        figure.suptitle(f"{summary.attrs['spec']['name']}:  " + ",  ".join(fixed), fontsize=9)
    return figure


def scaling_panels(panels: list[Axes], summary: xr.Dataset) -> dict[str, Any]:
    """Draw the three panels on axes of another figure; returns the scalars of the sweep."""
    left, centre, right = panels
    facts = _facts(summary)
    _training(left, summary, facts)
    _inference(centre, summary, facts)
    _exponent(right, summary, facts)
    return facts


def _facts(summary: xr.Dataset) -> dict[str, Any]:
    """Scalars that the reference lines need."""
    facts: dict[str, Any] = {str(name): x.item() for name, x in summary.coords.items() if x.ndim == 0}
    facts["dim"] = facts.get("dim", summary.attrs.get("feature_dim"))
    if "beta" in facts:
        facts["difficulty"] = summary.attrs["spec"]["model"]["difficulty"]
        numerator = 2 if facts["difficulty"] == "gamma" else facts["beta"]
        heavy = facts["beta"] <= 2
        facts["noise_variance"] = (
            np.nan if heavy else facts["sigma_eta"] ** 2 * numerator / (facts["beta"] - 2)
        )
    else:
        facts["noise_variance"] = summary.attrs["noise_variance"]
    return facts


def _training(axes: Axes, summary: xr.Dataset, facts: dict[str, Any]) -> None:
    n = summary["n"].values
    axes.fill_between(n, summary["lgen_low"], summary["lgen_high"], color="C0", alpha=0.25, lw=0)
    axes.plot(n, summary["lgen_median"], "o-", color="C0", label=r"median over $\mathcal{D}_N$")
    axes.plot(n, summary["lgen_mean"], "x", color="C3", ms=4, label="mean")
    dim, noise = facts["dim"], facts["noise_variance"]
    tail = n[n > 1.5 * dim]
    if np.isfinite(noise) and len(tail):
        label = r"$\sigma_\eta^2\,\mathrm{E}[1/\tau]\,d/N$" if "beta" in facts else r"$\overline{v}\,d/N$"
        axes.plot(tail, noise * dim / tail, "k--", lw=0.9, label=label)
    axes.axvline(dim, color="0.5", lw=0.7, ls=":")
    axes.annotate("$N=d$", (dim, 0.03), xycoords=("data", "axes fraction"), fontsize=7, color="0.4")
    axes.set(
        xscale="log", yscale="log", xlabel="training instances $N$", ylabel=r"$\mathcal{L}_{\rm gen}(N)$"
    )
    axes.legend()


def _inference(axes: Axes, summary: xr.Dataset, facts: dict[str, Any]) -> None:
    k = summary["k"].values
    above = np.flatnonzero(summary["n"].values > facts["dim"])
    above = above if len(above) else np.arange(summary.sizes["n"])
    chosen = np.unique(np.linspace(above[0], above[-1], min(CURVES, len(above))).round().astype(int))
    for index, colour in zip(chosen, sequential(len(chosen)), strict=True):
        curve = summary["failure"].isel(n=index)
        axes.plot(k, curve, color=colour, label=f"$N={int(summary['n'][index]):,}$".replace(",", "{,}"))
    last = summary["failure"].isel(n=-1).values
    if "beta" in facts:
        reference = np.exp(_log_prefactor(facts)) * k ** -facts["beta"]
        label = r"$\tilde P\,k^{-\beta}$, Eq. 15"
    else:
        low, high = summary.attrs["window"]
        slope = summary["beta_eff"].isel(n=-1).item()
        anchor = np.exp(np.interp(np.log(np.sqrt(low * high)), np.log(k), np.log(last)))
        reference = anchor * (k / np.sqrt(low * high)) ** -slope
        label = rf"$k^{{-{slope:.2f}}}$, slope at the largest $N$"
    shown = (reference < 1) & (reference > last.min() / 10)
    axes.plot(k[shown], reference[shown], "k--", lw=0.9, label=label)
    axes.axvspan(*summary.attrs["window"], color="0.93", zorder=0, lw=0)
    axes.set(xscale="log", yscale="log", xlabel="attempts $k$", ylabel=r"$\mathcal{L}_{\rm inf}(k;N)$")
    axes.legend(loc="lower left")


def _log_prefactor(facts: dict[str, Any]) -> float:
    """log P̃ of Eq. 15; the power prior has P(τ ≤ t) = t^(β/2) where gamma has t^(β/2)/Γ(β/2+1)."""
    beta = facts["beta"]
    c_delta = np.sqrt(2 / np.pi) * facts["delta"] / facts["sigma_eta"]
    small = -gammaln(beta / 2 + 1) if facts["difficulty"] == "gamma" else 0.0
    return float(gammaln(beta + 1) + small - beta * np.log(c_delta))


def _exponent(axes: Axes, summary: xr.Dataset, facts: dict[str, Any]) -> None:
    n, fitted = summary["n"].values, summary["in_fit"].values
    beta_eff = summary["beta_eff"].values
    low = np.nan_to_num(beta_eff - summary["beta_eff_low"].values)
    high = np.nan_to_num(summary["beta_eff_high"].values - beta_eff)
    style = {"fmt": "o", "ms": 3.5, "lw": 0.8, "capsize": 1.5}
    for mask, colour, label in (
        (fitted, "C0", r"$\hat\beta_{\rm eff}(N)$"),
        (~fitted, "0.65", "not in the fit"),
    ):
        if mask.any():
            errors = np.stack([low, high])[:, mask]
            axes.errorbar(n[mask], beta_eff[mask], errors, color=colour, label=label, **style)
    beta, delta, c, nu = (summary["saturation"].sel(parameter=p).item() for p in ("beta", "delta", "c", "nu"))
    if np.isfinite(beta) and fitted.any():
        smooth = np.geomspace(n[fitted].min(), n[fitted].max(), 200)
        label = rf"Eq. 20: $\hat\beta={beta:.2f}$, $\nu={nu:.2f}$"
        axes.plot(smooth, beta - delta / (1 + c * smooth**nu), color="C1", label=label)
    if "beta" in facts:
        axes.axhline(facts["beta"], color="k", ls=":", lw=0.9, label=r"$\beta$")
    axes.axvline(facts["dim"], color="0.5", lw=0.7, ls=":")
    axes.set(xscale="log", xlabel="training instances $N$", ylabel=r"$\beta_{\rm eff}(N)$")
    axes.set_ylim(0, 1.3 * axes.get_ylim()[1])  # room for the legend above the points
    axes.legend(loc="upper left", ncols=2, fontsize=6, handlelength=1.0)
