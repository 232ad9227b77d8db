"""pass@k from counts: c correct answers among n samples of one problem, accurate in both tails.

The unbiased estimate of the failure (1-p)^k is the share of k-subsets without a correct answer,

    F(n, c, k) = C(n-c, k) / C(n, k) = Γ(a-c) Γ(a-k) / (Γ(a) Γ(a-c-k)),    a = n + 1,

and pass@k is 1 - F (Chen et al. 2021, "Evaluating large language models trained on code", Eq. 1).
Differences of `lgamma` lose all digits of log F when n is large (n = 3·10⁶, c = k = 1: 3 % off). Here
Stirling's formula is rearranged so that no two large terms are subtracted: see `log_failure_kernel`.
"""

from types import ModuleType
from typing import Any, overload

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import ArrayLike

from lidjax.errors import InputError

_SHIFT = 12  # after Γ(x) = Γ(x + 12)/(x)₁₂ five terms of Stirling's remainder are exact to 1e-15

Values = Float[np.ndarray, "..."] | np.float64
"""float64: an array, or a NumPy scalar where all arguments are scalars. A scalar is array-like as well, so the
overloads below overlap; the first match decides."""


def log_failure_kernel(n: Any, c: Any, k: Any, xp: ModuleType = jnp) -> Any:
    """log F(n, c, k) for arrays of one shape and one floating dtype; -inf where k > n - c. Nothing is checked.

    `xp` is `jax.numpy` (the default, for use under jit, vmap and grad) or `numpy`, and the arrays are its own. Relative
    error of log F below 1e-13 in float64 for n up to 2⁵², where n + 13 is still exact; in float32 the counts must stay
    below 2²⁴.
    """
    impossible = n - c - k < 0
    # F is symmetric in c and k, and the terms below cancel least if c is the smaller: at c = n - 1, k = 1 they would be
    # n times as large as the result.
    c, k = xp.minimum(c, k), xp.maximum(c, k)
    k = xp.where(impossible, xp.zeros_like(k), k)
    a, b = n + 1, n - c - k + 1
    ck = c * k
    # Shift the argument of every Gamma function by _SHIFT, with (b+i)(a+i) = (a-c+i)(a-k+i) - ck.
    total = xp.zeros_like(ck)
    for i in range(_SHIFT):
        total = total + xp.log1p(-(c / (a - c + i)) * (k / (a - k + i)))
    a, b = a + _SHIFT, b + _SHIFT
    # (x-½) log x of the four Gamma functions, in terms that are each of the order of the result, ck/n.
    total = total + k * _log1m(c, a, xp) + c * _log1m(k, a - c, xp)
    total = total + (a - k - 0.5) * xp.log1p((c / a) * (k / b))
    total = total + (_stirling(a - c) - _stirling(b)) - (_stirling(a) - _stirling(a - k))
    return xp.where(impossible, -xp.inf, total)


def _log1m(part: Any, whole: Any, xp: ModuleType) -> Any:
    """log(1 - part/whole) for counts 0 ≤ part < whole; near part = whole by subtraction, which is exact for counts."""
    return xp.where(2 * part < whole, xp.log1p(-part / whole), xp.log((whole - part) / whole))


def _stirling(x: Any) -> Any:
    """Remainder of Stirling's series for log Γ(x)."""
    y = 1 / (x * x)
    return (1 / 12 - y * (1 / 360 - y * (1 / 1260 - y * (1 / 1680 - y / 1188)))) / x


@overload
def failure_from_counts(  # pyright: ignore[reportOverlappingOverload]
    num_samples: float, num_correct: float, k: float, *, log: bool = False
) -> np.float64: ...


@overload
def failure_from_counts(
    num_samples: ArrayLike, num_correct: ArrayLike, k: ArrayLike, *, log: bool = False
) -> Float[np.ndarray, "..."]: ...


