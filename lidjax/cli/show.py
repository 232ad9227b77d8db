"""`lidjax show`: the laws fitted to the results of a run."""

import argparse
from typing import Any

from lidjax.cli.render.sweeps import print_summary


def register(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("show", help="the laws fitted to the results of a run")
    parser.add_argument("store", metavar="STORE", help="output folder or URL of a run")
    add_summary_options(parser)
    parser.set_defaults(handler=show_command)


def add_summary_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a summary."""
    parser.add_argument(
        "--window",
        type=float,
        nargs=2,
        metavar=("K1", "K2"),
        help="window of k for β_eff (default: the spec's)",
    )
    parser.add_argument(
        "--from-n", type=float, help="smallest N in the fit of Eq. 20 (default: the spec's, or 1.5 d)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON for programs")


def show_command(args: argparse.Namespace) -> int:
    """Print the summary of the results."""
    from lidjax import open_results, summarise

    window = tuple(args.window) if args.window else None
    print_summary(summarise(open_results(args.store), window=window, from_n=args.from_n), args.json, {})
    return 0
