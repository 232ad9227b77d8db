"""Figures of the allocation: what is drawn is what was found."""

import numpy as np
from matplotlib.collections import QuadMesh

from lidjax.allocation import AllocationSurface, SurfacePanel
from lidjax.figures import allocation_figure, phase_figure, regret_figure

WEIGHT, N = np.geomspace(0.1, 1e3, 7), np.linspace(1, 100, 40)


def made_surface():
    total = np.log10(WEIGHT[:, None] / N[None, :] + 1 / (101 - N[None, :]) ** 2)
    best = N[np.argmin(total, axis=1)]
    panels = (SurfacePanel(total, best, best + 3.0), SurfacePanel(total - 1, best - 1.0, best - 2.0))
    return AllocationSurface(200.0, 2.0, WEIGHT, N, 101 - N, *panels, shift=best / (best - 1), source="made")


def test_figure_2_draws_optimum_and_rule_in_money():
    surface = made_surface()
    left, right = allocation_figure(surface).axes[:2]
    for axes, part in ((left, surface.finite_n), (right, surface.constant_beta)):
        optimum, rule = axes.get_lines()
        np.testing.assert_allclose(optimum.get_ydata(), 2 * part.best_n)
        np.testing.assert_allclose(rule.get_ydata(), 2 * part.rule_n)
        assert optimum.get_color() == "k"
        assert rule.get_linestyle() == "--"
        assert axes.get_xlabel().startswith("weight $R$")


def test_figure_2_says_which_budget_and_marks_the_weights():
    figure = allocation_figure(made_surface(), name="made", weights=[10.0, 1e9])
    title = figure.get_suptitle()
    assert title.startswith("made: budget $C=200$, $c_N=2$")
    assert [line.get_xdata()[0] for line in figure.axes[0].get_lines()[2:]] == [10.0]  # 1e9 is off the axis


def test_regret_is_drawn_as_it_is():
    budgets = np.geomspace(10, 1e5, 5)
    regret = {"eq24": np.array([1e-3, 0.1, 0.02, 1e-5, 0.0]), "constant_beta": np.full(5, 2.0)}
    (axes,) = regret_figure(budgets, regret, dim=128).axes
    first, hollow, second, _ = axes.get_lines()[:4]
    np.testing.assert_allclose(first.get_ydata()[:4], regret["eq24"][:4])
    assert (list(hollow.get_ydata()), hollow.get_markerfacecolor()) == ([1e-8], "w")
    np.testing.assert_allclose(second.get_ydata(), 2.0)


def test_the_phase_map_shows_the_kinds_there_are():
    kind = np.array([["all_inference", "all_training"], ["interior", "all_training"]])
    figure = phase_figure(
        np.array([1.0, 10.0]), np.array([1.0, 100.0]), kind, np.array([[0.1, 0.9], [0.4, 0.95]])
    )
    (mesh,) = (c for c in figure.axes[0].collections if isinstance(c, QuadMesh))
    codes = sorted(["all_inference", "interior", "all_training"])
    np.testing.assert_array_equal(np.asarray(mesh.get_array()).reshape(2, 2).T, np.searchsorted(codes, kind))
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["sample", "both", "train", "$10$ % of $C$ trains"] + [
        f"${share}$ % of $C$ trains" for share in (50, 90)
    ]
