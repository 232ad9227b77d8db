"""`lidjax compare`: two models on the same problems, from evaluation logs."""

import argparse
from pathlib import Path
from typing import Any

from lidjax.cli.eval_options import add_reading_options, read_logs, whole_number
from lidjax.cli.output_options import add_output_options, write_files


def register(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "compare",
        help="two models on the same problems: which is better at which k, and where their curves cross",
        description="Read the logs of two models, match their problems by name, and give the difference of pass@k at "
        "every k with simultaneous bands, and where the curves cross. The models are two files or folders, or two "
        "groups of one file.",
    )
    parser.add_argument(
        "files",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="the log of each model, or one log that holds both",
    )
    parser.add_argument(
        "--between",
        nargs=2,
        metavar=("A", "B"),
        help="names of the two groups, where the logs hold more than two",
    )
    parser.add_argument(
        "--metric",
        choices=("pass@k", "pass^k"),
        default="pass@k",
        help="one of k attempts succeeds (default), or all of them",
    )
    parser.add_argument("--target", type=whole_number, nargs="+", metavar="K", help="attempts to compare at")
    parser.add_argument("--figure", type=Path, metavar="DIR", help="write the figure into this folder")
    add_reading_options(parser)
    add_output_options(parser)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Read, compare, draw and print; returns the exit code."""
    from lidjax.cli.render.compare import comparison_tables, print_comparison
    from lidjax.evals import choose_pair, compare_groups

    # each path alone: logs of two formats can be compared
    data = [read_logs(args, [path]) for path in args.files]
    first, second = choose_pair(data, args.between)
    found = compare_groups(first, second, metric=args.metric, targets=args.target, level=args.level)
    figures: list[str] = []
    if args.figure:
        from lidjax import save_figure
        from lidjax.figures import paired_figure

        figures = save_figure(paired_figure(found), args.figure, "comparison")
    notes = [note for one in data for note in one.notes]
    print_comparison(found, notes, figures=figures, as_json=args.json)
    write_files(args, comparison_tables(found))
    return 0
