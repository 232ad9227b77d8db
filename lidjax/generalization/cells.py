"""L_gen of one training set, by any method: the kernel that sweeps vmap, and the choice of method."""

from typing import Literal, cast, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from lidjax.difficulty import Difficulty, check_difficulty
from lidjax.generalization.design import tall_design, wide_design
from lidjax.generalization.krylov import MAX_STEPS, krylov_quadratic, krylov_steps
from lidjax.generalization.noise_norm import noise_norm_squared
from lidjax.generalization.scalar_law import ols_noise_gain, scalar_law_shift
from lidjax.generalization.simulated import simulate_dual, simulate_primal
from lidjax.generalization.whitened import tall_quadratic, wide_quadratic
from lidjax.ridge import Solver

CellMethod = Literal["simulate_primal", "simulate_dual", "bartlett", "dual", "krylov", "scalar"]
Method = Literal["auto", "exact", "simulate"]

KRYLOV_SHARE = 8
"""Steps that pay, as a share of min(d, N): at an eighth of 64, 128 and 256 the two ways cost the same, above d = 256
`MAX_STEPS` is less than that."""
SCALAR_LAW_SHIFT = 1e-4  # L_gen itself scatters by √(2/d) or more: 10⁵ draws do not see this shift


def resolve_method(
    method: str,
    n: float,
    dim: int,
    ridge: float,
    *,
    eigenvalues=None,
    theta=None,
    beta: float | None = None,
    sigma_eta: float | None = None,
    difficulty: Difficulty = "gamma",
    tolerance: float = SCALAR_LAW_SHIFT,
) -> CellMethod:
    """The kernel that `method` means for plain numbers `n`, `dim`, `ridge`; ValueError on a bad one.

    "simulate" draws features and labels. "exact" and "auto" take the cheapest law:

    - "scalar" for n > dim + 1, where ridge is 0, or where the other arguments are given and leaving the ridge out
      moves the mean of L_gen by less than `tolerance` (see `scalar_law_shift`; E[1/τ] is replaced by its
      lower bound 1/E[τ], which is finite for every β);
    - "krylov" where `eigenvalues` are given and few directions matter (`krylov_steps` against dim and n);
    - else "dual" for n < dim and "bartlett" for n ≥ dim.
    """
    check_difficulty(difficulty)
    if not (n >= 1 and dim >= 1 and ridge >= 0):
        raise ValueError(f"n={n} and dim={dim} must be at least 1, and ridge={ridge} at least 0")
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
        allowed = ", ".join(get_args(Method) + get_args(CellMethod))
        raise ValueError(f"method={method!r} is not known; allowed: {allowed}")
    if method == "krylov":
        if eigenvalues is None or krylov_steps(n, eigenvalues, ridge) > MAX_STEPS:
            raise ValueError(
                f"method='krylov' wants eigenvalues whose df₁ = Σ λ/(λ+ridge) is well below n={n} "
                f"at ridge={ridge}: at most {MAX_STEPS} steps by `krylov_steps`; use 'auto'"
            )
        return "krylov"
    wide = method in ("simulate_dual", "dual")
    if wide != (n < dim) or (method == "scalar" and n <= dim + 1):
        raise ValueError(f"method={method!r} does not cover n={n} with dim={dim}; use 'auto' or 'simulate'")
    return cast(CellMethod, method)


def _ridge_is_negligible(n, ridge, eigenvalues, theta, beta, sigma_eta, difficulty, tolerance) -> bool:
    """Whether n > d + 1 instances may be drawn without their ridge; False where too little is given to tell."""
    if ridge == 0:
        return True
    if eigenvalues is None or theta is None or beta is None or sigma_eta is None:
        return False
    mean_precision = beta / 2 if difficulty == "gamma" else beta / (beta + 2)
    shift = scalar_law_shift(
        n,
        eigenvalues=np.asarray(eigenvalues, float),
        theta=np.asarray(theta, float),
        noise_variance=sigma_eta**2 / mean_precision,
        ridge=ridge,
    )
    return shift < tolerance


def lgen_cell(
    key,
    n,
    *,
    eigenvalues: Float[Array, " d"],
    theta: Float[Array, " d"],
    beta,
    sigma_eta,
    ridge,
    method: CellMethod,
    difficulty: Difficulty = "gamma",
    solver: Solver = "cholesky",
) -> Float[Array, ""]:
    """L_gen of one training set of `n` instances (traced, ≤ 1e15 unless simulated); dtype follows `eigenvalues`.

    `method` and `solver` are static; see `resolve_method` for the side of n = d that a method covers. "scalar" leaves
    `ridge` out. Except by "krylov" the design is drawn from the key alone: under `vmap` over beta, sigma_eta,
    eigenvalues or ridge with one key, draws and factorisations that do not depend on the axis are made once.
    "krylov" shares what it draws over beta and sigma_eta.
    solver="eigh" makes a further ridge value cost O(d²) instead of O(d³), for one decomposition that costs
    as much as some 20 Cholesky solves.
    """
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
