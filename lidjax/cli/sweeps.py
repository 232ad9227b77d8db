"""`lidjax run`, `plan`, `show` and `plot`: sweeps from a spec to figures."""

import argparse
import itertools
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lidjax.cli.output import to_json
from lidjax.errors import InputError

if TYPE_CHECKING:
    import xarray as xr

    from lidjax.sweep.plan import Plan
    from lidjax.sweep.spec import Spec

OVERRIDES = """\
Any key of the spec can be set here, for this run:
  lidjax {command} sweeps/figure1.toml --grid.beta 2.5 4 --run.memory-gib 2
`lidjax {command} SPEC.toml --help` lists them all with their values in that spec.
"""


BESIDE = ("plane", "success", "exponents", "protocols")
"""Figures that put the results of several sweeps side by side."""


def register(commands: Any) -> None:
    """Add the four commands to the parser."""
    run = _spec_command(commands, "run", run_command, "run a sweep, or go on with one")
    run.add_argument(
        "--out", type=Path, help="folder of the results (default: runs/NAME, after the spec's name)"
    )
    run.add_argument(
        "--no-resume", action="store_true", help="start the store anew instead of going on with it"
    )
    run.add_argument("--no-plot", action="store_true", help="leave the figures to `lidjax plot`")
    plan = _spec_command(commands, "plan", plan_command, "what a sweep will take, before anything runs")
    plan.add_argument("--out", type=Path, help="folder whose disk is checked")

    show = commands.add_parser("show", help="the laws fitted to the results of a run")
    plot = commands.add_parser("plot", help="the figures of a run, as PDF and PNG")
    for parser, handler in ((show, show_command), (plot, plot_command)):
        nargs = "+" if parser is plot else None
        parser.add_argument("store", type=Path, metavar="STORE", nargs=nargs, help="output folder of a run")
        parser.add_argument(
            "--window", type=float, nargs=2, metavar=("K1", "K2"), help="window of k for β_eff"
        )
        parser.add_argument("--from-n", type=float, help="smallest N in the fit of Eq. 20 (default: 1.5 d)")
        parser.add_argument("--json", action="store_true", help="print JSON for programs")
        parser.set_defaults(handler=handler)
    plot.add_argument("--out", type=Path, help="folder of the figures (default: the first STORE's figures)")
    plot.add_argument(
        "--figure",
        choices=("scaling", *BESIDE),
        default="scaling",
        help="scaling: Figure 1, one STORE (of a [frontier] sweep its own figure). "
        "Side by side for several: plane, the local exponent over (N, k) with the "
        "crossover; success, the law of one trial's success; exponents, slopes against min{β, γ}; protocols, L_inf(k) "
        "by the way trials are drawn",
    )


def _spec_command(commands: Any, name: str, handler: Any, text: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name,
        help=text,
        description=text,
        epilog=OVERRIDES.format(command=name),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
    )
    parser.add_argument("spec", nargs="?", metavar="SPEC.toml", help="the sweep; see sweeps/ for some")
    parser.add_argument("--json", action="store_true", help="print JSON for programs")
    parser.add_argument(
        "-h", "--help", action="store_true", help="this text; after SPEC.toml, every key of the spec"
    )
    parser.set_defaults(handler=handler, takes_overrides=True, parser=parser)
    return parser


def _read_spec(args: argparse.Namespace) -> "Spec":
    """The spec with overrides from the command line."""
    import tyro

    from lidjax.sweep.spec_file import load_spec

    if args.spec is None:
        args.parser.print_help()
        raise SystemExit(0 if args.help else 2)
    spec = load_spec(args.spec)
    overrides = [*args.overrides, *(["--help"] if args.help else [])]
    if not overrides:
        return spec
    return tyro.cli(type(spec), default=spec, args=overrides, prog=f"lidjax {args.command} {args.spec}")


def run_command(args: argparse.Namespace) -> int:
    from rich.console import Console

    from lidjax.sweep.progress import tracker
    from lidjax.sweep.run import run_sweep

    spec = _read_spec(args)
    out = args.out or Path("runs") / spec.name
    console = Console(stderr=True)
    console.print(f"lidjax run: {spec.name} → {out}", highlight=False)
    start = time.perf_counter()
    data = run_sweep(spec, out=out, resume=not args.no_resume, track=tracker(console))
    seconds = time.perf_counter() - start
    console.print(f"{data['status'].size:,} cells in {seconds:.1f} s; results in {out}", highlight=False)
    failed = _say_failures(data, console)
    figures = [] if args.no_plot else _draw(data, out / "figures", None, None, console)
    _print_summary(
        data, args.json, None, None, extra={"out": str(out), "seconds": seconds, "figures": figures}
    )
    return 1 if failed == data["status"].size else 0


