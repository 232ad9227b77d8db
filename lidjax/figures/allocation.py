"""Figure 2, what each rule loses over the budget, and the map of where to train and where to sample."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from lidjax.figures.style import new_figure, paper_style

if TYPE_CHECKING:
    from lidjax.allocation import AllocationSurface, SurfacePanel

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
KIND_LABELS = {"all_inference": "sample", "interior": "both", "all_training": "train"}
KIND_COLOURS = {"all_inference": "#9ecae1", "all_training": "#fdae6b", "interior": "#f2f2f2"}
SMALLEST_REGRET = 1e-8  # regrets below this come from whole counts and rounding


def allocation_figure(surface: "AllocationSurface") -> Figure:
    """Figure 2: log10 L_tot over weight R and training budget Ñ, for finite N on the left and one β on the right.

    The black line is the optimum of each weight, the white dashed one is what the paper's rule for that panel chooses:
    Eq. 24 on the left, Eq. 25 on the right.

    Args:
        surface: From `lidjax.allocation.surface_exact` or `surface_sweep`.

    Returns:
        A figure of two panels and a colour bar. `lidjax.figures.save` writes it.

    References:
        Figure 2, Sec. 4.3.

    Example:
        >>> import numpy as np
        >>> from lidjax.allocation import AllocationSurface, SurfacePanel
        >>> from lidjax.figures import allocation_figure
        >>> weight, n = np.array([0.1, 1.0, 10.0]), np.linspace(1, 9, 5)
        >>> panel = SurfacePanel(np.log10(weight[:, None] / n + 1 / (10 - n)), n[[1, 2, 3]], n[[1, 2, 3]])
        >>> surface = AllocationSurface(10.0, 1.0, weight, n, 10 - n, panel, panel, np.ones(3), "made up")
        >>> [axes.get_xlabel() for axes in allocation_figure(surface).axes[:2]]
        ['weight $R$', 'weight $R$']
    """
    panels = (surface.finite_n, surface.constant_beta)
    low = min(np.min(p.log10_total) for p in panels)
    high = max(np.quantile(p.log10_total[np.isfinite(p.log10_total)], 0.98) for p in panels)
    levels = np.linspace(np.floor(4 * low) / 4, np.ceil(4 * high) / 4, 25)
    titles = (r"finite $N$: $\beta_{\rm eff}(N)$", r"constant $\beta$")
    rules = ("Eq. 24", "Eq. 25")
    with paper_style():
        figure, axes = new_figure(2, width=6.4, height=2.7)
        drawn = [
            _draw_panel(panel, surface, part, levels, rule)
            for panel, part, rule in zip(axes, panels, rules, strict=True)
        ]
        for panel, title in zip(axes, titles, strict=True):
            panel.set_title(title)
        axes[0].set_ylabel(r"training budget $\tilde N = N c_N$")
        ticks = MaxNLocator(7, integer=True)
        figure.colorbar(drawn[0], ax=axes, label=r"$\log_{10}\mathcal{L}_{\rm tot}$", pad=0.01, ticks=ticks)
        figure.suptitle(f"$C={_number(surface.budget)}$, {surface.source}", fontsize=8)
    return figure


def _draw_panel(
    axes: Axes, surface: "AllocationSurface", part: "SurfacePanel", levels: np.ndarray, rule: str
) -> QuadContourSet:
    """One panel of Figure 2; returns its filled contours."""
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


def regret_figure(
    budgets: npt.ArrayLike,
    regret: Mapping[str, npt.ArrayLike],
    *,
    title: str = "",
    dim: float | None = None,
) -> Figure:
    """What each of the paper's rules loses over the budget, on logarithmic axes.

    Args:
        budgets: Budgets C/c_N in units of one training instance, in any order, (b,).
        regret: L_tot over the least L_tot, minus 1, by the name of the rule, (b,) each; values below 1e-8 are drawn
            there. `Allocation.regret` holds them.
        title: Title of the panel.
        dim: d, marked by a line at N = d if given.

    Returns:
        A figure of one panel, with a grey line at 1 %. `lidjax.figures.save` writes it.

    References:
        Eq. 24 and Eq. 25, Sec. 4.3.

    Example:
        >>> from lidjax.figures import regret_figure
        >>> figure = regret_figure([10, 100, 1000], {"eq24": [1e-3, 1e-2, 0.0], "constant_beta": [0.1, 0.2, 0.3]})
        >>> [text.get_text() for text in figure.legends[0].get_texts()]
        ['Eq. 24', 'constant $\\\\beta$, Eq. 25']
    """
    budgets = np.asarray(budgets, float)
    order = np.argsort(budgets)
    with paper_style():
        figure, (axes,) = new_figure(1, width=4.0, height=2.8)
        for i, (rule, values) in enumerate(regret.items()):
            shown = np.maximum(np.asarray(values, float)[order], SMALLEST_REGRET)
            style = RULE_STYLES.get(rule, "-")
            axes.plot(budgets[order], shown, style, color=f"C{i}", label=RULE_LABELS.get(rule, rule))
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


def phase_figure(
    budgets: npt.ArrayLike,
    weights: npt.ArrayLike,
    kind: npt.ArrayLike,
    share: npt.ArrayLike,
    *,
    title: str = "",
) -> Figure:
    """Where the optimum only trains, only samples or does both, over budget and weight.

    `lidjax.allocation.phase_map` computes what is drawn here.

    Args:
        budgets: Budgets C/c_N in units of one training instance, increasing, (b,).
        weights: Weights R, increasing, (r,).
        kind: "all_training", "all_inference" or "interior", (b, r).
        share: Share of the budget that is spent on training, drawn as contours, (b, r).
        title: Title of the panel.

    Returns:
        A figure of one panel. `lidjax.figures.save` writes it.

    Example:
        >>> from lidjax.figures import phase_figure
        >>> kind = [["all_inference", "all_training"], ["interior", "all_training"]]
        >>> figure = phase_figure([1, 10], [1, 100], kind, [[0.2, 0.8], [0.4, 0.95]])
        >>> [text.get_text() for text in figure.legends[0].get_texts()]
        ['sample', 'both', 'train', 'share of $C$ that trains']
    """
    order = sorted(KIND_LABELS)
    codes = np.searchsorted(order, np.asarray(kind))
    with paper_style():
        figure, (axes,) = new_figure(1, width=3.6, height=2.9)
        cmap = ListedColormap([KIND_COLOURS[name] for name in order])
        norm = BoundaryNorm(np.arange(len(order) + 1) - 0.5, cmap.N)
        axes.pcolormesh(budgets, weights, codes.T, cmap=cmap, norm=norm, shading="nearest", rasterized=True)
        levels = [0.1, 0.5, 0.9, 0.99, 0.999]
        lines = axes.contour(budgets, weights, np.asarray(share).T, levels=levels, colors="k", linewidths=0.7)
        axes.clabel(lines, fmt=lambda x: f"{x:g}", fontsize=6.5)
        axes.set(xscale="log", yscale="log", xlabel="budget $C/c_N$", ylabel="weight $R$", title=title)
        present = [name for name in KIND_LABELS if (codes == order.index(name)).any()]
        patches: list[Artist] = [
            Patch(facecolor=KIND_COLOURS[name], edgecolor="0.4", lw=0.4, label=KIND_LABELS[name])
            for name in present
        ]
        patches.append(Line2D([], [], color="k", lw=0.7, label="share of $C$ that trains"))
        figure.legend(handles=patches, loc="outside lower center", ncols=len(patches))
    return figure


def _number(value: float) -> str:
    """`value` for a label: powers of ten where it is large or small."""
    exponent = int(np.floor(np.log10(value)))
    if abs(exponent) < 4:
        return f"{value:g}"
    lead = value / 10.0**exponent
    return f"10^{{{exponent}}}" if abs(lead - 1) < 1e-9 else rf"{lead:.3g}\times 10^{{{exponent}}}"
