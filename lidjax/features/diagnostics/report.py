"""What Sec. 5 does not ask and a reader wants: the readings of a sweep on real features, as plain data."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from lidjax.errors import InputError
from lidjax.features.diagnostics.dependence import independence_test
from lidjax.features.diagnostics.equivalent import equivalent_lgen, linear_task
from lidjax.features.diagnostics.shares import TailShares, split_shares
from lidjax.features.diagnostics.tail import FRACTIONS, LEAST, is_regularly_varying, tail_index
from lidjax.features.feature_file import FeatureSet, shuffle_features
from lidjax.fitting import effective_exponent
from lidjax.sweep.sources.features import split_key

WINDOWS = ((10.0, 100.0), (10.0, 1000.0), (30.0, 3000.0), (100.0, 10_000.0))
QUANTILES = (0.5, 0.75, 0.9, 0.99, 1.0)

AXES = ("scale", "delta", "ridge")
BETA_EFF = ("beta_eff", "beta_eff_low", "beta_eff_high")

_shares = jax.jit(split_shares, static_argnames=("num_labels", "num_validation"))


def difficulty_report(data: FeatureSet) -> dict[str, Any]:
    """The empirical law of v: how many agree entirely, quantiles, tail indices, independence of the features."""
    v = data.variance
    positive = float(np.mean(v > 0))
    tails = [tail_index(v, f) for f in FRACTIONS if f < positive and f * len(v) >= LEAST]
    ambiguous = v > 0
    return {
        "instances": len(v),
        "unanimous": 1 - positive,
        "mean": float(v.mean()),
        "quantiles": {str(q): float(np.quantile(v, q)) for q in QUANTILES},
        "tails": [tail._asdict() for tail in tails],
        "regularly_varying": is_regularly_varying(tails) if tails else None,
        "independence": {
            "all": independence_test(data.features, v)._asdict(),
            "ambiguous only": independence_test(data.features[ambiguous], v[ambiguous])._asdict(),
        },
    }


def window_summaries(
    data: xr.Dataset, windows: tuple[tuple[float, float], ...] = WINDOWS
) -> list[xr.Dataset]:
    """The summary (`lidjax.summarise`) of a whole sweep in each window of k that it covers."""
    from lidjax.sweep import summarise  # the engine imports this package

    k = data["k"].values
    covered = [(low, high) for low, high in windows if np.sum((k >= low) & (k <= high)) >= 3]
    return [summarise(data, window=window) for window in covered]


def windows_report(summaries: list[xr.Dataset]) -> list[dict[str, Any]]:
    """β_eff(N) with its interval in each window of k, for one (scale, delta, ridge), and the plateau of Eq. 20."""
    rows = []
    for summary in summaries:
        fit = {
            "plateau": summary["saturation"],
            "plateau_se": summary["saturation_se"],
            "plateau_identifiable": summary["identifiable"],
        }
        rows.append(
            {
                "window": summary.attrs["window"],
                "n": summary["n"].values.tolist(),
                **{name: summary[name].values.ravel().tolist() for name in BETA_EFF},
                **{name: values.sel(parameter="beta").item() for name, values in fit.items()},
            }
        )
    return rows


def grid_report(data: xr.Dataset, summaries: list[xr.Dataset]) -> list[dict[str, Any]]:
    """β_eff at the ends of N and at its lowest for every (scale, delta, ridge) and window: how it depends on them."""
    rows = []
    for index in np.ndindex(*(data.sizes[name] for name in AXES)):
        where = {name: [i] for name, i in zip(AXES, index, strict=True)}
        part = data.isel(where)
        last = float(part["failure"].isel(n=-1, k=-1).mean())
        for row in windows_report([summary.isel(where) for summary in summaries]):
            lowest = int(np.argmin(row["beta_eff"]))
            rows.append(
                {
                    **{name: part[name].item() for name in AXES},
                    "window": row["window"],
                    "first": row["beta_eff"][0],
                    "lowest": row["beta_eff"][lowest],
                    "lowest_at": row["n"][lowest],
                    "last": row["beta_eff"][-1],
                    "last_interval": [row["beta_eff_low"][-1], row["beta_eff_high"][-1]],
                    "last_failure": last,
                }
            )
    return rows


def lgen_report(data: xr.Dataset, features: FeatureSet) -> list[dict[str, Any]]:
    """L_gen(N) beside its deterministic equivalent on the empirical covariance; the error is over splits."""
    at = {name: data[name].item() for name in ("scale", "ridge")}
    lgen = data["lgen"].squeeze().groupby("split").mean("seed").transpose("n", "split").values
    task = linear_task(features.features, features.mean)
    predicted = equivalent_lgen(task, data["n"].values, noise_variance=data.attrs["noise_variance"], **at)
    splits = lgen.shape[1]
    error = lgen.std(axis=1, ddof=1) / np.sqrt(splits) if splits > 1 else np.full(len(lgen), np.nan)
    columns = zip(data["n"].values.tolist(), lgen.mean(axis=1), error, predicted, strict=True)
    return [
        {"n": n, "measured": float(m), "error": float(e), "equivalent": float(p), "ratio": float(m / p)}
        for n, m, e, p in columns
    ]


def shares_report(data: xr.Dataset, features: FeatureSet, n: np.ndarray, k: np.ndarray) -> TailShares:
    """Parts of L_inf(k; N), (splits, n, k), of cells of the store, computed again from their keys."""
    spec = data.attrs["spec"]
    settings, labels = spec["features"], spec["features"]["labels_per_split"]
    arrays = jax.device_put(tuple(np.asarray(a) for a in features[:3]))
    at = {name: data[name].item() for name in AXES}
    parts = [
        _shares(
            split_key(spec["run"]["root_key"], split),
            *arrays,
            n=jnp.asarray(n),
            num_labels=labels,
            k=jnp.asarray(k),
            **at,
            variance_floor=settings["variance_floor"],
            num_validation=settings["num_validation"],
        )
        for split in np.unique(data["split"].values).tolist()
    ]
    return TailShares(*(jnp.stack(columns) for columns in zip(*parts, strict=True)))


def real_report(
    data: xr.Dataset,
    features: FeatureSet,
    *,
    at: dict[str, int],
    windows: tuple[tuple[float, float], ...] = WINDOWS,
) -> dict[str, Any]:
    """Every reading of a store, as JSON-ready data: `grid` over all of it, the rest at the (scale, delta, ridge) of
    indices `at`. Raises InputError where the feature file is not the one that the store was made from."""
    made_from = data.attrs["law"]["features_sha256"]
    if made_from != features.sha256:
        raise InputError(
            f"the results were made from a feature file with SHA-256 {made_from}, this one has {features.sha256}"
        )
    spec = data.attrs["spec"]
    if spec["features"].get("pairing") == "shuffled":
        features = shuffle_features(features, spec["run"]["root_key"])
    with jax.enable_x64(True):
        summaries = window_summaries(data, windows)
        grid = grid_report(data, summaries)
        where = {name: [index] for name, index in at.items()}
        data, summaries = data.isel(where), [summary.isel(where) for summary in summaries]
        k, sizes = data["k"].values.astype(float), data["n"].values
        sizes = sizes[np.unique(np.linspace(0, len(sizes) - 1, 4).round().astype(int))]
        shares = shares_report(data, features, sizes, k)
        own = (shares.own_unanimous + shares.own_ambiguous).mean(axis=(0, 1))
        rows = windows_report(summaries)
        for row in rows:
            slope = effective_exponent(k, np.maximum(own, 1e-300), window=tuple(row["window"])).beta_eff
            row["perfect_head"] = float(np.asarray(slope))
        return {
            "provenance": features.provenance or None,
            "at": {name: data[name].item() for name in AXES},
            "failure": spec["features"]["failure"],
            "difficulty": difficulty_report(features),
            "lgen": lgen_report(data, features),
            "windows": rows,
            "shares": _share_rows(sizes, shares, k),
            "grid": grid,
        }


def _share_rows(sizes: np.ndarray, shares: TailShares, k: np.ndarray) -> list[dict[str, Any]]:
    """Shares at every whole decade of k, with the standard error over splits."""
    decades = 10.0 ** np.arange(np.ceil(np.log10(k[0])), np.floor(np.log10(k[-1])) + 1)
    chosen_k = np.unique([int(np.argmin(np.abs(np.log(k / decade)))) for decade in decades])
    parts = {name: np.asarray(part) for name, part in zip(shares._fields, shares, strict=True)}
    total = np.sum(list(parts.values()), axis=0)
    rows = []
    for i in range(len(sizes)):
        for j in chosen_k:
            row: dict[str, Any] = {
                "n": int(sizes[i]),
                "k": float(k[j]),
                "failure": float(total[:, i, j].mean()),
            }
            for name, part in parts.items():
                share = part[:, i, j] / total[:, i, j]
                row[name] = float(share.mean())
                many = len(share) > 1
                row[f"{name}_se"] = float(share.std(ddof=1) / np.sqrt(len(share))) if many else float("nan")
            rows.append(row)
    return rows
