"""Effective frontiers: Zipf patterns learnt under capacity, coverage and optimisation bottlenecks.

After "Effective Frontiers: A Unification of Neural Scaling Laws" (arXiv:2602.02593), of which only the abstract was
used; the formulas here were derived anew. Coverage is pass@k: a pattern of frequency p is missed by D draws with
probability (1-p)^D, and E_p[(1-p)^D] is the functional L_inf(k) with success S = p and k = D.
"""

from lidjax.frontier.bottleneck import ComputeOptimum as ComputeOptimum
from lidjax.frontier.bottleneck import balance_exponent as balance_exponent
from lidjax.frontier.bottleneck import bottleneck_loss as bottleneck_loss
from lidjax.frontier.bottleneck import compute_optimum as compute_optimum
from lidjax.frontier.losses import capacity_asymptote as capacity_asymptote
from lidjax.frontier.losses import capacity_loss as capacity_loss
from lidjax.frontier.losses import coverage_asymptote as coverage_asymptote
from lidjax.frontier.losses import coverage_loss as coverage_loss
from lidjax.frontier.losses import optimisation_asymptote as optimisation_asymptote
from lidjax.frontier.losses import optimisation_loss as optimisation_loss
from lidjax.frontier.simulation import first_seen as first_seen
from lidjax.frontier.simulation import missed_mass as missed_mass
from lidjax.frontier.zipf import tail_mass as tail_mass
from lidjax.frontier.zipf import zipf_probability as zipf_probability
