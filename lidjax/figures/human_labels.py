"""Figures 3 and 4: a sweep on CIFAR-10H with one of its images, and images that people agree and disagree on."""

import jax
import numpy as np
import xarray as xr
from jax.scipy.stats import norm
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from lidjax.errors import InputError
from lidjax.features import SETTING_AXES, HumanLabels
from lidjax.features.cifar10h import CLASSES
from lidjax.figures.scaling import scaling_panels, settings_of
from lidjax.figures.style import (
    GUIDE,
    PAGE,
    legends_below,
    paper_style,
    plain_text,
    readable_ticks,
    series_style,
    set_title,
)

EXAMPLE_QUANTILES = (0.0, 0.6, 0.8, 0.9, 0.97, 1.0)
"""Quantiles of v in Figure 4, from an image that everybody agrees on to the one that divides people most."""
EXAMPLE_OF_FIGURE_3 = 0.97  # quantile of v of the one image in Figure 3


def cifar10h_figure(summary: xr.Dataset, labels: HumanLabels) -> Figure:
    """Figure 3: a sweep on CIFAR-10H above, and below it an image, its human labels and the law of its label.

    The upper row is that of `scaling_figure`. The image is the one at the 97 % quantile of the label variance v. Its
    label is drawn from the Gaussian beside it, in which a line marks the tolerance window.

    Args:
        summary: summary of the sweep (`summarise`) at one setting, as of `lidjax.features.select_setting`.
        labels: the data set, from `lidjax.features.read_cifar10h`.

    Returns:
        A matplotlib figure; `lidjax.save_figure` writes it.

    Raises:
        InputError: if the summary has several values of `scale`, `delta` or `ridge`.

    References:
        Figure 3 of the paper; Eq. 26 and 27 for the Gaussian.

    Example:
        >>> import numpy as np
        >>> import xarray as xr
        >>> from lidjax.features import HumanLabels
        >>> from lidjax.figures import cifar10h_figure
        >>> n, k = np.array([100.0, 400.0, 1600.0]), np.array([1.0, 10.0, 100.0])
        >>> lgen = {f"lgen_{name}": ("n", 1 / n) for name in ("low", "median", "mean", "high")}
        >>> slopes = {name: ("n", 0.3 - 1 / n) for name in ("beta_eff", "beta_eff_low", "beta_eff_high")}
        >>> summary = xr.Dataset(
        ...     lgen | slopes | {"failure": (("n", "k"), np.outer(1 + 1 / n, 0.8 * k**-0.3)), "in_fit": ("n", n > 0),
        ...     "saturation": ("parameter", [0.3, 0.2, 1.0, 0.5]), "fit_status": 0,
        ...     "identifiable": ("parameter", [True] * 4)},
        ...     coords={"n": n, "k": k, "parameter": ["beta", "delta", "c", "nu"], "scale": 32.0, "delta": 0.05},
        ...     attrs={"spec": {"name": "example", "features": {"variance_floor": 1e-6}}, "feature_dim": 50,
        ...     "noise_variance": 0.5, "window": [1.0, 100.0]},
        ... )
        >>> images, people = np.zeros((2, 32, 32, 3), np.uint8), np.full((2, 10), 0.1)
        >>> labels = HumanLabels(images, people, np.array([3, 5]), np.array(["test_0", "test_1"]), "1.0.0")
        >>> figure = cifar10h_figure(summary, labels)
        >>> [len(row.axes) for row in figure.subfigs]
        [3, 3]
    """
    several = [name for name in SETTING_AXES if summary.sizes.get(name, 1) > 1]
    if several:
        raise InputError(
            f"the summary has several values of {', '.join(several)}; choose one with lidjax.features.select_setting"
        )
    summary = summary.squeeze([name for name in SETTING_AXES if name in summary.dims])
    with paper_style():
        figure = Figure(figsize=(PAGE, 4.4), layout="constrained")
        top, bottom = figure.subfigures(2, 1, squeeze=False, height_ratios=(1.5, 1)).flat
        upper = list(np.atleast_1d(top.subplots(1, 3)))
        scaling_panels(upper, summary)
        legends_below(upper, columns=2)
        scale, delta = (summary[name].item() for name in ("scale", "delta"))
        floor = summary.attrs["spec"]["features"]["variance_floor"]
        index = at_quantile(labels.variance, EXAMPLE_OF_FIGURE_3)
        panels = list(bottom.subplots(1, 3))
        _draw_example(panels, labels, index, scale=scale, delta=delta, floor=floor)
        legends_below(panels[2:])
        set_title(figure, summary.attrs["spec"]["name"], settings_of(summary))
        readable_ticks(figure)
    return figure


