"""A sweep of Zipf draws beside the exact law and its asymptote."""

import jax
import numpy as np
import xarray as xr

from lidjax.errors import InputError
from lidjax.fitting import effective_exponent
from lidjax.frontier.losses import coverage_asymptote, coverage_loss
from lidjax.status import OK


def coverage_report(data: xr.Dataset, *, window: tuple[float, float] | None = None) -> xr.Dataset:
    """Simulated, exact and asymptotic missed mass over (exponent, samples) of a [frontier] sweep.

    `mean` and `standard_error` over seeds (NaN for a single one), `exact` for the sweep's vocabulary, `asymptote` for
    an infinite one; `slope` over `exponent`, minus the slope of log mean against log D within `window` (the spec's
    `fit.window` by default; NaN with fewer than three D in it), beside `limit` = (a-1)/a. Seeds are independent, the D
    of one seed are not.
    """
    if data.attrs.get("kind") != "frontier":
        raise InputError(
            f"a sweep of kind {data.attrs.get('kind')!r}: the coverage report is of [frontier] sweeps"
        )
    with jax.enable_x64(True):
        spec = data.attrs["spec"]
        missed = data["missed_mass"].where(data["status"] == OK).transpose("exponent", "samples", "seed")
        count = missed.notnull().sum("seed")
        out = xr.Dataset(
            coords={name: data[name] for name in ("exponent", "samples")}, attrs=dict(data.attrs)
        )
        out["mean"] = missed.mean("seed")
        with np.errstate(invalid="ignore", divide="ignore"):
            variance = ((missed - out["mean"]) ** 2).sum("seed") / (count - 1)
            out["standard_error"] = np.sqrt((variance / count).where(count > 1))
        a, d = data["exponent"].values[:, None], data["samples"].values[None, :].astype(float)
        axes = ("exponent", "samples")
        out["exact"] = (axes, np.asarray(coverage_loss(d, a, spec["frontier"]["vocabulary"])))
        out["asymptote"] = (axes, np.asarray(coverage_asymptote(d, a)))
        low, high = window or spec["fit"]["window"]
        fit = effective_exponent(d[0], out["mean"].values, window=(low, high))
        out["slope"] = ("exponent", np.asarray(fit.beta_eff))
        out["limit"] = ("exponent", 1 - 1 / data["exponent"].values)
        out.attrs["window"] = [low, high]
        return out
