"""Two-tail law fitted to pass@k failure curves, and its rival with the stretched tail of the Gamma prior."""

# pyright: reportCallIssue=false
# (arrays are unpacked into as many fields as they have rows, which a type checker cannot count)

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from lidjax.fitting.criteria import information_criteria
from lidjax.fitting.data import LogCurve, check_level, log_curve, over_batch
from lidjax.fitting.status import FitStatus
from lidjax.fitting.two_parts import Law, fit_two_parts
from lidjax.fitting.uncertainty import critical_values


class TwoTailFit(NamedTuple):
    """Estimates of L_inf(k) = c1 k^-β + c2 k^-γ (Eq. 17), with the leading axes of `failure`.

    `beta_se` and so on are standard errors; `covariance` (..., 4, 4), `lower`, `upper` and `identifiable` (..., 4)
    are in the order β, γ, c1, c2. `lower`, `upper` are profile-likelihood intervals, 0 or inf where that side is
    open. `separated` says that γ can be told from β, that is that one power law does not fit as well; where it cannot,
    standard errors are inf and every interval is open. `cost` is the
    weighted sum of squared residuals in log space, `rms` the unweighted root mean square of log(curve/law),
    `aic`, `bic` the information criteria, `status` a `FitStatus`.
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


class StretchedTwoTailFit(NamedTuple):
    """Estimates of L_inf(k) = c1 k^-β + c2 exp(-2√(log(k)/v)); fields as in `TwoTailFit`, v in place of γ.

    `separated` says that the data need both parts.
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


class Judge(NamedTuple):
    """How errors are judged: known or from the misfit, the table of critical values, the level they belong to."""

    known_errors: Bool[Array, ""]
    critical: Float[Array, " max_dof"]
    level: Float[Array, ""]


def fit_two_tail(
    k, failure, *, window=None, standard_error=None, beta=None, log=False, level=0.95
) -> TwoTailFit:
    """Fit L_inf(k; N) = c1 k^-β + c2 k^-γ (Eq. 17 = Eq. 54), all four positive, to `failure` (..., m) at `k`.

    Least squares in log L_inf over k1 ≤ k ≤ k2 of the static `window` (all k without one), from several starts;
    batched over leading axes in one compiled program. `k` is (m,) or (..., m). With log=True `failure` is log L_inf.

    `standard_error` (..., m), of `failure`: points are weighted by it and reported errors are absolute. Points at
    several k of one set of instances are correlated, which this ignores: their errors come out too small; fit
    the curve of each seed and use `summarise_seeds`. Without `standard_error` errors are scaled by the misfit: on a
    deterministic curve they say how well the *form* holds in this window and shrink as it is sampled more finely.

    Labels: two powers are symmetric, so without `beta` the steeper exponent is called β and γ < β is built in, as
    where the finite-N tail rules at large k. With `beta` given (it broadcasts, without uncertainty) γ may lie on
    either side.
    A sum of two positive powers is convex in log-log: where the curve is concave (k below 1/c_δ, or saturation
    near 1) one part vanishes, and the fit says NOT_SEPARATED rather than invent a γ.

    The status also says TOO_FEW_POINTS (with NaN), NOT_POSITIVE (with NaN), NOT_CONVERGED, NOT_IDENTIFIABLE.
    """
    return fit_curves(k, failure, window, standard_error, beta, log, level, stretched=False)


def fit_stretched_two_tail(
    k, failure, *, window=None, standard_error=None, beta=None, log=False, level=0.95
) -> StretchedTwoTailFit:
    """Fit c1 k^-β + c2 exp(-2√(log(k)/v)): Eq. 17 with the finite-N tail that the Gamma prior has instead of a power.

    Arguments as in `fit_two_tail`, and as many parameters, so that the two compare like for like. The tail is that of
    `stretched_tail` to leading order, where v = L_gen/σ². At reachable k the terms left out (log c_δ, √τ
    in the logarithm) are not small, so the fitted v is an effective one. Needs k > 1; at k ≤ 1 the tail is c2.

    The late part must be the stretched one. Where the power fits better as the late part (a steep stretched tail mimics
    a power at small k: one in five noisy curves at 3 % noise over four decades), the fit says NOT_SEPARATED.
    """
    fit = fit_curves(k, failure, window, standard_error, beta, log, level, stretched=True)
    return StretchedTwoTailFit(*fit)


