"""The LID model as a likelihood of counts: P(c | n) = ∫ Binomial(c; n, S(B, τ)) dP(B) dP(τ).

Three parameters: β, the intrinsic tail; c_δ = √(2/π) δ/σ, the tolerance; v = L_gen/σ², the generalisation loss in units
of the label noise. The distribution of S on a product grid in (log τ, B/√v) is transferred to a grid in logit s with a
smooth kernel that is narrower than the likelihood of a hundred attempts.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from lidjax.difficulty import log_precision_density
from lidjax.evals.rates.families import Family
from lidjax.evals.rates.quadrature import LogitGrid
from lidjax.passk.success import log_success_and_miss

LOG_TAU = np.linspace(-40.0, 4.4, 112)  # step 0.4, which is 0.2 in logit s where s ≈ c_δ √τ
BIAS = np.linspace(0.0, 6.0, 19)  # |B|/√v
BIAS_DENSITY = np.exp(-0.5 * BIAS**2) * np.where(BIAS == 0, 1.0, 2.0)  # both signs, so zero counts once
BIAS_MASS = BIAS_DENSITY / BIAS_DENSITY.sum()
BIN_WIDTH = 0.2
BINS = np.arange(-235, 66) * BIN_WIDTH  # -47 to 13


def lid_log_density(params: Float[Array, "3"], grid: LogitGrid) -> Float[Array, " g"]:
    """Log density of x = logit S under the LID model with the gamma prior, params = (log β, log c_δ, log v).

    Rates below the grid (1e-20) are put on its first node, and precisions below e^-40 on the smallest one.
    """
    nodes, weights = jnp.asarray(grid.nodes), jnp.asarray(grid.weights)
    beta, c_delta, v = jnp.exp(params)
    log_tau = jnp.asarray(LOG_TAU)
    tau_mass = jnp.exp(log_precision_density(log_tau, jnp.broadcast_to(beta, log_tau.shape)))
    tau_mass = tau_mass.at[0].add(tau_mass[0] * (2 / beta) / (LOG_TAU[1] - LOG_TAU[0]))
    mass = (tau_mass / jnp.sum(tau_mass))[:, None] * jnp.asarray(BIAS_MASS)[None, :]

    root = jnp.exp(0.5 * log_tau)[:, None]
    a = root * jnp.sqrt(v) * jnp.asarray(BIAS)[None, :]
    h = jnp.broadcast_to(root * c_delta * math.sqrt(math.pi / 2), a.shape)
    log_s, log_miss = log_success_and_miss(a, h)
    spread = deposit(log_s - log_miss, mass)
    density = jnp.interp(nodes, jnp.asarray(BINS), spread / BIN_WIDTH)
    beyond = spread[0] + spread[1] - density[0] * weights[0]  # all mass of the first bins lies below the grid
    density = density.at[0].add(jnp.maximum(beyond, 0.0) / weights[0])
    density = jnp.maximum(density, 1e-200)
    return jnp.log(density) - jnp.log(jnp.sum(density * weights))


def deposit(x: Float[Array, "t b"], mass: Float[Array, "t b"]) -> Float[Array, " bins"]:
    """Distribute each mass over the four bins around its x by the cubic B-spline.

    The result is twice differentiable in x, and equals the density convolved with that spline, whose standard deviation
    is 0.58 of a bin.
    """
    position = jnp.clip((x - BINS[0]) / BIN_WIDTH, 1.0, len(BINS) - 2.001)
    cell = jnp.floor(jax.lax.stop_gradient(position))
    t = position - cell
    shares = ((1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3)
    steps = jnp.arange(-1, 3)[:, None, None]
    masses = mass[None] * jnp.stack(shares) / 6
    return jnp.zeros(len(BINS), x.dtype).at[cell.astype(int)[None] + steps.astype(int)].add(masses)


LID = Family(
    name="lid",
    log_density=lid_log_density,
    low=(-2.5, -12.0, -7.0),
    high=(3.5, 3.0, 4.0),
    starts=((0.0, -1.0, 0.0), (-1.0, -4.0, -3.0), (0.5, -3.5, 2.0)),
    names=("beta", "c_delta", "v"),
    natural=jnp.exp,
    tail_index=lambda params: jnp.exp(params[0]),
)
