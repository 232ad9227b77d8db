"""`lidjax fit` and `lidjax backtest`: evaluation logs to forecasts of pass@K, and how good such forecasts are."""

import argparse
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lidjax.cli.render.output import to_json
from lidjax.errors import InputError

if TYPE_CHECKING:
    from lidjax.evals import EvalData

FEW_GROUPS = 4  # up to as many groups are shown in full; of more, one line each


def register(commands: Any) -> None:
    """Add the two commands to the parser."""
    fit = commands.add_parser(
        "fit",
        help="the hard tail of a model from its evaluation logs, and forecasts of pass@K",
        description="Read evaluation logs (CSV, Parquet or JSONL of problem, n, c; Inspect; lm-evaluation-harness; "
        "human-eval; is_corrects lists), check them, fit the distribution of success rates, forecast pass@K.",
    )
    fit.add_argument("files", type=Path, nargs="+", metavar="FILE", help="a log, or a folder of logs")
    fit.add_argument("--target", type=_count, nargs="+", metavar="K", help="attempts to forecast pass@K at")
    fit.add_argument("--bootstrap", choices=("problems", "attempts", "none"), help="what intervals of the "
                     "tail indices resample (default: problems for up to 4 groups, else none)")  # fmt: skip
    fit.add_argument("--replicates", type=_count, default=200, help="bootstrap replicates (default: 200)")
    fit.add_argument("--models", action=argparse.BooleanOptionalAction, default=None,
                     help="fit and compare all models (default: for up to 4 groups)")  # fmt: skip
    fit.add_argument(
        "--training", metavar="COLUMN", help="column of training size: tail index against it, Eq. 20"
    )
    fit.add_argument("--more", type=_count, help="attempts to advise on (default: as many again)")
    fit.add_argument("--figure", type=Path, metavar="DIR", help="write the figures into this folder")
    fit.set_defaults(handler=fit_command)

    test = commands.add_parser(
        "backtest",
        help="thin a log to a budget, forecast pass@K, score against all of it",
        description="Thin every problem to --budget attempts, forecast pass@--target from them alone with the default "
        "model, the maximum-likelihood models and the published baselines, and score against the full counts.",
    )
    test.add_argument("files", type=Path, nargs="+", metavar="FILE")
    test.add_argument("--budget", type=_count, required=True, metavar="B", help="attempts a problem to keep")
    test.add_argument("--target", type=_count, required=True, metavar="K", help="pass@K to forecast")
    test.add_argument("--seeds", type=_count, default=5, metavar="S", help="times to thin (default: 5)")
    test.add_argument("--models", action=argparse.BooleanOptionalAction, default=True,
                      help="also score the maximum-likelihood models (slower)")  # fmt: skip
    test.add_argument("--figure", type=Path, metavar="DIR", help="write the figure into this folder")
    test.set_defaults(handler=backtest_command)
    for parser in (fit, test):
        parser.add_argument(
            "--pool", action="store_true", help="share the shape of the densities between groups"
        )
        parser.add_argument("--level", type=float, default=0.9, help="level of the intervals (default: 0.9)")
        parser.add_argument("--columns", nargs="+", default=[], metavar="NAME=COLUMN",
                            help="columns of a table: problem=ID n=SAMPLES c=CORRECT")  # fmt: skip
        parser.add_argument(
            "--group", nargs="*", metavar="COLUMN", help="columns of a table that set groups apart"
        )
        parser.add_argument("--scorer", help="scorer of an Inspect log")
        parser.add_argument("--threshold", type=float, help="scores of an Inspect log from here on are right")
        parser.add_argument("--answer", help="field of the right answer in a harness log")
        parser.add_argument("--json", action="store_true", help="print JSON for programs")


def _count(text: str) -> int:
    try:
        value = int(float(text))
    except (ValueError, OverflowError):
        value = 0
    if value < 1 or value != float(text):
        raise argparse.ArgumentTypeError(f"{text} is not a whole number of 1 or more")
    return value


def _read(args: argparse.Namespace) -> "EvalData":
    from lidjax.evals import read_evals

    if not 0.5 <= args.level < 1:
        raise InputError(f"--level {args.level}: from 0.5 to below 1")
    columns = {}
    for pair in args.columns:
        name, separator, column = pair.partition("=")
        if not separator or name not in ("problem", "n", "c"):
            raise InputError(f"--columns {pair}: write problem=COLUMN, n=COLUMN or c=COLUMN")
        columns[name] = column
    for path in args.files:
        if not path.exists():
            raise InputError(f"{path}: no such file or folder")
    return read_evals(
        args.files,
        columns=columns,
        group=args.group,
        scorer=args.scorer,
        threshold=args.threshold,
        answer=args.answer,
    )


def fit_command(args: argparse.Namespace) -> int:
    from lidjax.cli.evaluations_output import print_fit
    from lidjax.evals.report import Options, report_groups
    from lidjax.evals.training import training_report, training_series

    data = _read(args)
    few = len(data.groups) <= FEW_GROUPS
    over = args.bootstrap or ("problems" if few else "none")
    if args.training:
        training_series(data.groups, args.training)  # a wrong column is said before the work
    options = Options(
        targets=tuple(sorted(set(args.target))) if args.target else None,
        level=args.level,
        pool=args.pool,
        models=few if args.models is None else args.models,
        over=None if over == "none" else over,
        replicates=args.replicates,
        more=args.more,
    )
    reports = report_groups(data, options, track=_tracker("groups"))
    training = []
    if args.training:
        training = training_report(data.groups, [report.tail_posterior for report in reports], args.training)
    figures = []
    if args.figure:
        from lidjax.figures import save
        from lidjax.figures.evaluations import evaluation_figure, training_figure

        figures = save(evaluation_figure(reports), args.figure, "evaluations")
        if training:
            figures += save(training_figure(training, args.training), args.figure, "training")
    print_fit(data, reports, training, args, few=few, figures=figures)
    return 0


def backtest_command(args: argparse.Namespace) -> int:
    from lidjax.cli.evaluations_output import print_backtest
    from lidjax.evals.backtest import backtest

    data = _read(args)
    rows, notes = backtest(
        data,
        budget=args.budget,
        target=args.target,
        seeds=args.seeds,
        models=args.models,
        pool=args.pool,
        level=args.level,
        track=_tracker("seeds"),
    )
    if args.figure:
        from lidjax.figures import save
        from lidjax.figures.evaluations import backtest_figure

        notes += save(backtest_figure(rows), args.figure, "backtest")
    if args.json:
        print(to_json([row._asdict() for row in rows]))
    else:
        print_backtest(rows, notes, args)
    return 0


def _tracker(what: str):
    """A progress bar on stderr, which shows itself where there is more than one step."""

    def track(steps: Sequence[int]) -> Iterator[int]:
        from rich.console import Console
        from rich.progress import track as bar

        items: Iterable = bar(steps, what, console=Console(stderr=True), transient=True)
        yield from items if len(steps) > 1 else steps

    return track
