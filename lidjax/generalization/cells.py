"""L_gen of one training set by any method: the kernel that sweeps vmap, and the choice of method."""

from typing import Literal, cast, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from lidjax.difficulty import Difficulty, check_difficulty
from lidjax.errors import InputError, check_choice, unknown_name
from lidjax.generalization.design import tall_design, wide_design
from lidjax.generalization.krylov import MAX_STEPS, krylov_quadratic, krylov_steps
from lidjax.generalization.noise_norm import noise_norm_squared
from lidjax.generalization.ridgeless import ols_noise_gain, ridgeless_shift
from lidjax.generalization.simulated import simulate_dual, simulate_primal
from lidjax.generalization.whitened import tall_quadratic, wide_quadratic
from lidjax.ridge import Solver

CellMethod = Literal["simulate_primal", "simulate_dual", "bartlett", "dual", "krylov", "scalar"]
"""How `lgen_cell` computes one cell."""
Method = Literal["auto", "exact", "simulate"]
"""What `resolve_method` accepts besides: the choice of a `CellMethod` by size and ridge."""

KRYLOV_SHARE = 8
"""Conjugate gradients are chosen for up to this fraction of min(d, N) steps, an eighth. Measured: at an eighth of 64,
128 and 256 both ways cost the same; above d = 256 `MAX_STEPS` is the smaller bound."""
RIDGELESS_TOLERANCE = 1e-4
"""Relative shift of the mean of L_gen below which a ridge is left out. L_gen itself scatters by √(2/d) or more, so even
10⁵ draws do not show it."""


def resolve_method(
    method: str,
    n: float,
    dim: int,
    ridge: float,
    *,
    eigenvalues: Float[ArrayLike, " d"] | None = None,
    theta: Float[ArrayLike, " d"] | None = None,
    beta: float | None = None,
    sigma_eta: float | None = None,
    difficulty: Difficulty = "gamma",
    tolerance: float = RIDGELESS_TOLERANCE,
) -> CellMethod:
    """The kernel that `method` stands for at given numbers; it runs on the host, so nothing may be traced.

    "simulate" draws features and labels. "exact" and "auto" take the cheapest kernel that draws from the exact
    distribution:

    - "scalar" for n > dim + 1, where ridge is 0, or where the other arguments are given and leaving the ridge out
      moves the mean of L_gen by less than `tolerance` (see `ridgeless_shift`; E[1/τ] is replaced by its
      lower bound 1/E[τ], which is finite for every β);
    - "krylov" where `eigenvalues` are given and few directions matter (`krylov_steps` against dim and n);
    - else "dual" for n < dim and "bartlett" for n ≥ dim.

    Args:
        method: "auto", "exact", "simulate", or a `CellMethod`, which is checked against the sizes.
        n: training size N ≥ 1.
        dim: number of features d ≥ 1.
        ridge: ρ ≥ 0.
        eigenvalues: variances of the features (d,), > 0.
        theta: teacher θ* (d,).
        beta: tail index β > 0 of the prior on the precision.
        sigma_eta: noise scale σ_η ≥ 0.
        difficulty: prior on the precision, "gamma" or "power".
        tolerance: relative shift of the mean of L_gen up to which a ridge is left out.

    Returns:
        The `CellMethod` to give to `lgen_cell`.

    Raises:
        InputError: if `method` or `difficulty` is not known, a size or the ridge is out of range, or the method does
            not cover them.

    References:
        Derived for this project; the methods are compared in tests/generalization.

    Example:
        >>> from lidjax.generalization import resolve_method
        >>> [resolve_method("exact", n, 5, 0.0) for n in (4, 5, 7)]
        ['dual', 'bartlett', 'scalar']
    """
    check_difficulty(difficulty)
    for name, value in (("n", n), ("dim", dim)):
        if not value >= 1:
            raise InputError(f"{name} = {value}: must be at least 1")
    if not ridge >= 0:
        raise InputError(f"ridge = {ridge}: must be at least 0")
    if method in ("auto", "exact"):
        if n > dim + 1 and _ridge_is_negligible(
            n, ridge, eigenvalues, theta, beta, sigma_eta, difficulty, tolerance
        ):
            return "scalar"
        few = min(MAX_STEPS, min(dim, n) / KRYLOV_SHARE)
        if eigenvalues is not None and krylov_steps(n, eigenvalues, ridge) <= few:
            return "krylov"
        return "dual" if n < dim else "bartlett"
    if method == "simulate":
        return "simulate_primal" if n >= dim else "simulate_dual"
    if method not in get_args(CellMethod):
        raise unknown_name("method =", method, get_args(Method) + get_args(CellMethod))
    if method == "krylov":
        if eigenvalues is None or krylov_steps(n, eigenvalues, ridge) > MAX_STEPS:
            raise InputError(
                f"method = 'krylov': needs eigenvalues whose df₁ = Σ λ/(λ+ridge) is well below n = {n} "
                f"at ridge = {ridge}, so that `krylov_steps` is at most {MAX_STEPS}; use 'auto'"
            )
        return "krylov"
    wide = method in ("simulate_dual", "dual")
    if wide != (n < dim) or (method == "scalar" and n <= dim + 1):
        raise InputError(
            f"method = {method!r}: does not cover n = {n} with dim = {dim}; use 'auto' or 'simulate'"
        )
    return cast(CellMethod, method)


