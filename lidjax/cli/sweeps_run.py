"""`lidjax run` and `lidjax plan`."""

import argparse
import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from lidjax.cli.output import to_json
from lidjax.cli.sweeps_draw import draw, figures_folder
from lidjax.cli.sweeps_output import plan_table, print_plan, print_summary, say_failures
from lidjax.errors import InputError

if TYPE_CHECKING:
    from lidjax.runs.lock import Share
    from lidjax.sweep.spec import Spec


def read_spec(args: argparse.Namespace) -> "Spec":
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

    from lidjax.runs.interrupt import Stopped
    from lidjax.runs.location import place_of
    from lidjax.runs.progress import tracker
    from lidjax.runs.shards import missing_cells, wait_for_others
    from lidjax.runs.store import open_results
    from lidjax.sweep.measure import peak_memory
    from lidjax.sweep.run import run_sweep

    spec = read_spec(args)
    share, together = _share(args)
    out = args.out or str(Path("runs") / spec.name)
    console = Console(stderr=True)
    part = f", share {share}" if share else ""
    console.print(f"lidjax run: {spec.name} → {out}{part}", highlight=False)
    start = time.perf_counter()
    try:
        data = run_sweep(spec, out=out, resume=not args.no_resume, track=tracker(console), share=share)
    except Stopped:
        console.print(
            f"stopped after a whole tile; to go on:\n  {_command()}", highlight=False, soft_wrap=True
        )
        return 1
    seconds = time.perf_counter() - start
    took = f"{seconds:.1f} s, peak memory {peak_memory() / 2**20:,.0f} MiB"
    if share is None:
        console.print(f"{data['status'].size:,} cells in {took}; results in {out}", highlight=False)
    else:
        place = place_of(out)
        console.print(f"share {share} done in {took}", highlight=False)
        missing = wait_for_others(place, share) if together and share.index == 0 else missing_cells(place)
        if missing and together and share.index == 0:
            console.print(
                f"{missing:,} cells are missing: a process ended early; the same command does the rest"
            )
            return 1
        if missing or (together and share.index != 0):
            return 0
        data = open_results(out)
    failed = say_failures(data, console)
    figures = [] if args.no_plot else draw(data, figures_folder(out), None, None, console)
    print_summary(data, args.json, None, None, extra={"out": out, "seconds": seconds, "figures": figures})
    return 1 if failed == data["status"].size else 0


def _share(args: argparse.Namespace) -> "tuple[Share | None, bool]":
    """The share of this process, and whether the first process waits for the others."""
    from lidjax.runs.shards import array_share, join_processes, parse_share

    if args.shard and args.distributed:
        raise InputError("--shard and --distributed: one of the two")
    if args.no_resume and (args.shard or args.distributed):
        raise InputError(
            "--no-resume: remove the store first, or name a new --out; a share would remove the others' work"
        )
    if args.shard:
        return parse_share(args.shard), False
    if not args.distributed:
        return None, False
    share = array_share()
    return (share, False) if share else (join_processes(), True)


def _command() -> str:
    """What was typed, ready to be typed again."""
    words = [Path(sys.argv[0]).name, *sys.argv[1:]]
    return shlex.join(word for word in words if word != "--no-resume")


def plan_command(args: argparse.Namespace) -> int:
    from lidjax.runs.location import place_of
    from lidjax.sweep.measure import forecast
    from lidjax.sweep.plan import check_resources, make_plan
    from lidjax.sweep.run import open_source, precision_of

    spec = read_spec(args)
    place = place_of(args.out or str(Path("runs") / spec.name))
    with precision_of(spec):
        source = open_source(spec)
        plan = make_plan(source, spec.run)
        check_resources(plan, place)
        measured = None if args.quick else forecast(source, plan)
    if args.json:
        print(to_json(plan_table(plan, measured)))
    else:
        print_plan(plan, measured, spec.name)
    return 0
