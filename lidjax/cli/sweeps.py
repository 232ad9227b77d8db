"""`lidjax run`, `plan`, `show` and `plot`: sweeps from a spec to figures."""

import argparse
from pathlib import Path
from typing import Any

from lidjax.cli.output import to_json
from lidjax.cli.sweeps_draw import draw, draw_beside, figures_folder
from lidjax.cli.sweeps_output import print_summary
from lidjax.cli.sweeps_run import plan_command, run_command
from lidjax.errors import InputError

OVERRIDES = """\
Any key of the spec can be set here, for this run:
  lidjax {command} sweeps/figure1.toml --grid.beta 2.5 4 --run.memory-gib 2
`lidjax {command} SPEC.toml --help` lists them all with their values in that spec.
"""


BESIDE = ("plane", "success", "exponents", "protocols")
"""Figures that put the results of several sweeps side by side."""


def register(commands: Any) -> None:
    """Add the four commands to the parser."""
    run = _spec_command(commands, "run", run_command, "run a sweep, or go on with one")
    run.add_argument(
        "--out",
        help="folder or URL (s3://, gs://) of the results (default: runs/NAME, after the spec's name)",
    )
    run.add_argument(
        "--no-resume", action="store_true", help="start the store anew instead of going on with it"
    )
    run.add_argument("--no-plot", action="store_true", help="leave the figures to `lidjax plot`")
    run.add_argument(
        "--shard", metavar="I/N", help="compute the I-th of N shares of the tiles only, such as 2/8"
    )
    run.add_argument(
        "--distributed",
        action="store_true",
        help="one process of several: share the tiles by jax.distributed, or as tasks of a SLURM job array",
    )
    plan = _spec_command(commands, "plan", plan_command, "what a sweep will take, before it runs")
    plan.add_argument("--out", help="folder whose disk is checked")
    plan.add_argument(
        "--quick", action="store_true", help="do not compute a few tiles to measure time and memory"
    )

    show = commands.add_parser("show", help="the laws fitted to the results of a run")
    plot = commands.add_parser("plot", help="the figures of a run, as PDF and PNG")
    for parser, handler in ((show, show_command), (plot, plot_command)):
        nargs = "+" if parser is plot else None
        parser.add_argument("store", metavar="STORE", nargs=nargs, help="output folder or URL of a run")
        parser.add_argument(
            "--window", type=float, nargs=2, metavar=("K1", "K2"), help="window of k for β_eff"
        )
        parser.add_argument("--from-n", type=float, help="smallest N in the fit of Eq. 20 (default: 1.5 d)")
        parser.add_argument("--json", action="store_true", help="print JSON for programs")
        parser.set_defaults(handler=handler)
    plot.add_argument("--out", type=Path, help="folder of the figures (default: the first STORE's figures)")
    plot.add_argument(
        "--figure",
        choices=("scaling", "cifar10h", *BESIDE),
        default="scaling",
        help="scaling: Figure 1, one STORE (of a [frontier] sweep its own figure). "
        "cifar10h: Figures 3 and 4, one STORE and --data-dir. "
        "Side by side for several: plane, the local exponent over (N, k) with the "
        "crossover; success, the law of one trial's success; exponents, slopes against min{β, γ}; protocols, L_inf(k) "
        "by the way trials are drawn",
    )
    plot.add_argument(
        "--data-dir", type=Path, help="CIFAR-10H as TensorFlow Datasets writes it, for its images"
    )


def _spec_command(commands: Any, name: str, handler: Any, text: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name,
        help=text,
        description=text,
        epilog=OVERRIDES.format(command=name),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
    )
    parser.add_argument("spec", nargs="?", metavar="SPEC.toml", help="the sweep; see sweeps/ for some")
    parser.add_argument("--json", action="store_true", help="print JSON for programs")
    parser.add_argument(
        "-h", "--help", action="store_true", help="this text; after SPEC.toml, every key of the spec"
    )
    parser.set_defaults(handler=handler, takes_overrides=True, parser=parser)
    return parser


def show_command(args: argparse.Namespace) -> int:
    from lidjax.runs.store import open_results

    print_summary(open_results(args.store), args.json, args.window, args.from_n, extra={})
    return 0


def plot_command(args: argparse.Namespace) -> int:
    from rich.console import Console

    from lidjax.runs.store import open_results

    results = [open_results(store) for store in args.store]
    if args.figure in BESIDE and any(data.attrs["kind"] == "frontier" for data in results):
        raise InputError(
            f"--figure {args.figure} is of LID sweeps; a [frontier] sweep has one figure: leave it out"
        )
    folder = args.out or figures_folder(args.store[0])
    console = Console(stderr=True)
    if args.figure == "cifar10h":
        from lidjax.cli.features import draw_cifar10h

        paths = draw_cifar10h(results, folder, args)
    elif args.figure != "scaling":
        paths = draw_beside(args.figure, results, folder, console)
    elif len(results) == 1:
        paths = draw(results[0], folder, args.window, args.from_n, console)
    else:
        raise InputError(
            f"--figure scaling takes one STORE, not {len(results)}; allowed side by side: {', '.join(BESIDE)}"
        )
    print(to_json({"figures": paths}) if args.json else "\n".join(paths))
    return 0