def plan_command(args: argparse.Namespace) -> int:
    from lidjax.sweep.plan import check_resources
    from lidjax.sweep.run import plan_sweep

    spec = _read_spec(args)
    plan = plan_sweep(spec)
    out = args.out or Path("runs") / spec.name
    if args.json:
        print(to_json(_plan_table(plan)))
    else:
        _print_plan(plan, spec.name)
    check_resources(plan, out)
    return 0


def show_command(args: argparse.Namespace) -> int:
    from lidjax.sweep.store import open_results

    _print_summary(open_results(args.store), args.json, args.window, args.from_n, extra={})
    return 0


def plot_command(args: argparse.Namespace) -> int:
    from rich.console import Console

    from lidjax.sweep.store import open_results, store_path

    results = [open_results(store) for store in args.store]
    if args.figure in BESIDE and any(data.attrs["kind"] == "frontier" for data in results):
        raise InputError(
            f"--figure {args.figure} is of LID sweeps; a [frontier] sweep has one figure: leave it out"
        )
    folder = args.out or store_path(args.store[0]).parent / "figures"
    console = Console(stderr=True)
    if args.figure != "scaling":
        paths = _draw_beside(args.figure, results, folder, console)
    elif len(results) == 1:
        paths = _draw(results[0], folder, args.window, args.from_n, console)
    else:
        raise InputError(
            f"--figure scaling takes one STORE, not {len(results)}; allowed side by side: {', '.join(BESIDE)}"
        )
    print(to_json({"figures": paths}) if args.json else "\n".join(paths))
    return 0


def _say_failures(data: "xr.Dataset", console: Any) -> int:
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


def _plan_table(plan: "Plan") -> dict[str, Any]:
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
        "seconds": plan.seconds,
        "device": plan.device,
        "warnings": list(plan.warnings),
    }


def _print_plan(plan: "Plan", name: str) -> None:
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
        "memory a tile": f"{plan.tile_bytes / 2**20:,.1f} MiB",
        "store": f"at most {plan.store_bytes / 2**20:,.1f} MiB",
        "time": f"about {_duration(plan.seconds)}, and compiling",
        "device": plan.device,
    }
    for key, value in rows.items():
        table.add_row(key, value)
    Console().print(table)
    for warning in plan.warnings:
        Console(stderr=True).print(f"warning: {warning}", markup=False)


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.2g} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _print_summary(
    data: "xr.Dataset", as_json: bool, window: Any, from_n: float | None, extra: dict[str, Any]
) -> None:
    """β_eff(N) and the fit of Eq. 20, one block for each combination of the other axes."""
    if data.attrs["kind"] == "frontier":
        from lidjax.cli.frontier import print_coverage

        return print_coverage(data, as_json, window, extra)
    from lidjax.summary import summarise

    summary = summarise(data, window=tuple(window) if window else None, from_n=from_n)
    blocks = [_block(summary.isel(where), where) for where in _combinations(summary)]
    if as_json:
        print(to_json({**extra, "window": summary.attrs["window"], "results": blocks}))
        return
    from rich.console import Console

    console = Console()
    for block in blocks:
        _print_block(block, summary.attrs, console)


def _combinations(summary: "xr.Dataset") -> list[dict[str, int]]:
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

    from lidjax.fit import describe_status

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


def _draw(data: "xr.Dataset", folder: Path, window: Any, from_n: float | None, console: Any) -> list[str]:
    """Write every figure of the results as PDF and PNG; returns the paths."""
    from lidjax.figures import frontier_figure, save, scaling_figure

    if data.attrs["kind"] == "frontier":
        with console.status("drawing"):
            return save(frontier_figure(data, window=window), folder, "frontier")
    from lidjax.summary import summarise

    summary = summarise(data, window=tuple(window) if window else None, from_n=from_n)
    paths: list[str] = []
    combinations = _combinations(summary)
    with console.status("drawing"):
        for where in combinations:
            varying = {name: summary[name].values[i] for name, i in where.items() if summary.sizes[name] > 1}
            suffix = "".join(f"_{name}{value:g}" for name, value in varying.items())
            figure = scaling_figure(summary.isel(where))
            paths += save(figure, folder, f"scaling{suffix}")
    return paths


def _draw_beside(name: str, results: "list[xr.Dataset]", folder: Path, console: Any) -> list[str]:
    from lidjax import figures

    draw = {
        "plane": figures.plane_figure,
        "success": figures.success_figure,
        "exponents": figures.exponents_figure,
        "protocols": figures.protocols_figure,
    }[name]
    with console.status("drawing"):
        return figures.save(draw(results), folder, name)
