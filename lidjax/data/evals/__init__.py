"""Evaluation logs: per-problem counts from every common format, and what is wrong with them."""

from lidjax.data.evals.checks import Dispersion as Dispersion
from lidjax.data.evals.checks import Finding as Finding
from lidjax.data.evals.checks import batch_dispersion as batch_dispersion
from lidjax.data.evals.checks import check_evals as check_evals
from lidjax.data.evals.read import read_evals as read_evals
from lidjax.data.evals.table import EvalData as EvalData
from lidjax.data.evals.table import Group as Group
