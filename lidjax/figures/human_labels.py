"""Figures 3 and 4: a sweep on CIFAR-10H with an image of it, and images that people agree and disagree on."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from lidjax.features.cifar10h import CLASSES, HumanLabels
from lidjax.figures.scaling import scaling_panels
from lidjax.figures.style import paper_style

EXAMPLE_QUANTILES = (0.0, 0.6, 0.8, 0.9, 0.97, 1.0)
"""Of v: from an image that everybody agrees on to the one that divides people most."""
EXAMPLE_OF_FIGURE_3 = 0.97


def cifar10h_figure(summary: xr.Dataset, labels: HumanLabels) -> Figure:
    """Figure 3: `scaling_figure` above; below an image, its human labels and the Gaussian that its label is drawn from.

    `summary` has no axes left but `n` and `k`. The image stands at the 97 % quantile of v.
    """
    with paper_style():
        figure = Figure(figsize=(7.5, 4.4), layout="constrained")
        top, bottom = figure.subfigures(2, 1, squeeze=False, height_ratios=(1.15, 1)).flat
        scaling_panels(list(np.atleast_1d(top.subplots(1, 3))), summary)
        scale, delta = (summary[name].item() for name in ("scale", "delta"))
        floor = summary.attrs["spec"]["features"]["variance_floor"]
        index = at_quantile(labels.variance, EXAMPLE_OF_FIGURE_3)
        _example(list(bottom.subplots(1, 3)), labels, index, scale=scale, delta=delta, floor=floor)
        figure.suptitle(
            f"{summary.attrs['spec']['name']}:  $s={scale:g}$,  $\\delta={delta:g}$,  "
            f"$d={summary.attrs['feature_dim']:.0f}$",
            fontsize=9,
        )
    return figure


def examples_figure(labels: HumanLabels, *, scale: float = 1.0, floor: float = 1e-6) -> Figure:
    """Figure 4: images at growing quantiles of v, each with its human labels and its Gaussian (in units of m/s)."""
    with paper_style():
        count = len(EXAMPLE_QUANTILES)
        figure = Figure(figsize=(6.2, 1.15 * count), layout="constrained")
        heights = [1.0] * (count - 1) + [1.35]  # the last row has the names of the classes
        rows = figure.subfigures(count, 1, squeeze=False, height_ratios=heights).flat
        for row, quantile in zip(rows, EXAMPLE_QUANTILES, strict=True):
            index = at_quantile(labels.variance, quantile)
            axes = list(row.subplots(1, 3, width_ratios=(0.7, 1.2, 1.2)))
            _example(axes, labels, index, scale=scale, floor=floor)
            _only_last_keeps_labels(row, last=quantile == EXAMPLE_QUANTILES[-1])
    return figure


def at_quantile(variance: np.ndarray, quantile: float) -> int:
    """Index of the instance at a quantile of v; of several equal ones the first, so that a figure repeats."""
    order = np.argsort(variance, kind="stable")
    return int(order[round(quantile * (len(order) - 1))])


def _example(
    axes: list[Axes],
    labels: HumanLabels,
    index: int,
    *,
    scale: float,
    floor: float,
    delta: float | None = None,
) -> None:
    picture, histogram, density = axes
    mean, variance = labels.mean[index], labels.variance[index]
    picture.imshow(labels.images[index], interpolation="nearest")
    picture.set_axis_off()
    picture.set_title(f"{labels.ids[index].replace('_', ' ')}: {CLASSES[labels.label[index]]}", fontsize=7.5)

    histogram.bar(np.arange(10), labels.probabilities[index], color="C0", width=0.8)
    histogram.axvline(mean, color="k", lw=0.8, ls="--")
    histogram.set_xticks(np.arange(10), CLASSES, rotation=45, ha="right", fontsize=6, rotation_mode="anchor")
    histogram.tick_params(axis="x", length=0)
    histogram.set(ylim=(0, 1.05))
    histogram.set_ylabel("share of people", fontsize=7)

    spread = np.sqrt(variance + floor)
    width = max(4 * spread, 0.02)
    y = np.linspace(mean / scale - width, mean / scale + width, 401)
    bell = np.exp(-0.5 * ((y - mean / scale) / spread) ** 2) / (spread * np.sqrt(2 * np.pi))
    density.plot(y, bell, color="C1")
    density.fill_between(y, bell, color="C1", alpha=0.2, lw=0)
    label = rf"$m/s={mean / scale:.3g}$, $v={variance:.3g}$"
    if delta is not None:
        density.axvline(mean / scale, color="C3", lw=max(0.6, 120 * delta / scale / width))
        label += "\n" + rf"$2\delta/s={2 * delta / scale:.2g}$ (line)"
    density.set(ylim=(0, 1.25 * bell.max()), xlabel="label $y$")
    density.set_ylabel("density", fontsize=7)
    density.text(0.97, 0.93, label, transform=density.transAxes, ha="right", va="top", fontsize=6.5)


def _only_last_keeps_labels(row: SubFigure, *, last: bool) -> None:
    if last:
        return
    for axes in row.axes[1:]:
        axes.set_xlabel("")
    row.axes[1].set_xticklabels([])
