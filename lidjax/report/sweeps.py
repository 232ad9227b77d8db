"""The report of a sweep: its summary, of whatever kind of cell.

Figures and tables are made from the summary's records, so a kind of cell needs nothing for its report: a quantity that
has an interval is drawn against the axis that its tables run along.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lidjax.report.charts import MOST_SHOWN, Axes, Series, line_chart
from lidjax.report.page import Chart, Page, ReportTable, check_installed, write_page
from lidjax.report.provenance import describe_attributes, describe_process
from lidjax.sweep import cell_failures, summary_overview, summary_tables
from lidjax.sweep.kinds import SummaryTable, kind_of_results
from lidjax.sweep.select import cell_label, varied_in_spec, varying_axes

if TYPE_CHECKING:
    import xarray as xr

MOST_SENTENCES = 4
"""Cells whose fits are sentences; those of more cells are in a table."""

DECADES = 20.0
"""Ratio of the largest to the smallest value from which an axis is logarithmic."""

SYMBOLS = {"lgen": "L_gen", "beta_eff": "β_eff"}
"""Symbols of variables, by the beginning of their names."""

Interval = tuple[str, str, str]
"""Names of the lower end, the upper end (or of the standard error, twice), and what the interval is."""


def write_sweep_report(
    data: "xr.Dataset",
    summary: "xr.Dataset",
    path: Path | str,
    *,
    about: Mapping[str, str] | None = None,
) -> Path:
    """Write the summary of a sweep as one HTML file that opens in any browser and needs no network.

    It has the fits in sentences, findings, figures that show their values under the pointer, tables that can be sorted
    and searched, what the quantities are, and what made the results. It needs the extra `report`.

    Args:
        data: Results of `run_sweep` or `open_results`.
        summary: `summarise(data)`.
        path: File to write; an existing one is replaced.
        about: Names and values shown at the end, such as the command and the time.

    Returns:
        The path.

    Raises:
        InputError: If the extra is not installed, the folder does not exist, or the path is a folder.

    Example:
        >>> import lidjax
        >>> spec = {"frontier": {"vocabulary": 100}, "grid": {"samples": [10, 100]}}
        >>> data = lidjax.run_sweep(spec)
        >>> try:
        ...     path = lidjax.write_sweep_report(data, lidjax.summarise(data), "report.html")
        ... except lidjax.InputError as error:  # the extra is not installed
        ...     path = None
        >>> path is None or path.read_text().startswith("<!DOCTYPE html>")
        True
    """
    check_installed()
    return write_page(sweep_page(data, summary, about or {}), path)


def sweep_page(data: "xr.Dataset", summary: "xr.Dataset", about: Mapping[str, str]) -> Page:
    """What the report of a sweep says."""
    kind = kind_of_results(summary)
    cells = summary_tables(summary)
    overview = summary_overview(summary) if len(cells) > 1 else None
    told = [overview] if overview and len(cells) > MOST_SENTENCES else cells
    sentences = [f"{cell.title}. {' '.join(note.strip() + '.' for note in cell.notes)}" for cell in told]
    findings = [("", f"{count:,} cells: {message}") for message, count in cell_failures(data).items()]
    done, of = int(data.attrs.get("tiles_done", 0)), int(data.attrs.get("tiles", 0))
    if done < of:
        findings.insert(
            0, ("", f"{done:,} of {of:,} tiles are done: the numbers are of the part that is complete")
        )
    attributes = {name: value for name, value in data.attrs.items() if name not in ("versions", "spec")}
    provenance = {
        **about,
        "spec": describe_attributes({"spec": data.attrs.get("spec")})["spec"],
        **describe_attributes(attributes),
        **({"made with": describe_attributes(data.attrs)["versions"]} if "versions" in data.attrs else {}),
        **{f"{name} of this report": value for name, value in describe_process().items()},
    }
    name = summary.attrs["spec"]["name"]
    charts = quantity_charts(cells, summary, kind.along[0])
    if "failure" in summary and {"k", "n"} <= set(summary["failure"].dims):
        charts.insert(0, failure_chart(summary))
    return Page(
        title=f"Sweep {name}: {kind.title}",
        summary=sentences,
        findings=findings,
        charts=charts,
        tables=sweep_tables(cells, overview),
        methods=[
            (str(key), ", ".join(filter(None, (value.attrs.get("long_name"), unit_of(value.attrs)))))
            for key, value in summary.variables.items()
            if value.attrs.get("long_name")
        ]
        + [("window", f"k from {summary.attrs['window'][0]:g} to {summary.attrs['window'][1]:g}")]
        * ("window" in summary.attrs),
        provenance=list(provenance.items()),
    )


def unit_of(attributes: Mapping[Any, Any]) -> str:
    """The unit in words; empty for pure numbers."""
    units = attributes.get("units", "")
    return f"in units of {units}" if units not in ("", "1") else ""


def cell_name(record: Mapping[str, Any], attributes: Mapping[str, Any]) -> str:
    """The values of the axes that tell a cell from the others."""
    at = record.get("at", {})
    varied = varied_in_spec(attributes, list(at))
    return cell_label({name: at[name] for name in varied}) or str(attributes["spec"]["name"])


def quantity_charts(cells: Sequence[SummaryTable], summary: "xr.Dataset", along: str) -> list[Chart]:
    """A figure for each quantity that has an interval, with a line for each cell."""
    with_rows = [cell.record for cell in cells if cell.record.get("rows") and along in cell.record["rows"][0]]
    if not with_rows:
        return []
    charts: list[Chart] = []
    for name in with_rows[0]["rows"][0]:
        interval = interval_of(name, with_rows[0]["rows"][0])
        if interval is None:
            continue
        series = [quantity_series(record, name, interval, along, summary.attrs) for record in with_rows]
        values = [value for one in series for value in one.y if value == value]
        if not values:
            continue
        title = str(summary[name].attrs.get("long_name", "")) if name in summary else ""
        title = title or readable(name)
        axes = Axes(
            along,
            title,
            log_x=spans_decades([x for one in series for x in one.x]),
            log_y=spans_decades(values),
            symbols={"x": along, "y": readable(name)},
        )
        caption = f"Bands are {interval[2]}."
        if len(series) > MOST_SHOWN:
            caption += f" {MOST_SHOWN} of {len(series)} cells are shown at first; a click on a name shows or hides one."
        charts.append(Chart(f"{title} against {along}", line_chart(series, axes), caption))
    return charts


def readable(name: str) -> str:
    """The name of a variable for people: the symbols of L_gen and β_eff, and spaces."""
    for variable, symbol in SYMBOLS.items():
        if name.startswith(variable):
            return f"{symbol} {name.removeprefix(variable).replace('_', ' ').strip()}".strip()
    return name.replace("_", " ")


def interval_of(name: str, row: Mapping[str, Any]) -> Interval | None:
    """Where a row has the interval of a quantity; None if it has none."""
    stem = name.removesuffix("_median")
    if f"{stem}_low" in row and f"{stem}_high" in row:
        return f"{stem}_low", f"{stem}_high", "95 % intervals"
    error = "standard_error" if name == "mean" else f"{name.removesuffix('_mean')}_se"
    return (error, error, "one standard error") if error in row and error != name else None


def quantity_series(
    record: Mapping[str, Any], name: str, interval: Interval, along: str, attributes: Mapping[str, Any]
) -> Series:
    """One cell's values of a quantity."""
    rows = record["rows"]
    x, y = [float(row[along]) for row in rows], [float(row[name]) for row in rows]
    low, high, what = interval
    if what == "one standard error":
        ends = [
            [value + sign * float(row[low]) for value, row in zip(y, rows, strict=True)] for sign in (-1, 1)
        ]
    else:
        ends = [[float(row[end]) for row in rows] for end in (low, high)]
    return Series(cell_name(record, attributes), x, y, ends[0], ends[1], x, y)


