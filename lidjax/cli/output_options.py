"""What the commands that print tables share: their form for programs, and for papers."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from lidjax.cli.render.files import write_tables
from lidjax.cli.render.output import Table, print_paths


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add `--json`."""
    parser.add_argument(
        "--json",
        action="store_true",
        help="print JSON for programs: one object with command, version, and the results",
    )


def add_output_options(parser: argparse.ArgumentParser) -> None:
    """Add `--json`, `--csv` and `--latex`."""
    add_json(parser)
    parser.add_argument(
        "--csv",
        type=Path,
        metavar="FILE",
        help="write the main table to FILE with every digit, and further tables beside it as FILE-NAME",
    )
    parser.add_argument("--latex", type=Path, metavar="FILE", help="write the tables to FILE as LaTeX")


def write_files(args: argparse.Namespace, tables: Sequence[Table]) -> list[str]:
    """Write the files that were asked for, and print their paths unless JSON is printed."""
    written = write_tables(tables, csv_file=args.csv, latex_file=args.latex)
    if not args.json:
        print_paths(written)
    return written
