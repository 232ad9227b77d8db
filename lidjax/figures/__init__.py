"""Figures a paper could print, from results alone: one function a figure."""

from lidjax.figures.allocation import allocation_figure as allocation_figure
from lidjax.figures.allocation import phase_figure as phase_figure
from lidjax.figures.allocation import regret_figure as regret_figure
from lidjax.figures.scaling import scaling_figure as scaling_figure
from lidjax.figures.style import save as save
