"""What the sweep commands print: a plan, failed cells, the tables of a summary."""

import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lidjax.cli.render.output import Table, print_json, print_lines, print_paths, print_table

if TYPE_CHECKING:
    import xarray as xr
    from rich.console import Console

    from lidjax.sweep import Measurement, Plan


def print_failures(data: "xr.Dataset", console: "Console") -> int:
    """Print a line for each reason why cells failed; returns how many failed."""
    from lidjax.sweep import cell_failures

    failures = cell_failures(data)
    for message, count in failures.items():
        console.print(f"{count:,} cells: {message}", style="yellow", highlight=False)
    return sum(failures.values())


def plan_record(plan: "Plan", measured: "Measurement | None") -> dict[str, Any]:
    """The plan as plain numbers."""
    return {
        "cells": plan.num_cells,
        "axes": dict(plan.lengths),
        "k": plan.num_k,
        "tiles": plan.num_tiles,
        "tile": dict(plan.tile),
        "flops": plan.work.flops,
        "random_draws": plan.work.draws,
        "evaluations": plan.work.evaluations,
        "tile_bytes": plan.tile_bytes,
        "store_bytes": plan.store_bytes,
        "seconds": measured.seconds if measured else plan.seconds,
        "compile_seconds": measured.compile_seconds if measured else plan.compile_seconds,
        "peak_bytes": measured.peak_bytes if measured else None,
        "measured_tiles": measured.tiles if measured else 0,
        "device": plan.device,
        "devices_a_tile": plan.sharding.parts if plan.sharding else 1,
        "tile_bytes_a_device": plan.bytes_per_device,
        "warnings": list(plan.warnings),
        "stored": None if plan.stored is None else vars(plan.stored),
        "tiles_to_run": plan.num_tiles if plan.tiles_to_run is None else plan.tiles_to_run,
    }


def print_plan(plan: "Plan", measured: "Measurement | None", name: str, out: str, as_json: bool) -> None:
    """The plan as a table, or as JSON."""
    if as_json:
        print_json("plan", plan_record(plan, measured))
        return
    axes = " x ".join(f"{length} {axis}" for axis, length in plan.lengths.items() if length > 1) or "1 cell"
    tile = " x ".join(f"{length} {axis}" for axis, length in plan.tile.items() if length > 1) or "1 cell"
    rows = {
        "cells": f"{plan.num_cells:,} = {axes}; {plan.num_k} values of k each",
        "tiles": f"{plan.num_tiles:,} of {tile}",
        "work": f"{plan.work.flops:.2g} flops, {plan.work.draws:.2g} random draws, "
        f"{plan.work.evaluations:.2g} evaluations",
        "memory": f"about {plan.bytes_per_device / 2**20:,.1f} MiB a tile"
        + (" and device" if plan.sharding else ""),
        "store": f"at most {plan.store_bytes / 2**20:,.1f} MiB",
        "time": f"roughly {duration(plan.seconds)}, and {duration(plan.compile_seconds)} of compilation where no "
        "program is cached (estimated)",
        "devices": plan.device + (f", a tile divided along {plan.sharding.axis}" if plan.sharding else ""),
    }
    if measured:
        rows["memory"] += f"; {measured.peak_bytes / 2**20:,.0f} MiB in all"
        rows["time"] = (
            f"{duration(measured.seconds)}, and up to {duration(measured.compile_seconds)} of compilation "
            f"({measured.tiles} of {plan.num_tiles:,} tiles were measured)"
        )
    if plan.stored and not plan.stored.refused:
        left = (
            f"{plan.stored.remaining:,} remain, in {plan.tiles_to_run:,} tiles"
            if plan.tiles_to_run
            else "none remain"
        )
        rows["results"] = f"{out} has {plan.stored.computed:,} of these cells; {left}"
        if not plan.tiles_to_run:
            rows["time"] = "nothing to compute"
    print_lines([f"plan of {name}", *(f"  {key:8} {value}" for key, value in rows.items())])
    for warning in plan.warnings:
        print(f"warning: {warning}", file=sys.stderr)


def duration(seconds: float) -> str:
    """A time in words, to the precision of an estimate."""
    if seconds < 120:
        return f"{seconds:.2g} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def print_summary(
    summary: "xr.Dataset",
    *,
    command: str,
    as_json: bool,
    about: dict[str, Any],
    store: str,
    details: bool = False,
    paths: Sequence[str] = (),
) -> list[Table]:
    """Print the overview of a summary, or with `details` or of one cell its tables; `about` goes before them in JSON.

    Returns the tables for files: with the numbers of all cells in one, where there are several.
    """
    from lidjax import summary_overview, summary_tables

    tables = summary_tables(summary)
    overview = summary_overview(summary) if len(tables) > 1 else None
    full = [
        Table("cell", t.columns, t.rows, _records(t.record, t.columns, t.rows), t.title, t.notes)
        for t in tables
    ]
    shown, for_files = full, full
    if len(full) > 1:  # one file of all cells, instead of a file each
        every_cell = Table("cells", (), [], [record for table in full for record in table.records])
        for_files = [every_cell, *(replace(table, records=[]) for table in full)]
    rows: list[dict[str, Any]] = []
    axes: list[str] = []
    if overview is not None:
        rows, axes = overview.record["rows"], overview.record["axes"]
        brief = Table(
            "overview",
            overview.columns,
            overview.rows,
            rows,
            overview.title,
            overview.notes,
            left=("fit of Eq. 20",),
            keys=len(axes),
        )
        shown = [*full, brief] if details else [brief]
        for_files = [brief, *(for_files if details else for_files[:1])]
    if as_json:
        window = summary.attrs.get("window")
        results = {"results": [table.record for table in tables], "overview": rows}
        print_json(command, {**about, "window": window, **results})
    else:
        for table in shown:
            print_table(table)
        if overview is not None and not details:
            print_lines([f"  one cell in full: {_example(store, axes, rows[0])}; all of them: --details"])
        print_paths(paths)
    return for_files


def _example(store: str, axes: Sequence[str], row: dict[str, Any]) -> str:
    """The command that shows one cell."""
    return f"lidjax show {shlex.quote(store)} --at " + " ".join(f"{name}={row[name]:g}" for name in axes)


def _records(
    record: dict[str, Any], columns: Sequence[str], rows: Sequence[Sequence[str]]
) -> list[dict[str, Any]]:
    """A table's rows as numbers, with the values of its axes; the cells as printed where a kind has no such rows."""
    if isinstance(record.get("rows"), list):
        at = record.get("at", {})
        return [{**at, **row} for row in record["rows"]]
    return [dict(zip(columns, (cell.strip() for cell in row), strict=True)) for row in rows]
