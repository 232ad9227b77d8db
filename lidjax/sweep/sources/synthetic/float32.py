"""Where float32 does not do: said by the plan, before anything runs.

Measured with one design in both precisions, d = 64 and 512, α from 0.5 to 2, ridge 0 to 1e-5, σ_η = 0.1: L_gen is right
to 1e-6 for N from d/8 to 50 d, since neither the whitened form (N ≥ d) nor the graded one (N < d) carries the
spectrum's condition number. Only the last few directions at N = d, without a ridge to hold them, lose digits: 4e-3
at N = d + 2 and 1e-2 at N = d for d = 512; with ridge 1e-5, nothing.
"""

import math
from collections.abc import Mapping

import numpy as np

from lidjax.sweep.sources.synthetic.spec import SyntheticSpec

NEAR = 0.02  # of |N/d - 1|: the error there is above 1e-5
HOLDING_RIDGE = 1e-6
SMALLEST = float(np.finfo(np.float32).tiny)


def float32_warnings(spec: SyntheticSpec, axes: Mapping[str, np.ndarray]) -> list[str]:
    """One sentence for each reason to prefer float64."""
    found = []
    close = np.abs(axes["n"][:, None] / axes["dim"][None, :] - 1) < NEAR
    if close.any() and axes["ridge"].min() < HOLDING_RIDGE:
        n, dim = (axes[name][i[0]] for name, i in zip(("n", "dim"), np.nonzero(close), strict=True))
        found.append(
            f"run.dtype = 'float32': at grid.n = {n} next to grid.dim = {dim} with a ridge below {HOLDING_RIDGE:g} "
            "L_gen is right to about 1e-2 only; elsewhere to 1e-6"
        )
    if spec.model.method == "simulate":
        found.append(
            "run.dtype = 'float32': model.method = 'simulate' forms the Gram matrix of unwhitened features; "
            "'auto' keeps its digits"
        )
    # Eq. 15 without its constant: a lower bound of L_inf to a factor of a few
    k, beta, eps = max(spec.grid.k), axes["beta"].max(), axes["delta"].max() / axes["sigma_eta"].min()
    log_smallest = -beta * math.log(max(k * eps, 1))
    if log_smallest < math.log(SMALLEST):
        found.append(
            f"run.dtype = 'float32': L_inf at k = {k:g} and beta = {beta:g} may fall to "
            f"1e{log_smallest / math.log(10):.0f}, below the smallest float32, 1e-38; what is smaller is stored as 0"
        )
    return found