def spans_decades(values: Sequence[float]) -> bool:
    """Whether a logarithmic axis suits these values."""
    known = [value for value in values if value == value]
    return bool(known) and min(known) > 0 and max(known) / min(known) >= DECADES


def failure_chart(summary: "xr.Dataset") -> Chart:
    """L_inf(k): of one cell for every N, of several at the largest N."""
    failure = summary["failure"]
    k = [float(value) for value in summary["k"].values]
    varying = varying_axes(summary)
    others = [name for name in failure.dims if name not in ("k", "n")]
    series: list[Series] = []
    if varying:
        last = failure.isel(n=int(summary["n"].argmax("n"))).stack(cell=others)
        for i in range(last.sizes["cell"]):
            one = last.isel(cell=i)
            label = cell_label({name: one[name].item() for name in varying})
            series.append(Series(label, k, one.values.tolist()))
        caption = f"Median over training sets, at N = {int(summary['n'].max()):,}."
    else:
        curves = failure.isel(dict.fromkeys(others, 0)).transpose("n", "k")
        for size, curve in zip(summary["n"].values.tolist(), curves.values.tolist(), strict=True):
            series.append(Series(f"N = {size:,}", k, curve))
        caption = "Median over training sets, a line for each N."
    if len(series) > MOST_SHOWN:
        caption += (
            f" {MOST_SHOWN} of {len(series)} are shown at first; a click on a name shows or hides a line."
        )
    axes = Axes(
        "attempts k", "failure rate L_inf(k)", log_x=True, log_y=True, symbols={"x": "k", "y": "L_inf"}
    )
    return Chart("Failure rate against attempts", line_chart(series, axes), caption)


def sweep_tables(cells: Sequence[SummaryTable], overview: SummaryTable | None) -> list[ReportTable]:
    """The overview, the rows of all cells, and the parameters of Eq. 20 where it was fitted."""
    tables: list[ReportTable] = []
    if overview is not None:
        tables.append(
            ReportTable("Overview", *headed(overview.record["rows"]), note=" ".join(overview.notes))
        )
    rows = [{**cell.record.get("at", {}), **row} for cell in cells for row in cell.record.get("rows", [])]
    if rows:
        tables.append(ReportTable("All cells", *headed(rows)))
    parameters = [
        {**cell.record.get("at", {}), "parameter": name, **values}
        for cell in cells
        for name, values in cell.record.get("saturation", {}).items()
    ]
    if parameters:
        tables.append(
            ReportTable(
                "Fit of Eq. 20",
                *headed(parameters),
                note="β_eff(N) = β - Δ/(1 + c N^ν), with 95 % intervals; an interval is open where a parameter is not "
                "identifiable.",
            )
        )
    return tables


def headed(records: Sequence[Mapping[str, Any]]) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """Headings of all fields that hold numbers or text, and the records."""
    names = dict.fromkeys(name for record in records for name in record)
    return {name: readable(name) for name in names}, [dict(record) for record in records]
