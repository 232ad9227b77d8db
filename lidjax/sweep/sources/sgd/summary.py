"""Summary of sweeps of SGD: seeds summarised beside the exact mean, β_eff(t), and where the noise floor caps it."""

from typing import Any

import jax
import numpy as np
import xarray as xr

from lidjax.difficulty import mean_inverse_precision
from lidjax.errors import InputError
from lidjax.fitting import effective_exponent, summarise_seeds
from lidjax.model import power_law_spectrum, power_law_teacher
from lidjax.passk import pass_at_k_failure
from lidjax.sgd import sgd_mean_lgen, sgd_noise_floor, sgd_stability_edge
from lidjax.status import OK
from lidjax.sweep.spec import check_window_on_grid

MODEL = ("beta", "sigma_eta", "learning_rate", "batch", "momentum", "decay")
"""Axes that the exact mean depends on, for one spectrum."""


def summarise_sgd(
    data: xr.Dataset, window: tuple[float, float] | None = None, from_n: float | None = None
) -> xr.Dataset:
    """Summary of the results of a sweep of SGD, over its seeds.

    Variables, over the axes other than `seed`: `lgen_mean`, `lgen_se`, `lgen_median`, `lgen_low`, `lgen_high` (a 95 %
    interval of the median); `exact`, the mean by the recursion (infinite for β ≤ 2); `failure`, the median of L_inf(k)
    over runs, and `failure_mean`, also over k; `beta_eff` (Eq. 55), the median over runs of the slope of their curves,
    with a 95 % interval; `diverged`, how many runs have diverged: where one has, the other results are NaN.

    `edge` is the learning rate from which the mean of L_gen diverges, `floor` the mean that it tends to (infinite from
    the edge on, NaN where the learning rate decays), and `cap` the slope of the exact L_inf(k) at L_gen = `floor`, NaN
    where that is not finite: the β_eff of a run that has come down to it.

    `window` defaults to the spec's. Raises InputError for `from_n`, which is of Eq. 20.
    """
    if from_n is not None:
        raise InputError(f"from_n = {from_n:g}: a sweep of SGD has no fit of Eq. 20 that could begin there")
    with jax.enable_x64(True):  # slopes of curves that fall over many decades
        return _summarise(data, window or tuple(data.attrs["spec"]["fit"]["window"]))


def _summarise(data: xr.Dataset, window: tuple[float, float]) -> xr.Dataset:
    check_window_on_grid(window, data["k"].values, "k")
    failed = data["status"] != OK
    lgen = data["lgen"].where(~failed)
    curves = data["failure"].where(~failed)
    axes = [str(name) for name in lgen.dims if name != "seed"]
    seeds = summarise_seeds(lgen.transpose(*axes, "seed").values, axis=-1)
    out = xr.Dataset(coords={name: data[name] for name in (*axes, "k")}, attrs=dict(data.attrs))
    for name, values in {
        "lgen_mean": seeds.mean,
        "lgen_se": seeds.standard_error,
        "lgen_median": seeds.median,
        "lgen_low": seeds.median_low,
        "lgen_high": seeds.median_high,
    }.items():
        out[name] = (axes, np.asarray(values), {"units": data["lgen"].attrs.get("units", "")})
    runs = curves.transpose(*axes, "seed", "k")
    out["failure"] = runs.median("seed", skipna=False)
    out["failure_mean"] = runs.mean("seed", skipna=False)
    k = data["k"].values
    slopes = summarise_seeds(np.asarray(effective_exponent(k, runs.values, window=window).beta_eff))
    out["beta_eff"] = (axes, np.asarray(slopes.median), {"long_name": "β_eff(t), Eq. 55", "units": "1"})
    out["beta_eff_low"] = (axes, np.asarray(slopes.median_low))
    out["beta_eff_high"] = (axes, np.asarray(slopes.median_high))
    out["diverged"] = failed.sum("seed").transpose(*axes)
    out.attrs |= {"interval_coverage": slopes.coverage, "window": list(window), "seeds": data.sizes["seed"]}
    return _with_theory(out, window)


