"""`lidjax plan`: what a sweep will take, before it runs."""

import argparse
import sys
from pathlib import Path
from typing import Any

from lidjax.cli.render.sweeps import print_plan
from lidjax.cli.spec_options import add_spec_command, read_spec


def register(commands: Any) -> None:
    """Add the command to the parser."""
    parser = add_spec_command(commands, "plan", plan_command, "what a sweep will take, before it runs")
    parser.add_argument(
        "--out",
        help="folder or URL of the results, whose store and free space are looked at (default: runs/NAME)",
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--quick", action="store_true", help="estimate, and run no tile")
    how.add_argument(
        "--measure",
        action="store_true",
        help="run some tiles, however long one takes (default: only where one takes less than a tenth of the run and "
        "less than ten seconds)",
    )


def plan_command(args: argparse.Namespace) -> int:
    """Print the plan of the sweep; 2 if a run would be refused."""
    from lidjax import check_fit, load_spec, measure_sweep, plan_sweep, show_progress

    spec = read_spec(args, load_spec)
    check_fit(spec)
    out = str(Path("runs") / spec.name) if args.out is None else args.out
    plan = plan_sweep(spec, out=out)
    refused = plan.stored.refused if plan.stored else None
    nothing_left = plan.tiles_to_run == 0
    measured = None
    if not (refused or nothing_left or args.quick) and (args.measure or plan.measuring_pays):
        measured = measure_sweep(spec, out=out, seconds=plan.measuring_seconds, progress=show_progress)
    print_plan(plan, measured, spec.name, out, args.json)
    if refused:
        print(f"lidjax: a run would be refused: {refused}", file=sys.stderr)
        return 2
    return 0