def examples_figure(labels: HumanLabels, *, scale: float = 1.0, floor: float = 1e-6) -> Figure:
    """Figure 4: images at growing quantiles of the label variance v, each with its human labels and its Gaussian.

    Args:
        labels: the data set, from `lidjax.features.read_cifar10h`.
        scale: s > 0 of Eq. 26; the Gaussian is that of a label in units of m/s.
        floor: ε_v ≥ 0 of Eq. 27, added to v.

    Returns:
        A matplotlib figure of six rows; `lidjax.save_figure` writes it.

    References:
        Figure 4 of the paper; Eq. 26 and 27 for the Gaussian.

    Example:
        >>> import numpy as np
        >>> from lidjax.features import HumanLabels
        >>> from lidjax.figures import examples_figure
        >>> images, people = np.zeros((2, 32, 32, 3), np.uint8), np.eye(10)[:2]
        >>> labels = HumanLabels(images, people, np.array([0, 1]), np.array(["test_0", "test_1"]), "1.0.0")
        >>> figure = examples_figure(labels, scale=4.0)
        >>> len(figure.subfigs), figure.subfigs[0].axes[0].get_title()
        (6, 'test 0: airplane')
    """
    with paper_style():
        count = len(EXAMPLE_QUANTILES)
        figure = Figure(figsize=(PAGE, 1.15 * count + 0.3), layout="constrained")
        heights = [1.0] * (count - 1) + [1.55]  # the last row has the names of the classes below it
        rows = figure.subfigures(count, 1, squeeze=False, height_ratios=heights).flat
        for row, quantile in zip(rows, EXAMPLE_QUANTILES, strict=True):
            index = at_quantile(labels.variance, quantile)
            axes = list(row.subplots(1, 3, width_ratios=(0.7, 1.2, 1.2)))
            _draw_example(axes, labels, index, scale=scale, floor=floor)
            if quantile != EXAMPLE_QUANTILES[-1]:
                _remove_labels(row)
    return figure


def at_quantile(variance: np.ndarray, quantile: float) -> int:
    """Index of the instance at a quantile of v; the first of equal ones, so that a figure is reproducible."""
    order = np.argsort(variance, kind="stable")
    return int(order[round(quantile * (len(order) - 1))])


def _draw_example(
    axes: list[Axes],
    labels: HumanLabels,
    index: int,
    *,
    scale: float,
    floor: float,
    delta: float | None = None,
) -> None:
    """Draw an image, its human labels, and the Gaussian of its label with the tolerance window if there is one."""
    picture, histogram, density = axes
    mean, variance = labels.mean[index], labels.variance[index]
    picture.imshow(labels.images[index], interpolation="nearest")
    picture.set_axis_off()
    picture.set_title(plain_text(f"{labels.ids[index].replace('_', ' ')}: {CLASSES[labels.label[index]]}"))

    histogram.bar(np.arange(10), labels.probabilities[index], color=series_style(0).colour, width=0.8)
    histogram.axvline(mean, **GUIDE)
    histogram.set_xticks(np.arange(10), CLASSES, rotation=90, fontsize=6)
    histogram.tick_params(axis="x", length=0)
    histogram.set(
        ylim=(0, 1.05), xlabel="class", ylabel="share of people", title=f"mean $m={mean:.3g}$ (dotted)"
    )

    spread, middle = float(np.sqrt(variance + floor)), mean / scale
    width = max(4 * spread, 0.02)
    y = np.linspace(middle - width, middle + width, 401)
    with jax.enable_x64(True):
        bell = np.asarray(norm.pdf(y, middle, spread))
    colour = series_style(1).colour
    density.plot(y, bell, color=colour)
    density.fill_between(y, bell, color=colour, alpha=0.2, lw=0)
    if delta is not None:
        half, seen = delta / scale, width / 150  # a window that is too narrow to see is drawn as a line
        label = rf"tolerance window, $2\delta/s={2 * half:.2g}$" + (" (drawn wider)" if half < seen else "")
        half = max(half, seen)
        density.axvspan(middle - half, middle + half, color="0.3", alpha=0.6, lw=0, label=label)
    density.set(ylim=(0, 1.1 * bell.max()), xlabel="label $y$ (in units of $s$ classes)", ylabel="density")
    density.set_title(rf"$m/s={middle:.3g}$, $v={variance:.3g}$")


def _remove_labels(row: SubFigure) -> None:
    """Remove the axis labels and class names of a row that has another row below it."""
    for axes in row.axes[1:]:
        axes.set_xlabel("")
    row.axes[1].set_xticklabels([])