def _with_theory(summary: xr.Dataset, window: tuple[float, float]) -> xr.Dataset:
    """Add the exact mean, the edge, the floor, and β_eff at the floor."""
    spectra = [
        [power_law_spectrum(dim, alpha) for alpha in summary["alpha"].values.tolist()]
        for dim in summary["dim"].values.tolist()
    ]
    theory = [[_theory(summary, spectrum) for spectrum in row] for row in spectra]
    for name, own in {"exact": (*MODEL, "steps"), "floor": MODEL, "edge": ("batch", "momentum")}.items():
        values = np.array([[part[name] for part in row] for row in theory])
        summary[name] = (("dim", "alpha", *own), values)
    axes = [str(name) for name in summary["lgen_mean"].dims if name != "steps"]
    scaled = (
        summary["floor"] / summary["sigma_eta"] ** 2,
        summary["beta"],
        summary["delta"] / summary["sigma_eta"],
    )
    v, beta, width = (part.transpose(*axes).values for part in xr.broadcast(*scaled))
    summary["cap"] = (axes, _slope(v, beta, width, summary, window))
    for name in ("exact", "floor", "edge"):
        there = [axis for axis in summary["lgen_mean"].dims if axis in summary[name].dims]
        summary[name] = summary[name].transpose(*there)
    return summary


def _theory(summary: xr.Dataset, spectrum: jax.Array) -> dict[str, np.ndarray]:
    """Exact mean, floor and edge for one spectrum: over MODEL and the steps, MODEL, and (batch, momentum)."""
    settings = summary.attrs["spec"]["sgd"]
    axes = dict(zip(MODEL, np.ix_(*(summary[name].values.astype(float) for name in MODEL)), strict=True))
    shape = [summary.sizes[name] for name in MODEL]
    noise = axes["sigma_eta"] ** 2 * mean_inverse_precision(axes["beta"], settings["difficulty"])
    law: dict[str, Any] = {name: axes[name] for name in ("learning_rate", "batch", "momentum")}
    exact = sgd_mean_lgen(
        summary["steps"].values,
        eigenvalues=spectrum,
        theta=power_law_teacher(spectrum.shape[0], settings["teacher_decay"]),
        noise_variance=noise,
        decay=axes["decay"],
        decay_steps=settings["decay_steps"],
        **law,
    )
    floor = sgd_noise_floor(eigenvalues=spectrum, noise_variance=noise, **law)
    edge = sgd_stability_edge(eigenvalues=spectrum, batch=axes["batch"], momentum=axes["momentum"])
    return {
        "exact": np.asarray(exact),
        "floor": np.where(axes["decay"] > 0, np.nan, np.broadcast_to(floor, shape)),
        "edge": np.asarray(edge)[0, 0, 0, :, :, 0],
    }


def _slope(
    v: np.ndarray, beta: np.ndarray, width: np.ndarray, summary: xr.Dataset, window: tuple[float, float]
) -> np.ndarray:
    """Slope of the exact L_inf(k) over the window, at v = L_gen/σ²; NaN where v is not finite."""
    k = summary["k"].values.astype(float)
    k = k[(k >= window[0]) & (k <= window[1])]
    finite = np.isfinite(v)
    points, back = np.unique(
        np.stack([np.where(finite, v, 1.0), beta, width], -1).reshape(-1, 3), axis=0, return_inverse=True
    )
    curves = np.asarray(
        pass_at_k_failure(
            k[None, :],
            points[:, :1],
            beta=points[:, 1:2],
            delta=points[:, 2:],
            sigma_eta=1.0,
            difficulty=summary.attrs["spec"]["sgd"]["difficulty"],
            log=True,
        )
    )
    slopes = np.asarray(effective_exponent(k, curves, window=window, log=True).beta_eff)
    return np.where(finite, slopes[back.ravel()].reshape(v.shape), np.nan)
