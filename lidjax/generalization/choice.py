"""Which kernel draws L_gen: chosen on the host where the numbers are known, in the program where they are traced.

Both choices follow one rule (see `resolve_method`), so that a function and its `jit` or `vmap` give the same draws.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, NamedTuple, TypeVar, cast, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int

from lidjax.arrays import FINITE, NOT_NEGATIVE, POSITIVE, WHOLE, checked, known_value, nan_where_any_is_nan
from lidjax.difficulty import Difficulty, check_difficulty
from lidjax.errors import InputError, check_choice, unknown_name
from lidjax.generalization.krylov import MAX_STEPS, krylov_steps
from lidjax.generalization.ridgeless import ridgeless_shift

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
    eigenvalues: ArrayLike | None = None,
    theta: ArrayLike | None = None,
    beta: float | None = None,
    sigma_eta: float | None = None,
    difficulty: Difficulty = "gamma",
    tolerance: float = RIDGELESS_TOLERANCE,
) -> CellMethod:
    """The kernel that `method` stands for at given numbers; it runs on the host, so nothing may be traced.

    `sample_lgen` and `lgen_cell` choose by themselves; this says which kernel they choose.

    "simulate" draws features and labels. "exact" and "auto" take the cheapest kernel that draws from the exact
    distribution:

    - "scalar" for n > dim + 1 where ridge is 0, and for n > dim + 3 where the other arguments are given and leaving the
      ridge out moves the mean of L_gen by less than `tolerance` (see `ridgeless_shift`; E[1/τ] is replaced by its lower
      bound 1/E[τ], which is finite for every β);
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
        InputError: if `method` or `difficulty` is not known, an argument has another shape or a value out of its range,
            or the method does not cover them.

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
    checked("ridge", ridge, NOT_NEGATIVE, shape=())
    if eigenvalues is not None:
        checked("eigenvalues", eigenvalues, POSITIVE, shape=(dim,))
    if theta is not None:
        checked("theta", theta, FINITE, shape=(dim,))
    if beta is not None:
        checked("beta", beta, POSITIVE, shape=())
    if sigma_eta is not None:
        checked("sigma_eta", sigma_eta, NOT_NEGATIVE, shape=())
    return _resolve(method, n, dim, ridge, eigenvalues, theta, beta, sigma_eta, difficulty, tolerance)


def _resolve(
    method: str,
    n: float,
    dim: int,
    ridge: float,
    eigenvalues: ArrayLike | None,
    theta: ArrayLike | None,
    beta: float | None,
    sigma_eta: float | None,
    difficulty: Difficulty,
    tolerance: float = RIDGELESS_TOLERANCE,
) -> CellMethod:
    """`resolve_method` of numbers that have been checked."""
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
    eigenvalues: ArrayLike | None,
    theta: ArrayLike | None,
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
    shift = ridgeless_shift(
        n,
        eigenvalues=np.asarray(eigenvalues, float),
        theta=np.asarray(theta, float),
        noise_variance=least_noise_variance(beta, sigma_eta, difficulty),
        ridge=ridge,
    )
    return bool(shift < tolerance)


def least_noise_variance(beta: Any, sigma_eta: Any, difficulty: Difficulty) -> Any:
    """σ_η²/E[τ], at most the variance σ_η² E[1/τ] of the label noise, and finite for every β."""
    return sigma_eta**2 * (2 / beta if difficulty == "gamma" else 1 + 2 / beta)


class Numbers(NamedTuple):
    """What the distribution of L_gen depends on, beside the prior: arrays of one dtype, checked."""

    n: Float[Array, ""]
    eigenvalues: Float[Array, " d"]
    theta: Float[Array, " d"]
    beta: Float[Array, ""]
    sigma_eta: Float[Array, ""]
    ridge: Float[Array, ""]


class KnownNumbers(NamedTuple):
    """The same as NumPy arrays, with None in place of those that are traced."""

    n: np.ndarray | None
    eigenvalues: np.ndarray | None
    theta: np.ndarray | None
    beta: np.ndarray | None
    sigma_eta: np.ndarray | None
    ridge: np.ndarray | None


