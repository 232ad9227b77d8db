"""Figure 2, what each rule loses over the budget, and the map of where to train and where to sample."""

import math
from collections.abc import Mapping, Sequence
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
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator

from lidjax.figures.style import (
    COLUMN,
    GUIDE,
    PALETTE,
    legends_below,
    new_figure,
    number,
    paper_style,
    readable_ticks,
    series_style,
    set_title,
    shared_legend,
)

if TYPE_CHECKING:
    from lidjax.allocation import AllocationSurface, SurfacePanel

RULE_LABELS = {
    "eq24": "Eq. 24",
    "eq24_prefactor": r"Eq. 24 with $\tilde P'(N)$",
    "quasi_static": "quasi-static",
    "constant_beta": r"constant $\beta$, Eq. 25",
    "saturated": r"train to $0.95\,\beta$, then sample",
}
KIND_LABELS = {"all_inference": "sample", "interior": "both", "all_training": "train"}
KIND_COLOURS = {"all_inference": "#9ecae1", "all_training": "#fdae6b", "interior": "#f2f2f2"}
SHARES = ((0.1, ":"), (0.5, "--"), (0.9, "-."), (0.99, "-"))
"""Training shares that have a contour in the phase map, with the style of its line."""
SMALLEST_REGRET = 1e-8  # regrets below this come from whole counts and rounding


def allocation_figure(
    surface: "AllocationSurface", *, name: str = "", weights: Sequence[float] = ()
) -> Figure:
    """Figure 2: log10 L_tot over weight R and training budget Ñ, for finite N on the left and one β on the right.

    The black line is the optimum of each weight, the dashed one is what the paper's rule for that panel chooses: Eq. 24
    on the left, Eq. 25 on the right. The title has the budget and the costs.

    Args:
        surface: From `lidjax.allocation.surface_exact` or `surface_sweep`.
        name: What is allocated, such as the name of a sweep, for the title.
        weights: Weights R of interest, each marked by a vertical line.

    Returns:
        A figure of two panels and a colour bar. `lidjax.save_figure` writes it.

    References:
        Figure 2, Sec. 4.3.

    Example:
        >>> import numpy as np
        >>> from lidjax.allocation import AllocationSurface, SurfacePanel
        >>> from lidjax.figures import allocation_figure
        >>> weight, n = np.array([0.1, 1.0, 10.0]), np.linspace(1, 9, 5)
        >>> panel = SurfacePanel(np.log10(weight[:, None] / n + 1 / (10 - n)), n[[1, 2, 3]], n[[1, 2, 3]])
        >>> surface = AllocationSurface(10.0, 1.0, weight, n, 10 - n, panel, panel, np.ones(3), "made up")
        >>> allocation_figure(surface).axes[0].get_legend().get_texts()[1].get_text()
        'Eq. 24'
    """
    panels = (surface.finite_n, surface.constant_beta)
    low = min(np.min(p.log10_total) for p in panels)
    high = max(np.quantile(p.log10_total[np.isfinite(p.log10_total)], 0.98) for p in panels)
    levels = np.linspace(np.floor(4 * low) / 4, np.ceil(4 * high) / 4, 25)
    titles = (r"finite $N$: $\beta_{\rm eff}(N)$", r"constant $\beta$")
    rules = ("Eq. 24", "Eq. 25")
    with paper_style():
        figure, axes = new_figure(2, height=2.5)
        drawn = [
            _draw_panel(panel, surface, part, levels, rule, weights)
            for panel, part, rule in zip(axes, panels, rules, strict=True)
        ]
        for panel, title in zip(axes, titles, strict=True):
            panel.set_title(title)
        ticks = MaxNLocator(7, integer=True)
        label = r"loss $\log_{10}\mathcal{L}_{\rm tot}$"
        figure.colorbar(drawn[0], ax=axes, label=label, pad=0.01, ticks=ticks)
        stopped = surface.expected_attempts is not None
        attempts = surface.k if surface.expected_attempts is None else surface.expected_attempts
        attempt = float(np.median((surface.budget - surface.n * surface.cost_train) / attempts))
        facts = [f"budget $C={number(surface.budget)}$", f"$c_N={number(surface.cost_train)}$"]
        facts += [f"$Q c_k={number(attempt)}$", surface.source, *(["stop at success"] if stopped else [])]
        set_title(figure, name or "allocation", facts)
        legends_below(axes, columns=2)
        readable_ticks(figure)
    return figure


