"""Figures a paper could print, from results alone: one function a figure."""

from lidjax.figures.scaling import scaling_figure as scaling_figure
from lidjax.figures.style import save as save
