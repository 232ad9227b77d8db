"""‖η‖² = Σ η_i² over N training labels: all that the exact distribution of L_gen needs of the labels.

Up to `EXACT_LABELS` labels it is summed directly. Above, there is a threshold t that a few of the N labels exceed
(`mean_exceedances`). The labels above it are drawn one by one, and the rest is a sum of many bounded terms:

- p-values of the largest labels are uniform order statistics Γ_j/Γ_{N+1}, Γ_j a sum of exponentials, so
  their number K is Binomial(N, P(w > t)). For the gamma prior 1/(1+w) is proposed as a Pareto variable and
  thinned, which is exact and needs no loop; for the power prior the tail is exactly Pareto;
- the other N - K labels are independent and at most t. Their sum is a normal variable that is corrected for its third
  to sixth cumulants (Cornish-Fisher), which follow from the closed-form truncated moments.

- where β is large (`LIGHT_TAIL`) the labels above a threshold are too few to matter, and the sum of all N is the
  corrected normal variable. There the truncated moments would lose their digits (gamma), or count a Pareto tail that
  the labels do not have at that threshold (power).

Error: the Kolmogorov distance to the exact distribution, by inversion of characteristic functions, is at most 2.2e-6
for β ≥ 0.2 and both priors (N = 1024), and 3e-7 from β = 2.5 on. It is no larger at N = 1e5 (gamma: β ≥ 0.7) and
1e9 (power), where the inversion resolves it. Exceedances past the 14th are counted among the rest, which adds 9e-7 at
most. Without cumulants past the fourth the distance is 2e-5, past the second 8e-3. Variates have the 24 digits of
float32, which is finer than that. Γ_1 is cut off at 2^-37 (with probability 7e-12), normal variates at 5.4 (7e-8). All
moments that exist are kept.

Labels with a Gaussian part e_i ~ N(0, v) besides, of a variance that is the same for all (`add_gaussian_part`): the
component of e along η is one normal variable g√v, and the others are independent of η, so that given ‖η‖

    ‖η + e‖² = (‖η‖ + g√v)² + v χ²_{N-1},

exactly. At a given g this is at most x for ‖η‖ in one interval, so the Kolmogorov distance at most doubles: 4.4e-6 for
β ≥ 0.2, and 6e-7 from β = 2.5 on, beside the 6e-7 of a χ² variate.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from lidjax.difficulty import Difficulty, check_difficulty, draw_label_noise
from lidjax.generalization.chi_square import draw_chi_square
from lidjax.generalization.truncated_moments import (
    SERIES_END,
    full_gamma_moments,
    full_power_moments,
    gamma_moments,
    log_absolute_moment,
    log_beta_half,
    power_moments,
)
from lidjax.generalization.variates import paired_uniforms, standard_normal

EXACT_LABELS = 1024
"""Number of labels up to which they are summed one by one."""
PROPOSALS = 14
"""Largest number of labels above the threshold that are drawn one by one; its effect is in "Error" above."""
BLOCK = 256
"""Labels drawn at once where they are summed one by one."""
LIGHT_TAIL: dict[Difficulty, float] = {"gamma": 100.0, "power": 25.0}
"""a = β/2 from which no label is drawn one by one. At N = 1024, the smallest N, the least threshold has probability
4^-100 (gamma) or 1e-10 (power) there; for the power prior 1.6e-9 is counted at a = 25, and 6e-7 would be at a = 40."""
# Partial sums as a matrix product, because `cumsum` is a tree of operations and slower to compile.
_RUNNING_SUM = np.triu(np.ones((PROPOSALS, PROPOSALS), np.float32))


def noise_norm_squared(
    key: jax.Array,
    n: ArrayLike,
    *,
    beta: ArrayLike,
    sigma_eta: ArrayLike,
    difficulty: Difficulty = "gamma",
) -> Float[Array, ""]:
    """One draw of ‖η‖² for `n` labels drawn as in `sample_label_noise`; 1 ≤ n ≤ 1e15 may be traced, beta > 0.

    Cost and memory do not grow with n past `EXACT_LABELS`. One key gives the same uniforms for every beta. The sum is
    of order n^(2/β) for β < 2, and infinite where that is larger than the largest float: at n = 1e15 it always fits
    float32 for β ≥ 0.75, and float64 for β ≥ 0.1. It is 0 for σ_η = 0.

    Derivatives in `beta` and `sigma_eta` are those of the draw at fixed uniforms, in forward and reverse mode.
    """
    check_difficulty(difficulty)
    beta = jnp.asarray(beta)
    n = jnp.asarray(n).astype(beta.dtype)
    few = n <= EXACT_LABELS
    small = direct_norm_squared(key, jnp.where(few, n, 0.0), beta, difficulty)
    large = tail_and_bulk_norm_squared(key, jnp.maximum(n, 1.0 * EXACT_LABELS), beta, difficulty)
    norm = jnp.where(few, small, large)
    return jnp.where(sigma_eta == 0, 0.0, jnp.square(sigma_eta) * norm)  # not 0 · ∞


def add_gaussian_part(
    key: jax.Array, norm_squared: Float[Array, ""], n: Float[Array, ""], variance: Float[Array, ""]
) -> Float[Array, ""]:
    """‖η + e‖² from a draw of ‖η‖² of `n` labels, for e of n independent N(0, variance) entries."""
    normal_key, square_key = jax.random.split(key)
    along = jax.random.normal(normal_key, (), n.dtype)
    others = draw_chi_square(square_key, jnp.maximum(n - 1, 1.0)[None])[0]
    length, deviation = _root(norm_squared), _root(variance)
    return jnp.square(length + deviation * along) + jnp.where(n > 1, variance * others, 0.0)


def _root(x: Float[Array, ""]) -> Float[Array, ""]:
    """√x, with derivative 0 at 0."""
    return jnp.where(x > 0, jnp.sqrt(jnp.where(x > 0, x, 1.0)), 0.0)


@partial(jax.custom_jvp, nondiff_argnums=(3, 4))
def direct_norm_squared(
    key: jax.Array,
    n: Float[Array, ""],
    beta: Float[Array, ""],
    difficulty: Difficulty = "gamma",
    block: int = BLOCK,
) -> Float[Array, ""]:
    """Σ_{i ≤ n} η_i² at σ_η = 1, summed over blocks of draws: exact in distribution, cost O(n), memory O(block).

    Its derivative in beta is summed in the same loop. A loop whose length is not static has no other in reverse mode.
    """
    return _sum_of_squares(key, n, beta, difficulty, block)


@direct_norm_squared.defjvp
def _direct_norm_squared_jvp(
    difficulty: Difficulty,
    block: int,
    primals: tuple[Array, Array, Array],
    tangents: tuple[Array, Array, Array],
) -> tuple[Array, Array]:
    key, n, beta = primals
    total, slope = jax.jvp(
        lambda beta: _sum_of_squares(key, n, beta, difficulty, block), (beta,), (jnp.ones_like(beta),)
    )
    return total, slope * tangents[2]


def _sum_of_squares(
    key: jax.Array, n: Float[Array, ""], beta: Float[Array, ""], difficulty: Difficulty, block: int
) -> Float[Array, ""]:
    unit = jnp.ones((), beta.dtype)

    def add_block(i: Array, total: Array) -> Array:
        noise = draw_label_noise(jax.random.fold_in(key, i), beta, unit, (block,), difficulty)
        row = i.astype(beta.dtype) * block + jnp.arange(block, dtype=beta.dtype)
        return total + jnp.sum(jnp.where(row < n, jnp.square(noise), 0.0))

    return jax.lax.fori_loop(jnp.int32(0), jnp.ceil(n / block).astype(jnp.int32), add_block, 0 * unit)


def tail_and_bulk_norm_squared(
    key: jax.Array, n: Float[Array, ""], beta: Float[Array, ""], difficulty: Difficulty = "gamma"
) -> Float[Array, ""]:
    """Σ_{i ≤ n} η_i² at σ_η = 1 from its largest terms and the sum of the rest; for n ≥ `EXACT_LABELS`, cost O(1)."""
    dtype = beta.dtype
    light = beta / 2 >= LIGHT_TAIL[difficulty]
    a = jnp.minimum(
        beta / 2, LIGHT_TAIL[difficulty]
    )  # where all labels are summed as one, their own moments serve
    # Variates that depend on the key alone are float32; what depends on beta and n is of `dtype`.
    wide, narrow = paired_uniforms(key, (PROPOSALS + 1,))
    z_bulk, z_count = standard_normal(jnp.stack([wide[0], narrow[0]])).astype(dtype)
    thinning = jnp.square(narrow[1:]).astype(dtype)
    spacing = -jnp.log1p(-wide[1:])
    arrivals = jnp.matmul(spacing, jnp.asarray(_RUNNING_SUM), precision="highest")
    log_arrivals = jnp.log(arrivals).astype(dtype)

    # Log of the p-value of the j-th largest label over that of the threshold, Γ_j / (Γ_{N+1} p). Below 0 the label
    # exceeds the threshold.
    others = wilson_hilferty(n + 1 - PROPOSALS, z_count)
    log_p_value = log_arrivals - jnp.log(others + arrivals[-1].astype(dtype))
    exceedances = mean_exceedances(a)
    if difficulty == "gamma":
        log_beta = log_beta_half(a)
        log_x = jnp.minimum((jnp.log(exceedances * a / n) + log_beta) / a, float(np.log(SERIES_END)))
        x = jnp.exp(log_x)
        log_proposed = a * log_x - log_beta - jnp.log(a * jnp.sqrt(1 - x))
        log_ratio = log_p_value - log_proposed
        inverse_y = jnp.exp(jnp.maximum(-log_ratio, 0.0) / a - log_x)
        above = (log_ratio < 0) & (thinning * (1 - 1 / inverse_y) < 1 - x)
        excess = jnp.where(above, 2 * (inverse_y - 1), 0.0)
        scale, moments = 2 * (1 / x - 1), gamma_moments(a, log_x)
        whole_scale, whole = 4 / beta, full_gamma_moments(beta / 2)
    else:
        log_tail = log_absolute_moment(a)
        log_t = jnp.maximum((log_tail + jnp.log(n / exceedances)) / a, jnp.log(power_floor(n)))
        log_ratio = log_p_value - log_tail + a * log_t
        above = log_ratio < 0
        excess = jnp.where(above, jnp.exp(log_t + jnp.maximum(-log_ratio, 0.0) / a), 0.0)
        scale, moments = jnp.exp(log_t), power_moments(a, log_t)
        whole_scale, whole = jnp.ones_like(beta), full_power_moments(beta / 2)
    below = jnp.where(light, n, n - jnp.sum(above.astype(dtype)))
    scale, moments = jnp.where(light, whole_scale, scale), jnp.where(light, whole, moments)
    largest = jnp.where(light, 0.0, jnp.sum(excess))
    total = scale * sum_of_many(z_bulk, below, moments) + largest
    return jnp.where(jnp.isinf(scale) | jnp.isinf(largest), jnp.inf, total)  # not ∞ - ∞


def mean_exceedances(a: Float[Array, ""]) -> Float[Array, ""]:
    """How many labels exceed the threshold on average, at a = β/2: 2 where β ≥ 2, more where the tail is heavier.

    A heuristic: the rest is then near enough to normal to keep the error at 1e-6 for every β. Where β ≥ 2, 14
    proposals hold all exceedances in all but 3e-8 of the draws; where β < 2 the further ones do not matter.
    """
    return 2 - 3.1 * jnp.log(jnp.minimum(a, 1.0))


def power_floor(n: ArrayLike) -> Float[Array, ""]:
    """Least threshold t for the power prior: n P(z² > t) ≤ 1e-7, for the tail is Pareto only above every z²."""
    return 28 + 2 * jnp.log(n)


def sum_of_many(z: Float[Array, "*s"], count: ArrayLike, moments: Float[Array, "7"]) -> Float[Array, "*s"]:
    """Sum of `count` independent terms with raw truncated `moments` (orders 0 to 6), from one normal variate z.

    Cornish-Fisher to sixth order (Abramowitz and Stegun 26.2.49). With s = 1/√(count · variance) the cumulant of
    order r + 2 is k_r s^r in standard units; k_r and s are of order one where the powers of the variance are not.
    """
    m1, m2, m3, m4, m5, m6 = moments[1:] / moments[0]
    variance = m2 - m1**2
    c3 = m3 - 3 * m1 * m2 + 2 * m1**3
    c4 = m4 - 4 * m1 * m3 + 6 * m1**2 * m2 - 3 * m1**4
    c5 = m5 - 5 * m1 * m4 + 10 * m1**2 * m3 - 10 * m1**3 * m2 + 4 * m1**5
    c6 = m6 - 6 * m1 * m5 + 15 * m1**2 * m4 - 20 * m1**3 * m3 + 15 * m1**4 * m2 - 5 * m1**6
    k1 = c3 / variance
    k2 = c4 / variance - 3 * variance
    k3 = c5 / variance - 10 * c3
    k4 = c6 / variance - 15 * c4 - 10 * c3 * k1 + 30 * variance**2

    h2 = z**2 - 1
    h3 = z * h2 - 2 * z
    h4 = z * h3 - 3 * h2
    h5 = z * h4 - 4 * h3
    first = k1 * h2 / 6
    second = k2 * h3 / 24 - k1**2 * (2 * h3 + z) / 36
    third = k3 * h4 / 120 - k1 * k2 * (h4 + h2) / 24 + k1**3 * (12 * h4 + 19 * h2) / 324
    fourth = (
        k4 * h5 / 720
        - k2**2 * (3 * h5 + 6 * h3 + 2 * z) / 384
        - k1 * k3 * (2 * h5 + 3 * h3) / 180
        + k1**2 * k2 * (14 * h5 + 37 * h3 + 8 * z) / 288
        - k1**4 * (252 * h5 + 832 * h3 + 227 * z) / 7776
    )
    deviation = jnp.sqrt(count * variance)
    bent = z + (first + (second + (third + fourth / deviation) / deviation) / deviation) / deviation
    return count * m1 + deviation * bent


def wilson_hilferty(shape: Float[Array, ""], z: Float[Array, ""]) -> Float[Array, ""]:
    """Gamma(shape) variate from a normal z, whose cube root is nearly normal; within 1e-5 for shape > 900."""
    return shape * (1 - 1 / (9 * shape) + z / (3 * jnp.sqrt(shape))) ** 3
