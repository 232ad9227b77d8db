"""L_gen of one training set, by any method: the kernel that sweeps vmap, and the choice of method."""

from typing import Literal, get_args

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from lidjax.difficulty import Difficulty
from lidjax.generalization.noise_norm import noise_norm_squared
from lidjax.generalization.scalar_law import ols_noise_gain
from lidjax.generalization.simulated import simulate_dual, simulate_primal
from lidjax.generalization.whitened import dual_quadratic, primal_quadratic, sample_design

CellMethod = Literal["simulate_primal", "simulate_dual", "bartlett", "dual", "scalar"]
Method = Literal["auto", "exact", "simulate"]


def resolve_method(method: str, n: float, dim: int, ridge: float) -> CellMethod:
    """The kernel that `method` means for plain numbers `n`, `dim`, `ridge`; ValueError on a bad one.

    "simulate" draws features and labels; "exact" and "auto" take the cheapest law that is exact.
    """
    if n < 1 or dim < 1 or ridge < 0:
        raise ValueError(f"n={n} and dim={dim} must be at least 1, and ridge={ridge} at least 0")
    if method in ("auto", "exact"):
        if n < dim:
            return "dual"
        return "scalar" if ridge == 0 and n > dim + 1 else "bartlett"
    if method == "simulate":
        return "simulate_primal" if n >= dim else "simulate_dual"
    if method not in get_args(CellMethod):
        allowed = ", ".join(get_args(Method) + get_args(CellMethod))
        raise ValueError(f"method={method!r} is not known; allowed: {allowed}")
    small_side = method in ("simulate_dual", "dual")
    if small_side != (n < dim) or (method == "scalar" and n <= dim + 1):
        raise ValueError(f"method={method!r} does not cover n={n} with dim={dim}; use 'auto' or 'simulate'")
    return method


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
) -> Float[Array, ""]:
    """L_gen of one training set of `n` instances (traced); dtype follows `eigenvalues`.

    The design is drawn from the key alone: under `vmap` over beta, sigma_eta, eigenvalues or ridge with
    one key, draws and factorisations that do not depend on the axis are made once.
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
        return noise * ols_noise_gain(design_key, n, dim, dtype)
    design = sample_design(design_key, n, dim, dtype)
    solve = primal_quadratic if method == "bartlett" else dual_quadratic
    return solve(design, eigenvalues=eigenvalues, theta=theta, ridge=ridge).lgen(jnp.sqrt(noise / n))
