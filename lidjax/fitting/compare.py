"""The four laws of a pass@k curve side by side: one tail or two, power or stretched."""

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int, Shaped

from lidjax.errors import check_choice
from lidjax.fitting.log_curves import LogCurve, log_curve
from lidjax.fitting.single_tail import PowerFit, StretchedFit, fit_power_law, fit_stretched
from lidjax.fitting.status import describe_result, describe_status
from lidjax.fitting.two_parts import parts_curve, stretched_log
from lidjax.fitting.two_tail import StretchedTwoTailFit, TwoTailFit, fit_stretched_two_tail, fit_two_tail

CRITERIA = ("aic", "bic", "rms", "holdout_rms")
LAWS = ("power", "stretched", "two_tail", "stretched_two_tail")
"""Names of the laws compared, fitted by `fit_power_law`, `fit_stretched`, `fit_two_tail`, `fit_stretched_two_tail`."""
BIC_MARGIN = 6.0  # convention: a likelihood ratio of 20
RMS_MARGIN = np.log(2.0)  # convention: a factor of two in the error


class LawComparison(NamedTuple):
    """Criteria (..., 4) of the four laws in the order of `LAWS`; the lower, the better.

    Attributes:
        rms: Root mean square of log(curve/law) in the window.
        holdout_rms: The same over the holdout window, NaN without one.
        aic: Akaike's information criterion.
        bic: Bayesian information criterion.
        status: `FitStatus` of each fit.
    """

    rms: Float[Array, "*batch 4"]
    holdout_rms: Float[Array, "*batch 4"]
    aic: Float[Array, "*batch 4"]
    bic: Float[Array, "*batch 4"]
    status: Int[Array, "*batch 4"]

    @property
    def message(self) -> str | list[str]:
        """The statuses in words, a flat list (see `describe_status`)."""
        return describe_status(self.status)

    def __repr__(self) -> str:
        return describe_result(self)


def compare_laws(
    k: ArrayLike,
    failure: ArrayLike,
    *,
    window: Sequence[float] | None = None,
    holdout: Sequence[float] | None = None,
    standard_error: ArrayLike | None = None,
    beta: ArrayLike | None = None,
    log: bool = False,
) -> LawComparison:
    """Fit all four laws to failure curves over `window` and judge them there and over the window `holdout`.

    On measured curves with `standard_error`, use `bic`. It takes the points for independent: where they share
    instances the evidence is overstated, and `holdout_rms` is the safer criterion.

    On deterministic curves residuals are systematic, and both information criteria only restate the misfit times the
    number of points. Use `holdout_rms` there: the error of the law fitted in `window` at values of k that the fit has
    not seen. `preferred_law` turns a criterion into a name.

    Args:
        k: Numbers of attempts k > 0, (m,) or (..., m).
        failure: L_inf(k), (..., m); log L_inf with `log`.
        window: The ends (k1, k2) of the k to fit, both included; all k without it.
        holdout: The ends of the k to predict.
        standard_error: Standard error of `failure` (that of log L_inf with `log`), broadcasting to (..., m). Points
            whose error is not positive and finite are left out.
        beta: A known β of the laws with two tails, broadcasting to (...).
        log: Whether `failure` is log L_inf, for values under the smallest float.

    Returns:
        A `LawComparison`; NaN for laws that could not be fitted.

    Raises:
        InputError: If the shapes do not fit together, or `window` or `holdout` is not allowed.

    References:
        Laws: Eq. 15, Eq. 17, and `stretched_tail`. `tests/fitting/test_compare.py` counts how often the law that made
        the data is preferred.

    Example:
        >>> import jax.numpy as jnp
        >>> import lidjax
        >>> k = jnp.geomspace(10, 1e5, 25)
        >>> compared = lidjax.compare_laws(k, 3 * k**-2 + 0.01 * k**-0.5, window=(10, 1e4), holdout=(1e4, 1e5))
        >>> str(lidjax.preferred_law(compared, "holdout_rms"))
        'two_tail'
    """
    one = fit_power_law(k, failure, window=window, standard_error=standard_error, log=log, independent=True)
    stretched = fit_stretched(
        k, failure, window=window, standard_error=standard_error, log=log, independent=True
    )
    two = fit_two_tail(k, failure, beta=beta, window=window, standard_error=standard_error, log=log)
    stretched_two = fit_stretched_two_tail(
        k, failure, beta=beta, window=window, standard_error=standard_error, log=log
    )
    fits = (one, stretched, two, stretched_two)
    if holdout is None:
        holdout_rms = [jnp.full_like(fit.rms, jnp.nan) for fit in fits]
    else:
        curve = log_curve(k, failure, window=holdout, window_name="holdout", log=log)
        holdout_rms = [rms_error(curve, predict(fit, curve.log_k)) for fit in fits]
    columns = (
        [f.rms for f in fits],
        holdout_rms,
        [f.aic for f in fits],
        [f.bic for f in fits],
        [f.status for f in fits],
    )
    return LawComparison(*(jnp.stack(column, axis=-1) for column in columns))


