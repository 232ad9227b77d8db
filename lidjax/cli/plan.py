"""`lidjax plan`: what a sweep will take, before it runs."""

import argparse
from pathlib import Path
from typing import Any

from lidjax.cli.render.sweeps import print_plan
from lidjax.cli.spec_options import add_spec_command, read_spec


def register(commands: Any) -> None:
    """Add the command to the parser."""
    parser = add_spec_command(commands, "plan", plan_command, "what a sweep will take, before it runs")
    parser.add_argument("--out", help="folder or URL whose free space is checked (default: runs/NAME)")
    parser.add_argument(
        "--quick", action="store_true", help="estimate, instead of measuring time and memory on a few tiles"
    )


def plan_command(args: argparse.Namespace) -> int:
    """Print the plan of the sweep."""
    from lidjax import check_fit, load_spec, measure_sweep, plan_sweep, show_progress

    spec = read_spec(args, load_spec)
    check_fit(spec)
    plan = plan_sweep(spec, out=str(Path("runs") / spec.name) if args.out is None else args.out)
    measured = None if args.quick else measure_sweep(spec, progress=show_progress)
    print_plan(plan, measured, spec.name, args.json)
    return 0
