"""Options of `lidjax fit` for metrics beside pass@k, and what they compute."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lidjax.errors import InputError, check_choice

if TYPE_CHECKING:
    from lidjax.evals import EvalFits, GroupMetrics

POINTS_PER_DECADE = 5  # of figures
NAMES = ("pass^k", "g-pass", "attempts", "majority", "verifier")


def add_metric_options(parser: argparse.ArgumentParser) -> None:
    """Add `--metrics`, `--tau` and `--verifier`."""
    parser.add_argument(
        "--metrics",
        nargs="+",
        default=[],
        metavar="NAME",
        help="metrics beside pass@k: pass^k (all of k attempts succeed), g-pass (at least a share of them), attempts "
        "(attempts and tokens until the first success), majority (a vote; needs the answers), verifier",
    )
    parser.add_argument(
        "--tau",
        type=float,
        nargs="+",
        default=[0.5],
        metavar="T",
        help="shares of the attempts that must succeed for g-pass (default: 0.5)",
    )
    parser.add_argument(
        "--verifier",
        type=float,
        nargs=2,
        metavar=("SENSITIVITY", "FALSE_ACCEPTANCE"),
        help="a verifier that accepts right answers with the first probability and wrong ones with the second, such as "
        "0.95 0.02: the first accepted attempt is right; --metrics verifier alone learns both from the log",
    )


def fit_metrics(
    args: argparse.Namespace, fits: "EvalFits", k: Sequence[int] | None = None
) -> "list[GroupMetrics]":
    """The metrics that were asked for, of each group, at the targets or at the given k; empty if none were."""
    names: list[str] = list(args.metrics)
    if args.verifier is not None and "verifier" not in names:
        names.append("verifier")
    if not names:
        return []
    from lidjax.evals import forecast_metrics

    return forecast_metrics(
        fits, names, k=k, tau=args.tau, verifier=None if args.verifier is None else tuple(args.verifier)
    )


def metrics_for_figure(args: argparse.Namespace, fits: "EvalFits") -> "list[GroupMetrics]":
    """The metrics at k evenly spaced in log k, up to the largest target."""
    import numpy as np

    largest = max(int(fit.forecast.k.max()) for fit in fits)
    points = int(np.ceil(POINTS_PER_DECADE * np.log10(largest))) + 1
    return fit_metrics(args, fits, sorted({int(k) for k in np.round(np.geomspace(1, largest, points))}))


def check_metric_options(args: argparse.Namespace) -> None:
    """Raise InputError for options that no log can satisfy, before a log is read."""
    for name in args.metrics:
        check_choice("--metrics", name, NAMES)
    for tau in args.tau:
        if not 0 < tau <= 1:
            raise InputError(f"--tau {tau:g}: must be above 0 and at most 1, for example 0.5")
    for value in args.verifier or []:
        if not 0 <= value <= 1:
            raise InputError(
                f"--verifier {value:g}: sensitivity and false acceptance must be from 0 to 1, for example 0.95 0.02"
            )
