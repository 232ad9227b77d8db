"""Summary, tables and figures of sweeps over N and P."""

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from lidjax.sweep.kinds import SummaryTable, Window
from lidjax.sweep.select import cell_label, combinations, varied_in_spec

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure


def summarise(data: "xr.Dataset", window: Window | None = None, from_n: float | None = None) -> "xr.Dataset":
    """See `summary.summarise_random_features`."""
    from lidjax.sweep.sources.random_features.summary import summarise_random_features

    return summarise_random_features(data, window, from_n)


def tables(summary: "xr.Dataset") -> list[SummaryTable]:
    """For each combination of the axes other than N and P: β_eff by P at the largest N, and the compute plane."""
    found: list[SummaryTable] = []
    for where in combinations(summary):
        part = summary.isel(where)
        found.append(_widths(part, where))
    if "optimal_width" in summary:
        plane = summary[[str(name) for name in summary.data_vars if "loss" in summary[name].dims]]
        found += [_plane(plane.isel(where), where) for where in combinations(plane)]
    return found


def figures(data: "xr.Dataset", summary: "xr.Dataset") -> "Iterator[tuple[str, Figure]]":
    """The (N, P) plane of each model, at the best ridge; and the plane of compute where the grid has one."""
    from lidjax.figures import compute_plane_figure, width_figure
    from lidjax.sweep.sources.random_features.summary import at_best_ridge

    best = at_best_ridge(summary)
    cells = combinations(best)
    for i, where in enumerate(cells):
        part = best.isel(where)
        suffix = f"_{i + 1}" if len(cells) > 1 else ""
        if part.sizes["n"] > 1 and part.sizes["width"] > 1:
            yield f"width{suffix}", width_figure(part)
        if "optimal_width" in part:
            yield f"compute_plane{suffix}", compute_plane_figure(part)


def _widths(part: "xr.Dataset", where: Mapping[str, int]) -> SummaryTable:
    last = part.isel(n=int(part["n"].argmax("n")))
    columns = ("lgen_median", "lgen_low", "lgen_high", "lgen_mean", "lgen_equivalent")
    exponents = ("beta_eff", "beta_eff_low", "beta_eff_high")
    records = [
        {"width": int(p), **{name: last[name].sel(width=p).item() for name in (*columns, *exponents)}}
        for p in last["width"].values.tolist()
    ]
    at = {name: part[name].item() for name in where}
    label = cell_label({name: at[name] for name in varied_in_spec(part.attrs, list(at))})
    low, high = part.attrs["window"]
    rows = [
        (
            f"{row['width']:,}",
            f"{row['lgen_median']:.3e}",
            f"{row['lgen_mean']:.3e}",
            f"{row['lgen_equivalent']:.3e}",
            f"{row['beta_eff']:.3f} ({row['beta_eff_low']:.3f}, {row['beta_eff_high']:.3f})",
        )
        for row in records
    ]
    return SummaryTable(
        title=f"{part.attrs['spec']['name']}{': ' * bool(label)}{label}; N = {int(last['n']):,}, window k = {low:,g} "
        f"to {high:,g}",
        columns=("P", "median L_gen", "mean", "equivalent", "β_eff, median (95 %)"),
        rows=rows,
        notes=[
            f"  at {cell_label(at)}",
            "  equivalent: the mean of L_gen to leading order (`deterministic_lgen`)",
        ],
        record={"at": at, "n": int(last["n"]), "rows": records},
    )


def _plane(part: "xr.Dataset", where: Mapping[str, int]) -> SummaryTable:
    names = ("exponent_width", "exponent_n", "against_lgen_overall")
    records: list[dict[str, Any]] = []
    for loss in part["loss"].values.tolist():
        one = part.sel(loss=loss)
        record: dict[str, Any] = {"loss": loss}
        for name in names:
            record |= {f"{name}{end}": one[f"{name}{end}"].item() for end in ("", "_low", "_high")}
        for name in ("optimal_width", "optimal_width_low", "optimal_width_high", "optimal_n", "against_lgen"):
            record[name] = one[name].values.tolist()
        record |= {
            f"against_lgen{end}": one[f"against_lgen{end}"].values.tolist() for end in ("_low", "_high")
        }
        records.append(record)
    compute = part["compute"].values
    inside = [
        i
        for i, width in enumerate(part["optimal_width"].sel(loss="mean L_gen").values)
        if math.isfinite(width)
    ]
    last = inside[-1] if inside else len(compute) - 1

    rows = [
        (
            row["loss"],
            _between(row, "exponent_n", ".3f"),
            _between(row, "exponent_width", ".3f"),
            _between(row, "optimal_width", ".3g", last),
            _between(row, "against_lgen_overall", ".3f"),
        )
        for row in records
    ]
    at = {name: part[name].item() for name in where}
    return SummaryTable(
        title=f"{part.attrs['spec']['name']}: best N and P at compute C = 6 N P from {compute[0]:.3g} to "
        f"{compute[-1]:.3g}",
        columns=(
            *("loss", "exponent of N*(C) (95 %)", "of P*(C)"),
            *(f"P* at C = {compute[last]:.3g}", "P* over that of mean L_gen"),
        ),
        rows=rows,
        notes=[f"  at {cell_label(at)}; each loss at its best ridge"] if at else [],
        record={"at": at, "compute": compute.tolist(), "rows": records},
    )


def _between(row: Mapping[str, Any], name: str, form: str, at: int | None = None) -> str:
    """An estimate, or one of several, with its interval if it has one."""
    values = [row[f"{name}{end}"] for end in ("", "_low", "_high")]
    value, low, high = values if at is None else (several[at] for several in values)
    return f"{value:{form}}" if math.isnan(low) else f"{value:{form}} ({low:{form}}, {high:{form}})"
