"""The four laws of a pass@k curve side by side: one tail or two, power or stretched."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from lidjax.fit.data import check_window, log_curve
from lidjax.fit.single_tail import fit_power_law, fit_stretched
from lidjax.fit.two_parts import parts_curve
from lidjax.fit.two_tail import fit_stretched_two_tail, fit_two_tail

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
    `window` when it is carried to k's it has not seen. `beta` fixes β of the laws with two tails.
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
        unseen = [holdout_rms(curve, fit) for fit in fits]
    columns = (
        [f.rms for f in fits],
        unseen,
        [f.aic for f in fits],
        [f.bic for f in fits],
        [f.status for f in fits],
    )
    return LawComparison(*(jnp.stack(column, axis=-1) for column in columns))


def holdout_rms(curve, fit):
    """Root mean square of log(curve/law) over the points of `curve` that have a weight."""
    params = jnp.log(jnp.stack(fit[:2] if "c" in fit._fields else fit[:4]))
    tail = "stretched" if "v" in fit._fields else "power"
    if params.shape[0] == 2:  # one tail: the first part of two vanishes
        params = jnp.stack(
            [jnp.zeros_like(params[0]), params[0], jnp.full_like(params[0], -jnp.inf), params[1]]
        )
    predicted = parts_curve(params[..., None], curve.log_k, tail)
    used = curve.weight > 0
    count = jnp.sum(used, axis=-1).astype(predicted.dtype)
    square = jnp.where(used, (predicted - curve.log_failure) ** 2, 0.0)
    return jnp.sqrt(jnp.sum(square, axis=-1) / jnp.where(count > 0, count, jnp.nan))
