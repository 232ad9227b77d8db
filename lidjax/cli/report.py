"""`lidjax report`: the summary of a sweep as one HTML file."""

import argparse
import shlex
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lidjax.cli.output_options import add_json
from lidjax.cli.render.output import print_json, print_paths
from lidjax.cli.selection import add_at, select_at
from lidjax.cli.show import add_summary_options
from lidjax.cli.stores import read_results
from lidjax.errors import InputError


def register(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "report",
        help="the summary of a run as one HTML file",
        description="Write the summary of a sweep as one HTML file that needs no network: the fits in sentences, "
        "figures that show their values under the pointer, tables to sort and search, methods and provenance. Of "
        "evaluation logs `lidjax fit LOG --report FILE` writes one.",
    )
    parser.add_argument("store", metavar="STORE", help="output folder or URL of a run")
    add_at(parser)
    add_summary_options(parser)
    parser.add_argument(
        "--out", type=Path, metavar="FILE.html", help="file to write (default: report.html in STORE)"
    )
    add_json(parser)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Summarise, write and print the path; returns the exit code."""
    from lidjax import summarise, write_sweep_report
    from lidjax.report import check_installed

    check_installed()
    if args.out is None and "://" in args.store:
        raise InputError(f"report of {args.store}: name a local file with --out FILE.html")
    data = select_at(read_results(args.store, strict=args.strict), args.at)
    window = tuple(args.window) if args.window else None
    summary = summarise(data, window=window, from_n=args.from_n)
    out = args.out or Path(args.store) / "report.html"
    path = write_sweep_report(data, summary, out, about=about_this_run([]))
    if args.json:
        print_json("report", {"report": str(path)})
    else:
        print_paths([str(path)])
    return 0


def about_this_run(files: Iterable[Path]) -> dict[str, str]:
    """The command, the time, and the files that were read, for the end of a report."""
    from lidjax.report import describe_files

    return {
        "command": shlex.join(["lidjax", *sys.argv[1:]]),
        "written": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        **describe_files(files),
    }
