"""Tables and figures of sweeps of SGD: L_gen(t) beside its exact mean, and β_eff(t) beside its cap.

What needs xarray or matplotlib is imported when it is called, so that loading a spec does not wait for them.
"""

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from lidjax.sweep.kinds import SummaryTable, Window
from lidjax.sweep.select import cell_label, combinations, model_axes, varied_in_spec, varying_axes

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

COLUMNS = (
    *("lgen_median", "lgen_low", "lgen_high", "lgen_mean", "lgen_se", "exact"),
    *("beta_eff", "beta_eff_low", "beta_eff_high", "diverged"),
)
ONCE = ("floor", "edge", "cap")
"""Numbers of a model that do not depend on t."""


def summarise(data: "xr.Dataset", window: Window | None = None, from_n: float | None = None) -> "xr.Dataset":
    """See `summary.summarise_sgd`."""
    from lidjax.sweep.sources.sgd.summary import summarise_sgd

    return summarise_sgd(data, window, from_n)


def tables(summary: "xr.Dataset") -> list[SummaryTable]:
    """One table for each combination of the axes other than t."""
    return [_table(_record(summary.isel(where), where), summary.attrs) for where in combinations(summary)]


def overview(summary: "xr.Dataset") -> SummaryTable:
    """One row for each combination of the axes other than t: the state after the last step, and what caps it."""
    records: list[dict[str, Any]] = []
    for where in combinations(summary):
        record = _record(summary.isel(where), where)
        records.append(record["at"] | record["rows"][-1] | {name: record[name] for name in ONCE})
    varying = varying_axes(summary)
    rows = [
        (
            *(f"{record[name]:g}" for name in varying),
            _loss(record),
            f"{record['floor']:.3e}",
            _exponent(record),
            f"{record['cap']:.3f}",
            f"{record['edge']:.4g}",
        )
        for record in records
    ]
    low, high = summary.attrs["window"]
    fixed = {name: records[0][name] for name in model_axes(summary) if name not in varying}
    notes = [f"  the same in all cells: {cell_label(fixed)}"] if fixed else []
    notes += [
        "  floor: the mean of L_gen that t → ∞ tends to; cap: β_eff at that L_gen; edge: the learning rate from which "
        "the mean diverges"
    ]
    return SummaryTable(
        title=f"{summary.attrs['spec']['name']}: {len(records)} cells at t = {records[0]['steps']:,}; window "
        f"k = {low:,g} to {high:,g}",
        columns=(*varying, "median L_gen", "floor", "β_eff (95 %)", "cap", "edge"),
        rows=rows,
        notes=notes,
        record={"axes": varying, "rows": records},
    )


def figures(data: "xr.Dataset", summary: "xr.Dataset") -> "Iterator[tuple[str, Figure]]":
    """The figure of training: L_gen, L_inf and β_eff, the learning rates as colours."""
    from lidjax.figures import sgd_figure

    yield "training", sgd_figure(summary)


def _record(part: "xr.Dataset", where: Mapping[str, int]) -> dict[str, Any]:
    return {
        "at": {name: part[name].item() for name in where},
        "rows": [
            {"steps": int(t), **{name: part[name].values[i].item() for name in COLUMNS}}
            for i, t in enumerate(part["steps"].values)
        ],
        **{name: part[name].item() for name in ONCE},
    }


def _table(record: dict[str, Any], attrs: Mapping[str, Any]) -> SummaryTable:
    varied = varied_in_spec(attrs, list(record["at"]))
    at = cell_label({name: record["at"][name] for name in varied})
    low, high = attrs["window"]
    rows = [
        (
            f"{row['steps']:,}",
            _loss(row),
            f"{row['lgen_mean']:.3e} ± {row['lgen_se']:.0e}",
            f"{row['exact']:.3e}",
            _exponent(row),
        )
        for row in record["rows"]
    ]
    return SummaryTable(
        title=f"{attrs['spec']['name']}{': ' * bool(at)}{at}; window k = {low:,g} to {high:,g}",
        columns=("t", "median L_gen", "mean (± se)", "exact mean", "β_eff, median (95 %)"),
        rows=rows,
        notes=[f"  at {cell_label(record['at'])}", *_notes(record, attrs)],
        record=record,
    )


def _loss(row: Mapping[str, Any]) -> str:
    return f"{row['diverged']} diverged" if row["diverged"] else f"{row['lgen_median']:.3e}"


def _exponent(row: Mapping[str, Any]) -> str:
    if math.isnan(row["beta_eff"]):
        return "-"
    return f"{row['beta_eff']:.3f} ({row['beta_eff_low']:.3f}, {row['beta_eff_high']:.3f})"


def _notes(record: Mapping[str, Any], attrs: Mapping[str, Any]) -> list[str]:
    at, rows = record["at"], record["rows"]
    notes: list[str] = []
    if at["learning_rate"] >= record["edge"]:
        notes.append(
            f"  the learning rate is at or above the edge of stability, {record['edge']:.4g}: the mean of L_gen grows "
            "without bound"
        )
    elif math.isfinite(record["floor"]):
        notes.append(
            f"  noise floor of L_gen {record['floor']:.3e}, at which β_eff = {record['cap']:.3f}; edge of stability "
            f"{record['edge']:.4g}"
        )
    diverged = [row for row in rows if row["diverged"]]
    if diverged:
        most = max(row["diverged"] for row in diverged)
        notes.append(
            f"  diverged: {most} of {attrs['seeds']} runs, the first by t = {diverged[0]['steps']:,}"
        )
    if at["beta"] <= 2:
        notes.append("  β ≤ 2: the mean of L_gen does not exist; read its median")
    elif at["beta"] <= 4:
        notes.append(
            "  β ≤ 4: the second moment of L_gen does not exist; the standard error of its mean is none"
        )
    return notes