def failure_from_counts(
    num_samples: ArrayLike, num_correct: ArrayLike, k: ArrayLike, *, log: bool = False
) -> Values:
    """Unbiased estimate of (1-p)^k, the probability that k samples of a problem all fail.

    Where failures are rare use this and not 1 - pass@k: it keeps full relative precision, and with `log=True` it does
    not underflow.

    Args:
        num_samples: number n of samples of each problem.
        num_correct: number c of correct ones, 0 ≤ c ≤ n.
        k: number of attempts, 1 ≤ k ≤ n. All three are whole numbers, scalars or arrays that broadcast.
        log: return the logarithm, -inf where every k of the samples include a correct one.

    Returns:
        float64 NumPy array of the broadcast shape, one value for each problem; a scalar for scalars. Relative error as
        for `pass_at_k_from_counts`.

    Raises:
        InputError: as `pass_at_k_from_counts`.

    References:
        Chen et al. (2021), arXiv:2107.03374, Eq. 1. The form without cancellation was derived for this project and is
        compared with 60 digits in tests/passk/test_counts.py.

    Example:
        >>> import lidjax
        >>> round(float(lidjax.failure_from_counts(10, 3, 2)), 4)  # (7 · 6)/(10 · 9)
        0.4667
    """
    n, c, k = check_samples(num_samples, num_correct, k)
    log_failure = log_failure_kernel(n, c, k, np)
    return (log_failure if log else np.exp(log_failure))[()]


@overload
def pass_at_k_from_counts(  # pyright: ignore[reportOverlappingOverload]
    num_samples: float, num_correct: float, k: float
) -> np.float64: ...


@overload
def pass_at_k_from_counts(
    num_samples: ArrayLike, num_correct: ArrayLike, k: ArrayLike
) -> Float[np.ndarray, "..."]: ...


def pass_at_k_from_counts(num_samples: ArrayLike, num_correct: ArrayLike, k: ArrayLike) -> Values:
    """Unbiased pass@k of each problem, 1 - C(n-c, k)/C(n, k), from c correct among n samples.

    There is one value for each problem; averages over problems are left to the caller. A curve for P problems is
    `pass_at_k_from_counts(n[:, None], c[:, None], k[None, :])`, of shape (P, K).

    Args:
        num_samples: number n of samples of each problem.
        num_correct: number c of correct ones, 0 ≤ c ≤ n.
        k: number of attempts, 1 ≤ k ≤ n. All three are whole numbers, scalars or arrays that broadcast.

    Returns:
        float64 NumPy array of the broadcast shape; a scalar for scalars. Relative error below 1e-13 for n up to 2⁵²,
        where pass@k is near 0 and (through `failure_from_counts`) where it is near 1.

    Raises:
        InputError: if k > n, because n samples do not determine pass@k without bias, not even when c = 0; if c > n; or
            if a value is negative or not whole. The message names the first such problem.

    References:
        Chen et al. (2021), "Evaluating large language models trained on code", arXiv:2107.03374, Eq. 1. The form
        without cancellation was derived for this project and is compared with 60 digits in tests/passk/test_counts.py.

    Example:
        >>> import lidjax
        >>> [round(float(p), 4) for p in lidjax.pass_at_k_from_counts(10, 3, [1, 2, 8])]
        [0.3, 0.5333, 1.0]
    """
    n, c, k = check_samples(num_samples, num_correct, k)
    return (-np.expm1(log_failure_kernel(n, c, k, np)))[()]


@overload
def variance_from_counts(  # pyright: ignore[reportOverlappingOverload]
    num_samples: float, num_correct: float, k: float
) -> np.float64: ...


@overload
def variance_from_counts(
    num_samples: ArrayLike, num_correct: ArrayLike, k: ArrayLike
) -> Float[np.ndarray, "..."]: ...


