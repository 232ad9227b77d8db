"""Evaluation logs: per-problem counts from every common format, and what is wrong with them."""

from lidjax.evals.checks import Dispersion as Dispersion
from lidjax.evals.checks import Finding as Finding
from lidjax.evals.checks import batch_dispersion as batch_dispersion
from lidjax.evals.checks import check_evals as check_evals
from lidjax.evals.read.files import read_evals as read_evals
from lidjax.evals.table import EvalData as EvalData
from lidjax.evals.table import Group as Group
