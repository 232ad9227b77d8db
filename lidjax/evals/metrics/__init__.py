"""Metrics beside pass@k, for each group of a fit: from the same counts, and from the same posterior of the rates."""

from lidjax.evals.metrics.curve import MetricCurve as MetricCurve
from lidjax.evals.metrics.forecast import METRICS as METRICS
from lidjax.evals.metrics.forecast import GroupMetrics as GroupMetrics
from lidjax.evals.metrics.forecast import forecast_metrics as forecast_metrics
