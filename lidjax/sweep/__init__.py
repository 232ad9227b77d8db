"""Sweeps: a spec goes in, one compiled program runs over the whole grid, a labelled store comes out."""

from lidjax.sweep.run import plan_sweep as plan_sweep
from lidjax.sweep.run import run_sweep as run_sweep
from lidjax.sweep.spec_file import load_spec as load_spec
