"""`lidjax plot`: the figures of one run, or of several side by side."""

import argparse
from pathlib import Path
from typing import Any

from lidjax.cli.render.output import to_json
from lidjax.cli.show import add_summary_options
from lidjax.errors import InputError

SIDE_BY_SIDE = ("plane", "success", "exponents", "protocols")
"""Figures of the shipped kinds that put the results of several sweeps side by side."""


OF_ONE_STORE = ("default", "scaling", "cifar10h")
"""Figures of a summary, which is of one sweep."""


def register(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("plot", help="the figures of a run, as PDF and PNG")
    parser.add_argument("store", metavar="STORE", nargs="+", help="output folder or URL of a run")
    add_summary_options(parser)
    parser.add_argument(
        "--out", type=Path, help="folder of the figures (default: the folder `figures` of the first STORE)"
    )
    parser.add_argument(
        "--figure",
        metavar="NAME",
        default="default",
        help="default: the figures of one STORE. scaling: Figure 1 of one STORE. cifar10h: Figures 3 and 4, of one "
        "STORE and --data-dir. For several STOREs side by side: plane, the local exponent over (N, k) with the "
        "crossover; success, the law of the success of one trial; exponents, slopes against min(β, γ), over --window "
        "if it is given; protocols, L_inf(k) by the way trials are drawn",
    )
    parser.add_argument(
        "--data-dir", type=Path, help="CIFAR-10H as TensorFlow Datasets writes it, for its images"
    )
    parser.set_defaults(handler=plot_command)


def plot_command(args: argparse.Namespace) -> int:
    """Write the figures and print their paths."""
    from rich.console import Console

    from lidjax import comparison_figure, open_results, save_figure, summarise, sweep_figures
    from lidjax.runs import open_location

    alone = args.figure in OF_ONE_STORE
    _check_options(args, alone=alone)
    results = [open_results(store) for store in args.store]
    folder = args.out or open_location(args.store[0]).figures
    window = tuple(args.window) if args.window else None
    console = Console(stderr=True)
    paths: list[str] = []
    if args.figure == "cifar10h":
        from lidjax.cli.features import draw_cifar10h

        paths = draw_cifar10h(results, folder, args)
    elif not alone:
        with console.status("drawing"):
            figure = comparison_figure(args.figure, results, window=window)
            paths = save_figure(figure, folder, args.figure)
    elif len(results) == 1:
        with console.status("drawing"):
            summary = summarise(results[0], window=window, from_n=args.from_n)
            for name, figure in sweep_figures(results[0], summary):
                if args.figure == "default" or name.startswith(args.figure):
                    paths += save_figure(figure, folder, name)
        if not paths:
            raise InputError(f"{args.store[0]}: this kind of sweep has no figure {args.figure!r}")
    else:
        raise InputError(
            f"plot of {len(results)} STOREs: --figure must name a figure that takes several; allowed: "
            f"{', '.join(SIDE_BY_SIDE)}"
        )
    print(to_json({"figures": paths}) if args.json else "\n".join(paths))
    return 0


def _check_options(args: argparse.Namespace, *, alone: bool) -> None:
    """Raise InputError for an option that the figure does not use."""
    if args.from_n is not None and not alone:
        raise InputError(
            f"--from-n: the figure {args.figure!r} draws no fit of Eq. 20; leave the option out, or draw one of "
            f"{', '.join(OF_ONE_STORE)}"
        )
    if args.data_dir is not None and args.figure != "cifar10h":
        raise InputError(f"--data-dir: the figure {args.figure!r} shows no images; only cifar10h does")
