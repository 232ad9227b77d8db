"""`lidjax fit`: evaluation logs to forecasts of pass@K and tail indices."""

import argparse
from pathlib import Path
from typing import Any

from lidjax.cli.eval_options import add_files, add_shared_options, read_logs, whole_number
from lidjax.cli.metric_options import (
    add_metric_options,
    check_metric_options,
    fit_metrics,
    metrics_for_figure,
)
from lidjax.cli.output_options import write_files


def register(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "fit",
        help="the hard tail of a model from its evaluation logs, and forecasts of pass@K",
        description="Read evaluation logs (tables of problem, n, c or of attempts as CSV, JSONL, JSON or Parquet; "
        "lists of verdicts; Inspect, lm-evaluation-harness, human-eval, EvalPlus, BigCode, MultiPL-E, NeMo-Skills, "
        "lighteval, SWE-bench), check them, fit the distribution of success rates, forecast pass@K.",
    )
    add_files(parser)
    parser.add_argument(
        "--target", type=whole_number, nargs="+", metavar="K", help="attempts to forecast pass@K at"
    )
    parser.add_argument(
        "--details",
        action="store_true",
        help="also the tail index by every estimator, and all models compared (seconds a group)",
    )
    parser.add_argument(
        "--bootstrap",
        choices=("problems", "attempts", "none"),
        help="what intervals of the tail indices resample (default: problems with --details, else none)",
    )
    parser.add_argument(
        "--replicates", type=whole_number, default=200, help="bootstrap replicates (default: 200)"
    )
    parser.add_argument(
        "--models",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="fit and compare all models (default: with --details)",
    )
    parser.add_argument(
        "--training", metavar="COLUMN", help="column of training size: tail index against it, Eq. 20"
    )
    parser.add_argument(
        "--more",
        type=whole_number,
        help="further attempts whose worth is estimated (default: as many again)",
    )
    parser.add_argument(
        "--counts",
        type=Path,
        metavar="FILE.csv",
        help="write what was understood of the logs as a table: groups, problem, n, c, attempts left aside",
    )
    parser.add_argument("--figure", type=Path, metavar="DIR", help="write the figures into this folder")
    parser.add_argument(
        "--report",
        type=Path,
        metavar="FILE.html",
        help="write everything as one HTML file, with figures and tables to explore (needs the extra `report`)",
    )
    parser.add_argument(
        "--failure",
        action="store_true",
        help="draw the failure rate 1 - pass@k in the figure, where tails are seen",
    )
    add_metric_options(parser)
    add_shared_options(parser)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Read, fit, draw and print; returns the exit code."""
    check_metric_options(args)
    data = read_logs(args)
    from lidjax.cli.render.evals import fit_tables, print_fits
    from lidjax.cli.render.metrics import metric_tables
    from lidjax.evals import fit_evals, group_by_training_size, write_counts
    from lidjax.runs import show_progress

    if args.report:
        from lidjax.report import check_installed

        check_installed()  # a missing extra is an error before the fit
    if args.counts:
        write_counts(data, args.counts)
    if args.training:
        group_by_training_size(data.groups, args.training)  # a wrong column is an error before the fit
    fits = fit_evals(
        data,
        targets=args.target,
        level=args.level,
        pool=args.pool,
        models=args.details if args.models is None else args.models,
        bootstrap=args.bootstrap or ("problems" if args.details else "none"),
        replicates=args.replicates,
        more=args.more,
        progress=show_progress,
    )
    metrics = fit_metrics(args, fits)
    details = args.details or args.bootstrap is not None
    training = fits.training(args.training) if args.training else []
    figures: list[str] = []
    if args.figure:
        from lidjax import save_figure
        from lidjax.figures import evaluation_figure, training_figure

        figures = save_figure(evaluation_figure(fits, failure=args.failure), args.figure, "evaluations")
        if metrics:
            from lidjax.figures import metrics_figure

            figures += save_figure(metrics_figure(metrics_for_figure(args, fits)), args.figure, "metrics")
        if training:
            figures += save_figure(training_figure(training, args.training), args.figure, "training")
    if args.report:
        from lidjax import write_fit_report
        from lidjax.cli.report import about_this_run

        write_fit_report(
            fits, args.report, training=training, column=args.training or "", about=about_this_run(args.files)
        )
        figures.append(str(args.report))
    print_fits(
        fits, training, metrics, column=args.training, figures=figures, details=details, as_json=args.json
    )
    write_files(args, [*fit_tables(fits, training, args.training), *metric_tables(metrics)])
    return 0