def _draw_panel(
    axes: Axes,
    surface: "AllocationSurface",
    part: "SurfacePanel",
    levels: np.ndarray,
    rule: str,
    weights: Sequence[float],
) -> QuadContourSet:
    """One panel of Figure 2; returns its filled contours."""
    money = surface.n * surface.cost_train
    weight, total = surface.weight, part.log10_total.T
    axes.set(xscale="log", xlabel="weight $R$ (units of $y^{-2}$)")
    axes.set_ylabel(r"training budget $\tilde N = N c_N$ (unit of cost)")
    drawn = axes.contourf(weight, money, total, levels=levels, cmap="YlGnBu", extend="both", zorder=0)
    axes.set_rasterization_zorder(0.5)
    axes.contour(weight, money, total, levels=levels[::2], colors="0.4", linestyles="-", linewidths=0.3)
    outline = [withStroke(linewidth=2.4, foreground="w")]
    best, chosen = part.best_n * surface.cost_train, part.rule_n * surface.cost_train
    axes.plot(weight, best, "k-", lw=1.6, label=r"optimum $\tilde N_*$")
    axes.plot(weight, chosen, "--", color=PALETTE[1], lw=1.3, path_effects=outline, label=rule)
    inside = [float(one) for one in weights if weight[0] <= one <= weight[-1]]
    for index, one in enumerate(inside):
        label = "$R=$" + ", ".join(f"${number(x)}$" for x in inside)
        axes.axvline(one, **GUIDE, label=label if index == 0 else None)
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
            there, hollow. `Allocation.regret` holds them.
        title: Title of the panel.
        dim: d, marked by a line at N = d if given.

    Returns:
        A figure of one panel, with a grey line at 1 %. `lidjax.save_figure` writes it.

    References:
        Eq. 24 and Eq. 25, Sec. 4.3.

    Example:
        >>> from lidjax.figures import regret_figure
        >>> figure = regret_figure([10, 100, 1000], {"eq24": [1e-3, 1e-2, 0.0], "constant_beta": [0.1, 0.2, 0.3]})
        >>> [text.get_text() for text in figure.axes[0].get_legend().get_texts()][:2]
        ['Eq. 24', 'constant $\\\\beta$, Eq. 25']
    """
    budgets = np.asarray(budgets, float)
    order = np.argsort(budgets)
    with paper_style():
        figure, (axes,) = new_figure(1, width=COLUMN + 0.2, height=2.5)
        lowest, clipped = 1.0, False
        for i, (rule, values) in enumerate(regret.items()):
            values = np.asarray(values, float)[order]
            colour, marker = series_style(i)
            label = RULE_LABELS.get(rule, rule)
            shown = np.maximum(values, SMALLEST_REGRET)
            axes.plot(budgets[order], shown, f"{marker}-", color=colour, lw=0.9, label=label)
            none = values < SMALLEST_REGRET
            axes.plot(budgets[order][none], shown[none], marker, mfc="w", color=colour)
            lowest, clipped = min(lowest, float(np.nanmin(shown))), clipped or bool(none.any())
        if clipped:
            hollow = rf"less than ${number(SMALLEST_REGRET)}$ (hollow)"
            axes.plot([], [], "o", mfc="w", color="0.4", label=hollow)
        axes.axhline(0.01, color="0.6", lw=0.6, label=r"1 % above the least $L_{\rm tot}$")
        if dim is not None:
            axes.axvline(dim, **GUIDE, label=f"$N=d={number(dim)}$")
        axes.set(
            xscale="log",
            yscale="log",
            xlabel="budget $C/c_N$ (training instances)",
            ylabel=r"regret $L_{\rm tot}/L_{\rm tot}^\star-1$",
        )
        axes.set_ylim(bottom=lowest / 3)
        axes.set_title(title)
        legends_below([axes], columns=2)
        readable_ticks(figure)
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
        A figure of one panel. `lidjax.save_figure` writes it.

    Example:
        >>> from lidjax.figures import phase_figure
        >>> kind = [["all_inference", "all_training"], ["interior", "all_training"]]
        >>> figure = phase_figure([1, 10], [1, 100], kind, [[0.2, 0.8], [0.4, 0.95]])
        >>> [text.get_text() for text in figure.legends[0].get_texts()]
        ['sample', 'both', 'train', '$50$ % of $C$ trains', '$90$ % of $C$ trains']
    """
    order = sorted(KIND_LABELS)
    codes = np.searchsorted(order, np.asarray(kind))
    budgets, weights = np.asarray(budgets, float), np.asarray(weights, float)
    with paper_style():
        figure, (axes,) = new_figure(1, width=COLUMN + 0.2, height=2.5)
        axes.set(xscale="log", yscale="log", xlabel="budget $C/c_N$ (training instances)", title=title)
        axes.set_ylabel("weight $R$ (units of $y^{-2}$)")
        cmap = ListedColormap([KIND_COLOURS[name] for name in order])
        norm = BoundaryNorm(np.arange(len(order) + 1) - 0.5, cmap.N)
        edges = log_edges(budgets), log_edges(weights)
        axes.pcolormesh(*edges, codes.T, cmap=cmap, norm=norm, shading="flat", rasterized=True)
        inside = np.clip(np.asarray(share, float), 1e-9, 1 - 1e-9)
        odds = np.log(inside / (1 - inside))  # in which a contour near a share of 1 is as smooth as elsewhere
        at = [math.log(level / (1 - level)) for level, _ in SHARES]
        styles = [style for _, style in SHARES]
        axes.contour(budgets, weights, odds.T, levels=at, colors="k", linewidths=0.8, linestyles=styles)
        axes.set(xlim=(budgets[0], budgets[-1]), ylim=(weights[0], weights[-1]))
        present = [name for name in KIND_LABELS if (codes == order.index(name)).any()]
        entries: list[Artist] = [
            Patch(facecolor=KIND_COLOURS[name], edgecolor="0.4", lw=0.4, label=KIND_LABELS[name])
            for name in present
        ]
        entries += [
            Line2D([], [], color="k", lw=0.8, ls=style, label=rf"${100 * level:g}$ % of $C$ trains")
            for level, style in SHARES
            if odds.min() <= math.log(level / (1 - level)) <= odds.max()
        ]
        shared_legend(figure, entries, columns=3)
        readable_ticks(figure)
    return figure


def log_edges(centres: np.ndarray) -> np.ndarray:
    """Edges of cells around `centres`, halfway between them on a logarithmic axis."""
    log = np.log(centres)
    middle = (log[1:] + log[:-1]) / 2
    return np.exp(np.concatenate([[2 * log[0] - middle[0]], middle, [2 * log[-1] - middle[-1]]]))
