"""Allocation of compute between training and repeated sampling, Sec. 4.3: the exact optimum, the paper's rules, and
what the rules lose.

`allocate` needs a model, `allocate_sweep` the results of a sweep. `sweep_model` gives the model of a synthetic sweep.
"""

from lidjax.allocation.empirical import allocate_sweep as allocate_sweep
from lidjax.allocation.exact import allocate as allocate
from lidjax.allocation.phase import PhaseMap as PhaseMap
from lidjax.allocation.phase import phase_axes as phase_axes
from lidjax.allocation.phase import phase_map as phase_map
from lidjax.allocation.results import Allocation as Allocation
from lidjax.allocation.results import RuleSplit as RuleSplit
from lidjax.allocation.results import SweepAllocation as SweepAllocation
from lidjax.allocation.rules import RULES as RULES
from lidjax.allocation.surface import AllocationSurface as AllocationSurface
from lidjax.allocation.surface import SurfacePanel as SurfacePanel
from lidjax.allocation.surface import surface_exact as surface_exact
from lidjax.allocation.surface import surface_sweep as surface_sweep
from lidjax.allocation.surface import surface_weights as surface_weights
from lidjax.allocation.sweep_model import ModelArguments as ModelArguments
from lidjax.allocation.sweep_model import select as select
from lidjax.allocation.sweep_model import sweep_model as sweep_model
from lidjax.allocation.sweep_model import sweep_window as sweep_window
from lidjax.allocation.three_ways import WIDTH_RULES as WIDTH_RULES
from lidjax.allocation.width_map import ThreeWayMap as ThreeWayMap
from lidjax.allocation.width_map import three_way_map as three_way_map
