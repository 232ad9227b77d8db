"""Compute allocation between training and repeated sampling, Sec. 4.3: exact optimum, the paper's rules, regret."""

from lidjax.allocation.empirical import SweepAllocation as SweepAllocation
from lidjax.allocation.empirical import allocate_sweep as allocate_sweep
from lidjax.allocation.exact import Allocation as Allocation
from lidjax.allocation.exact import allocate as allocate
from lidjax.allocation.rules import RULES as RULES
from lidjax.allocation.rules import RuleSplit as RuleSplit
from lidjax.allocation.surface import AllocationSurface as AllocationSurface
from lidjax.allocation.surface import surface_exact as surface_exact
from lidjax.allocation.surface import surface_sweep as surface_sweep