def fit_curves(k, failure, window, standard_error, beta, log, level, *, stretched: bool) -> TwoTailFit:
    curve = log_curve(k, failure, window=window, standard_error=standard_error, log=log)
    known = standard_error is not None
    dtype = curve.log_failure.dtype
    critical = critical_values(check_level(level), curve.log_k.shape[-1], known_errors=known)
    judge = Judge(jnp.asarray(known), jnp.asarray(critical, dtype), jnp.asarray(level, dtype))
    log_beta = jnp.log(jnp.asarray(1.0 if beta is None else beta).astype(dtype))
    log_beta = jnp.broadcast_to(log_beta, curve.bad.shape)
    bad = curve.bad | ~jnp.isfinite(log_beta)
    law = Law(jnp.asarray(stretched), jnp.asarray(beta is not None), log_beta)
    return fit_curves_batch(curve._replace(bad=bad), law, judge)


@jax.jit
def fit_curves_batch(curve: LogCurve, law: Law, judge: Judge) -> TwoTailFit:
    def cell(log_k, log_failure, weight, bad, log_beta):
        fit = fit_two_parts(log_k, log_failure, weight, law._replace(log_beta=log_beta[0]), **judge._asdict())
        return report(fit, bad[0], judge.known_errors)

    return over_batch(cell, *curve[:3], curve.bad[..., None], law.log_beta[..., None])


def report(fit, bad, known_errors) -> TwoTailFit:
    """The public result of one cell: natural scale, status, NaN where there is no estimate."""
    dof = fit.num_points - fit.num_params
    identifiable = jnp.isfinite(fit.log_lower) & jnp.isfinite(fit.log_upper)
    status = jnp.where(jnp.all(identifiable), FitStatus.OK, FitStatus.NOT_IDENTIFIABLE)
    status = jnp.where(fit.converged, status, FitStatus.NOT_CONVERGED)
    status = jnp.where(fit.separated, status, FitStatus.NOT_SEPARATED)
    status = jnp.where(dof < 1, FitStatus.TOO_FEW_POINTS, status)
    status = jnp.where(bad, FitStatus.NOT_POSITIVE, status).astype(jnp.int32)
    fine = status < FitStatus.TOO_FEW_POINTS
    values = jnp.where(fine, jnp.exp(fit.log_params), jnp.nan)
    count = jnp.maximum(fit.num_points, 1).astype(values.dtype)
    cost = jnp.where(fine, fit.cost, jnp.nan)
    criteria = information_criteria(cost, fit.num_points, fit.num_params, known_errors)
    unknown = ~fit.separated  # the split into two parts is arbitrary then: no error is large enough
    errors = jnp.where(unknown, jnp.inf, values * fit.log_errors)
    covariance = values[:, None] * fit.log_covariance * values[None, :]
    return TwoTailFit(
        *values,
        *errors,
        covariance=jnp.where(unknown, jnp.inf, covariance),
        lower=jnp.where(fine, jnp.exp(fit.log_lower), jnp.nan),
        upper=jnp.where(fine, jnp.exp(fit.log_upper), jnp.nan),
        cost=cost,
        dof=dof,
        rms=jnp.where(fine, jnp.sqrt(jnp.sum(fit.residual**2) / count), jnp.nan),
        aic=criteria.aic,
        bic=criteria.bic,
        separated=fit.separated & fine,
        identifiable=identifiable & fine,
        status=status,
    )