def check_numbers(
    n: ArrayLike,
    eigenvalues: ArrayLike,
    theta: ArrayLike,
    beta: ArrayLike,
    sigma_eta: ArrayLike,
    ridge: ArrayLike,
) -> tuple[Numbers, KnownNumbers]:
    """The arguments of `sample_lgen` and `lgen_cell`, checked, in the dtype of the eigenvalues."""
    values = checked("eigenvalues", eigenvalues, POSITIVE, shape=("d",))
    dtype = values.dtype
    numbers = Numbers(
        checked("n", n, WHOLE, shape=(), dtype=dtype),
        values,
        checked("theta", theta, FINITE, shape=values.shape, dtype=dtype),
        checked("beta", beta, POSITIVE, shape=(), dtype=dtype),
        checked("sigma_eta", sigma_eta, NOT_NEGATIVE, shape=(), dtype=dtype),
        checked("ridge", ridge, NOT_NEGATIVE, shape=(), dtype=dtype),
    )
    # of the arguments as they came, because `jit` traces their conversion
    seen = map(known_value, (n, eigenvalues, theta, beta, sigma_eta, ridge))
    return numbers, KnownNumbers(*(None if value is None else np.asarray(value, float) for value in seen))


def nan_where_traced_is_nan(
    lgen: Float[Array, "..."], numbers: Numbers, known: KnownNumbers
) -> Float[Array, "..."]:
    """`lgen`, or NaN where a traced number is out of its range: not every kernel depends on all of them."""
    traced = (value for value, seen in zip(numbers, known, strict=True) if seen is None)
    return nan_where_any_is_nan(lgen, *traced)


class Choice(NamedTuple):
    """Kernels that may serve a cell, and which of them does."""

    methods: tuple[CellMethod, ...]
    """Static."""
    chosen: Int[Array, ""]
    """Position in `methods`; it may be traced where there are several."""


def choose_kernel(
    method: str, numbers: Numbers, known: KnownNumbers, difficulty: Difficulty
) -> tuple[Choice, Numbers]:
    """The one kernel of `resolve_method` where the numbers that decide it are known; else those that remain.

    The numbers are returned with NaN for a traced n that the one kernel does not cover.
    """
    choice = _choose(method, numbers, known, difficulty)
    if len(choice.methods) == 1 and known.n is None:
        numbers = numbers._replace(n=jnp.where(_covers(choice.methods[0], numbers), numbers.n, jnp.nan))
    return choice, numbers


def _covers(method: CellMethod, numbers: Numbers) -> Array:
    n, dim = numbers.n, numbers.eigenvalues.shape[0]
    if method in ("dual", "simulate_dual"):
        return n < dim
    if method == "scalar":
        return n > dim + 1
    return n >= (1 if method == "krylov" else dim)


def _choose(method: str, numbers: Numbers, known: KnownNumbers, difficulty: Difficulty) -> Choice:
    check_choice("method =", method, get_args(Method) + get_args(CellMethod))
    dim = numbers.eigenvalues.shape[0]
    if (
        known.n is not None
        and known.ridge is not None
        and known.eigenvalues is not None
        and known.theta is not None
        and known.beta is not None
        and known.sigma_eta is not None
    ):
        n, ridge, beta, sigma_eta = (float(x) for x in (known.n, known.ridge, known.beta, known.sigma_eta))
        vectors = known.eigenvalues, known.theta
        return _only(_resolve(method, n, dim, ridge, *vectors, beta, sigma_eta, difficulty))
    if method in get_args(CellMethod):
        if known.n is not None and method != "krylov":
            _resolve(method, float(known.n), dim, 0.0, None, None, None, None, difficulty)
        return _only(cast(CellMethod, method))
    if method == "simulate":
        remaining = _possible(known, dim, ("simulate_dual", "simulate_primal"))
    else:
        remaining = _possible(known, dim, ("scalar", "krylov", "dual", "bartlett"))
    if len(remaining) == 1:
        return _only(remaining[0])
    index = jnp.int32(len(remaining) - 1)
    for i, candidate in reversed(list(enumerate(remaining[:-1]))):
        index = jnp.where(_serves(candidate, numbers, difficulty), jnp.int32(i), index)
    return Choice(remaining, index)