def variance_from_counts(num_samples: ArrayLike, num_correct: ArrayLike, k: ArrayLike) -> Values:
    """Unbiased estimate of the sampling variance of `pass_at_k_from_counts` for each problem.

    It is the variance over repetitions of the n samples of one problem, whose success probability p is fixed:
    Var[F_k] = E[F_k²] - (1-p)^2k, and F_2k is unbiased for (1-p)^2k, so F_k² - F_2k ≥ 0 is unbiased for the variance.
    Where c = 0 it is 0, because nothing varied: that is unbiased over repetitions, but no bound for that one problem.
    The variance of an average over problems drawn from a population is larger, by how much the problems differ.

    Args:
        num_samples: number n of samples of each problem.
        num_correct: number c of correct ones, 0 ≤ c ≤ n.
        k: number of attempts, 1 ≤ k ≤ n. All three are whole numbers, scalars or arrays that broadcast.

    Returns:
        float64 NumPy array of the broadcast shape, ≥ 0; a scalar for scalars. NaN where 2k > n, because the estimate
        needs 2k samples.

    Raises:
        InputError: as `pass_at_k_from_counts`.

    References:
        Derived for this project; that it is unbiased is checked by exact expectations in tests/passk/test_counts.py.

    Example:
        >>> from lidjax.passk import variance_from_counts
        >>> round(float(variance_from_counts(10, 3, 1)), 6)  # p(1-p)/(n-1) at p = 0.3
        0.023333
    """
    n, c, k = check_samples(num_samples, num_correct, k)
    twice = np.where(2 * k <= n, 2 * k, k)
    log_once, log_twice = log_failure_kernel(n, c, k, np), log_failure_kernel(n, c, twice, np)
    log_square = 2 * np.where(np.isfinite(log_once), log_once, 0.0)
    variance = np.where(np.isfinite(log_once), -np.exp(log_square) * np.expm1(log_twice - log_square), 0.0)
    return np.where(2 * k <= n, variance, np.nan)[()]


def check_samples(
    num_samples: ArrayLike, num_correct: ArrayLike, k: ArrayLike
) -> tuple[Float[np.ndarray, "*s"], Float[np.ndarray, "*s"], Float[np.ndarray, "*s"]]:
    """The counts as float64 arrays of one shape; InputError unless they are whole with 0 ≤ c ≤ n and 1 ≤ k ≤ n."""
    given = {"num_samples": num_samples, "num_correct": num_correct, "k": k}
    arrays: dict[str, Float[np.ndarray, "..."]] = {}
    for name, value in given.items():
        array = np.asarray(value)
        if array.dtype.kind not in "iuf":
            raise InputError(f"{name} must hold whole numbers, not {array.dtype}")
        arrays[name] = array.astype(np.float64)
    try:
        n, c, k = np.broadcast_arrays(*arrays.values())
    except ValueError:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise InputError(
            f"shapes do not broadcast: {shapes}; for a curve pass n[:, None], c[:, None], k[None, :]"
        ) from None
    for name, array in zip(given, (n, c, k), strict=True):
        _refuse(array != np.floor(array), n, c, k, f"{name} must be a whole number")
        _refuse(~np.isfinite(array) | (array > 2**52), n, c, k, f"{name} must be at most 2^52")
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


def _refuse(
    bad: Bool[np.ndarray, "*s"] | np.bool_,
    n: Float[np.ndarray, "*s"],
    c: Float[np.ndarray, "*s"],
    k: Float[np.ndarray, "*s"],
    rule: str,
) -> None:
    """Raise InputError naming the first problem where `bad` holds."""
    if not np.any(bad):
        return
    where = tuple(int(i) for i in np.argwhere(bad)[0])
    problem = "" if not where else f" at index {where[0] if len(where) == 1 else where}"
    values = ", ".join(
        f"{name}={array[where]:.17g}" for name, array in (("num_samples", n), ("num_correct", c), ("k", k))
    )
    more = "" if np.sum(bad) == 1 else f"; {np.sum(bad)} such entries"
    raise InputError(f"{rule}: {values}{problem}{more}")
