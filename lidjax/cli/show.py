"""`lidjax show`: the laws fitted to the results of a run."""

import argparse
from typing import TYPE_CHECKING, Any

from lidjax.cli.output_options import add_output_options, write_files
from lidjax.cli.render.sweeps import print_summary
from lidjax.cli.selection import add_at, select_at
from lidjax.cli.stores import add_strict, read_results, say_unfinished
from lidjax.errors import InputError

if TYPE_CHECKING:
    import xarray as xr

    from lidjax.cli.render.output import Table

EXAMPLE = """\
examples:
  lidjax show runs/figure1                           a table; of several cells, an overview with a row each
  lidjax show runs/figure1 --at beta=2.5 dim=128     one cell in full
  lidjax show runs/figure1 --csv figure1.csv         every number, a row for each cell and N
  lidjax show runs/distill --at target=truth         of `lidjax distill`, one way to judge its students
A table that is wider than the terminal is printed in blocks that repeat its first columns. Where the output is not a
terminal, a row is a line, however wide; COLUMNS=80 sets a width.
"""


def register(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "show",
        help="the laws fitted to the results of a run",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("store", metavar="STORE", help="output folder or URL of a run")
    add_at(parser)
    parser.add_argument(
        "--details", action="store_true", help="the table of every cell, instead of an overview of several"
    )
    add_summary_options(parser)
    add_output_options(parser)
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
    add_strict(parser)


def show_command(args: argparse.Namespace) -> int:
    """Print the summary of the results, of a sweep or of the teacher-student experiment."""
    from lidjax import summarise

    if is_distillation(args.store):
        write_files(args, _show_distillation(args))
        return 0
    window = tuple(args.window) if args.window else None
    data = select_at(read_results(args.store, strict=args.strict), args.at)
    tables = print_summary(
        summarise(data, window=window, from_n=args.from_n),
        command="show",
        as_json=args.json,
        about={"tiles_done": data.attrs["tiles_done"], "tiles": data.attrs["tiles"]},
        store=args.store,
        details=args.details,
    )
    write_files(args, tables)
    return 0


def is_distillation(store: str) -> bool:
    """Whether a store holds the results of `lidjax distill`."""
    from lidjax.runs import open_location, stored_kind

    return stored_kind(open_location(store)).startswith("distill")


def distillation_summary(args: argparse.Namespace) -> "tuple[xr.Dataset, xr.Dataset]":
    """The counts of a teacher-student experiment and their summary, at the targets chosen with `--at`."""
    from lidjax import open_distillation, summarise_distillation

    if args.from_n is not None:
        raise InputError("--from-n: the fit of Eq. 20 to students takes every N; leave the option out")
    store = args.store if isinstance(args.store, str) else args.store[0]
    data = open_distillation(store)
    say_unfinished(store, "distill", "students", data, strict=args.strict)
    window = tuple(args.window) if args.window else None
    return data, select_at(summarise_distillation(data, window=window), args.at)


def _show_distillation(args: argparse.Namespace) -> "list[Table]":
    from lidjax.cli.render.distill import print_results

    data, summary = distillation_summary(args)
    return print_results(data, summary, {}, args.json, [], {"out": args.store}, command="show")
