"""The four laws of a pass@k curve side by side: one tail or two, power or stretched."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from lidjax.arrays import check_window
from lidjax.errors import InputError
from lidjax.fitting.data import log_curve
from lidjax.fitting.single_tail import PowerFit, StretchedFit, fit_power_law, fit_stretched
from lidjax.fitting.two_parts import parts_curve, stretched_log
from lidjax.fitting.two_tail import StretchedTwoTailFit, fit_stretched_two_tail, fit_two_tail

CRITERIA = ("aic", "bic", "rms", "holdout_rms")
LAWS = ("power", "stretched", "two_tail", "stretched_two_tail")


class LawComparison(NamedTuple):
    """Fields (..., 4) with the laws in the order of `LAWS`; lower is better in every one of them.

    `rms` is the root mean square of log(curve/law) in the window, `holdout_rms` the same beyond it (NaN without a
    holdout), `aic` and `bic` the information criteria, `status` the `FitStatus` of each fit.
    """

    rms: Float[Array, "*batch 4"]
    holdout_rms: Float[Array, "*batch 4"]
    aic: Float[Array, "*batch 4"]
    bic: Float[Array, "*batch 4"]
    status: Int[Array, "*batch 4"]


def compare_laws(
    k, failure, *, window=None, holdout=None, standard_error=None, beta=None, log=False
) -> LawComparison:
    """Fit all four laws to `failure` (..., m) over `window` and judge them, inside it and over the window `holdout`.

    On measured curves with `standard_error`, use `bic`. On deterministic curves residuals are systematic, and both
    criteria only restate the misfit times the number of points: use `holdout_rms`, the error of the law fitted in
    `window` when it is carried to k's it has not seen. `preferred_law` puts either into
    words. `beta` fixes β of the laws with two tails.
    """
    how = {"window": window, "standard_error": standard_error, "log": log}
    fits = (
        fit_power_law(k, failure, **how),
        fit_stretched(k, failure, **how),
        fit_two_tail(k, failure, beta=beta, **how),
        fit_stretched_two_tail(k, failure, beta=beta, **how),
    )
    if holdout is None:
        unseen = [jnp.full_like(fit.rms, jnp.nan) for fit in fits]
    else:
        curve = log_curve(k, failure, window=check_window(holdout), log=log)
        unseen = [rms_error(curve, predict(fit, curve.log_k)) for fit in fits]
    columns = (
        [f.rms for f in fits],
        unseen,
        [f.aic for f in fits],
        [f.bic for f in fits],
        [f.status for f in fits],
    )
    return LawComparison(*(jnp.stack(column, axis=-1) for column in columns))


def preferred_law(comparison: LawComparison, by: str = "bic", *, margin: float | None = None) -> np.ndarray:
    """The law each curve prefers as an array of strings, or "undecided: a, b" naming all within `margin` of the best.

    Default margins, both conventions: 6 for `aic` and `bic`, a likelihood ratio of 20; for `rms` and `holdout_rms`
    (compared in their logarithm) log 2, a factor of two in the error. Laws that were not fitted (NaN) are passed over.
    """
    if by not in CRITERIA:
        raise InputError(f"by={by!r} is not known; allowed: {', '.join(CRITERIA)}")
    scores = np.asarray(getattr(comparison, by), float)
    ratio = by in ("rms", "holdout_rms")
    if ratio:
        scores = np.log(np.maximum(scores, np.finfo(float).tiny))
    margin = (np.log(2.0) if ratio else 6.0) if margin is None else margin

    def verdict(row):
        if np.all(np.isnan(row)):
            return "none fitted"
        near = [law for law, score in zip(LAWS, row, strict=True) if score <= np.nanmin(row) + margin]
        return near[0] if len(near) == 1 else "undecided: " + ", ".join(near)

    verdicts = np.array([verdict(row) for row in scores.reshape(-1, len(LAWS))], dtype=object)
    return verdicts.reshape(scores.shape[:-1])


def predict(fit, log_k):
    """log of the fitted law (...,) at `log_k` (..., m)."""
    stretched = isinstance(fit, StretchedFit | StretchedTwoTailFit)
    one_part = isinstance(fit, PowerFit | StretchedFit)
    params = [jnp.log(value)[..., None] for value in fit[: 2 if one_part else 4]]
    if not one_part:
        return parts_curve(params, log_k, stretched)
    fall = stretched_log(log_k) * jnp.exp(-params[0] / 2) if stretched else jnp.exp(params[0]) * log_k
    return params[1] - fall


def rms_error(curve, predicted):
    """Root mean square of log(curve/law) over the points of `curve` that have a weight; NaN where there are none."""
    used = curve.weight > 0
    count = jnp.sum(used, axis=-1).astype(predicted.dtype)
    square = jnp.where(used, (predicted - curve.log_failure) ** 2, 0.0)
    return jnp.sqrt(jnp.sum(square, axis=-1) / jnp.where(count > 0, count, jnp.nan))
