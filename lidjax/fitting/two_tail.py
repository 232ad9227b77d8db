"""Two-tail law fitted to pass@k failure curves, and its rival with the stretched tail of the Gamma prior."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int

from lidjax.arrays import as_float
from lidjax.errors import InputError
from lidjax.fitting.criteria import information_criteria
from lidjax.fitting.log_curves import LogCurve, log_curve, over_batch
from lidjax.fitting.status import FitStatus, combined_status, describe_result, describe_status
from lidjax.fitting.two_parts import ErrorModel, TwoPartLaw, TwoPartsFit, error_model, fit_two_parts


class TwoTailFit(NamedTuple):
    """Estimates of L_inf(k) = c1 k^-β + c2 k^-γ (Eq. 17), with the leading axes (...) of the curves.

    Attributes:
        beta: β (...), exponent of the first part; the steeper one unless it was given.
        gamma: γ (...), exponent of the second part.
        c1: Amplitude (...) of the first part, L_inf at k = 1.
        c2: Amplitude (...) of the second part.
        beta_se: Standard error (...) of β; inf where the tails are not separated. So are the other three.
        gamma_se: Standard error (...) of γ.
        c1_se: Standard error (...) of c1.
        c2_se: Standard error (...) of c2.
        covariance: Covariance (..., 4, 4) of the estimates in the order β, γ, c1, c2.
        lower: Lower ends (..., 4) of the profile-likelihood intervals, in that order; 0 where the side is open.
        upper: Upper ends (..., 4); inf where the side is open.
        cost: Weighted sum (...) of squared residuals of log L_inf.
        dof: Degrees of freedom (...): points used minus parameters.
        rms: Root mean square (...) of log(curve/law), unweighted.
        aic: Akaike's information criterion (...).
        bic: Bayesian information criterion (...).
        separated: Whether (...) γ can be told from β, i.e. one power law does not fit as well. Where it cannot,
            standard errors are inf and every interval is open.
        identifiable: Whether (..., 4) both sides of an interval are closed.
        status: `FitStatus` (...).
    """

    beta: Float[Array, "*batch"]
    gamma: Float[Array, "*batch"]
    c1: Float[Array, "*batch"]
    c2: Float[Array, "*batch"]
    beta_se: Float[Array, "*batch"]
    gamma_se: Float[Array, "*batch"]
    c1_se: Float[Array, "*batch"]
    c2_se: Float[Array, "*batch"]
    covariance: Float[Array, "*batch 4 4"]
    lower: Float[Array, "*batch 4"]
    upper: Float[Array, "*batch 4"]
    cost: Float[Array, "*batch"]
    dof: Int[Array, "*batch"]
    rms: Float[Array, "*batch"]
    aic: Float[Array, "*batch"]
    bic: Float[Array, "*batch"]
    separated: Bool[Array, "*batch"]
    identifiable: Bool[Array, "*batch 4"]
    status: Int[Array, "*batch"]

    @property
    def message(self) -> str | list[str]:
        """The status in words (see `describe_status`)."""
        return describe_status(self.status)

    def __repr__(self) -> str:
        return describe_result(self)


class StretchedTwoTailFit(NamedTuple):
    """Estimates of L_inf(k) = c1 k^-β + c2 exp(-2√(log(k)/v)), with the leading axes (...) of the curves.

    Attributes:
        beta: β (...), exponent of the first part.
        v: v (...), the L_gen/σ_η² that the stretched tail would have to leading order.
        c1: Amplitude (...) of the first part, its value at k = 1.
        c2: Amplitude (...) of the second part.
        beta_se: Standard error (...) of β; inf where the tails are not separated. So are the other three.
        v_se: Standard error (...) of v.
        c1_se: Standard error (...) of c1.
        c2_se: Standard error (...) of c2.
        covariance: Covariance (..., 4, 4) of the estimates in the order β, v, c1, c2.
        lower: Lower ends (..., 4) of the profile-likelihood intervals, in that order; 0 where the side is open.
        upper: Upper ends (..., 4); inf where the side is open.
        cost: Weighted sum (...) of squared residuals of log L_inf.
        dof: Degrees of freedom (...): points used minus parameters.
        rms: Root mean square (...) of log(curve/law), unweighted.
        aic: Akaike's information criterion (...).
        bic: Bayesian information criterion (...).
        separated: Whether (...) the data need both parts, with the stretched tail as the late one.
        identifiable: Whether (..., 4) both sides of an interval are closed.
        status: `FitStatus` (...).
    """

    beta: Float[Array, "*batch"]
    v: Float[Array, "*batch"]
    c1: Float[Array, "*batch"]
    c2: Float[Array, "*batch"]
    beta_se: Float[Array, "*batch"]
    v_se: Float[Array, "*batch"]
    c1_se: Float[Array, "*batch"]
    c2_se: Float[Array, "*batch"]
    covariance: Float[Array, "*batch 4 4"]
    lower: Float[Array, "*batch 4"]
    upper: Float[Array, "*batch 4"]
    cost: Float[Array, "*batch"]
    dof: Int[Array, "*batch"]
    rms: Float[Array, "*batch"]
    aic: Float[Array, "*batch"]
    bic: Float[Array, "*batch"]
    separated: Bool[Array, "*batch"]
    identifiable: Bool[Array, "*batch 4"]
    status: Int[Array, "*batch"]

    @property
    def message(self) -> str | list[str]:
        """The status in words (see `describe_status`)."""
        return describe_status(self.status)

    def __repr__(self) -> str:
        return describe_result(self)


def fit_two_tail(
    k: ArrayLike,
    failure: ArrayLike,
    *,
    window: Sequence[float] | None = None,
    standard_error: ArrayLike | None = None,
    beta: ArrayLike | None = None,
    log: bool = False,
    level: float = 0.95,
) -> TwoTailFit:
    """Fit L_inf(k; N) = c1 k^-β + c2 k^-γ, all four positive, to failure curves.

    Least squares in log L_inf from several starts. Leading axes are fitted side by side in one compiled program.

    With `standard_error` errors are absolute, and points are weighted by it. Points at several k of one set of
    instances are correlated. The fit ignores that, and its errors come out too small: fit the curve of each seed and
    use `summarise_seeds` instead. Without `standard_error` errors are scaled by the misfit. On a deterministic curve
    they say how well the *form* of the law holds in this window, and they shrink as it is sampled more finely.

    Two powers are symmetric. Without `beta` the steeper exponent is therefore called β, and γ < β is built in, as it is
    where the finite-N tail is the larger at large k. With `beta` given γ may lie on either side. A sum of two positive
    powers is convex in log-log. Where the curve is concave (k below 1/c_δ, or saturation near 1) one part vanishes, and
    the status is NOT_SEPARATED.

    Args:
        k: Numbers of attempts k > 0, (m,) or (..., m).
        failure: L_inf(k), (..., m); log L_inf with `log`.
        window: The ends (k1, k2) of the k to use, both included; all k without it.
        standard_error: Standard error of `failure` (that of log L_inf with `log`), broadcasting to (..., m). Points
            whose error is not positive and finite are left out.
        beta: A known β, broadcasting to (...), taken as exact.
        log: Whether `failure` is log L_inf, for values under the smallest float.
        level: Confidence level of the intervals, between 0 and 1.

    Returns:
        A `TwoTailFit`. Curves that cannot be fitted have NaN estimates and the status TOO_FEW_POINTS or NOT_POSITIVE.

    Raises:
        InputError: If the shapes do not fit together, or `window` or `level` is not allowed.

    References:
        Eq. 17 = Eq. 54. `tests/fitting/test_two_tail.py` checks the fit against SciPy, and the coverage of its
        intervals.

    Example:
        >>> import jax.numpy as jnp
        >>> import lidjax
        >>> k = jnp.geomspace(10, 1e5, 25)
        >>> fit = lidjax.fit_two_tail(k, 3 * k**-2 + 0.01 * k**-0.5)
        >>> [round(float(x), 3) for x in (fit.beta, fit.gamma, fit.c1, fit.c2)], fit.message
        ([2.0, 0.5, 3.0, 0.01], 'ok')
    """
    return fit_with_two_tails(k, failure, window, standard_error, beta, log, level, stretched=False)


def fit_stretched_two_tail(
    k: ArrayLike,
    failure: ArrayLike,
    *,
    window: Sequence[float] | None = None,
    standard_error: ArrayLike | None = None,
    beta: ArrayLike | None = None,
    log: bool = False,
    level: float = 0.95,
) -> StretchedTwoTailFit:
    """Fit L_inf(k; N) = c1 k^-β + c2 exp(-2√(log(k)/v)): Eq. 17 with the finite-N tail of the Gamma prior.

    It has as many parameters as `fit_two_tail`, so that the two can be compared. Errors and weights are as there. The
    tail is that of `stretched_tail` to leading order, where v = L_gen/σ_η². At reachable k the terms left out (log c_δ,
    √τ in the logarithm) are not small, and the fitted v is an effective one. At k ≤ 1 the tail is c2.

    The stretched part must be the late one. Where the power fits better as the late part, the status is NOT_SEPARATED.
    A steep stretched tail resembles a power at small k: this happens in one of five noisy curves at 3 % noise over four
    decades.

    Args:
        k: Numbers of attempts, (m,) or (..., m); k > 1 is what the law is for.
        failure: L_inf(k), (..., m); log L_inf with `log`.
        window: The ends (k1, k2) of the k to use, both included; all k without it.
        standard_error: Standard error of `failure` (that of log L_inf with `log`), broadcasting to (..., m). Points
            whose error is not positive and finite are left out.
        beta: A known β, broadcasting to (...), taken as exact.
        log: Whether `failure` is log L_inf, for values under the smallest float.
        level: Confidence level of the intervals, between 0 and 1.

    Returns:
        A `StretchedTwoTailFit`. Curves that cannot be fitted have NaN estimates and the status TOO_FEW_POINTS or
        NOT_POSITIVE.

    Raises:
        InputError: If the shapes do not fit together, or `window` or `level` is not allowed.

    References:
        Derived for this project in place of Eq. 17; `tests/fitting/test_two_tail.py` checks the fit against SciPy.

    Example:
        >>> import jax.numpy as jnp
        >>> import lidjax
        >>> k = jnp.geomspace(10, 1e5, 25)
        >>> fit = lidjax.fit_stretched_two_tail(k, 3 * k**-2 + 0.3 * jnp.exp(-2 * jnp.sqrt(jnp.log(k) / 0.7)))
        >>> [round(float(x), 3) for x in (fit.beta, fit.v, fit.c1, fit.c2)]
        [2.0, 0.7, 3.0, 0.3]
    """
    fit = fit_with_two_tails(k, failure, window, standard_error, beta, log, level, stretched=True)
    return StretchedTwoTailFit(*fit)


def fit_with_two_tails(
    k: ArrayLike,
    failure: ArrayLike,
    window: Sequence[float] | None,
    standard_error: ArrayLike | None,
    beta: ArrayLike | None,
    log: bool,
    level: float,
    *,
    stretched: bool,
) -> TwoTailFit:
    """Either fit; with `stretched`, v stands in the place of γ."""
    curve = log_curve(k, failure, window=window, standard_error=standard_error, log=log)
    dtype = curve.log_failure.dtype
    errors = error_model(level, curve.log_k.shape[-1], known_errors=standard_error is not None, dtype=dtype)
    log_beta = jnp.log(as_float(1.0 if beta is None else beta, "beta").astype(dtype))
    try:
        log_beta = jnp.broadcast_to(log_beta, curve.no_logarithm.shape)
    except ValueError:
        raise InputError(
            f"beta {log_beta.shape}: must broadcast to the {curve.no_logarithm.shape} curves"
        ) from None
    no_logarithm = curve.no_logarithm | ~jnp.isfinite(log_beta)
    law = TwoPartLaw(jnp.asarray(stretched), jnp.asarray(beta is not None), log_beta)
    return fit_two_tail_batch(curve._replace(no_logarithm=no_logarithm), law, errors)


@jax.jit
def fit_two_tail_batch(curve: LogCurve, law: TwoPartLaw, errors: ErrorModel) -> TwoTailFit:
    """Every curve of a batch; one program for both laws, whether or not β is given."""

    def cell(
        log_k: Float[Array, " m"],
        log_failure: Float[Array, " m"],
        weight: Float[Array, " m"],
        no_logarithm: Bool[Array, " 1"],
        log_beta: Float[Array, " 1"],
    ) -> TwoTailFit:
        fit = fit_two_parts(log_k, log_failure, weight, law._replace(log_beta=log_beta[0]), errors)
        return to_result(fit, no_logarithm[0], errors.known_errors)

    return over_batch(
        cell,
        curve.log_k,
        curve.log_failure,
        curve.weight,
        curve.no_logarithm[..., None],
        law.log_beta[..., None],
    )


def to_result(fit: TwoPartsFit, no_logarithm: Bool[Array, ""], known_errors: Bool[Array, ""]) -> TwoTailFit:
    """The result of one curve: natural scale, status, and NaN where there is no estimate."""
    dof = fit.num_points - fit.num_params
    identifiable = jnp.isfinite(fit.log_lower) & jnp.isfinite(fit.log_upper)
    status = combined_status(
        closed=jnp.all(identifiable),
        converged=fit.converged,
        separated=fit.separated,
        dof=dof,
        no_logarithm=no_logarithm,
    )
    fitted = status < FitStatus.TOO_FEW_POINTS
    values = jnp.where(fitted, jnp.exp(fit.log_params), jnp.nan)
    count = jnp.maximum(fit.num_points, 1).astype(values.dtype)
    cost = jnp.where(fitted, fit.cost, jnp.nan)
    criteria = information_criteria(cost, fit.num_points, fit.num_params, known_errors)
    arbitrary = ~fit.separated  # the split into two parts is arbitrary then: no error is large enough
    standard_errors = jnp.where(arbitrary, jnp.inf, values * fit.log_errors)
    covariance = values[:, None] * fit.log_covariance * values[None, :]
    beta, gamma, c1, c2 = values
    beta_se, gamma_se, c1_se, c2_se = standard_errors
    return TwoTailFit(
        beta=beta,
        gamma=gamma,
        c1=c1,
        c2=c2,
        beta_se=beta_se,
        gamma_se=gamma_se,
        c1_se=c1_se,
        c2_se=c2_se,
        covariance=jnp.where(arbitrary, jnp.inf, covariance),
        lower=jnp.where(fitted, jnp.exp(fit.log_lower), jnp.nan),
        upper=jnp.where(fitted, jnp.exp(fit.log_upper), jnp.nan),
        cost=cost,
        dof=dof,
        rms=jnp.where(fitted, jnp.sqrt(jnp.sum(fit.residual**2) / count), jnp.nan),
        aic=criteria.aic,
        bic=criteria.bic,
        separated=fit.separated & fitted,
        identifiable=identifiable & fitted,
        status=status,
    )
