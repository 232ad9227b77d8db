"""`lidjax status`: how far a run is, which processes are at work, and the time left."""

import argparse
import math
import shlex
from typing import TYPE_CHECKING, Any

from lidjax.cli.render.output import print_json, print_lines
from lidjax.cli.render.sweeps import duration

if TYPE_CHECKING:
    from lidjax.runs import RunStatus

EXAMPLE = """\
examples:
  lidjax status runs/figure1                 tiles done, processes at work, cells that failed, time left
  lidjax status s3://bucket/sweep --json     the same for programs, from any machine that sees the store
Nothing is written, and the run goes on meanwhile.
"""


def register(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "status",
        help="how far a run is, which processes are at work, and the time left",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("store", metavar="STORE", help="output folder or URL of a run")
    parser.add_argument("--json", action="store_true", help="print the numbers as one JSON object")
    parser.set_defaults(handler=status_command)


def status_command(args: argparse.Namespace) -> int:
    """Print how far the run is."""
    from lidjax import run_status

    status = run_status(args.store)
    if args.json:
        record = status._asdict() | {
            "running": [worker._asdict() for worker in status.running],
            "seconds_left": None if math.isnan(status.seconds_left) else status.seconds_left,
        }
        print_json("status", {"out": args.store} | record)
    else:
        print_lines(_lines(status, args.store))
    return 0


def _lines(status: "RunStatus", store: str) -> list[str]:
    """The state of a run in sentences."""
    command = "distill" if status.kind.startswith("distill") else "run"
    unit = "students" if command == "distill" else "tiles"
    lines = [
        f"{status.name or store}: {status.tiles_done:,} of {status.tiles:,} {unit} done "
        f"({status.cells_done:,} of {status.cells:,} cells)"
    ]
    lines += [f"  {count:,} cells failed: {name}" for name, count in status.failed.items()]
    lines += [
        f"  {'shard ' + worker.shard if worker.shard else 'all tiles'}: {worker.holder}"
        for worker in status.running
    ]
    if status.tiles_done == status.tiles:
        lines.append(f"  finished: `lidjax show {shlex.quote(store)}` reads the results")
    elif not status.running:
        lines.append(
            f"  no process is at work; `lidjax {command} SPEC.toml --out {shlex.quote(store)}` with the same spec "
            "goes on"
        )
    elif math.isnan(status.seconds_left):
        lines.append("  time left: not known before two chunks are written")
    else:
        lines.append(f"  time left: about {duration(status.seconds_left)} at the rate of the last chunks")
    return lines
