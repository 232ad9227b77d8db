"""Summary of sweeps over N and P: seeds, β_eff(N, P), the deterministic equivalent, and the compute plane."""

import jax
import numpy as np
import xarray as xr

from lidjax.difficulty import mean_inverse_precision
from lidjax.errors import InputError
from lidjax.fitting import effective_exponent, summarise_seeds
from lidjax.generalization import deterministic_lgen
from lidjax.model import power_law_spectrum, power_law_teacher
from lidjax.status import OK
from lidjax.sweep.sources.random_features.compute_plane import (
    FLOPS,
    IsoFlops,
    Optimum,
    bootstrap_counts,
    interval,
    isoflops,
    mean_of_known,
    optimum,
)
from lidjax.sweep.spec import check_window_on_grid

PLANE_AXES = ("beta", "alpha", "dim", "sigma_eta", "delta")
MEAN = "mean L_gen"
NUM_ATTEMPTS = 4
"""Values of k whose L_inf is a loss of the compute plane."""


def summarise_random_features(
    data: xr.Dataset, window: tuple[float, float] | None = None, from_n: float | None = None
) -> xr.Dataset:
    """Summary of the results of a sweep over N and P, over its seeds.

    Variables, over the axes other than `seed`: `lgen_mean`, `lgen_se`, `lgen_median`, `lgen_low`, `lgen_high` (a 95 %
    interval of the median); `lgen_equivalent`, the mean to leading order, which is infinite for β ≤ 2; `failure` (the
    median over seeds, `failure_mean` their mean), also over k; `beta_eff` (Eq. 55), the median over seeds of the slopes
    of their curves, with a 95 % interval `beta_eff_low`, `beta_eff_high`.

    Where N and P have enough values there is the plane of compute C = 6 N P, over `loss` and `compute`, each loss with
    its best ridge at each (N, P): `isoflop`, log loss along each curve over `width` (NaN outside of the grid); its
    minimum `optimal_width` and `optimal_n`, with `optimal_width_low` and `_high`; `exponent_width` and `exponent_n`,
    those of P*(C) and N*(C), with their ends; and `against_lgen`, P* over that of the mean of L_gen,
    with its geometric mean over C `against_lgen_overall`. Losses are the
    median and the mean of L_gen over seeds, the equivalent, and the mean of L_inf at some k. A median of L_inf has the
    minimum of the median of L_gen at every k, because L_inf grows with L_gen.

    `window` defaults to that of the spec. InputError for `from_n`, which is of Eq. 20.
    """
    if from_n is not None:
        raise InputError(
            f"from_n = {from_n:g}: a sweep over N and P has no fit of Eq. 20 that could begin there"
        )
    with jax.enable_x64(True):
        return _summarise(data, window or tuple(data.attrs["spec"]["fit"]["window"]))


def at_best_ridge(summary: xr.Dataset) -> xr.Dataset:
    """The summary without the axis of ridges: at each (N, P) that with the least median of L_gen."""
    if "ridge" not in summary.dims:
        return summary
    if summary.sizes["ridge"] == 1:
        return summary.isel(ridge=0)
    best = summary["lgen_median"].fillna(np.inf).argmin("ridge")
    chosen = {
        name: summary[name].isel(ridge=best) for name in summary.data_vars if "ridge" in summary[name].dims
    }
    return summary.assign(chosen).drop_vars("ridge", errors="ignore")


def _summarise(data: xr.Dataset, window: tuple[float, float]) -> xr.Dataset:
    check_window_on_grid(window, data["k"].values, "k")
    data = data.sortby(["n", "width"])
    ok = data["status"] == OK
    lgen = data["lgen"].where(ok).transpose(..., "seed")
    failure = data["failure"].where(ok)
    axes = [str(name) for name in lgen.dims if name != "seed"]
    failure = failure.transpose(*axes, "seed", "k")

    seeds = summarise_seeds(lgen.values, axis=-1)
    k = data["k"].values
    slopes = summarise_seeds(np.asarray(effective_exponent(k, failure.values, window=window).beta_eff))
    out = xr.Dataset(coords={name: data[name] for name in (*axes, "k")}, attrs=dict(data.attrs))
    for name, values in {
        "lgen_mean": seeds.mean,
        "lgen_se": seeds.standard_error,
        "lgen_median": seeds.median,
        "lgen_low": seeds.median_low,
        "lgen_high": seeds.median_high,
    }.items():
        out[name] = (axes, np.asarray(values), {"units": data["lgen"].attrs.get("units", "")})
    out["lgen_equivalent"] = equivalent(data).transpose(*axes)
    out["failure"] = failure.median("seed")
    out["failure_mean"] = failure.mean("seed")
    out["beta_eff"] = (axes, np.asarray(slopes.median), {"long_name": "β_eff(N, P), Eq. 55", "units": "1"})
    out["beta_eff_low"] = (axes, np.asarray(slopes.median_low))
    out["beta_eff_high"] = (axes, np.asarray(slopes.median_high))
    out.attrs["window"] = list(window)
    curves = isoflops(data["n"].values, data["width"].values)
    return out if curves is None else _with_plane(out, lgen, failure, curves)


