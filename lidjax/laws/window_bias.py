"""The slope of log L_inf over a finite window of k, for a given tail index β, and the inverse of this relation.

A published exponent is a slope of log L_inf over some [k1, k2]. It equals the tail index β only if k1 lies beyond the
bend at k c_δ ~ 1 (Eq. 15), and if the bias is so small that the finite-N part stays below the intrinsic one. Otherwise
it is smaller.
"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from lidjax.arrays import FINITE, MEASURED_LOSS, POSITIVE, TAIL_INDEX, check_window, checked_floats, or_nan
from lidjax.difficulty import Difficulty, check_difficulty
from lidjax.errors import InputError
from lidjax.passk.population import log_failure

BETA_RANGE = (0.1, 20.0)
NUM_SCAN = 33  # heuristic: log-spaced values of β whose slopes bracket the one to be inverted
NUM_BISECTIONS = 30


def window_exponent(
    beta: ArrayLike,
    lgen: ArrayLike,
    *,
    delta: ArrayLike,
    sigma_eta: ArrayLike,
    window: Sequence[float],
    num_k: int = 9,
    difficulty: Difficulty = "gamma",
) -> Float[Array, "..."]:
    """β_eff(N; [k1, k2]) of the exact L_inf(k): minus its log-log slope over `num_k` log-spaced values of k.

    `beta` minus the result is the bias that the window gives an exponent. The integral is that of `pass_at_k_failure`,
    about `num_k` milliseconds a value.

    Args:
        beta: Tail index β of the difficulty prior, 0.01 to 100. The first four arguments broadcast.
        lgen: L_gen ≥ 0, generalisation loss of the predictor, in units of σ_η².
        delta: Tolerance δ > 0.
        sigma_eta: Noise scale σ_η > 0, in the unit of δ.
        window: The two ends (k1, k2), 1 ≤ k1 < k2.
        num_k: Number of values of k in the regression, at least 2.
        difficulty: Prior of the precision, "gamma" or "power".

    Returns:
        β_eff, of the broadcast shape.

    Raises:
        InputError: If an argument is not allowed, or if shapes do not broadcast. A traced argument that is not allowed
            gives NaN.

    References:
        Eq. 55, applied to Eq. 13.

    Example:
        >>> from lidjax.laws import window_exponent
        >>> exponent = window_exponent(2.5, 0.0, delta=0.5, sigma_eta=1.0, window=(10, 1000), num_k=2)
        >>> bool(2.3 < exponent < 2.5)
        True
    """
    check_difficulty(difficulty)
    ends = check_window(window, attempts=True)
    check_num_k(num_k)
    arrays = checked_floats(
        beta=(beta, TAIL_INDEX),
        lgen=(lgen, MEASURED_LOSS),
        delta=(delta, POSITIVE),
        sigma_eta=(sigma_eta, POSITIVE),
    )
    return window_exponent_batch(*arrays, jnp.asarray(ends, arrays[0].dtype), num_k, difficulty)


class TailIndices(NamedTuple):
    """The tail indices β that have a given slope over a window; NaN where there is none."""

    rising: Float[Array, "..."]
    """The β where the slope grows with β: the intrinsic tail is the larger one in the window."""
    falling: Float[Array, "..."]
    """The β where the slope falls with β: the finite-N tail is the larger one in the window."""


def tail_index_from_window(
    exponent: ArrayLike,
    lgen: ArrayLike,
    *,
    delta: ArrayLike,
    sigma_eta: ArrayLike,
    window: Sequence[float],
    num_k: int = 9,
    difficulty: Difficulty = "gamma",
) -> TailIndices:
    """The β whose slope over `window` is `exponent`: a published exponent corrected for its window.

    The inverse of `window_exponent`, by a scan of β from 0.1 to 20 and bisection to 1e-8. With bias the slope is not
    monotone in β. It grows with β, and falls again once the intrinsic tail lies below the finite-N tail, whose
    amplitude grows with β. Hence two β can have the same slope, and no β has a slope above the largest one that the
    window can show.

    Args:
        exponent: Slope -d log L_inf/d log k measured over `window`. The first four arguments broadcast.
        lgen: L_gen ≥ 0, generalisation loss of the predictor, in units of σ_η².
        delta: Tolerance δ > 0.
        sigma_eta: Noise scale σ_η > 0, in the unit of δ.
        window: The two ends (k1, k2) of the regression, 1 ≤ k1 < k2.
        num_k: Number of log-spaced values of k in the regression, at least 2.
        difficulty: Prior of the precision, "gamma" or "power".

    Returns:
        A `TailIndices` of arrays of the broadcast shape. NaN stands for no such β, or for two that are closer
        together than the scan.

    Raises:
        InputError: If an argument is not allowed, or if shapes do not broadcast. A traced argument that is not allowed
            gives NaN.

    References:
        Derived for this project from Eq. 13 and Eq. 55; `tests/laws/test_window_bias.py` checks it on known β.

    Example:
        >>> from lidjax.laws import tail_index_from_window, window_exponent
        >>> setting = {"delta": 0.5, "sigma_eta": 1.0, "window": (10, 1000), "num_k": 2}
        >>> slope = window_exponent(2.5, 0.05, **setting)
        >>> round(float(tail_index_from_window(slope, 0.05, **setting).rising), 4)
        2.5
    """
    check_difficulty(difficulty)
    ends = check_window(window, attempts=True)
    check_num_k(num_k)
    arrays = checked_floats(
        exponent=(exponent, or_nan(FINITE)),
        lgen=(lgen, MEASURED_LOSS),
        delta=(delta, POSITIVE),
        sigma_eta=(sigma_eta, POSITIVE),
    )
    return TailIndices(*tail_index_batch(*arrays, jnp.asarray(ends, arrays[0].dtype), num_k, difficulty))


def check_num_k(num_k: int) -> None:
    if num_k < 2:
        raise InputError(f"num_k = {num_k}: must be 2 or more, since a slope takes two values of k")


def exact_slope(
    beta: Float[Array, ""],
    v: Float[Array, ""],
    width: Float[Array, ""],
    window: Float[Array, " 2"],
    num_k: int,
    difficulty: Difficulty,
) -> Float[Array, ""]:
    """β_eff of one cell: v = L_gen/σ², `width` = δ/σ."""
    log_k = jnp.linspace(jnp.log(window[0]), jnp.log(window[1]), num_k, dtype=beta.dtype)
    log_l = jax.vmap(lambda x: log_failure(jnp.exp(x), v, beta, width, difficulty))(log_k)
    centred = log_k - log_k.mean()
    return -jnp.sum(centred * log_l) / jnp.sum(centred**2)


@functools.partial(jax.jit, static_argnums=(5, 6))
def window_exponent_batch(
    beta: Float[Array, "..."],
    lgen: Float[Array, "..."],
    delta: Float[Array, "..."],
    sigma_eta: Float[Array, "..."],
    window: Float[Array, " 2"],
    num_k: int,
    difficulty: Difficulty,
) -> Float[Array, "..."]:
    """`exact_slope` of arrays of one shape, cell after cell."""

    def cell(args: list[Float[Array, ""]]) -> Float[Array, ""]:
        beta, v, width = args
        return exact_slope(beta, v, width, window, num_k, difficulty)

    args = [x.reshape(-1) for x in (beta, lgen / sigma_eta**2, delta / sigma_eta)]
    return jax.lax.map(jax.checkpoint(cell), args).reshape(beta.shape)


@functools.partial(jax.jit, static_argnums=(5, 6))
def tail_index_batch(
    exponent: Float[Array, "..."],
    lgen: Float[Array, "..."],
    delta: Float[Array, "..."],
    sigma_eta: Float[Array, "..."],
    window: Float[Array, " 2"],
    num_k: int,
    difficulty: Difficulty,
) -> list[Float[Array, "..."]]:
    """The two β of `TailIndices` for arrays of one shape, cell after cell."""

    def cell(args: list[Float[Array, ""]]) -> tuple[Float[Array, ""], Float[Array, ""]]:
        exponent, v, width = args
        log_beta = jnp.asarray(np.log(np.geomspace(*BETA_RANGE, NUM_SCAN)), exponent.dtype)

        def gap(log_beta: Float[Array, ""]) -> Float[Array, ""]:
            return exact_slope(jnp.exp(log_beta), v, width, window, num_k, difficulty) - exponent

        above = jax.lax.map(gap, log_beta) > 0

        def crossing(rising: bool) -> Float[Array, ""]:
            """The first β at which the slope crosses `exponent` in the given direction."""
            crosses = (above[1:] != above[:-1]) & (above[1:] == rising)
            first = jnp.argmax(crosses)

            def halve(
                _: jax.Array, ends: tuple[Float[Array, ""], Float[Array, ""]]
            ) -> tuple[Float[Array, ""], Float[Array, ""]]:
                low, high = ends
                middle = (low + high) / 2
                beyond = (gap(middle) > 0) == rising
                return jnp.where(beyond, low, middle), jnp.where(beyond, middle, high)

            low, high = jax.lax.fori_loop(0, NUM_BISECTIONS, halve, (log_beta[first], log_beta[first + 1]))
            return jnp.where(crosses.any(), jnp.exp((low + high) / 2), jnp.nan)

        return crossing(True), crossing(False)

    args = [x.reshape(-1) for x in (exponent, lgen / sigma_eta**2, delta / sigma_eta)]
    return [x.reshape(exponent.shape) for x in jax.lax.map(cell, args)]
