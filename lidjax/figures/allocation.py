"""Figure 2, what each rule loses over the budget, and the map of where to train and where to sample."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from lidjax.figures.style import new_figure, paper_style

if TYPE_CHECKING:
    from lidjax.allocation.surface import AllocationSurface, Surface

RULE_LABELS = {
    "eq24": "Eq. 24",
    "eq24_prefactor": r"Eq. 24 with $\tilde P'(N)$",
    "quasi_static": "quasi-static",
    "constant_beta": r"constant $\beta$, Eq. 25",
    "saturated": r"train to $0.95\,\beta$, then sample",
}
RULE_STYLES = {
    "eq24": "-",
    "eq24_prefactor": "--",
    "quasi_static": "-.",
    "constant_beta": ":",
    "saturated": "-",
}
KINDS = {"all_inference": "sample", "interior": "both", "all_training": "train"}
SMALLEST_REGRET = 1e-8  # below, whole counts and rounding decide


def allocation_figure(surface: "AllocationSurface") -> Figure:
    """Figure 2: log10 L_tot over (R, Ñ), finite N left, one β right."""
    panels = (surface.finite_n, surface.constant_beta)
    low = min(np.min(p.log10_total) for p in panels)
    high = max(np.quantile(p.log10_total[np.isfinite(p.log10_total)], 0.98) for p in panels)
    levels = np.linspace(np.floor(4 * low) / 4, np.ceil(4 * high) / 4, 25)
    titles = (r"finite $N$: $\beta_{\rm eff}(N)$", r"constant $\beta$")
    rules = ("Eq. 24", "Eq. 25")
    with paper_style():
        figure, axes = new_figure(2, width=3.2, height=2.7)
        drawn = [
            _surface_panel(panel, surface, part, levels, rule)
            for panel, part, rule in zip(axes, panels, rules, strict=True)
        ]
        for panel, title in zip(axes, titles, strict=True):
            panel.set_title(title)
        axes[0].set_ylabel(r"training budget $\tilde N = N c_N$")
        ticks = MaxNLocator(7, integer=True)
        figure.colorbar(drawn[0], ax=axes, label=r"$\log_{10}\mathcal{L}_{\rm tot}$", pad=0.01, ticks=ticks)
        figure.suptitle(f"$C={_number(surface.budget)}$, {surface.source}", fontsize=8)
    return figure


def _surface_panel(axes: Axes, surface: "AllocationSurface", part: "Surface", levels, rule: str) -> Any:
    money = surface.n * surface.cost_train
    drawn = axes.contourf(
        surface.weight, money, part.log10_total.T, levels=levels, cmap="viridis", extend="both", zorder=0
    )
    axes.set_rasterization_zorder(0.5)
    axes.contour(
        surface.weight,
        money,
        part.log10_total.T,
        levels=levels[::2],
        colors="w",
        linestyles="-",
        linewidths=0.3,
        alpha=0.5,
    )
    axes.plot(
        surface.weight, part.best_n * surface.cost_train, "k-", lw=1.6, label=r"grid optimum $\tilde N_*$"
    )
    axes.plot(surface.weight, part.rule_n * surface.cost_train, "w--", lw=1.1, label=rule)
    axes.set(xscale="log", xlabel="weight $R$")
    legend = axes.legend(loc="lower right", frameon=True, facecolor="0.75", edgecolor="none", framealpha=0.85)
    legend.get_frame().set_linewidth(0)
    return drawn


def regret_figure(budgets, regret: Mapping[str, Any], *, title: str = "", dim: float | None = None) -> Figure:
    """Regret L_tot/L_tot* - 1 of each rule over the budget, in units of a training instance."""
    with paper_style():
        figure, (axes,) = new_figure(1, width=4.0, height=2.8)
        for i, (rule, values) in enumerate(regret.items()):
            shown = np.maximum(np.asarray(values, float), SMALLEST_REGRET)
            style = RULE_STYLES.get(rule, "-")
            axes.plot(budgets, shown, style, color=f"C{i}", label=RULE_LABELS.get(rule, rule))
        axes.axhline(0.01, color="0.6", lw=0.6)
        if dim is not None:
            axes.axvline(dim, color="0.5", lw=0.7, ls=":")
            axes.annotate("$N=d$", (dim, 0.94), xycoords=("data", "axes fraction"), fontsize=7, color="0.4")
        axes.set(
            xscale="log",
            yscale="log",
            xlabel="budget $C/c_N$",
            ylabel=r"regret $L_{\rm tot}/L_{\rm tot}^\star-1$",
        )
        axes.set_ylim(bottom=SMALLEST_REGRET)
        axes.set_title(title)
        figure.legend(loc="outside right upper")
    return figure


def phase_figure(budgets, weights, kind, share, *, title: str = "") -> Figure:
    """Where the optimum trains only, samples only, or does both, over budgets (b,) and weights (r,).

    `kind` (b, r) as `Allocation.kind`; `share` (b, r) of the budget that goes to training, as contours.
    """
    codes = np.searchsorted(sorted(KINDS), np.asarray(kind))
    order = sorted(KINDS)
    colours = {"all_inference": "#9ecae1", "all_training": "#fdae6b", "interior": "#f2f2f2"}
    with paper_style():
        figure, (axes,) = new_figure(1, width=3.6, height=2.9)
        cmap = ListedColormap([colours[name] for name in order])
        norm = BoundaryNorm(np.arange(len(order) + 1) - 0.5, cmap.N)
        axes.pcolormesh(budgets, weights, codes.T, cmap=cmap, norm=norm, shading="nearest", rasterized=True)
        levels = [0.1, 0.5, 0.9, 0.99, 0.999]
        lines = axes.contour(budgets, weights, np.asarray(share).T, levels=levels, colors="k", linewidths=0.7)
        axes.clabel(lines, fmt=lambda x: f"{x:g}", fontsize=6.5)
        axes.set(xscale="log", yscale="log", xlabel="budget $C/c_N$", ylabel="weight $R$", title=title)
        present = [name for name in KINDS if (codes == order.index(name)).any()]
        patches: list[Any] = [
            Patch(facecolor=colours[name], edgecolor="0.4", lw=0.4, label=KINDS[name]) for name in present
        ]
        patches.append(Line2D([], [], color="k", lw=0.7, label="share of $C$ that trains"))
        figure.legend(handles=patches, loc="outside lower center", ncols=len(patches))
    return figure


def _number(value: float) -> str:
    exponent = int(np.floor(np.log10(value)))
    if abs(exponent) < 4:
        return f"{value:g}"
    lead = value / 10.0**exponent
    return f"10^{{{exponent}}}" if abs(lead - 1) < 1e-9 else rf"{lead:.3g}\times 10^{{{exponent}}}"
