"""Summary of LID sweeps: seeds summarised, β_eff(N) with its error, Eq. 20 fitted."""

import jax
import numpy as np
import xarray as xr
from jax.typing import ArrayLike

from lidjax.fitting import effective_exponent, fit_saturation, summarise_seeds
from lidjax.passk.instances import MIN_EFFECTIVE_SAMPLE_SIZE
from lidjax.status import OK
from lidjax.sweep.spec import check_window_on_grid

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

    Where L_inf(k) is a mean over sampled test instances, `low_ess` (also over k) marks what rests on fewer than 30 of
    them in some training set. A slope is not fitted through such points: where one is in the window, β_eff and its
    interval are NaN, `beta_eff_low_ess` is True and the size is not in the fit of Eq. 20. The mean curve rests on the
    instances of all training sets together; its slope is NaN where these are fewer than 30. For exact expectations
    nothing is marked.

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
    check_window_on_grid(window, data["k"].values, "k")
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

    groups = _training_sets(curves).transpose(*axes, "seed", "k")
    out["failure"] = groups.median("seed")
    out["failure_mean"] = groups.mean("seed")
    low_ess, mean_low_ess = _low_ess(data, groups)
    out["low_ess"] = low_ess.assign_attrs(
        long_name="whether L_inf(k) rests on fewer than 30 test instances in some training set"
    )
    k = data["k"].values
    inside = (k >= window[0]) & (k <= window[1])
    unresolved, mean_unresolved = (
        mask.isel(k=inside).any("k").transpose(*axes).values for mask in (low_ess, mean_low_ess)
    )
    slopes = summarise_seeds(np.asarray(effective_exponent(k, groups.values, window=window).beta_eff))
    out["beta_eff"] = (axes, _where_not(unresolved, slopes.median))
    out["beta_eff"].attrs = {"long_name": "β_eff(N), Eq. 55", "units": "1"}
    out["beta_eff_low"] = (axes, _where_not(unresolved, slopes.median_low))
    out["beta_eff_high"] = (axes, _where_not(unresolved, slopes.median_high))
    out["beta_eff_low_ess"] = (axes, unresolved)
    mean_curve = effective_exponent(k, out["failure_mean"].values, window=window)
    out["beta_eff_mean_curve"] = (axes, _where_not(mean_unresolved, mean_curve.beta_eff))
    out["beta_eff_mean_curve_se"] = (axes, _where_not(mean_unresolved, _jackknife_error(groups, window)))
    out.attrs["interval_coverage"] = slopes.coverage
    out.attrs["window"] = list(window)
    return _with_saturation(out, from_n if from_n is not None else settings["from_n"])


def with_low_ess(data: xr.Dataset) -> xr.Dataset:
    """Results with `low_ess` (also over k): where a sampled L_inf(k) rests on fewer than 30 test instances.

    Results whose L_inf(k) is exact are returned as they are.
    """
    sizes = sample_sizes(data)
    if sizes is None:
        return data
    low = ~(sizes >= MIN_EFFECTIVE_SAMPLE_SIZE) & (data["status"] == OK)
    low.attrs = {"long_name": "whether L_inf(k) rests on fewer than 30 test instances", "units": "1"}
    return data.assign(low_ess=low.transpose(*data["failure"].dims))


def sample_sizes(data: xr.Dataset) -> xr.DataArray | None:
    """Number of test instances on which each sampled L_inf(k) rests; None if L_inf(k) is exact.

    Stores of older versions do not have it. There the number of instances times L_inf(k) stands in, which is a lower
    bound, because no term of the mean exceeds 1: (Σ c)² / Σ c² ≥ (Σ c)² / Σ c = Σ c.
    """
    if "effective_sample_size" in data:
        return data["effective_sample_size"]
    spec = data.attrs.get("spec", {})
    if "features" in spec:
        return data["failure"] * spec["features"]["num_validation"]
    model = spec.get("model", {})
    if model.get("failure", "quadrature") == "quadrature":
        return None
    return data["failure"] * model["num_instances"]


def _training_sets(values: xr.DataArray) -> xr.DataArray:
    """The mean over seeds that share a train/validation split, as one training set each."""
    if "split" not in values.coords:
        return values
    return values.groupby("split").mean("seed").rename(split="seed")


def _low_ess(data: xr.Dataset, groups: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
    """Where L_inf(k) of some training set, and of their mean, rests on fewer than 30 test instances."""
    sizes = sample_sizes(data)
    if sizes is None:
        exact = xr.zeros_like(groups.isel(seed=0, drop=True), bool)
        return exact, exact
    # label draws of a split share their validation instances: together they rest on no more than one of them does
    sizes = _training_sets(sizes).transpose(*groups.dims)
    low = (groups.notnull() & ~(sizes >= MIN_EFFECTIVE_SAMPLE_SIZE)).any("seed")
    # the terms of all training sets in one mean: Σ c of one is ∝ L_inf, its Σ c² ∝ L_inf² / (its sample size)
    squares = (groups**2 / sizes).where(groups > 0, 0.0).sum("seed")
    together = groups.sum("seed") ** 2 / squares.where(squares > 0)
    return low, ~(together.fillna(0.0) >= MIN_EFFECTIVE_SAMPLE_SIZE)


def _where_not(mask: np.ndarray, values: ArrayLike) -> np.ndarray:
    return np.where(mask, np.nan, np.asarray(values))


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
    used = used.transpose(*beta_eff.dims) & ~summary["beta_eff_low_ess"].transpose(*beta_eff.dims)
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
