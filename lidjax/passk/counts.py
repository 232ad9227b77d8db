"""pass@k from counts: c correct answers among n samples of one problem, with nothing lost in either tail.

The unbiased estimate of the failure (1-p)^k is the share of k-subsets without a correct answer,

    F(n, c, k) = C(n-c, k) / C(n, k) = Γ(a-c) Γ(a-k) / (Γ(a) Γ(a-c-k)),    a = n + 1,

and pass@k is 1 - F (Chen et al. 2021, "Evaluating large language models trained on code", Eq. 1).
Differences of `lgamma` lose log F altogether when n is large (n = 3·10⁶, c = k = 1: 3 % off), so
Stirling's formula is rearranged here until no two large terms are subtracted: see `log_failure_kernel`.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np

_SHIFT = 12  # Γ(x) = Γ(x + 12)/(x)₁₂ first: five terms of Stirling's remainder are then exact to 1e-15


def log_failure_kernel(n, c, k, xp: Any = jnp):
    """log F(n, c, k) for arrays of one shape and one floating dtype; -inf where k > n - c. No checks.

    Pure: `xp` is `jax.numpy` (the default, for use under jit, vmap and grad) or `numpy`. Relative
    error of log F below 1e-13 + 2e-18 n in float64; in float32 the counts must stay below 2²⁴.
    """
    impossible = n - c - k < 0
    k = xp.where(impossible, xp.zeros_like(k), k)
    a, b = n + 1, n - c - k + 1
    ck = c * k
    # Raise every Gamma function by _SHIFT: (b+i)(a+i) = (a-c+i)(a-k+i) - ck.
    total = xp.zeros_like(ck)
    for i in range(_SHIFT):
        total = total + xp.log1p(-(c / (a - c + i)) * (k / (a - k + i)))
    a, b = a + _SHIFT, b + _SHIFT
    # (x-½) log x of the four Gammas; each term is of the order of the result, ck/n.
    total = total + k * _log1m(c, a, xp) + c * _log1m(k, a - c, xp)
    total = total + (a - k - 0.5) * xp.log1p((c / a) * (k / b))
    total = total + (_stirling(a - c) - _stirling(b)) - (_stirling(a) - _stirling(a - k))
    return xp.where(impossible, -xp.inf, total)


def _log1m(part, whole, xp):
    """log(1 - part/whole) for counts 0 ≤ part < whole: exact subtraction where log1p would cancel."""
    return xp.where(2 * part < whole, xp.log1p(-part / whole), xp.log((whole - part) / whole))


def _stirling(x):
    """Remainder of Stirling's series for log Γ(x)."""
    y = 1 / (x * x)
    return (1 / 12 - y * (1 / 360 - y * (1 / 1260 - y * (1 / 1680 - y / 1188)))) / x


def failure_from_counts(num_samples, num_correct, k, *, log: bool = False):
    """Unbiased estimate of (1-p)^k, the chance that k samples of a problem all fail, or its logarithm.

    Arguments, broadcasting and errors as in `pass_at_k_from_counts`. Use this one, not 1 - pass@k,
    where failures are rare: it keeps full relative precision, and `log=True` has no underflow.
    """
    n, c, k = _check_counts(num_samples, num_correct, k)
    log_failure = log_failure_kernel(n, c, k, np)
    return (log_failure if log else np.exp(log_failure))[()]


def pass_at_k_from_counts(num_samples, num_correct, k):
    """Unbiased pass@k of each problem, 1 - C(n-c, k)/C(n, k), from c correct among n samples.

    Parameters
    ----------
    num_samples, num_correct, k
        Whole numbers with 0 ≤ c ≤ n and 1 ≤ k ≤ n, scalars or arrays that broadcast by NumPy's
        rules: one value per problem, no averaging. A curve for P problems is
        `pass_at_k_from_counts(n[:, None], c[:, None], k[None, :])`, of shape (P, K).

    Returns
    -------
    float64 NumPy array of the broadcast shape; a scalar for scalars. Relative error below 1e-14 for n up
    to 10⁹, where pass@k is near 0 and (through `failure_from_counts`) where it is near 1.

    Raises
    ------
    ValueError
        For k > n: n samples do not determine pass@k without bias, not even when c = 0, and the
        answer is neither 0 nor 1. Also for c > n, negative or fractional values. The message names the
        problem.
    """
    n, c, k = _check_counts(num_samples, num_correct, k)
    return (-np.expm1(log_failure_kernel(n, c, k, np)))[()]


def variance_from_counts(num_samples, num_correct, k):
    """Unbiased estimate of the sampling variance of `pass_at_k_from_counts`, given the problem's own p.

    Var[F_k] = E[F_k²] - (1-p)^2k, and F_2k is unbiased for (1-p)^2k, so F_k² - F_2k ≥ 0 is unbiased
    for the variance. It needs 2k samples: NaN where 2k > n. It is 0 where c = 0 (nothing seen
    to vary): unbiased over repetitions, but no bound for that one problem. The variance of an average
    over *problems* is another matter: it includes how much the problems differ.
    """
    n, c, k = _check_counts(num_samples, num_correct, k)
    twice = np.where(2 * k <= n, 2 * k, k)
    log_once, log_twice = log_failure_kernel(n, c, k, np), log_failure_kernel(n, c, twice, np)
    log_square = 2 * np.where(np.isfinite(log_once), log_once, 0.0)
    variance = np.where(np.isfinite(log_once), -np.exp(log_square) * np.expm1(log_twice - log_square), 0.0)
    return np.where(2 * k <= n, variance, np.nan)[()]


def _check_counts(num_samples, num_correct, k):
    """Broadcast to float64 and refuse what is not a triple of counts with c ≤ n and 1 ≤ k ≤ n."""
    given = {"num_samples": num_samples, "num_correct": num_correct, "k": k}
    arrays = {}
    for name, value in given.items():
        array = np.asarray(value)
        if array.dtype.kind not in "iuf":
            raise ValueError(f"{name} must hold whole numbers, not {array.dtype}")
        arrays[name] = array.astype(np.float64)
    try:
        n, c, k = np.broadcast_arrays(*arrays.values())
    except ValueError:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise ValueError(
            f"shapes do not broadcast: {shapes}; for a curve pass n[:, None], c[:, None], k[None, :]"
        ) from None
    for name, array in zip(given, (n, c, k), strict=True):
        _refuse(array != np.floor(array), n, c, k, f"{name} must be a whole number")
        _refuse(~np.isfinite(array) | (array > 2**53), n, c, k, f"{name} must be at most 2^53")
    _refuse(c < 0, n, c, k, "num_correct must not be negative")
    _refuse(c > n, n, c, k, "num_correct must not exceed num_samples")
    _refuse(k < 1, n, c, k, "k must be at least 1")
    _refuse(
        k > n,
        n,
        c,
        k,
        "k must not exceed num_samples (pass@k has no unbiased estimate from fewer than k samples)",
    )
    return n, c, k


def _refuse(bad, n, c, k, rule: str) -> None:
    """Raise ValueError naming the first problem where `bad` holds."""
    if not np.any(bad):
        return
    where = tuple(int(i) for i in np.argwhere(bad)[0])
    problem = "" if not where else f" at index {where[0] if len(where) == 1 else where}"
    values = ", ".join(
        f"{name}={array[where]:.17g}" for name, array in (("num_samples", n), ("num_correct", c), ("k", k))
    )
    more = "" if np.sum(bad) == 1 else f"; {np.sum(bad)} such entries"
    raise ValueError(f"{rule}: {values}{problem}{more}")
