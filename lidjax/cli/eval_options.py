"""Options that `lidjax fit` and `lidjax backtest` share: which logs to read, and how."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lidjax.cli.output_options import add_output_options
from lidjax.errors import InputError

if TYPE_CHECKING:
    from lidjax.evals import EvalData


LARGEST = 1 << 53  # float64 holds whole numbers up to here
COLUMNS = ("problem", "n", "c", "accuracy", "correct", "attempt", "answer", "tokens", "verifier")


def add_files(parser: argparse.ArgumentParser) -> None:
    """The logs, as positional arguments."""
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help="a log, or a folder of logs")


def add_shared_options(parser: argparse.ArgumentParser) -> None:
    """Options of reading, the level of the intervals, and the form of the output."""
    parser.add_argument(
        "--pool", action="store_true", help="let groups share how probable each family of rates is"
    )
    add_reading_options(parser)
    add_output_options(parser)


def add_reading_options(parser: argparse.ArgumentParser) -> None:
    """The level of the intervals, and how logs are read."""
    parser.add_argument("--level", type=float, default=0.9, help="level of the intervals (default: 0.9)")
    parser.add_argument(
        "--columns",
        nargs="+",
        default=[],
        metavar="NAME=COLUMN",
        help="columns of a table: problem=ID n=SAMPLES c=CORRECT, or accuracy= for c/n; where a row is one attempt, "
        "correct= and attempt=, and for --metrics answer=, tokens= and verifier=",
    )
    parser.add_argument("--group", nargs="*", metavar="COLUMN", help="columns of a table that define groups")
    parser.add_argument(
        "--scorer",
        help="score, verdict, list or metric to count where a log has several; of EvalPlus base or plus",
    )
    parser.add_argument("--threshold", type=float, help="scores from here on are correct")
    parser.add_argument(
        "--answer",
        help="how to find the answer in a harness log: strict-number, last-number, boxed, whole-text, or target for a "
        "text that must equal the field target",
    )
    parser.add_argument(
        "--answer-pattern", metavar="REGEX", help="regular expression of the answer in a harness log"
    )
    parser.add_argument("--filter", help="filter of a harness log whose metric counts")
    parser.add_argument(
        "--pool-files",
        action="store_true",
        help="files with the same problems are attempts of one run: add them up",
    )
    parser.add_argument(
        "--adaptive",
        action="store_true",
        help="the number of attempts at a problem depended on their outcomes: use only methods that stay right then",
    )


def whole_number(text: str) -> int:
    """A whole number from 1 to 2^53, such as 12 or 1e4; for `type=` of an argument."""
    try:
        value = int(text) if text.isdecimal() else int(float(text))
    except (ValueError, OverflowError):
        value = 0
    if value < 1 or (not text.isdecimal() and value != float(text)):
        raise argparse.ArgumentTypeError(f"{text} is not a whole number of 1 or more")
    if value > LARGEST:
        raise argparse.ArgumentTypeError(f"{text} is too large; at most 2^53, about 9e15")
    return value


def read_logs(args: argparse.Namespace, files: Sequence[Path] | None = None) -> "EvalData":
    """The counts in the logs that the arguments name, or in `files` alone."""
    from lidjax.evals import read_evals
    from lidjax.runs import show_progress

    if not 0.5 <= args.level < 1:  # the library says so too, but only after the logs have been read
        raise InputError(f"--level {args.level}: must be at least 0.5 and below 1")
    columns: dict[str, str] = {}
    for pair in args.columns:
        name, separator, column = pair.partition("=")
        if not separator or name not in COLUMNS:
            raise InputError(f"--columns {pair}: write {', '.join(f'{name}=COLUMN' for name in COLUMNS)}")
        columns[name] = column
    return read_evals(
        args.files if files is None else files,
        columns=columns,
        group=args.group,
        scorer=args.scorer,
        threshold=args.threshold,
        answer=args.answer,
        answer_pattern=args.answer_pattern,
        filter=args.filter,
        pool_files=args.pool_files,
        adaptive=args.adaptive,
        progress=show_progress,
    )
