"""Every figure can be read: no text on text, no legend on points, words and units on every axis, every series named."""

import numpy as np
import pytest
import xarray as xr
from helpers import figure_results as made
from helpers.figure_layout import layout_problems

from lidjax import figures
from lidjax.figures.style import COLUMN, PAGE, legends_below, new_figure, paper_style
from lidjax.fitting import FitStatus


def facets(**layout):
    summary = made.sweep_summary()
    cells = xr.concat([summary.expand_dims("beta"), summary.expand_dims("beta")], "beta")
    cells = cells.assign_coords(beta=[2.5, 4.0])
    return figures.scaling_facets(cells, **layout)


def phase_figure():
    found = made.phase()
    return figures.phase_figure(*found[:4], title="a_sweep, d = 64")


def sweeps():
    return [made.sweep_results(), made.sweep_results("another_sweep", difficulty="power")]


def protocols():
    models = ({}, {"failure": "proposals"}, {"failure": "proposals", "proposal": "normal"})
    return figures.protocols_figure([made.sweep_results(**model) for model in models])


FIGURES = {
    "scaling": (lambda: figures.scaling_figure(made.sweep_summary()), ["median", "Eq. 15", "Eq. 20", "N=d"]),
    "scaling, fit open": (
        lambda: figures.scaling_figure(made.sweep_summary(status=FitStatus.NOT_IDENTIFIABLE)),
        ["not determined"],
    ),
    "scaling, few instances": (
        lambda: figures.scaling_figure(made.sweep_summary(low_ess=True)),
        ["fewer than 30 instances"],
    ),
    "scaling of features": (lambda: figures.scaling_figure(made.sweep_summary(features=True)), ["slope at"]),
    "facets in rows": (facets, ["median", "Eq. 20"]),
    "facets in columns": (lambda: facets(col="beta"), ["median", "Eq. 20"]),
    "facets in colours": (lambda: facets(hue="beta"), [r"$\beta$ = $2.5$", r"$\beta$ = $4$"]),
    "allocation": (
        lambda: figures.allocation_figure(made.allocation_surface(), name="a_sweep", weights=[1, 10]),
        ["optimum", "Eq. 24", "Eq. 25", "$R=$"],
    ),
    "regret": (
        lambda: figures.regret_figure(*made.regrets(), dim=100),
        ["Eq. 24", "quasi-static", "Eq. 25", "1 %", "hollow", "N=d"],
    ),
    "three ways": (
        lambda: figures.three_way_figure(made.three_ways(), name="a model"),
        ["more width", "more data", "more attempts", "$Q=", "Chinchilla"],
    ),
    "phase": (phase_figure, ["sample", "both", "train", "$50$ %"]),
    "metrics": (
        lambda: figures.metrics_figure(made.group_metrics()),
        ["unbiased", "limit", "90 % interval", "a_model"],
    ),
    "two models": (
        lambda: figures.paired_figure(made.two_models()),
        ["these problems", "new problems", "unbiased", "a_model"],
    ),
    "plane": (lambda: figures.plane_figure(sweeps()), ["k_c(N)", "contours"]),
    "success": (
        lambda: figures.success_figure(sweeps()[:1], curves=3),
        ["exact", "tail alone", r"\to 0", "$N=20$"],
    ),
    "exponents": (lambda: figures.exponents_figure(sweeps()), ["Eq. 19", "$k=10$ to"]),
    "protocols": (protocols, ["target draws", "normal", "law of"]),
    "distillation": (
        lambda: figures.distill_figure(made.distillation_summary()),
        ["ground truth", "teacher's answer", "Eq. 20", "window"],
    ),
    "evaluations": (
        lambda: figures.evaluation_figure(made.evaluation_fits()),
        ["a-model-0B", "a-model-8B", "unbiased", "90 % interval: these problems"],
    ),
    "evaluations, failure of one group": (
        lambda: figures.evaluation_figure(made.evaluation_fits(1), failure=True),
        ["a-model-0B", "unbiased", "as many new problems"],
    ),
    "training": (
        lambda: figures.training_figure(made.training_series(), "tokens"),
        ["params=0", "params=1", "params=2", "not determined"],
    ),
    "backtest": (lambda: figures.backtest_figure(made.backtest_forecasts()), []),
    "human labels": (
        lambda: figures.cifar10h_figure(made.sweep_summary(features=True), made.people()),
        ["tolerance window", "slope at"],
    ),
    "examples": (lambda: figures.examples_figure(made.people(), scale=4.0), []),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_can_be_read(name):
    make, series = FIGURES[name]
    figure = make()
    assert layout_problems(figure) == []
    assert figure.get_figwidth() <= PAGE
    legends = [*figure.legends, *(axes.get_legend() for axes in figure.axes if axes.get_legend())]
    said = [text.get_text() for legend in legends for text in legend.get_texts()]
    assert [word for word in series if not any(word in label for label in said)] == []


def test_every_figure_is_looked_at():
    elsewhere = {
        "save_figure",
        "frontier_figure",
        "sgd_figure",
        "width_figure",
        "compute_plane_figure",
        "verifiers_figure",
    }  # sweeps that are slow to compile: their own tests look at them
    drawn = {name for name in figures.__all__ if name.endswith("_figure")} - elsewhere
    used = {name for make, _ in FIGURES.values() for name in make.__code__.co_names}
    assert drawn - used == set()


def plain_figure():
    """A figure with nothing wrong."""
    with paper_style():
        figure, (axes,) = new_figure(1, width=COLUMN)
        axes.plot(np.linspace(0, 1, 50), np.linspace(0, 1, 50), label="a line")
        axes.set(xlabel="attempts $k$", ylabel="failure rate")
        legends_below([axes])
    return figure, axes


def overlapping_text(axes):
    axes.text(0.5, 0.5, "one text")
    axes.text(0.52, 0.5, "another text")


def long_title(axes):
    axes.set_title("a title that is much longer than the figure is wide " * 3)


def covering_legend(axes):
    axes.legend(loc="center")


def symbol_as_label(axes):
    axes.set_ylabel(r"$\beta$")


def label_without_unit(axes):
    axes.set_ylabel(r"loss $\mathcal{L}_{\rm gen}(N)$")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (overlapping_text, "lies on"),
        (long_title, "leaves the figure"),
        (covering_legend, "covers points"),
        (symbol_as_label, "has no words"),
        (label_without_unit, "has no unit"),
    ],
)
def test_what_is_wrong_is_found(spoil, words):
    figure, axes = plain_figure()
    assert layout_problems(figure) == []
    spoil(axes)
    assert any(words in problem for problem in layout_problems(figure))
