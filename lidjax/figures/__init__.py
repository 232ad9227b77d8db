"""Figures a paper could print, from results alone: one function a figure."""

from lidjax.figures.allocation import allocation_figure as allocation_figure
from lidjax.figures.allocation import phase_figure as phase_figure
from lidjax.figures.allocation import regret_figure as regret_figure
from lidjax.figures.distill import distill_figure as distill_figure
from lidjax.figures.evaluations import backtest_figure as backtest_figure
from lidjax.figures.evaluations import evaluation_figure as evaluation_figure
from lidjax.figures.evaluations import training_figure as training_figure
from lidjax.figures.frontier import frontier_figure as frontier_figure
from lidjax.figures.human_labels import cifar10h_figure as cifar10h_figure
from lidjax.figures.human_labels import examples_figure as examples_figure
from lidjax.figures.metrics import metrics_figure as metrics_figure
from lidjax.figures.paired import paired_figure as paired_figure
from lidjax.figures.scaling import scaling_figure as scaling_figure
from lidjax.figures.scaling_facets import scaling_facets as scaling_facets
from lidjax.figures.style import save_figure as save_figure
from lidjax.figures.tails import exponents_figure as exponents_figure
from lidjax.figures.tails import plane_figure as plane_figure
from lidjax.figures.tails import protocols_figure as protocols_figure
from lidjax.figures.tails import success_figure as success_figure
