"""`lidjax run`: run a sweep, or resume one."""

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lidjax.cli.interrupted import say_interrupted
from lidjax.cli.render.sweeps import print_failures, print_summary
from lidjax.cli.slurm import add_slurm_options, refuse_without_slurm, submit
from lidjax.cli.spec_options import add_spec_command, read_spec
from lidjax.errors import InputError

if TYPE_CHECKING:
    from lidjax.runs import Shard


def register(commands: Any) -> None:
    """Add the command to the parser."""
    parser = add_spec_command(commands, "run", run_command, "run a sweep, or resume one")
    parser.add_argument(
        "--out",
        help="folder or URL (s3://, gs://) of the results (default: runs/NAME, after the spec's name)",
    )
    parser.add_argument(
        "--no-resume", action="store_true", help="start the store anew instead of resuming it"
    )
    parser.add_argument("--no-plot", action="store_true", help="leave the figures to `lidjax plot`")
    parser.add_argument(
        "--shard", metavar="I/N", help="compute the I-th of N shards of the tiles only, such as 2/8"
    )
    parser.add_argument(
        "--distributed",
        action="store_true",
        help="one process of several: divide the tiles by jax.distributed, or as tasks of a SLURM job array",
    )
    add_slurm_options(parser)


def run_command(args: argparse.Namespace) -> int:
    """Run the sweep, draw its figures and print its summary."""
    from rich.console import Console

    from lidjax import (
        check_fit,
        load_spec,
        plan_sweep,
        run_sweep,
        save_figure,
        stop_on_signals,
        summarise,
        sweep_figures,
    )
    from lidjax.runs import ConsoleProgress, Stopped, open_location
    from lidjax.sweep import peak_memory

    spec = read_spec(args, load_spec)
    check_fit(spec)  # before anything is computed
    out = str(Path("runs") / spec.name) if args.out is None else args.out
    if args.slurm is not None:
        plan = plan_sweep(spec, out=out)
        if plan.stored is not None and plan.stored.refused:
            raise InputError(plan.stored.refused)
        return submit(args, spec.name, out, open_location(out))
    refuse_without_slurm(args)
    shard, together = _shard(args)
    console = Console(stderr=True)
    part = f", shard {shard}" if shard else ""
    console.print(f"lidjax run: {spec.name} → {out}{part}", highlight=False)
    start = time.perf_counter()
    try:
        with stop_on_signals() as stop:
            progress = ConsoleProgress(console)
            data = run_sweep(
                spec, out=out, resume=not args.no_resume, progress=progress, stop=stop, shard=shard
            )
    except Stopped as stopped:
        return say_interrupted(args.command, stopped.number, step="tile")
    seconds = time.perf_counter() - start
    took = f"{seconds:.1f} s, peak memory {peak_memory() / 2**20:,.0f} MiB"
    if shard is None:
        console.print(f"{data['status'].size:,} cells in {took}; results in {out}", highlight=False)
    else:
        console.print(f"shard {shard} done in {took}", highlight=False)
        code = _wait(out, shard, together, console)
        if code is not None:
            return code
        from lidjax import open_results

        data = open_results(out)
    failed = print_failures(data, console)
    summary = summarise(data)
    figures: list[str] = []
    if not args.no_plot:
        folder = open_location(out).figures
        with console.status("drawing"):
            try:
                for name, figure in sweep_figures(data, summary):
                    figures += save_figure(figure, folder, name)
            except InputError as error:
                # the results are there: too many cells for one figure must not fail the run
                console.print(f"no figure: {error}", style="yellow", highlight=False, soft_wrap=True)
    print_summary(
        summary,
        command="run",
        as_json=args.json,
        about={"out": out, "seconds": seconds, "figures": figures},
        store=out,
    )
    return 1 if failed == data["status"].size else 0


def _wait(out: str, shard: "Shard", together: bool, console: Any) -> int | None:
    """Wait for the other shards; the exit code if this process is done, None if it reports the whole sweep."""
    from lidjax.runs import missing_cells, open_location, wait_for_others

    first = together and shard.index == 0
    location = open_location(out)
    missing = wait_for_others(location, shard) if first else missing_cells(location)
    if missing and first:
        console.print(
            f"{missing:,} cells are missing because a process ended early; run the same command again to complete them"
        )
        return 1
    return 0 if missing or (together and not first) else None


def _shard(args: argparse.Namespace) -> "tuple[Shard | None, bool]":
    """The shard of this process, and whether the first process waits for the others."""
    from lidjax.runs import array_shard, join_processes, parse_shard

    if args.shard and args.distributed:
        raise InputError("--shard and --distributed exclude each other")
    if args.no_resume and (args.shard or args.distributed):
        raise InputError(
            "--no-resume: a shard would remove the work of the others; remove the store first, or name a new --out"
        )
    if args.shard:
        return parse_shard(args.shard), False
    if not args.distributed:
        return None, False
    shard = array_shard()
    return (shard, False) if shard else (join_processes(), True)
