"""What the sweep commands print: a plan, failed cells, the tables of a summary."""

import sys
from typing import TYPE_CHECKING, Any

from lidjax.cli.render.output import table_console, to_json

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
        "compile_seconds": measured.compile_seconds if measured else None,
        "peak_bytes": measured.peak_bytes if measured else None,
        "measured_tiles": measured.tiles if measured else 0,
        "device": plan.device,
        "devices_a_tile": plan.sharding.parts if plan.sharding else 1,
        "tile_bytes_a_device": plan.bytes_per_device,
        "warnings": list(plan.warnings),
    }


def print_plan(plan: "Plan", measured: "Measurement | None", name: str, as_json: bool) -> None:
    """The plan as a table, or as JSON."""
    if as_json:
        print(to_json(plan_record(plan, measured)))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"plan of {name}", show_header=False)
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
        "time": f"roughly {_duration(plan.seconds)}, and compilation",
        "devices": plan.device + (f", a tile divided along {plan.sharding.axis}" if plan.sharding else ""),
    }
    if measured:
        rows["memory"] += f"; {measured.peak_bytes / 2**20:,.0f} MiB in all"
        rows["time"] = (
            f"{_duration(measured.seconds)}, and up to {_duration(measured.compile_seconds)} of compilation "
            f"({measured.tiles} of {plan.num_tiles:,} tiles were measured)"
        )
    for key, value in rows.items():
        table.add_row(key, value)
    Console().print(table)
    for warning in plan.warnings:
        print(f"warning: {warning}", file=sys.stderr)


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.2g} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def print_summary(summary: "xr.Dataset", as_json: bool, about: dict[str, Any]) -> None:
    """The tables of a summary, as its kind defines them; `about` goes before them in JSON."""
    from lidjax import summary_tables

    tables = summary_tables(summary)
    if as_json:
        window = summary.attrs.get("window")
        print(to_json({**about, "window": window, "results": [table.record for table in tables]}))
        return
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    console = table_console()
    for content in tables:
        table = Table(title=content.title, box=SIMPLE_HEAD)
        for column in content.columns:
            table.add_column(column, justify="right", no_wrap=True)
        for row in content.rows:
            table.add_row(*row)
        console.print(table)
        for note in content.notes:
            console.print(note, highlight=False)