def equivalent(data: xr.Dataset) -> xr.DataArray:
    """`deterministic_lgen` of every cell but the seed."""
    model = data.attrs["spec"]["random_features"]
    names = ("beta", "sigma_eta", "ridge", "width", "n")
    beta, sigma, ridge, width, n = np.meshgrid(
        *(data[name].values.astype(float) for name in names), indexing="ij", sparse=True
    )
    noise = sigma**2 * np.asarray(mean_inverse_precision(beta, model["difficulty"]))
    values = [
        [
            np.asarray(
                deterministic_lgen(
                    n,
                    eigenvalues=power_law_spectrum(int(dim), alpha),
                    theta=power_law_teacher(int(dim), model["teacher_decay"]),
                    noise_variance=noise,
                    ridge=ridge,
                    width=width,
                )
            )
            for dim in data["dim"].values
        ]
        for alpha in data["alpha"].values.astype(float)
    ]
    array = np.broadcast_to(
        np.asarray(values)[..., None],
        (data.sizes["alpha"], data.sizes["dim"], *(data.sizes[name] for name in names), data.sizes["delta"]),
    )
    return xr.DataArray(array, dims=("alpha", "dim", *names, "delta"))


def _with_plane(out: xr.Dataset, lgen: xr.DataArray, failure: xr.DataArray, curves: IsoFlops) -> xr.Dataset:
    """Add the compute plane, a model after the other. Each loss has its own best ridge."""
    order = (*PLANE_AXES, "n", "width", "ridge")
    own = lgen.transpose(*order, "seed").values
    failing = failure.transpose(*order, "seed", "k").values
    theory = out["lgen_equivalent"].transpose(*order).values
    k = out["k"].values
    at_k = np.unique(np.linspace(0, len(k) - 1, NUM_ATTEMPTS).round().astype(int))
    losses = ["median L_gen", MEAN, "equivalent", *(f"mean L_inf({_count(float(k[i]))})" for i in at_k)]
    shape = own.shape[: len(PLANE_AXES)]
    counts = bootstrap_counts(own.shape[-1]) if own.shape[-1] > 1 else None
    models = [_losses(own[i], theory[i], failing[i][..., at_k], curves, counts) for i in np.ndindex(shape)]

    def put(name: str, values: list[list[np.ndarray]], dims: tuple[str, ...], long_name: str) -> None:
        array = np.asarray(values)
        array = array.reshape(*shape, *array.shape[1:])
        out[name] = ((*PLANE_AXES, "loss", *dims), array, {"long_name": long_name})

    out = out.assign_coords(loss=losses, compute=curves.compute)
    put("isoflop", [[o.curves for o in m] for m in models], ("compute", "width"), "log loss at equal compute")
    for end in ("", "_low", "_high"):
        widths = [[getattr(o, f"width{end}") for o in m] for m in models]
        put(f"optimal_width{end}", widths, ("compute",), "P of the least loss at C")
        slopes = [[np.asarray(getattr(o, f"exponent{end}")) for o in m] for m in models]
        put(f"exponent_width{end}", slopes, (), "exponent of P*(C)")
    out["optimal_n"] = out["compute"] / (FLOPS * out["optimal_width"])
    for end, other in (("", ""), ("_low", "_high"), ("_high", "_low")):
        out[f"exponent_n{end}"] = 1 - out[f"exponent_width{other}"]
    reference = losses.index(MEAN)
    words = "P* over P* of the mean of L_gen"
    with np.errstate(invalid="ignore"):
        logs = [[np.log(o.width / m[reference].width) for o in m] for m in models]
    put("against_lgen", [[np.exp(own) for own in m] for m in logs], ("compute",), words)
    put("against_lgen_overall", [[np.exp(mean_of_known(own)) for own in m] for m in logs], (), words)
    draws = [[o.draws - m[reference].draws for o in m] for m in models]
    for i, end in enumerate(("_low", "_high")):
        put(f"against_lgen{end}", [[np.exp(interval(d)[i]) for d in m] for m in draws], ("compute",), words)
        ends = [[np.exp(interval(mean_of_known(d))[i]) for d in m] for m in draws]
        put(f"against_lgen_overall{end}", ends, (), words)
    return out


def _losses(
    lgen: np.ndarray, theory: np.ndarray, failure: np.ndarray, curves: IsoFlops, counts: np.ndarray | None
) -> list[Optimum]:
    """The optimum of every loss; `lgen` (n, width, ridge, seed), `failure` (n, width, ridge, seed, k)."""
    means = [lgen, *np.moveaxis(failure, -1, 0)]
    if counts is None:
        resampled = [None] * (len(means) + 1)
    else:
        share = counts / counts.sum(axis=1, keepdims=True)
        resampled = [
            _weighted_median(lgen, counts).min(axis=-1),
            *(np.moveaxis((m @ share.T).min(axis=-2), -1, 0) for m in means),
        ]
    first = optimum(curves, np.median(lgen, axis=-1).min(axis=-1), resampled[0])
    others = [
        optimum(curves, m.mean(axis=-1).min(axis=-1), r) for m, r in zip(means, resampled[1:], strict=True)
    ]
    return [first, others[0], optimum(curves, theory.min(axis=-1), None), *others[1:]]


def _count(k: float) -> str:
    """k in a few characters."""
    return f"{k:,.0f}" if k >= 100 else f"{k:.4g}"


def _weighted_median(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Medians (r, ...) over seeds, the last axis, that are in a bootstrap sample `counts` times."""
    order = np.argsort(values, axis=-1)
    ordered = np.take_along_axis(values, order, axis=-1)
    total = counts.shape[1]
    found = np.empty((len(counts), *values.shape[:-1]))
    for i, count in enumerate(counts):
        reached = np.cumsum(count[order], axis=-1)
        low = np.argmax(reached >= total / 2, axis=-1)[..., None]
        high = np.argmax(reached >= total / 2 + 0.5, axis=-1)[..., None]
        pair = (np.take_along_axis(ordered, at, axis=-1)[..., 0] for at in (low, high))
        found[i] = sum(pair) / 2
    return found
