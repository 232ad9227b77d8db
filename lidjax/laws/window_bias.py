"""What a slope over a finite window of k returns for a true tail index, and the way back.

A published exponent is a slope of log L_inf over some [k1, k2]. It is the tail index β only for k1 beyond the
bend at k c_δ ~ 1 (Eq. 15) and for a bias so small that the finite-N part stays below: otherwise it is less.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from lidjax.arrays import broadcast_floats, check_window
from lidjax.difficulty import Difficulty, check_difficulty
from lidjax.errors import InputError
from lidjax.passk.population import log_failure

BETA_RANGE = (0.1, 20.0)
SCAN = 33  # values of β, log-spaced, at which a slope is looked at before it is inverted
NUM_REFINE = 30


def window_exponent(
    beta, lgen, *, delta, sigma_eta, window, num_k: int = 9, difficulty: Difficulty = "gamma"
) -> Float[Array, "..."]:
    """β_eff(N; [k1, k2]) of Eq. 55 on the exact L_inf(k): minus its log-log slope over `num_k` log-spaced k.

    `beta` (0.1 to 20), `lgen` ≥ 0, `delta`, `sigma_eta` broadcast; `window` = (k1, k2), two numbers, 1 ≤ k1 < k2.
    `beta` minus the result is the bias of the window. Quadrature as in `pass_at_k_failure`: num_k ms a value.
    """
    check_difficulty(difficulty)
    check_window(window, attempts=True)
    _check_num_k(num_k)
    arrays = broadcast_floats(beta, lgen, delta, sigma_eta)
    return _exponents(*arrays, jnp.asarray(window, arrays[0].dtype), num_k, difficulty)


class TailIndices(NamedTuple):
    """The β that a slope can mean: `rising` where slopes grow with β, `falling` where the finite-N tail takes over."""

    rising: Float[Array, "..."]
    falling: Float[Array, "..."]


def tail_index_from_window(
    exponent, lgen, *, delta, sigma_eta, window, num_k: int = 9, difficulty: Difficulty = "gamma"
) -> TailIndices:
    """The β whose slope over `window` is `exponent`: a published exponent corrected for its window.

    Inverse of `window_exponent` at known `lgen`, `delta`, `sigma_eta` (they broadcast), by a scan of β from 0.1 to 20
    and bisection, to 1e-8. With bias the slope is not monotone in β: it grows like β, and falls again once the
    intrinsic tail lies below the finite-N one, whose amplitude grows with β. So a slope can mean two β, and
    one above the largest that the window can show means none. NaN stands for none (or a pair closer than
    the scan).
    """
    check_difficulty(difficulty)
    check_window(window, attempts=True)
    _check_num_k(num_k)
    arrays = broadcast_floats(exponent, lgen, delta, sigma_eta)
    return TailIndices(*_tail_indices(*arrays, jnp.asarray(window, arrays[0].dtype), num_k, difficulty))


def _check_num_k(num_k: int) -> None:
    if num_k < 2:
        raise InputError(f"num_k = {num_k}: a slope takes two values of k or more")


def _slope(beta, v, eps, window, num_k: int, difficulty: Difficulty):
    log_k = jnp.linspace(jnp.log(window[0]), jnp.log(window[1]), num_k, dtype=beta.dtype)
    log_l = jax.vmap(lambda x: log_failure(jnp.exp(x), v, beta, eps, difficulty))(log_k)
    centred = log_k - log_k.mean()
    return -jnp.sum(centred * log_l) / jnp.sum(centred**2)


@functools.partial(jax.jit, static_argnums=(5, 6))
def _exponents(beta, lgen, delta, sigma_eta, window, num_k, difficulty):
    def cell(args):
        beta, v, eps = args
        return _slope(beta, v, eps, window, num_k, difficulty)

    args = [x.reshape(-1) for x in (beta, lgen / sigma_eta**2, delta / sigma_eta)]
    return jax.lax.map(jax.checkpoint(cell), args).reshape(beta.shape)


@functools.partial(jax.jit, static_argnums=(5, 6))
def _tail_indices(exponent, lgen, delta, sigma_eta, window, num_k, difficulty):
    def cell(args):
        exponent, v, eps = args
        log_beta = jnp.asarray(np.log(np.geomspace(*BETA_RANGE, SCAN)), exponent.dtype)

        def gap(log_beta):
            return _slope(jnp.exp(log_beta), v, eps, window, num_k, difficulty) - exponent

        above = jax.lax.map(gap, log_beta) > 0

        def crossing(rising: bool):
            found = (above[1:] != above[:-1]) & (above[1:] == rising)
            at = jnp.argmax(found)

            def halve(_, ends):
                low, high = ends
                middle = (low + high) / 2
                right = (gap(middle) > 0) == rising
                return jnp.where(right, low, middle), jnp.where(right, middle, high)

            low, high = jax.lax.fori_loop(0, NUM_REFINE, halve, (log_beta[at], log_beta[at + 1]))
            return jnp.where(found.any(), jnp.exp((low + high) / 2), jnp.nan)

        return crossing(True), crossing(False)

    args = [x.reshape(-1) for x in (exponent, lgen / sigma_eta**2, delta / sigma_eta)]
    return [x.reshape(exponent.shape) for x in jax.lax.map(cell, args)]
