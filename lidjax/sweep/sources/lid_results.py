"""Tables and figures of LID sweeps: L_gen(N), β_eff(N) and the fit of Eq. 20, for the model and for real features.

What needs xarray or matplotlib is imported when it is called, so that loading a spec does not wait for them.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lidjax.sweep.kinds import SummaryTable, Window
from lidjax.sweep.select import cell_label, combinations, model_axes, varied_in_spec, varying_axes

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr
    from matplotlib.figure import Figure

COLUMNS = (
    *("lgen_mean", "lgen_se", "lgen_median", "lgen_low", "lgen_high"),
    *("beta_eff", "beta_eff_low", "beta_eff_high", "beta_eff_mean_curve", "beta_eff_mean_curve_se", "in_fit"),
    "beta_eff_low_ess",
)
PARAMETERS = (("beta", "β"), ("delta", "Δ"), ("c", "c"), ("nu", "ν"))
"""Parameters of Eq. 20, by name and by symbol."""


def summarise(data: "xr.Dataset", window: Window | None = None, from_n: float | None = None) -> "xr.Dataset":
    """See `lid_summary.summarise_lid`."""
    from lidjax.sweep.sources.lid_summary import summarise_lid

    return summarise_lid(data, window, from_n)


def derived(data: "xr.Dataset") -> "xr.Dataset":
    """See `lid_summary.with_low_ess`."""
    from lidjax.sweep.sources.lid_summary import with_low_ess

    return with_low_ess(data)


def tables(summary: "xr.Dataset") -> list[SummaryTable]:
    """One table for each combination of the axes other than N."""
    return [_table(_record(summary.isel(where), where), summary.attrs) for where in combinations(summary)]


def overview(summary: "xr.Dataset") -> SummaryTable:
    """One row for each combination of the axes other than N: β_eff at the largest N, and the β of Eq. 20."""
    last = summary.isel(n=int(summary["n"].argmax("n")))
    records = [_overview_record(last.isel(where), where) for where in combinations(summary)]
    varying = varying_axes(summary)
    rows = [
        (
            *(f"{record[name]:g}" for name in varying),
            f"{record['lgen_median']:.2e}",
            in_interval(record["beta_eff"], record["beta_eff_low"], record["beta_eff_high"]),
            in_interval(record["plateau"], record["plateau_low"], record["plateau_high"]),
            record["fit"],
        )
        for record in records
    ]
    low, high = summary.attrs["window"]
    fixed = {name: records[0][name] for name in model_axes(summary) if name not in varying}
    notes = [f"  the same in all cells: {cell_label(fixed)}"] if fixed else []
    notes += [
        "  plateau: the β of Eq. 20, β_eff = β - Δ/(1 + c N^ν); a parameter is open where its interval is"
    ]
    return SummaryTable(
        title=f"{summary.attrs['spec']['name']}: {len(records)} cells at N = {int(last['n']):,}; window "
        f"k = {low:,g} to {high:,g}",
        columns=(*varying, "median L_gen", "β_eff (95 %)", "plateau β (95 %)", "fit of Eq. 20"),
        rows=rows,
        notes=notes,
        record={"axes": varying, "rows": records},
    )


def _overview_record(part: "xr.Dataset", where: Mapping[str, int]) -> dict[str, Any]:
    """The row of one cell as plain numbers; `part` is at the largest N."""
    numbers = ("lgen_median", "lgen_low", "lgen_high", "beta_eff", "beta_eff_low", "beta_eff_high")
    plateau = {f"plateau{end}": end for end in ("", "_se", "_low", "_high")}
    record: dict[str, Any] = {name: part[name].item() for name in (*where, "n", *numbers)}
    record |= {name: part[f"saturation{end}"].sel(parameter="beta").item() for name, end in plateau.items()}
    status = part["fit_status"].item()
    open_ones = [symbol for name, symbol in PARAMETERS if not part["identifiable"].sel(parameter=name).item()]
    return record | {"fit_status": status, "fit": status_in_brief(status, open_ones)}


def status_in_brief(status: int, open_ones: Sequence[str]) -> str:
    """The status of a fit of Eq. 20 in a few words, for a column; `describe_status` has the whole sentence."""
    from lidjax.fitting import FitStatus

    return {
        FitStatus.OK: "ok",
        FitStatus.NOT_IDENTIFIABLE: f"open: {', '.join(open_ones)}",
        FitStatus.NOT_CONVERGED: "no minimum found",
        FitStatus.TOO_FEW_POINTS: "too few N",
        FitStatus.NOT_POSITIVE: "β_eff not positive",
    }.get(FitStatus(status), "see --details")


def in_interval(value: float, low: float, high: float) -> str:
    """An estimate with its interval; an open end is infinite."""
    if math.isnan(value):
        return "-"
    return f"{value:.3f} ({low:.3f}, {high:.3f})".replace("inf", "∞")


def figures(data: "xr.Dataset", summary: "xr.Dataset") -> "Iterator[tuple[str, Figure]]":
    """Figure 1: of one cell, or of several in facets."""
    if varying_axes(summary):
        yield from facets(summary, None, None)
        return
    from lidjax.figures import scaling_figure

    yield "scaling", scaling_figure(summary.isel(combinations(summary)[0]))


def facets(summary: "xr.Dataset", col: str | None, hue: str | None) -> "Iterator[tuple[str, Figure]]":
    """Figure 1 of several cells in one figure."""
    from lidjax.figures import scaling_facets

    yield "scaling", scaling_facets(summary, col=col, hue=hue)


def _side_by_side(name: str) -> "Callable[..., Figure]":
    def draw(results: "Sequence[xr.Dataset]") -> "Figure":
        from lidjax import figures

        return getattr(figures, f"{name}_figure")(results)

    return draw


def _exponents(results: "Sequence[xr.Dataset]", *, window: Window | None = None) -> "Figure":
    from lidjax.figures import exponents_figure

    return exponents_figure(results, window=window)


COMPARISONS: "Mapping[str, Callable[..., Figure]]" = {
    **{name: _side_by_side(name) for name in ("plane", "success", "protocols")},
    "exponents": _exponents,
}
"""Figures that put the results of several sweeps side by side."""


def _record(part: "xr.Dataset", where: Mapping[str, int]) -> dict[str, Any]:
    rows = [
        {
            "n": int(n),
            **{name: part[name].sel(n=n).item() for name in COLUMNS},
            "resolved_to_k": _resolved_to(part["k"].values, part["low_ess"].sel(n=n).values),
        }
        for n in part["n"].values.tolist()
    ]
    fit = {
        name: {
            "value": part["saturation"].sel(parameter=name).item(),
            "se": part["saturation_se"].sel(parameter=name).item(),
            "low": part["saturation_low"].sel(parameter=name).item(),
            "high": part["saturation_high"].sel(parameter=name).item(),
            "identifiable": part["identifiable"].sel(parameter=name).item(),
        }
        for name in part["parameter"].values.tolist()
    }
    return {
        "at": {name: part[name].item() for name in where},
        "rows": rows,
        "saturation": fit,
        "fit_status": part["fit_status"].item(),
    }


def _resolved_to(k: "np.ndarray", low_ess: "np.ndarray") -> float:
    """The largest k up to which every L_inf rests on at least 30 test instances; 0 if there is none."""
    count = int(low_ess.argmax()) if low_ess.any() else len(k)
    return float(k[count - 1]) if count else 0.0


def _table(record: dict[str, Any], attrs: Mapping[str, Any]) -> SummaryTable:
    varied = varied_in_spec(attrs, list(record["at"]))
    at = cell_label({name: record["at"][name] for name in varied})
    low, high = attrs["window"]
    rows = [
        (
            f"{'*' if row['in_fit'] else ' '} {row['n']:,}",
            f"{row['lgen_median']:.2e}",
            f"{row['lgen_mean']:.2e}",
            "too few instances"
            if row["beta_eff_low_ess"]
            else f"{row['beta_eff']:.3f} ({row['beta_eff_low']:.3f}, {row['beta_eff_high']:.3f})",
            "too few instances"
            if row["beta_eff_low_ess"] and math.isnan(row["beta_eff_mean_curve"])
            else f"{row['beta_eff_mean_curve']:.3f} ± {row['beta_eff_mean_curve_se']:.3f}",
        )
        for row in record["rows"]
    ]
    return SummaryTable(
        title=f"{attrs['spec']['name']}{': ' * bool(at)}{at}; window k = {low:,g} to {high:,g}",
        columns=("N", "median L_gen", "mean", "β_eff, median (95 %)", "mean curve"),
        rows=rows,
        notes=[
            f"  at {cell_label(record['at'])}",
            *_sampling_notes(record, attrs),
            *_notes(record, attrs["spec"]["fit"]["published"]),
        ],
        record=record,
    )


def _sampling_notes(record: dict[str, Any], attrs: Mapping[str, Any]) -> list[str]:
    """Which β_eff are left out because L_inf(k) was sampled with too few instances, and what to do."""
    rows = [row for row in record["rows"] if row["beta_eff_low_ess"]]
    if not rows:
        return []
    sizes = ", ".join(f"{row['n']:,}" for row in rows)
    to_k = min(row["resolved_to_k"] for row in rows)
    spec = attrs["spec"]
    if "features" in spec:
        more = "more validation instances (features.num_validation)"
    elif "correlated" in spec:
        more = "more test instances (correlated.num_instances)"
    else:
        more = "the exact expectation (model.failure = 'quadrature'), more instances (model.num_instances)"
    return [
        f"β_eff is left out at N = {sizes}: in the window L_inf(k) of a training set is a mean that rests on fewer "
        f"than 30 test instances",
        f"  every L_inf rests on 30 or more up to k = {to_k:,.0f}; use {more}, or a --window that ends at a smaller k",
    ]


def _notes(record: dict[str, Any], published: Sequence[float]) -> list[str]:
    from lidjax.fitting import describe_status

    fit = ", ".join(
        f"{symbol} = {record['saturation'][name]['value']:.4g} ± {record['saturation'][name]['se']:.2g}"
        + ("" if record["saturation"][name]["identifiable"] else " (not determined)")
        for name, symbol in PARAMETERS
    )
    notes = [
        "Eq. 20, β_eff = β - Δ/(1 + c N^ν), is not fitted"
        if math.isnan(record["saturation"]["beta"]["value"])
        else f"Eq. 20, β_eff = β - Δ/(1 + c N^ν), fitted to the N marked *: {fit}",
        f"  status: {describe_status(record['fit_status'])}",
    ]
    measured = [row["beta_eff"] for row in record["rows"] if row["in_fit"]]
    if published and measured:
        notes.append(
            f"  published: {' → '.join(f'{x:g}' for x in published)}; here, over the fitted N: "
            f"{measured[0]:.3f} → {measured[-1]:.3f}"
        )
    if record["at"].get("beta", 5) <= 4:
        notes.append("  β ≤ 4: the second moment of L_gen does not exist; read its median, not its mean")
    return notes
