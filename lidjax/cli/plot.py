"""`lidjax plot`: the figures of one run, or of several side by side."""

import argparse
from pathlib import Path
from typing import Any

from lidjax.cli.output_options import add_json
from lidjax.cli.render.output import print_json, print_paths
from lidjax.cli.selection import add_at, chosen_values, select_at
from lidjax.cli.show import add_summary_options, distillation_summary, is_distillation
from lidjax.cli.stores import read_results
from lidjax.errors import InputError, check_choice

SIDE_BY_SIDE = ("plane", "success", "exponents", "protocols")
"""Figures of the shipped kinds that put the results of several sweeps side by side."""

MOST_CELLS = 12
"""Cells of a store that a figure of several sweeps shows side by side."""


OF_ONE_STORE = ("default", "scaling", "cifar10h")
"""Figures of a summary, which is of one sweep."""


def register(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("plot", help="the figures of a run, as PDF and PNG")
    parser.add_argument("store", metavar="STORE", nargs="+", help="output folder or URL of a run")
    add_at(parser)
    parser.add_argument(
        "--col", metavar="AXIS", help="of several cells: the axis along the columns of the figure"
    )
    parser.add_argument(
        "--hue", metavar="AXIS", help="of several cells: the axis whose values share a panel as colours"
    )
    add_summary_options(parser)
    add_json(parser)
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

    from lidjax import comparison_figure, save_figure, split_cells, summarise, sweep_figures
    from lidjax.runs import open_location

    alone = args.figure in OF_ONE_STORE
    _check_options(args, alone=alone)
    if len(args.store) == 1 and is_distillation(args.store[0]):
        return _plot_distillation(args)
    results = [select_at(read_results(store, strict=args.strict), args.at) for store in args.store]
    folder = args.out or open_location(args.store[0]).figures
    window = tuple(args.window) if args.window else None
    console = Console(stderr=True)
    paths: list[str] = []
    if args.figure == "cifar10h":
        from lidjax.cli.features import draw_cifar10h

        paths = draw_cifar10h(results, folder, args)
    elif not alone:
        if args.col or args.hue:
            raise InputError(
                f"--col and --hue are for the default figure; {args.figure} has a panel for each cell"
            )
        cells = [cell for data in results for cell in split_cells(data)]
        if len(cells) > max(MOST_CELLS, len(results)):
            raise InputError(
                f"--figure {args.figure}: {len(cells)} cells do not fit one figure (at most {MOST_CELLS}); choose some "
                "with --at"
            )
        with console.status("drawing"):
            paths = save_figure(comparison_figure(args.figure, cells, window=window), folder, args.figure)
    elif len(results) == 1:
        with console.status("drawing"):
            summary = summarise(results[0], window=window, from_n=args.from_n)
            for name, figure in sweep_figures(results[0], summary, col=args.col, hue=args.hue):
                if args.figure == "default" or name.startswith(args.figure):
                    paths += save_figure(figure, folder, name)
        if not paths:
            raise InputError(f"{args.store[0]}: this kind of sweep has no figure {args.figure!r}")
    else:
        raise InputError(
            f"plot of {len(results)} STOREs: --figure must name a figure that takes several; allowed: "
            f"{', '.join(SIDE_BY_SIDE)}"
        )
    if args.json:
        print_json("plot", {"figures": paths})
    else:
        print_paths(paths)
    return 0


def _plot_distillation(args: argparse.Namespace) -> int:
    """Draw the figure of the teacher-student experiment."""
    from lidjax import save_figure
    from lidjax.figures import distill_figure
    from lidjax.runs import open_location

    check_choice("figure of a teacher-student experiment:", args.figure, ("default",))
    if args.col or args.hue:
        raise InputError(
            "--col and --hue: the figure of a teacher-student experiment has one panel a quantity"
        )
    targets = chosen_values(args.at).get("target", [])
    if len(targets) > 1:
        raise InputError("--at target: its middle panel shows one target")
    _, summary = distillation_summary(args)
    folder = args.out or open_location(args.store[0]).figures
    target = str(targets[0]) if targets else None
    paths = save_figure(distill_figure(summary, target), folder, "distill")
    if args.json:
        print_json("plot", {"figures": paths})
    else:
        print_paths(paths)
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
    if (args.col or args.hue) and args.figure not in ("default", "scaling"):
        raise InputError(
            f"--col and --hue are for the default figure; {args.figure} has a panel for each cell"
        )
