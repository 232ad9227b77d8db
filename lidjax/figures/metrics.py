"""Figure of metrics beside pass@k: a panel for each over k, and what is solved at which cost."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from lidjax.evals.metrics import GroupMetrics, MetricCurve
from lidjax.figures.style import (
    K_LABEL,
    PAGE,
    new_figure,
    paper_style,
    plain_text,
    readable_ticks,
    series_style,
    set_title,
    shared_legend,
)

MOST_GROUPS = 6  # drawn in one panel
COSTS = ("pass@k", "attempts", "tokens")


def metrics_figure(metrics: Sequence[GroupMetrics]) -> Figure:
    """Every metric over k, a panel for each and a line for each of up to six groups, with intervals as bands.

    Points are unbiased values from the counts; a dotted line is the limit of many attempts. With the metric "attempts"
    a further panel has pass@k against the expected tokens of a problem, or attempts where the log has no tokens. Of
    more groups six are drawn, evenly spaced in their order.

    Args:
        metrics: Results of `forecast_metrics`, at least one.

    Returns:
        A figure, for `lidjax.save_figure`.

    Example:
        >>> import numpy as np
        >>> import lidjax.evals
        >>> from lidjax.figures import metrics_figure
        >>> k = np.array([1.0, 10.0])
        >>> curve = lidjax.evals.MetricCurve("pass^k", k, k / 20, k / 20, k / 30, k / 15, "these problems")
        >>> figure = metrics_figure([lidjax.evals.GroupMetrics("small", 0.9, [curve], [])])
        >>> figure.axes[0].get_ylabel()
        'pass^k'
    """
    chosen = np.unique(np.linspace(0, len(metrics) - 1, min(MOST_GROUPS, len(metrics))).round().astype(int))
    names = list(
        dict.fromkeys(curve.metric for one in metrics for curve in one.curves if curve.metric not in COSTS)
    )
    with_costs = any(curve.metric == "attempts" for one in metrics for curve in one.curves)
    count = len(names) + with_costs
    columns = min(count, 3)
    with paper_style():
        figure, panels = new_figure(
            columns,
            rows=math.ceil(count / columns),
            width=PAGE if columns == 3 else PAGE * columns / 3 + 0.3,
            height=2.1,
        )
        for axes in panels[count:]:
            axes.remove()
        entries: list[Artist] = []
        for position, index in enumerate(chosen.tolist()):
            one = metrics[index]
            colour, marker = series_style(position)
            curves = {curve.metric: curve for curve in one.curves}
            for axes, name in zip(panels, names, strict=False):
                if name in curves:
                    draw_curve(axes, curves[name], colour, marker)
            if "attempts" in curves:
                cost = curves.get("tokens", curves["attempts"])
                axes = panels[len(names)]
                draw_cost(axes, curves["pass@k"], cost, colour, marker)
                axes.set(
                    xscale="log", xlabel=f"expected {cost.metric}, a problem", ylabel="pass@k", ylim=(0, 1.02)
                )
            entries.append(Line2D([], [], color=colour, marker=marker, label=plain_text(one.group)))
        for axes, name in zip(panels, names, strict=False):
            axes.set(xscale="log", xlabel=K_LABEL, ylabel=plain_text(name), ylim=(0, 1.02))
        entries.append(
            Line2D([], [], ls="", marker="o", ms=2.5, color="0.4", label="unbiased, from the counts")
        )
        entries.append(Line2D([], [], ls=":", color="0.4", label="limit of many attempts"))
        entries.append(Patch(color="0.4", alpha=0.3, lw=0, label=f"{100 * metrics[0].level:g} % interval"))
        shared_legend(figure, entries, columns=2)
        omitted = [f"{len(chosen)} of {len(metrics)} groups"] if len(chosen) < len(metrics) else []
        set_title(figure, "more than pass@k", omitted)
        readable_ticks(figure)
    return figure


def draw_curve(axes: Axes, curve: MetricCurve, colour: str, marker: str) -> None:
    """One metric of one group over k."""
    finite = np.isfinite(curve.k)
    axes.plot(curve.k[finite], curve.value[finite], color=colour)
    axes.fill_between(
        curve.k[finite], curve.lower[finite], curve.upper[finite], color=colour, alpha=0.2, lw=0
    )
    known = np.isfinite(curve.unbiased)
    axes.plot(curve.k[known], curve.unbiased[known], marker, ms=2.5, color=colour)
    for limit in curve.value[~finite].tolist():
        axes.axhline(limit, ls=":", lw=0.8, color=colour)


def draw_cost(axes: Axes, solved: MetricCurve, cost: MetricCurve, colour: str, marker: str) -> None:
    """pass@k of one group against its expected cost; bands are intervals of pass@k."""
    axes.plot(cost.value, solved.value, color=colour)
    axes.fill_between(cost.value, solved.lower, solved.upper, color=colour, alpha=0.2, lw=0)
    known = np.isfinite(cost.unbiased)
    axes.plot(cost.unbiased[known], solved.unbiased[known], marker, ms=2.5, color=colour)
