"""Draws of L_gen over training sets of one size, under every transformation of JAX."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int

from lidjax.arrays import check_whole, known_value
from lidjax.difficulty import Difficulty, check_difficulty
from lidjax.errors import InputError, check_choice
from lidjax.generalization.cells import draw_chosen
from lidjax.generalization.choice import (
    CellMethod,
    Choice,
    Numbers,
    check_numbers,
    choose_kernel,
    nan_where_traced_is_nan,
)
from lidjax.generalization.krylov import MAX_STEPS
from lidjax.generalization.random_features import draw_random_features_lgen, most_features
from lidjax.generalization.simulated import simulate_random_features

WORKING_SET = 2**22
"""Bytes of matrices of the cells that run together. Heuristic: they should fit the cache."""


def sample_lgen(
    key: jax.Array,
    n: ArrayLike,
    *,
    eigenvalues: ArrayLike,
    theta: ArrayLike,
    beta: ArrayLike,
    sigma_eta: ArrayLike,
    ridge: ArrayLike,
    num_samples: int,
    method: str = "exact",
    difficulty: Difficulty = "gamma",
    width: int | None = None,
) -> Float[Array, " num_samples"]:
    """`num_samples` independent draws of L_gen, each for a training set of its own of `n` instances.

    "exact" draws from the exact distribution at a cost that does not grow with n: O(d³) a draw, less where few
    directions matter, and O(1) where n > d + 1 and the ridge is 0 or negligible (see `resolve_method`). "simulate"
    draws features and labels, O(n d²). The two agree in distribution, not draw by draw.

    With `width` the model is linear in P = `width` random features Fᵀx, F (d, P) with independent N(0, 1/P) entries
    that are drawn anew for each training set, and the ridge is on their coefficients. "exact" costs O(d min(P, d)²) a
    draw, whatever n and P are. One program serves all n, and all P between two powers of two. A prediction error on a
    fresh instance is still exactly N(0, L_gen), so all that follows from L_gen holds.

    Transformations: `vmap` over every array argument, nested as deep as you like, `jit` with every array argument
    traced, and derivatives, all give the draws of the plain call to rounding. The function compiles its own program,
    once for every n on the same side of d. Where the numbers that choose the kernel are traced, the program holds
    every kernel that may be chosen, and serves both sides of d: with `jit` it runs the one that n and the ridge ask
    for, with `vmap` over n or the ridge it runs all of them. That takes two or three times as long, as does its
    compilation. A ridge that is known to be 0 leaves "krylov" out, and `method` may name the one kernel needed.

    Derivatives hold the key fixed (they are pathwise). Forward mode (`jax.jvp`, `jax.jacfwd`) works in every argument
    and by every kernel. Reverse mode (`jax.grad`) works too, except in `eigenvalues` and `theta` by "krylov", and by
    "simulate_primal": there it raises JAX's error about loops. In `eigenvalues`, `theta`, `sigma_eta` and `ridge`
    a draw is smooth, and the mean of its derivative is the derivative of the mean; so it is in `beta` for n ≤ 1024.
    Above that, labels pass the threshold between the two parts of their sum, and the mean derivative of log ‖η‖² in
    `beta` is off by 0.03 % at β = 2.5 and 1.6 % at β = 1.5 (n = 10⁴), with the power prior by 5 % at β = 6. In `n` it
    is not the derivative of the mean: labels enter one by one, and variates pass through accept-reject steps. For that
    differentiate `deterministic_lgen`.

    Common random numbers: calls with one key that differ in beta, sigma_eta, theta, eigenvalues or ridge share their
    random numbers as long as one kernel serves them all, and then differences between them scatter little. Between two
    kernels only the label noise is shared: at d = 64, n = 640, β = 2.5 the difference of log L_gen between ridge 1e-10
    ("scalar") and 1e-6 ("bartlett") scatters by 0.26, log L_gen itself by 0.43, and the difference with "bartlett" for
    both by 0.0006. So name the kernel, "bartlett" or "dual", for differences in the ridge.

    Args:
        key: JAX random key.
        n: training size N, a whole number from 1 to 1e15, scalar; integers and floats will do.
        eigenvalues: variances of the features (d,), > 0, finite. The result has their dtype; integers become the
            default float.
        theta: teacher θ* (d,), finite.
        beta: tail index β > 0 of the prior on the precision, finite, scalar.
        sigma_eta: noise scale σ_η ≥ 0, finite, in the unit of the labels, scalar.
        ridge: ρ ≥ 0, finite, the penalty on the mean squared error, scalar.
        num_samples: number of draws ≥ 1, a Python int.
        method: "exact" or "auto", "simulate", or one of the kernels of `lgen_cell`.
        difficulty: prior on the precision, "gamma" (Eq. 1) or "power" (bounded).
        width: number of random features P, from 1 to 1e15, a Python int; None for a model that is linear in all d
            features. With it `method` is "exact", "auto" or "simulate", and for "simulate" n must not be traced.

    Returns:
        L_gen (num_samples,), in squared units of the labels. It is infinite where the noise is larger than the largest
        float: of order n^(2/β), which fits float32 for β ≥ 0.75 and float64 for β ≥ 0.1 at every n. It is NaN where a
        traced argument is out of its range or a traced n is not covered by the method.

    Raises:
        InputError: if a name is not known, or a shape does not fit, or a value is known and out of its range or not
            covered by the method.

    References:
        Eq. 6 and 8; random features: Maloney, Roberts and Sully, arXiv:2210.16859. The exact distributions were derived
        for this project; tests/generalization compares them with simulation. Their errors are stated in `noise_norm`,
        `chi_square` and `krylov`.

    Example:
        >>> import jax
        >>> import lidjax
        >>> model = {"eigenvalues": lidjax.power_law_spectrum(4, 1.0), "theta": lidjax.power_law_teacher(4)}
        >>> noise = {"beta": 6.0, "sigma_eta": 0.3, "ridge": 0.0}
        >>> lgen = lidjax.sample_lgen(jax.random.key(0), 100, **model, **noise, num_samples=2000)
        >>> round(float(lgen.mean() / (0.3**2 * lidjax.mean_inverse_precision(6.0) * 4 / 95)), 1)
        1.0
    """
    check_difficulty(difficulty)
    check_whole("num_samples", num_samples, 1)
    numbers, known = check_numbers(n, eigenvalues, theta, beta, sigma_eta, ridge)
    if width is not None:
        draws = _random_features(key, n, numbers, width, num_samples, method, difficulty)
        return nan_where_traced_is_nan(draws, numbers, known)
    choice, numbers = choose_kernel(method, numbers, known, difficulty)
    keys = jax.random.split(key, num_samples)
    draws = _sample(keys, numbers, choice.chosen, choice.methods, difficulty)
    return nan_where_traced_is_nan(draws, numbers, known)


def _random_features(
    key: jax.Array,
    n: ArrayLike,
    numbers: Numbers,
    width: int,
    num_samples: int,
    method: str,
    difficulty: Difficulty,
) -> Float[Array, " num_samples"]:
    """The draws of `sample_lgen` with a width; `n` as it came."""
    check_choice("method (with a width) =", method, ("exact", "auto", "simulate"))
    check_whole("width", width, 1)
    if width > 10**15:
        raise InputError(f"width = {width}: must be at most 1e15")
    keys = jax.random.split(key, num_samples)
    if method == "simulate":
        known = known_value(n)
        if known is None:
            raise InputError("method = 'simulate': n must not be traced with a width; use 'exact'")
        return _simulate_random_features(keys, numbers, int(known), width, difficulty)
    dim = numbers.eigenvalues.shape[0]
    narrow = width < dim
    most = most_features(width, dim)
    value = jnp.asarray(float(width), numbers.eigenvalues.dtype)
    return _sample_random_features(keys, numbers, value, most, narrow, difficulty)


@partial(jax.jit, static_argnums=(3, 4, 5))
def _sample_random_features(
    keys: jax.Array,
    numbers: Numbers,
    width: Float[Array, ""],
    most: int,
    narrow: bool,
    difficulty: Difficulty,
) -> Float[Array, " num_samples"]:
    def one(key: jax.Array) -> Float[Array, ""]:
        model = numbers._asdict()
        n = model.pop("n")
        return draw_random_features_lgen(
            key, n, width, **model, difficulty=difficulty, most=most, narrow=narrow
        )

    return _in_batches(one, keys, 6 * most * numbers.eigenvalues.nbytes)


@partial(jax.jit, static_argnums=(2, 3, 4))
def _simulate_random_features(
    keys: jax.Array, numbers: Numbers, n: int, width: int, difficulty: Difficulty
) -> Float[Array, " num_samples"]:
    def one(key: jax.Array) -> Float[Array, ""]:
        model = {name: value for name, value in numbers._asdict().items() if name != "n"}
        return simulate_random_features(key, n, width, **model, difficulty=difficulty)

    dim = numbers.eigenvalues.shape[0]
    entries = (n + width) * dim + 3 * n * width
    return _in_batches(one, keys, entries * numbers.eigenvalues.dtype.itemsize)


@partial(jax.jit, static_argnums=(3, 4))
def _sample(
    keys: jax.Array,
    numbers: Numbers,
    index: Int[Array, ""],
    methods: tuple[CellMethod, ...],
    difficulty: Difficulty,
) -> Float[Array, " num_samples"]:
    def one(key: jax.Array) -> Float[Array, ""]:
        return draw_chosen(key, Choice(methods, index), numbers, difficulty=difficulty)

    row_bytes = numbers.eigenvalues.nbytes
    known = {"scalar": 2**12, "krylov": 4 * MAX_STEPS * row_bytes}
    cell_bytes = max(known.get(method, 3 * numbers.eigenvalues.shape[0] * row_bytes) for method in methods)
    return _in_batches(one, keys, cell_bytes)


def _in_batches(
    one: Callable[[jax.Array], Float[Array, ""]], keys: jax.Array, cell_bytes: int
) -> Float[Array, " num_samples"]:
    """`one` of every key, in batches that fit the cache."""
    rounds = -(-keys.shape[0] // max(1, WORKING_SET // cell_bytes))
    batch = -(-keys.shape[0] // rounds)
    # Keys are repeated to fill whole batches, because `lax.map(batch_size=)` would compile the cell twice.
    padded = keys[jnp.arange(rounds * batch) % keys.shape[0]].reshape(rounds, batch, *keys.shape[1:])
    if rounds == 1:
        return jax.vmap(one)(keys)
    return jax.lax.map(jax.vmap(one), padded).ravel()[: keys.shape[0]]
