"""L_gen of one training set by any method: the kernel that sweeps vmap, and its public form."""

from functools import partial
from typing import get_args

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from lidjax.difficulty import Difficulty, check_difficulty
from lidjax.errors import check_choice
from lidjax.generalization.choice import (
    CellMethod,
    Choice,
    Numbers,
    apply_choice,
    check_numbers,
    choose_kernel,
    nan_where_traced_is_nan,
)
from lidjax.generalization.design import tall_design, wide_design
from lidjax.generalization.deterministic import largest_ridge
from lidjax.generalization.krylov import MAX_STEPS, STAGES, krylov_quadratic
from lidjax.generalization.noise_norm import noise_norm_squared
from lidjax.generalization.ridgeless import ols_noise_gain
from lidjax.generalization.simulated import simulate_dual, simulate_primal
from lidjax.generalization.whitened import NoiseQuadratic, tall_quadratic, wide_quadratic
from lidjax.ridge import Solver


def lgen_cell(
    key: jax.Array,
    n: ArrayLike,
    *,
    eigenvalues: ArrayLike,
    theta: ArrayLike,
    beta: ArrayLike,
    sigma_eta: ArrayLike,
    ridge: ArrayLike,
    method: str = "auto",
    difficulty: Difficulty = "gamma",
    solver: Solver = "cholesky",
) -> Float[Array, ""]:
    """L_gen of one random training set of `n` instances: one draw of `sample_lgen`, without a compiled program.

    It has the transformations of `sample_lgen`, which see for them, for derivatives, and for common random numbers.
    Besides "auto", "exact" and "simulate", `method` may name a kernel: "bartlett" (n ≥ d), "dual" (n < d) and "krylov"
    draw from the exact distribution of L_gen at a cost that does not grow with n. So does "scalar" (n > d + 1), which
    leaves `ridge` out. "simulate_primal" (n ≥ d) and "simulate_dual" (n < d) draw features and labels. A program with
    a kernel that is named compiles faster than one that chooses. "krylov" gives NaN where it has not converged, and a
    singular system gives NaN.

    With one key for all, draws and factorisations that do not depend on an axis of `vmap` are made once: except by
    "krylov" the design is drawn from the key alone; "krylov" shares what it draws over beta and sigma_eta.

    Args:
        key: JAX random key.
        n: training size N, a whole number, 1 ≤ N ≤ 1e15 (simulation: as large as you can wait for), scalar.
        eigenvalues: variances of the features (d,), > 0, finite. The result has their dtype.
        theta: teacher θ* (d,), finite.
        beta: tail index β > 0 of the prior on the precision, finite, scalar.
        sigma_eta: noise scale σ_η ≥ 0, finite, scalar.
        ridge: ρ ≥ 0, finite, the penalty on the mean squared error, scalar.
        method: "auto", "exact", "simulate" or a kernel, see above.
        difficulty: prior on the precision, "gamma" or "power".
        solver: for "bartlett" and "dual". With "eigh" every further value of `ridge` under `vmap` costs O(d²) and not
            O(d³), after one decomposition that costs as much as some 20 Cholesky solves. With "dual" its derivative in
            `eigenvalues` is NaN.

    Returns:
        L_gen = (θ̂-θ*)ᵀ Σ (θ̂-θ*) of the ridge estimate θ̂ (Eq. 6), scalar, in squared units of the labels. NaN where
        a traced argument is out of its range, or a traced n is not covered by the method.

    Raises:
        InputError: if a name is not known, or a shape does not fit, or a value is known and out of its range or not
            covered by the method.

    References:
        Eq. 6 and 8. The exact distributions were derived for this project; tests/generalization compares them with
        simulation. Their errors are stated in `noise_norm`, `chi_square` and `krylov`.

    Example:
        >>> import jax
        >>> import lidjax
        >>> from lidjax.generalization import lgen_cell
        >>> model = {"eigenvalues": lidjax.power_law_spectrum(4, 1.0), "theta": lidjax.power_law_teacher(4)}
        >>> def cell(key, n):
        ...     return lgen_cell(key, n, **model, beta=6.0, sigma_eta=0.3, ridge=0.0, method="scalar")
        >>> keys = jax.random.split(jax.random.key(0), 2000)
        >>> lgen = jax.jit(jax.vmap(cell, (0, None)))(keys, 100.0)
        >>> round(float(lgen.mean() / (0.3**2 * lidjax.mean_inverse_precision(6.0) * 4 / 95)), 1)
        1.0
    """
    check_choice("solver =", solver, get_args(Solver))
    check_difficulty(difficulty)
    numbers, known = check_numbers(n, eigenvalues, theta, beta, sigma_eta, ridge)
    choice, numbers = choose_kernel(method, numbers, known, difficulty)
    draw = draw_chosen(key, choice, numbers, difficulty=difficulty, solver=solver)
    return nan_where_traced_is_nan(draw, numbers, known)


