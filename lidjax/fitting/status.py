"""Status codes of the fits: every curve of a batch reports for itself whether its fit can be used."""

from enum import IntEnum
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Int


class FitStatus(IntEnum):
    """Outcome of one fit. Where several codes apply, the largest is reported. Codes up to 3 come with estimates.

    `describe_status` puts a code into words.
    """

    OK = 0
    """Every parameter has an estimate and a closed confidence interval."""
    NOT_IDENTIFIABLE = 1
    """A parameter has an open confidence interval."""
    NOT_CONVERGED = 2
    """The optimiser did not reach a minimum: the estimates should not be used."""
    NOT_SEPARATED = 3
    """A law with one tail fits as well as the law with two: their split is arbitrary."""
    TOO_FEW_POINTS = 4
    """Fewer usable points than the fit needs: all estimates are NaN."""
    NOT_POSITIVE = 5
    """A value inside the window has no logarithm: all estimates are NaN."""


MESSAGES = {
    FitStatus.OK: "ok",
    FitStatus.NOT_IDENTIFIABLE: "the data leave a parameter open: its interval has no end inside the search box",
    FitStatus.NOT_SEPARATED: "gamma cannot be told from beta in this window: one tail fits as well as two",
    FitStatus.NOT_CONVERGED: "the optimiser stopped away from a minimum; do not use the estimates",
    FitStatus.TOO_FEW_POINTS: "fewer usable points than the fit needs; widen the window or add points",
    FitStatus.NOT_POSITIVE: "a value in the window (or a given beta) is zero, negative or not finite: no logarithm",
}


def describe_status(status: ArrayLike) -> str | list[str]:
    """The message for a status code, or a list of messages for an array of codes.

    Every result of a fit has it as its property `message`, and in its repr.

    Args:
        status: A `FitStatus`, its integer, or an array of them of any shape.

    Returns:
        One message for a scalar; for an array a flat list of messages, in the order of its entries.

    Raises:
        ValueError: If a code is not a `FitStatus`.

    References:
        Defined for this project.

    Example:
        >>> import jax.numpy as jnp
        >>> import lidjax
        >>> k = jnp.array([1.0, 10.0])
        >>> fit = lidjax.effective_exponent(k, 1 / k, window=(1, 100))
        >>> fit.message
        'fewer usable points than the fit needs; widen the window or add points'
    """
    codes = np.asarray(status)
    if codes.ndim == 0:
        return MESSAGES[FitStatus(int(codes))]
    return [MESSAGES[FitStatus(int(code))] for code in codes.ravel()]


def describe_result(result: Any) -> str:
    """The repr of a result of a fit: its numbers, shortened, and its status in words."""
    return (
        f"{type(result).__name__}({', '.join(_describe_field(*item) for item in result._asdict().items())})"
    )


def _describe_field(name: str, value: Any) -> str:
    if value is None or isinstance(value, Tracer):
        return f"{name}={value}"
    array = np.asarray(value)
    if name == "status":
        words = describe_status(array)
        if isinstance(words, str):
            return f"status={words!r}"
        counts = {word: words.count(word) for word in dict.fromkeys(words)}
        return f"status={{{', '.join(f'{word!r}: {count}' for word, count in counts.items())}}}"
    if array.ndim == 0:
        return f"{name}={array.item():.6g}" if array.dtype.kind == "f" else f"{name}={array.item()}"
    return f"{name}={np.array2string(array, precision=4, threshold=8, edgeitems=2, separator=', ')}"


def combined_status(
    *,
    closed: Bool[Array, ""],
    converged: Bool[Array, ""],
    dof: Int[Array, ""],
    separated: Bool[Array, ""] | None = None,
    no_logarithm: Bool[Array, ""] | None = None,
) -> Int[Array, ""]:
    """The status of one nonlinear fit; without `separated` or `no_logarithm` the fit cannot fail in that way."""
    status = jnp.where(closed, FitStatus.OK, FitStatus.NOT_IDENTIFIABLE)
    status = jnp.where(converged, status, FitStatus.NOT_CONVERGED)
    if separated is not None:
        status = jnp.where(separated, status, FitStatus.NOT_SEPARATED)
    status = jnp.where(dof < 1, FitStatus.TOO_FEW_POINTS, status)
    if no_logarithm is not None:
        status = jnp.where(no_logarithm, FitStatus.NOT_POSITIVE, status)
    return status.astype(jnp.int32)
