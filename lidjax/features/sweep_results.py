"""Results of a sweep on real features: one of its settings, and β_eff(N) by window of k for all of them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lidjax.arrays import check_window
from lidjax.errors import InputError, check_choice
from lidjax.fitting.exponent import MIN_POINTS

if TYPE_CHECKING:
    import xarray as xr

SETTING_AXES = ("scale", "delta", "ridge")
"""Axes of a sweep on real features, other than N, k and the seed."""
EXPONENTS = ("beta_eff", "beta_eff_low", "beta_eff_high")


def check_feature_sweep(data: "xr.Dataset") -> None:
    """Raise InputError unless these are results of a sweep on real features."""
    if data.attrs["kind"] != "features":
        raise InputError(
            f"these are results of a sweep of kind {data.attrs['kind']!r}; one of kind 'features' is needed"
        )


def select_setting(data: "xr.Dataset", at: Mapping[str, float] | None = None) -> "xr.Dataset":
    """Results of a sweep on real features at one scale, tolerance and ridge.

    Args:
        data: results of a sweep on real features.
        at: values of "scale", "delta" and "ridge", which must be on the axes of the sweep. An axis that is left out is
            taken at its first value.

    Returns:
        The results with the axes `scale`, `delta` and `ridge` of length one.

    Raises:
        InputError: for results of another kind of sweep, another axis, or a value that is not on its axis.

    References:
        The axes are s, δ and λ of Eq. 26-28.

    Example:
        >>> import xarray as xr
        >>> from lidjax.features import select_setting
        >>> axes = {"scale": [1.0], "delta": [0.05, 0.5], "ridge": [0.1, 1.0]}
        >>> data = xr.Dataset(coords=axes, attrs={"kind": "features"})
        >>> selected = select_setting(data, {"delta": 0.5})
        >>> selected["delta"].values.tolist(), selected["ridge"].values.tolist()
        ([0.5], [0.1])
    """
    check_feature_sweep(data)
    at = at or {}
    for name in at:
        check_choice("axis", name, SETTING_AXES)
    indices: dict[str, list[int]] = {}
    for name in SETTING_AXES:
        values = data[name].values.tolist()
        if name in at and at[name] not in values:
            raise InputError(
                f"{name} = {at[name]:g} is not in this sweep; allowed: {', '.join(f'{x:g}' for x in values)}"
            )
        indices[name] = [values.index(at[name]) if name in at else 0]
    return data.isel(indices)


def window_summaries(data: "xr.Dataset", windows: Sequence[tuple[float, float]]) -> "list[xr.Dataset]":
    """The summary of a whole sweep in each window of k that holds enough of its values of k."""
    from lidjax.sweep import summarise  # here, because sweeps on features import this package

    k = data["k"].values
    windows = [check_window(window) for window in windows]
    covered = [(low, high) for low, high in windows if np.sum((k >= low) & (k <= high)) >= MIN_POINTS]
    return [summarise(data, window=window) for window in covered]


def exponent_rows(summaries: "Sequence[xr.Dataset]") -> list[dict[str, Any]]:
    """β_eff(N) with its interval in each window of k at one setting, and its plateau, the β of Eq. 20."""
    rows: list[dict[str, Any]] = []
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
                **{name: summary[name].values.ravel().tolist() for name in EXPONENTS},
                **{name: values.sel(parameter="beta").item() for name, values in fit.items()},
            }
        )
    return rows


def grid_rows(data: "xr.Dataset", summaries: "Sequence[xr.Dataset]") -> list[dict[str, Any]]:
    """β_eff at the smallest and largest N and at its lowest, for every setting and window of k."""
    rows: list[dict[str, Any]] = []
    for index in np.ndindex(*(data.sizes[name] for name in SETTING_AXES)):
        setting = {name: [i] for name, i in zip(SETTING_AXES, index, strict=True)}
        cells = data.isel(setting)
        last_failure = float(cells["failure"].isel(n=-1, k=-1).mean())
        for row in exponent_rows([summary.isel(setting) for summary in summaries]):
            # NaN where L_inf(k) rests on too few instances for a slope
            lowest = int(np.argmin(np.nan_to_num(row["beta_eff"], nan=np.inf)))
            rows.append(
                {
                    **{name: cells[name].item() for name in SETTING_AXES},
                    "window": row["window"],
                    "first": row["beta_eff"][0],
                    "lowest": row["beta_eff"][lowest],
                    "lowest_at": row["n"][lowest],
                    "last": row["beta_eff"][-1],
                    "last_interval": [row["beta_eff_low"][-1], row["beta_eff_high"][-1]],
                    "last_failure": last_failure,
                }
            )
    return rows