def preferred_law(
    comparison: LawComparison, by: str = "bic", *, margin: float | None = None
) -> Shaped[np.ndarray, "*batch"]:
    """The name of the law that each curve prefers, or "undecided: a, b" with all laws within `margin` of the best.

    Laws that were not fitted (NaN) are passed over.

    Args:
        comparison: The result of `compare_laws`.
        by: Criterion: "aic", "bic", "rms" or "holdout_rms".
        margin: Difference that decides. By default 6 for `aic` and `bic`, a likelihood ratio of 20, and log 2 for `rms`
            and `holdout_rms`, which are compared in their logarithm. Both are conventions.

    Returns:
        An array (...) of strings: a name of `LAWS`, "undecided: ...", or "none fitted".

    Raises:
        InputError: If `by` is not a criterion.

    References:
        Burnham and Anderson, Model Selection and Multimodel Inference (2002), for differences of criteria.

    Example:
        >>> import jax.numpy as jnp
        >>> import lidjax
        >>> k = jnp.geomspace(10, 1e5, 25)
        >>> compared = lidjax.compare_laws(k, 0.4 * k**-1.5 * jnp.exp(0.01 * jnp.cos(20 * jnp.log(k))))
        >>> str(lidjax.preferred_law(compared, "bic", margin=2.0))
        'power'
    """
    check_choice("by =", by, CRITERIA)
    scores = np.asarray(getattr(comparison, by), float)
    relative = by in ("rms", "holdout_rms")
    if relative:
        scores = np.log(np.maximum(scores, np.finfo(float).tiny))
    decisive = (RMS_MARGIN if relative else BIC_MARGIN) if margin is None else margin

    def verdict(row: Float[np.ndarray, " 4"]) -> str:
        if np.all(np.isnan(row)):
            return "none fitted"
        near = [law for law, score in zip(LAWS, row, strict=True) if score <= np.nanmin(row) + decisive]
        return near[0] if len(near) == 1 else "undecided: " + ", ".join(near)

    verdicts = np.array([verdict(row) for row in scores.reshape(-1, len(LAWS))], dtype=object)
    return verdicts.reshape(scores.shape[:-1])


def predict(
    fit: PowerFit | StretchedFit | TwoTailFit | StretchedTwoTailFit, log_k: Float[Array, "*batch m"]
) -> Float[Array, "*batch m"]:
    """log of the fitted law at `log_k`."""
    stretched = isinstance(fit, StretchedFit | StretchedTwoTailFit)
    one_part = isinstance(fit, PowerFit | StretchedFit)
    params = [jnp.log(value)[..., None] for value in fit[: 2 if one_part else 4]]
    if not one_part:
        return parts_curve(params, log_k, stretched)
    fall = stretched_log(log_k) * jnp.exp(-params[0] / 2) if stretched else jnp.exp(params[0]) * log_k
    return params[1] - fall


def rms_error(curve: LogCurve, predicted: Float[Array, "*batch m"]) -> Float[Array, "*batch"]:
    """Root mean square of log(curve/law) over the points of `curve` that have a weight; NaN where there are none."""
    used = curve.weight > 0
    count = jnp.sum(used, axis=-1).astype(predicted.dtype)
    square = jnp.where(used, (predicted - curve.log_failure) ** 2, 0.0)
    return jnp.sqrt(jnp.sum(square, axis=-1) / jnp.where(count > 0, count, jnp.nan))
