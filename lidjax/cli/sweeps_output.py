"""What the sweep commands print: a plan, failed cells, β_eff(N) with the fit of Eq. 20."""

import itertools
from typing import TYPE_CHECKING, Any

from lidjax.cli.output import to_json

if TYPE_CHECKING:
    import xarray as xr

    from lidjax.sweep.measure import Forecast
    from lidjax.sweep.plan import Plan


def say_failures(data: "xr.Dataset", console: Any) -> int:
    """One line for each kind of failed cell; returns how many failed."""
    from lidjax.status import CELL_MESSAGES, CellStatus

    status = data["status"].values
    failed = 0
    for code in CellStatus:
        count = int((status == code).sum())
        if code is not CellStatus.OK and count:
            failed += count
            console.print(f"{count:,} cells: {CELL_MESSAGES[code]}", style="yellow", highlight=False)
    return failed


def plan_table(plan: "Plan", measured: "Forecast | None") -> dict[str, Any]:
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
        "devices_a_tile": plan.split.parts if plan.split else 1,
        "tile_bytes_a_device": plan.bytes_per_device,
        "warnings": list(plan.warnings),
    }


def print_plan(plan: "Plan", measured: "Forecast | None", name: str) -> None:
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
        + (" and device" if plan.split else ""),
        "store": f"at most {plan.store_bytes / 2**20:,.1f} MiB",
        "time": f"roughly {_duration(plan.seconds)}, and compiling",
        "devices": plan.device + (f", a tile cut along {plan.split.axis}" if plan.split else ""),
    }
    if measured:
        rows["memory"] += f"; {measured.peak_bytes / 2**20:,.0f} MiB in all"
        rows["time"] = (
            f"{_duration(measured.seconds)}, and up to {_duration(measured.compile_seconds)} to compile "
            f"({measured.tiles} of {plan.num_tiles:,} tiles were measured)"
        )
    for key, value in rows.items():
        table.add_row(key, value)
    Console().print(table)
    for warning in plan.warnings:
        Console(stderr=True).print(f"warning: {warning}", markup=False)


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.2g} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def print_summary(
    data: "xr.Dataset", as_json: bool, window: Any, from_n: float | None, extra: dict[str, Any]
) -> None:
    """β_eff(N) and the fit of Eq. 20, one block for each combination of the other axes."""
    if data.attrs["kind"] == "frontier":
        from lidjax.cli.frontier import print_coverage

        return print_coverage(data, as_json, window, extra)
    from lidjax.sweep.summary import summarise

    summary = summarise(data, window=tuple(window) if window else None, from_n=from_n)
    blocks = [_block(summary.isel(where), where) for where in combinations(summary)]
    if as_json:
        print(to_json({**extra, "window": summary.attrs["window"], "results": blocks}))
        return
    from rich.console import Console

    console = Console()
    for block in blocks:
        _print_block(block, summary.attrs, console)


def combinations(summary: "xr.Dataset") -> list[dict[str, int]]:
    axes = [str(name) for name in summary["beta_eff"].dims if name != "n"]
    ranges = itertools.product(*(range(summary.sizes[name]) for name in axes))
    return [dict(zip(axes, index, strict=True)) for index in ranges]


def _block(part: "xr.Dataset", where: dict[str, int]) -> dict[str, Any]:
    columns = (
        *("lgen_mean", "lgen_se", "lgen_median", "lgen_low", "lgen_high"),
        *(
            "beta_eff",
            "beta_eff_low",
            "beta_eff_high",
            "beta_eff_mean_curve",
            "beta_eff_mean_curve_se",
            "in_fit",
        ),
    )
    rows = [
        {"n": int(n), **{name: part[name].sel(n=n).item() for name in columns}}
        for n in part["n"].values.tolist()
    ]
    fit = {
        name: {
            "value": part["saturation"].sel(parameter=name).item(),
            "se": part["saturation_se"].sel(parameter=name).item(),
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


def _print_block(block: dict[str, Any], attrs: dict[str, Any], console: Any) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from lidjax.fitting import describe_status

    at = ", ".join(f"{name} = {value:g}" for name, value in block["at"].items())
    low, high = attrs["window"]
    table = Table(title=f"{attrs['spec']['name']}: {at}; window k = {low:g} to {high:g}", box=SIMPLE_HEAD)
    for column in ("N", "median L_gen", "mean", "β_eff, median (95 %)", "mean curve"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in block["rows"]:
        table.add_row(
            f"{'*' if row['in_fit'] else ' '} {row['n']:,}",
            f"{row['lgen_median']:.2e}",
            f"{row['lgen_mean']:.1e}",
            f"{row['beta_eff']:.3f} ({row['beta_eff_low']:.3f}, {row['beta_eff_high']:.3f})",
            f"{row['beta_eff_mean_curve']:.3f} ± {row['beta_eff_mean_curve_se']:.3f}",
        )
    console.print(table)
    fit = ", ".join(
        f"{symbol} = {block['saturation'][name]['value']:.4g} ± {block['saturation'][name]['se']:.2g}"
        + ("" if block["saturation"][name]["identifiable"] else " (not determined)")
        for name, symbol in (("beta", "β"), ("delta", "Δ"), ("c", "c"), ("nu", "ν"))
    )
    console.print(f"Eq. 20, β_eff = β - Δ/(1 + c N^ν), fitted to the N marked *: {fit}", highlight=False)
    console.print(f"  status: {describe_status(block['fit_status'])}", highlight=False)
    published = attrs["spec"]["fit"]["published"]
    if published:
        measured = [row["beta_eff"] for row in block["rows"] if row["in_fit"]]
        console.print(
            f"  published: {' → '.join(f'{x:g}' for x in published)}; here, over the fitted N: "
            f"{measured[0]:.3f} → {measured[-1]:.3f}",
            highlight=False,
        )
    if block["at"].get("beta", 5) <= 4:
        console.print(
            "  β ≤ 4: the second moment of L_gen does not exist; read its median, not its mean",
            highlight=False,
        )
