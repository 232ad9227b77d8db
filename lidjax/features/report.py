"""Diagnostics of a sweep on real features, as plain data: what its instances are like, and where its laws come from."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from lidjax.errors import InputError
from lidjax.features.diagnostics import (
    TailShares,
    equivalent_lgen,
    independence_test,
    is_regularly_varying,
    linear_task,
    split_shares,
    tail_index,
)
from lidjax.features.diagnostics.tail import MIN_TAIL_SIZE, TAIL_FRACTIONS
from lidjax.features.feature_file import FeatureSet, read_features, shuffle_features
from lidjax.features.sweep_results import (
    SETTING_AXES,
    check_feature_sweep,
    exponent_rows,
    grid_rows,
    select_setting,
    window_summaries,
)
from lidjax.fitting import effective_exponent

if TYPE_CHECKING:
    import xarray as xr

WINDOWS = ((10.0, 100.0), (10.0, 1000.0), (30.0, 3000.0), (100.0, 10_000.0))
"""Windows of k in which β_eff is read, a heuristic: the exponent of real features depends on the window."""
QUANTILES = (0.5, 0.75, 0.9, 0.99, 1.0)
SHARE_SIZES = 4  # values of N at which shares are reported, from the first to the last
SMALLEST_FAILURE = 1e-300  # keeps the logarithm finite where the own part of L_inf underflows

_shares = jax.jit(split_shares, static_argnames=("num_labels", "num_validation"))


def difficulty_report(data: FeatureSet) -> dict[str, Any]:
    """The empirical law of the label variance v of real instances.

    Args:
        data: the instances, from `read_features`.

    Returns:
        JSON-ready data. `instances` is m, `unanimous` the fraction with v = 0, and `mean` and `quantiles` are those of
        v. `tails` holds a `TailIndex` for each fraction with enough positive values. `regularly_varying` is the answer
        of `is_regularly_varying`, or None if there are no tails. `independence` holds an `IndependenceTest` of v and
        the features for all instances, and one for the ambiguous ones (v > 0).

    References:
        Derived for this project, to check Def. 3.1 on the data of Sec. 5.

    Example:
        >>> import numpy as np
        >>> from lidjax.features import FeatureSet, difficulty_report
        >>> rng = np.random.default_rng(0)
        >>> variance = np.concatenate([np.zeros(100), rng.pareto(1.5, 300)])
        >>> data = FeatureSet(rng.normal(size=(400, 3)), np.zeros(400), variance, sha256="")
        >>> report = difficulty_report(data)
        >>> report["unanimous"], [tail["fraction"] for tail in report["tails"]]
        (0.25, [0.2, 0.1, 0.05])
    """
    v = data.variance
    positive = float(np.mean(v > 0))
    tails = [tail_index(v, f) for f in TAIL_FRACTIONS if f < positive and f * len(v) >= MIN_TAIL_SIZE]
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


def diagnostics_report(
    data: "xr.Dataset",
    features: FeatureSet | str | Path | None = None,
    *,
    at: Mapping[str, float] | None = None,
    windows: Sequence[tuple[float, float]] = WINDOWS,
) -> dict[str, Any]:
    """Every diagnostic of a sweep on real features, as JSON-ready data.

    The Python form of `lidjax features report`. Cells of the store are computed again from their keys, to see which
    instances their L_inf comes from.

    Args:
        data: results of the sweep, as `run_sweep` returns them.
        features: the feature file that the sweep was made from, or its path; None for the path in the spec.
        at: values of "scale", "delta" and "ridge" at which the diagnostics are read, as in `select_setting`.
        windows: windows (k1, k2) of k for β_eff, 0 < k1 < k2. Those with fewer than three values of k are left out.

    Returns:
        A dictionary: `provenance` of the features, `at`, `failure` (how L_inf was computed), `difficulty`
        (`difficulty_report`), `lgen` (L_gen beside its deterministic equivalent), `windows` (β_eff(N) in each, with the
        plateau of Eq. 20 and the slope that a perfect head would have), `shares` (parts of L_inf, as `TailShares`) and
        `grid` (β_eff at every setting of the sweep).

    Raises:
        InputError: for results of another kind of sweep, for another feature file than theirs, and for a value in `at`
            that is not in the sweep.

    References:
        Sec. 5; the diagnostics are derived for this project.

    Example:
        >>> import lidjax
        >>> import xarray as xr
        >>> from lidjax.features import diagnostics_report
        >>> try:
        ...     diagnostics_report(xr.Dataset(attrs={"kind": "synthetic"}))
        ... except lidjax.InputError as error:
        ...     print(error)
        these are results of a sweep of kind 'synthetic'; one of kind 'features' is needed
    """
    check_feature_sweep(data)
    setting = select_setting(data, at)
    spec = data.attrs["spec"]
    if not isinstance(features, FeatureSet):
        features = read_features(features or spec["features"]["path"])
    made_from = data.attrs["identity"]["features_sha256"]
    if made_from != features.sha256:
        raise InputError(
            f"the results were made from a feature file with SHA-256 {made_from}; this one has {features.sha256}"
        )
    if spec["features"].get("pairing") == "shuffled":
        features = shuffle_features(features, spec["run"]["root_key"])
    with jax.enable_x64(True):
        summaries = window_summaries(data, windows)
        grid = grid_rows(data, summaries)
        at = {name: setting[name].item() for name in SETTING_AXES}
        k, sizes = setting["k"].values.astype(float), setting["n"].values
        sizes = sizes[np.unique(np.linspace(0, len(sizes) - 1, SHARE_SIZES).round().astype(int))]
        shares = cell_shares(setting, features, sizes, k)
        own = (shares.own_unanimous + shares.own_ambiguous).mean(axis=(0, 1))
        exponents = exponent_rows([select_setting(summary, at) for summary in summaries])
        for row in exponents:
            perfect = effective_exponent(k, np.maximum(own, SMALLEST_FAILURE), window=tuple(row["window"]))
            row["perfect_head"] = float(np.asarray(perfect.beta_eff))
        return {
            "provenance": features.provenance or None,
            "at": at,
            "failure": spec["features"]["failure"],
            "difficulty": difficulty_report(features),
            "lgen": lgen_rows(setting, features),
            "windows": exponents,
            "shares": share_rows(sizes, shares, k),
            "grid": grid,
        }


def lgen_rows(data: "xr.Dataset", features: FeatureSet) -> list[dict[str, float]]:
    """L_gen(N) at one setting beside its deterministic equivalent; the standard error is over splits."""
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


def cell_shares(data: "xr.Dataset", features: FeatureSet, n: np.ndarray, k: np.ndarray) -> TailShares:
    """Parts of L_inf(k; N), (splits, n, k), of cells of the store at one setting, computed again from their keys."""
    from lidjax.sweep.sources.features import split_key  # here, because that module imports this package

    spec = data.attrs["spec"]
    settings, labels = spec["features"], spec["features"]["labels_per_split"]
    arrays = jax.device_put(tuple(np.asarray(a) for a in features[:3]))
    at = {name: data[name].item() for name in SETTING_AXES}
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


def share_rows(sizes: np.ndarray, shares: TailShares, k: np.ndarray) -> list[dict[str, float]]:
    """Shares of L_inf at every whole decade of k, with their standard errors over splits."""
    decades = 10.0 ** np.arange(np.ceil(np.log10(k[0])), np.floor(np.log10(k[-1])) + 1)
    chosen_k = np.unique([int(np.argmin(np.abs(np.log(k / decade)))) for decade in decades])
    parts = {name: np.asarray(part) for name, part in zip(shares._fields, shares, strict=True)}
    total = np.sum(list(parts.values()), axis=0)
    rows: list[dict[str, float]] = []
    for i in range(len(sizes)):
        for j in chosen_k:
            row = {"n": int(sizes[i]), "k": float(k[j]), "failure": float(total[:, i, j].mean())}
            for name, part in parts.items():
                share = part[:, i, j] / total[:, i, j]
                row[name] = float(share.mean())
                error = share.std(ddof=1) / np.sqrt(len(share)) if len(share) > 1 else np.nan
                row[f"{name}_se"] = float(error)
            rows.append(row)
    return rows
