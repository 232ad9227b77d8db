"""`lidjax backtest`: how good forecasts of pass@K from a part of the attempts are."""

import argparse
from pathlib import Path
from typing import Any

from lidjax.cli.eval_options import add_files, add_shared_options, read_logs, whole_number
from lidjax.cli.output_options import write_files


def register(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "backtest",
        help="subsample a log to a budget, forecast pass@K, score against all of it",
        description="Subsample every problem to --budget attempts, forecast pass@--target from them alone with the "
        "default model, the published baselines and (if asked for) the maximum-likelihood models, and score against "
        "the full counts.",
    )
    add_files(parser)
    parser.add_argument(
        "--budget", type=whole_number, required=True, metavar="B", help="attempts a problem to keep"
    )
    parser.add_argument("--target", type=whole_number, required=True, metavar="K", help="pass@K to forecast")
    parser.add_argument(
        "--seeds", type=whole_number, default=5, metavar="S", help="number of subsamples (default: 5)"
    )
    parser.add_argument(
        "--models",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="also score the maximum-likelihood models (seconds for each group and seed)",
    )
    parser.add_argument("--figure", type=Path, metavar="DIR", help="write the figure into this folder")
    add_shared_options(parser)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Read, forecast, draw and print; returns the exit code."""
    from lidjax.cli.render.evals import backtest_tables, print_backtest
    from lidjax.evals import backtest
    from lidjax.runs import show_progress

    result = backtest(
        read_logs(args),
        budget=args.budget,
        target=args.target,
        seeds=args.seeds,
        models=args.models,
        pool=args.pool,
        level=args.level,
        progress=show_progress,
    )
    figures: list[str] = []
    if args.figure:
        from lidjax import save_figure
        from lidjax.figures import backtest_figure

        figures = save_figure(backtest_figure(result.forecasts), args.figure, "backtest")
    print_backtest(result, level=args.level, figures=figures, as_json=args.json)
    write_files(args, backtest_tables(result, args.level))
    return 0
