"""Summary of LID sweeps: seeds summarised, β_eff(N) with its error, Eq. 20 fitted."""

import jax
import numpy as np
import xarray as xr

from lidjax.arrays import check_window
from lidjax.errors import InputError
from lidjax.fitting import effective_exponent, fit_saturation, summarise_seeds
from lidjax.status import OK

SATURATION = ("beta", "delta", "c", "nu")


def summarise_lid(
    data: xr.Dataset, window: tuple[float, float] | None = None, from_n: float | None = None
) -> xr.Dataset:
    """Summary of the results of a sweep of the LID model or of real features, over its seeds.

    Variables, over the axes other than `seed`: `lgen_mean`, `lgen_se`, `lgen_median`, `lgen_low`, `lgen_high`
    (a 95 % interval of the median); `failure` (median over seeds, `failure_mean` their mean), also over k; `beta_eff`
    (Eq. 55), the median over training sets of the slope of their curves, with a 95 % interval `beta_eff_low`,
    `beta_eff_high`; `beta_eff_mean_curve`, the slope of the mean curve, with its jackknife error. Seeds that share a
    split count as one training set.

    The two values of β_eff differ where training sets differ: at large k the mean over D_N of Eq. 13 is dominated by
    the training sets with the largest L_gen, and for small β these are far from typical.

    `saturation` and `saturation_se` hold the fit of Eq. 20 over `n`, along `parameter`, with the ends of 95 % intervals
    `saturation_low` and `saturation_high` (0 and infinity where a side is open), `identifiable` and `fit_status`
    beside them.

    `window` and `from_n` (the smallest N in the fit of Eq. 20) default to the spec's values. If `from_n` is 0 there,
    the fit takes N > 1.5 d: nearer to N = d, double descent makes β_eff fall, which Eq. 20 does not describe.
    For β ≤ 4 the second moment of L_gen does not exist, and `lgen_se` is no standard error: use the median.
    """
    with jax.enable_x64(True):  # slopes of curves that fall over many decades
        return _summarise(data, window, from_n)


def _summarise(data: xr.Dataset, window: tuple[float, float] | None, from_n: float | None) -> xr.Dataset:
    settings = data.attrs["spec"]["fit"]
    window = window or tuple(settings["window"])
    _check_window(window, data["k"].values)
    failed = data["status"] != OK
    lgen = data["lgen"].where(~failed)
    curves = data["failure"].where(~failed)

    seeds = summarise_seeds(lgen.transpose(..., "seed").values, axis=-1)
    axes = [name for name in lgen.dims if name != "seed"]
    out = xr.Dataset(coords={name: data[name] for name in (*axes, "k")}, attrs=dict(data.attrs))
    for name, values in {
        "lgen_mean": seeds.mean,
        "lgen_se": seeds.standard_error,
        "lgen_median": seeds.median,
        "lgen_low": seeds.median_low,
        "lgen_high": seeds.median_high,
    }.items():
        out[name] = (axes, np.asarray(values), {"units": data["lgen"].attrs.get("units", "")})

    groups = curves.groupby("split").mean("seed") if "split" in data.coords else curves
    groups = groups.rename(split="seed") if "split" in groups.dims else groups
    groups = groups.transpose(*axes, "seed", "k")
    out["failure"] = groups.median("seed")
    out["failure_mean"] = groups.mean("seed")
    k = data["k"].values
    slopes = summarise_seeds(np.asarray(effective_exponent(k, groups.values, window=window).beta_eff))
    out["beta_eff"] = (axes, np.asarray(slopes.median), {"long_name": "β_eff(N), Eq. 55", "units": "1"})
    out["beta_eff_low"] = (axes, np.asarray(slopes.median_low))
    out["beta_eff_high"] = (axes, np.asarray(slopes.median_high))
    mean_curve = effective_exponent(k, out["failure_mean"].values, window=window)
    out["beta_eff_mean_curve"] = (axes, np.asarray(mean_curve.beta_eff))
    out["beta_eff_mean_curve_se"] = (axes, _jackknife_error(groups, window))
    out.attrs["interval_coverage"] = slopes.coverage
    out.attrs["window"] = list(window)
    return _with_saturation(out, from_n if from_n is not None else settings["from_n"])


def _check_window(window: tuple[float, float], k: np.ndarray) -> None:
    low, high = check_window(window, "fit.window")
    inside = np.sum((k >= low) & (k <= high))
    if inside < 3:
        raise InputError(
            f"fit.window = {list(window)}: contains {inside} of the sweep's values of k (from {k.min():g} to "
            f"{k.max():g}); a slope needs at least 3"
        )


def _jackknife_error(groups: xr.DataArray, window: tuple[float, float]) -> np.ndarray:
    """Standard error of the slope of the mean curve, from the slopes with one seed left out."""
    values = groups.values
    count = values.shape[-2]
    if count < 2:
        return np.full(values.shape[:-2], np.nan)
    left_out = (values.sum(axis=-2, keepdims=True) - values) / (count - 1)
    slopes = np.asarray(effective_exponent(groups["k"].values, left_out, window=window).beta_eff)
    return np.sqrt((count - 1) * slopes.var(axis=-1))


def _with_saturation(summary: xr.Dataset, from_n: float) -> xr.Dataset:
    """Add the fit of Eq. 20 along n."""
    beta_eff = summary["beta_eff"].transpose(..., "n")
    if from_n > 0:
        used = (summary["n"] >= from_n).broadcast_like(beta_eff)
    else:
        dim = summary["dim"] if "dim" in summary.dims else summary.attrs["feature_dim"]
        used = (summary["n"] > 1.5 * dim).broadcast_like(beta_eff)
    used = used.transpose(*beta_eff.dims)
    # Unweighted: Eq. 20 is an empirical form, and its misfit is the error that matters. On the plateau the sampling
    # error of β_eff falls to 1e-6, so that weights by sampling error would fit the form to two points.
    fit = fit_saturation(summary["n"].values.astype(float), beta_eff.where(used).values)
    axes = [name for name in beta_eff.dims if name != "n"]
    summary = summary.assign_coords(parameter=list(SATURATION))
    stacked = np.stack([np.asarray(getattr(fit, name)) for name in SATURATION], axis=-1)
    errors = np.stack([np.asarray(getattr(fit, f"{name}_se")) for name in SATURATION], axis=-1)
    summary["saturation"] = ([*axes, "parameter"], stacked)
    summary["saturation_se"] = ([*axes, "parameter"], errors)
    summary["saturation_low"] = ([*axes, "parameter"], np.asarray(fit.lower))
    summary["saturation_high"] = ([*axes, "parameter"], np.asarray(fit.upper))
    summary["identifiable"] = ([*axes, "parameter"], np.asarray(fit.identifiable))
    summary["fit_status"] = (axes, np.asarray(fit.status))
    summary["in_fit"] = used
    return summary