def draw_chosen(
    key: jax.Array, choice: Choice, numbers: Numbers, *, difficulty: Difficulty, solver: Solver = "cholesky"
) -> Float[Array, ""]:
    """`draw_lgen` by the kernel that was chosen. What kernels have in common is in the program once."""
    if len(choice.methods) == 1:
        return draw_lgen(key, choice.methods[0], numbers, difficulty=difficulty, solver=solver)
    if "simulate_dual" in choice.methods:
        return apply_choice(choice, numbers, partial(draw_lgen, key, difficulty=difficulty, solver=solver))
    n, beta, sigma_eta = numbers.n, numbers.beta, numbers.sigma_eta
    design_key, noise_key = jax.random.split(key)
    noise = noise_norm_squared(noise_key, n, beta=beta, sigma_eta=sigma_eta, difficulty=difficulty)
    # one loop of conjugate gradients in place of four: half the compilation of the whole, for the same numbers
    design = partial(_quadratic, design_key, solver=solver, stages=(MAX_STEPS,))
    coefficients = apply_choice(choice, numbers, design)
    return coefficients.lgen(jnp.sqrt(noise / n))


def draw_lgen(
    key: jax.Array,
    method: CellMethod,
    numbers: Numbers,
    *,
    difficulty: Difficulty,
    solver: Solver = "cholesky",
) -> Float[Array, ""]:
    """`lgen_cell` by a given kernel, for sweeps: nothing is checked, and outside of its side of n = d the result of a
    kernel is meaningless."""
    n, eigenvalues, theta, beta, sigma_eta, ridge = numbers
    if method in ("simulate_primal", "simulate_dual"):
        simulate = simulate_primal if method == "simulate_primal" else simulate_dual
        return simulate(
            key,
            n,
            eigenvalues=eigenvalues,
            theta=theta,
            beta=beta,
            sigma_eta=sigma_eta,
            ridge=jnp.minimum(ridge, largest_ridge(eigenvalues)),
            difficulty=difficulty,
        )
    design_key, noise_key = jax.random.split(key)
    noise = noise_norm_squared(noise_key, n, beta=beta, sigma_eta=sigma_eta, difficulty=difficulty)
    if method == "scalar":
        return noise * ols_noise_gain(design_key, n, eigenvalues.shape[0])
    return _quadratic(design_key, method, numbers, solver=solver).lgen(jnp.sqrt(noise / n))


def _quadratic(
    key: jax.Array,
    method: CellMethod,
    numbers: Numbers,
    *,
    solver: Solver,
    stages: tuple[int, ...] = STAGES,
) -> NoiseQuadratic:
    """The design of an exact kernel, as L_gen's coefficients in the noise."""
    n, eigenvalues, theta, _, _, ridge = numbers
    dim = eigenvalues.shape[0]
    ridge = jnp.minimum(ridge, largest_ridge(eigenvalues))
    if method == "scalar":
        gain = ols_noise_gain(key, n, dim)
        return NoiseQuadratic(n * gain, jnp.zeros_like(gain), jnp.zeros_like(gain))
    if method == "krylov":
        return krylov_quadratic(key, n, eigenvalues=eigenvalues, theta=theta, ridge=ridge, stages=stages)
    draw, solve = (tall_design, tall_quadratic) if method == "bartlett" else (wide_design, wide_quadratic)
    return solve(draw(key, n, dim), eigenvalues=eigenvalues, theta=theta, ridge=ridge, solver=solver)