def _only(method: CellMethod) -> Choice:
    return Choice((method,), jnp.int32(0))


def _possible(known: KnownNumbers, dim: int, order: tuple[CellMethod, ...]) -> tuple[CellMethod, ...]:
    """The methods of `order` that some value of what is not known would choose. The first one that serves is chosen."""
    n, eigenvalues, ridge = known.n, known.eigenvalues, known.ridge
    without_ridge = ridge is not None and ridge == 0
    remaining: list[CellMethod] = []
    for method in order:
        if method == "scalar":
            if n is None or n > dim + (1 if without_ridge else 3):
                remaining.append(method)
                if n is not None and without_ridge:
                    break
        elif method == "krylov":
            if (
                dim <= 2 * KRYLOV_SHARE or without_ridge
            ):  # `krylov_steps` is more than 2; without a ridge, than dim
                continue
            if n is None or eigenvalues is None or ridge is None:
                remaining.append(method)
            elif _few_directions(n, eigenvalues, ridge):
                remaining.append(method)
                break
        elif method in ("dual", "simulate_dual"):
            if n is None or n < dim:
                remaining.append(method)
                if n is not None:
                    break
        else:
            remaining.append(method)
    return tuple(remaining)


def _few_directions(n: Any, eigenvalues: Any, ridge: Any) -> Any:
    dim = eigenvalues.shape[0]
    xp = np if isinstance(n, float | np.ndarray) else jnp
    few = xp.minimum(float(MAX_STEPS), xp.minimum(float(dim), n) / KRYLOV_SHARE)
    return krylov_steps(n, eigenvalues, ridge) <= few


def _serves(method: CellMethod, numbers: Numbers, difficulty: Difficulty) -> Array:
    """Whether `method` is the one to take, given that those before it in the order are not."""
    n, eigenvalues, theta, beta, sigma_eta, ridge = map(jax.lax.stop_gradient, numbers)
    dim = eigenvalues.shape[0]
    if method == "scalar":
        noise_variance = least_noise_variance(beta, sigma_eta, difficulty)
        shift = ridgeless_shift(
            n, eigenvalues=eigenvalues, theta=theta, noise_variance=noise_variance, ridge=ridge
        )
        return (n > dim + 1) & ((ridge == 0) | (shift < RIDGELESS_TOLERANCE))
    if method == "krylov":
        return _few_directions(n, eigenvalues, ridge)
    return n < dim


Result = TypeVar("Result")


def apply_choice(
    choice: Choice, numbers: Numbers, function: Callable[[CellMethod, Numbers], Result]
) -> Result:
    """`function` of the chosen method, in a program that holds all that remain.

    Under `vmap` over what the choice depends on, all of them are computed and one result is taken. The others are given
    numbers that they can deal with, so that they neither iterate long nor put NaN into a reverse derivative.
    """
    methods, index = choice
    if len(methods) == 1:
        return function(methods[0], numbers)

    def branch(position: int, method: CellMethod, index: Array, numbers: Numbers) -> Result:
        chosen = (index == position) | jnp.isnan(numbers.n)
        dim = numbers.eigenvalues.shape[0]
        size = 1.0 if method in ("dual", "simulate_dual") else 4.0 * dim
        mild = jax.lax.stop_gradient(jnp.max(numbers.eigenvalues))
        n = jnp.where(chosen, numbers.n, size)
        return function(method, numbers._replace(n=n, ridge=jnp.where(chosen, numbers.ridge, mild)))

    branches = [partial(branch, i, method) for i, method in enumerate(methods)]
    return jax.lax.switch(index, branches, index, numbers)