def _ridge_is_negligible(
    n: float,
    ridge: float,
    eigenvalues: Float[ArrayLike, " d"] | None,
    theta: Float[ArrayLike, " d"] | None,
    beta: float | None,
    sigma_eta: float | None,
    difficulty: Difficulty,
    tolerance: float,
) -> bool:
    """Whether n > d + 1 instances may be drawn without their ridge; False where too little is given to tell."""
    if ridge == 0:
        return True
    if eigenvalues is None or theta is None or beta is None or sigma_eta is None:
        return False
    mean_precision = beta / 2 if difficulty == "gamma" else beta / (beta + 2)
    shift = ridgeless_shift(
        n,
        eigenvalues=np.asarray(eigenvalues, float),
        theta=np.asarray(theta, float),
        noise_variance=sigma_eta**2 / mean_precision,
        ridge=ridge,
    )
    return shift < tolerance


def lgen_cell(
    key: jax.Array,
    n: ArrayLike,
    *,
    eigenvalues: Float[Array, " d"],
    theta: Float[Array, " d"],
    beta: ArrayLike,
    sigma_eta: ArrayLike,
    ridge: ArrayLike,
    method: CellMethod,
    difficulty: Difficulty = "gamma",
    solver: Solver = "cholesky",
) -> Float[Array, ""]:
    """L_gen of one random training set of `n` instances, for use under `jit` and `vmap`.

    `method` names the kernel; `resolve_method` chooses it. "bartlett" (n ≥ d), "dual" (n < d) and "krylov" draw from
    the exact distribution of L_gen at a cost that does not grow with n. So does "scalar" (n > d + 1), which leaves
    `ridge` out. "simulate_primal" (n ≥ d) and "simulate_dual" (n < d) draw features and labels. Whether a method
    covers `n` is not checked here, because `n` may be traced: outside its side of n = d the result is meaningless, and
    "krylov" gives NaN where it has not converged. A singular system gives NaN.

    Transformations:

    - `jit`: `method`, `difficulty`, `solver` and the length of `eigenvalues` are static. Everything else may be
      traced, so one program serves every n on one side of d.
    - `vmap`: over every argument that is not static. With one key for all, draws and factorisations that do not depend
      on the axis are made once: except by "krylov" the design is drawn from the key alone; "krylov" shares what it
      draws over beta and sigma_eta.
    - derivatives hold the key fixed. Forward mode (`jax.jvp`, `jax.jacfwd`) works in every argument. Reverse mode
      (`jax.grad`) works under "bartlett", "dual" and "scalar" in `eigenvalues`, `theta`, `sigma_eta` and `ridge`,
      and under "simulate_dual" in every argument. With "dual" and solver="eigh" the derivative in `eigenvalues` is NaN
      in both modes. Draws are smooth in these four. In `beta` and `n` they are not: labels enter one by one, and
      variates pass through accept-reject steps. A derivative does not see those jumps, so its mean over keys is not
      the derivative of the mean; for that differentiate `deterministic_lgen`.

    Args:
        key: JAX random key.
        n: training size N, scalar, 1 ≤ N ≤ 1e15 (simulation: as large as you can wait for).
        eigenvalues: variances of the features (d,), > 0. The result has their dtype.
        theta: teacher θ* (d,).
        beta: tail index β > 0 of the prior on the precision, scalar.
        sigma_eta: noise scale σ_η ≥ 0, scalar.
        ridge: ρ ≥ 0, the penalty on the mean squared error, scalar.
        method: kernel, see above.
        difficulty: prior on the precision, "gamma" or "power".
        solver: for "bartlett" and "dual". With "eigh" every further value of `ridge` under `vmap` costs O(d²) and not
            O(d³), after one decomposition that costs as much as some 20 Cholesky solves.

    Returns:
        L_gen = (θ̂-θ*)ᵀ Σ (θ̂-θ*) of the ridge estimate θ̂ (Eq. 6), scalar, in squared units of the labels.

    Raises:
        InputError: if `method`, `difficulty` or `solver` is not known.

    References:
        Eq. 6 and 8. The exact distributions were derived for this project; tests/generalization compares them with
        simulation. Their errors are stated in `noise_norm`, `chi_square` and `krylov`.

    Example:
        >>> import jax
        >>> import jax.numpy as jnp
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
    check_choice("method =", method, get_args(CellMethod))
    check_choice("solver =", solver, get_args(Solver))
    check_difficulty(difficulty)
    dim, dtype = eigenvalues.shape[0], eigenvalues.dtype
    n, beta, sigma_eta, ridge = (jnp.asarray(a).astype(dtype) for a in (n, beta, sigma_eta, ridge))
    if method in ("simulate_primal", "simulate_dual"):
        simulate = simulate_primal if method == "simulate_primal" else simulate_dual
        return simulate(
            key,
            n,
            eigenvalues=eigenvalues,
            theta=theta,
            beta=beta,
            sigma_eta=sigma_eta,
            ridge=ridge,
            difficulty=difficulty,
        )
    design_key, noise_key = jax.random.split(key)
    noise = noise_norm_squared(noise_key, n, beta=beta, sigma_eta=sigma_eta, difficulty=difficulty)
    if method == "scalar":
        return noise * ols_noise_gain(design_key, n, dim)
    if method == "krylov":
        coefficients = krylov_quadratic(design_key, n, eigenvalues=eigenvalues, theta=theta, ridge=ridge)
        return coefficients.lgen(jnp.sqrt(noise / n))
    draw, solve = (tall_design, tall_quadratic) if method == "bartlett" else (wide_design, wide_quadratic)
    design = draw(design_key, n, dim)
    coefficients = solve(design, eigenvalues=eigenvalues, theta=theta, ridge=ridge, solver=solver)
    return coefficients.lgen(jnp.sqrt(noise / n))
