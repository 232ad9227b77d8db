"""Figure of two models on the same problems: both curves, and their difference with its simultaneous bands."""

from textwrap import wrap

import numpy as np
from matplotlib.figure import Figure

from lidjax.evals.comparison.paired import PairedComparison
from lidjax.figures.style import (
    GUIDE,
    K_LABEL,
    legends_below,
    new_figure,
    paper_style,
    plain_text,
    readable_ticks,
    series_style,
    set_title,
)

LONGEST_LINE = 48  # characters of a legend


def paired_figure(comparison: PairedComparison) -> Figure:
    """Curves of two models on the left, and their difference on the right.

    The bands of the curves are intervals at each k; those of the difference hold the whole curve. The dark one is for
    these problems, the outline for new problems of the same kind; points are the unbiased difference, as far as both
    models have attempts, without their bars.

    Args:
        comparison: Result of `compare_groups`.

    Returns:
        A figure with two panels, for `lidjax.save_figure`.

    Example:
        >>> import numpy as np
        >>> import lidjax.evals
        >>> from lidjax.figures import paired_figure
        >>> names, n = tuple("abcdefgh"), np.full(8, 20)
        >>> one = lidjax.evals.Group("one", {}, names, n, np.arange(8))
        >>> two = lidjax.evals.Group("two", {}, names, n, 2 * np.arange(8))
        >>> figure = paired_figure(lidjax.evals.compare_groups(one, two, targets=[10], draws=100, replicates=100))
        >>> len(figure.axes)
        2
    """
    with paper_style():
        figure, (left, right) = new_figure(2, height=2.3)
        for index, (name, curve) in enumerate(zip(comparison.names, comparison.curves, strict=True)):
            colour, _ = series_style(index)
            label = "\n".join(wrap(f"{'AB'[index]}: {name}", LONGEST_LINE))
            left.plot(comparison.k, curve.value, color=colour, label=plain_text(label))
            left.fill_between(comparison.k, curve.lower, curve.upper, color=colour, alpha=0.2, lw=0)
        left.set(xscale="log", xlabel=K_LABEL, ylabel=plain_text(comparison.metric), ylim=(0, 1.02))
        these, new, *counted = comparison.differences
        colour, _ = series_style(2)
        right.axhline(0, **GUIDE)
        right.plot(comparison.k, these.band.value, color=colour, label="these problems")
        right.fill_between(
            comparison.k, these.band.band_lower, these.band.band_upper, color=colour, alpha=0.3, lw=0
        )
        for end, label in (
            (new.band.band_lower, "new problems of the same kind"),
            (new.band.band_upper, None),
        ):
            right.plot(comparison.k, end, ls="--", lw=0.8, color="0.35", label=label)
        for one in counted:
            known = np.isfinite(one.band.value)
            right.plot(
                comparison.k[known],
                one.band.value[known],
                "o",
                ms=2.5,
                color="0.2",
                label="unbiased, from the counts",
            )
        right.set(xscale="log", xlabel=K_LABEL, ylabel="difference, A minus B")
        legends_below([left, right])
        facts = [f"{len(comparison.groups[0].problems)} problems", f"{100 * comparison.level:g} % bands"]
        set_title(figure, plain_text(comparison.metric), facts)
        readable_ticks(figure)
    return figure
