"""`lidjax next`: which problems should get the next attempts."""

import argparse
from typing import Any

from lidjax.cli.eval_options import add_files, add_shared_options, read_logs, whole_number
from lidjax.cli.output_options import write_files

EXAMPLE = """\
examples:
  lidjax next counts.csv --attempts 1000             1,000 more, for the first power of ten above the largest n
  lidjax next counts.csv --attempts 1000 --target 1e4 --csv plan.csv
  lidjax fit counts.csv --adaptive                   afterwards: attempts placed in this way bias c/n
"""


def register(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "next",
        help="which problems should get the next attempts",
        description="Divide further attempts among the problems of a log so that pass@K becomes known best: each "
        "attempt goes where it is expected to lower the posterior variance of the mean pass@K most.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_files(parser)
    parser.add_argument(
        "--attempts",
        type=whole_number,
        required=True,
        metavar="M",
        help="number of further attempts to divide, in each group",
    )
    parser.add_argument(
        "--target",
        type=whole_number,
        metavar="K",
        help="pass@K that is to be known (default: the first power of ten above the largest n)",
    )
    parser.add_argument(
        "--at-most",
        type=whole_number,
        metavar="A",
        help="further attempts at one problem (default: no limit)",
    )
    add_shared_options(parser)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Read, divide and print; returns the exit code."""
    import numpy as np

    from lidjax.cli.render.next import print_placements
    from lidjax.evals import next_attempts
    from lidjax.runs import show_progress

    data = read_logs(args)
    found = []
    for group in show_progress("groups", data.groups):
        k = args.target or 10 ** (int(np.log10(group.n.max())) + 1)
        limit = None if args.at_most is None else np.full(len(group.problems), args.at_most)
        found.append((group, next_attempts(group.n, group.c, k, attempts=args.attempts, at_most=limit)))
    write_files(args, print_placements(data.notes, found, as_json=args.json))
    return 0
