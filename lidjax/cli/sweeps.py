"""`lidjax run`, `plan`, `show` and `plot`: sweeps from a spec to figures."""

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lidjax.cli.output import to_json
from lidjax.cli.sweeps_output import combinations, plan_table, print_plan, print_summary, say_failures
from lidjax.errors import InputError

if TYPE_CHECKING:
    import xarray as xr

    from lidjax.sweep.spec import Spec

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
        "--out", type=Path, help="folder of the results (default: runs/NAME, after the spec's name)"
    )
    run.add_argument(
        "--no-resume", action="store_true", help="start the store anew instead of going on with it"
    )
    run.add_argument("--no-plot", action="store_true", help="leave the figures to `lidjax plot`")
    plan = _spec_command(commands, "plan", plan_command, "what a sweep will take, before anything runs")
    plan.add_argument("--out", type=Path, help="folder whose disk is checked")

    show = commands.add_parser("show", help="the laws fitted to the results of a run")
    plot = commands.add_parser("plot", help="the figures of a run, as PDF and PNG")
    for parser, handler in ((show, show_command), (plot, plot_command)):
        nargs = "+" if parser is plot else None
        parser.add_argument("store", type=Path, metavar="STORE", nargs=nargs, help="output folder of a run")
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


def _read_spec(args: argparse.Namespace) -> "Spec":
    """The spec with overrides from the command line."""
    import tyro

    from lidjax.sweep.spec_file import load_spec

    if args.spec is None:
        args.parser.print_help()
        raise SystemExit(0 if args.help else 2)
    spec = load_spec(args.spec)
    overrides = [*args.overrides, *(["--help"] if args.help else [])]
    if not overrides:
        return spec
    return tyro.cli(type(spec), default=spec, args=overrides, prog=f"lidjax {args.command} {args.spec}")


def run_command(args: argparse.Namespace) -> int:
    from rich.console import Console

    from lidjax.sweep.progress import tracker
    from lidjax.sweep.run import run_sweep

    spec = _read_spec(args)
    out = args.out or Path("runs") / spec.name
    console = Console(stderr=True)
    console.print(f"lidjax run: {spec.name} → {out}", highlight=False)
    start = time.perf_counter()
    data = run_sweep(spec, out=out, resume=not args.no_resume, track=tracker(console))
    seconds = time.perf_counter() - start
    console.print(f"{data['status'].size:,} cells in {seconds:.1f} s; results in {out}", highlight=False)
    failed = say_failures(data, console)
    figures = [] if args.no_plot else _draw(data, out / "figures", None, None, console)
    print_summary(
        data, args.json, None, None, extra={"out": str(out), "seconds": seconds, "figures": figures}
    )
    return 1 if failed == data["status"].size else 0


def plan_command(args: argparse.Namespace) -> int:
    from lidjax.sweep.plan import check_resources
    from lidjax.sweep.run import plan_sweep

    spec = _read_spec(args)
    plan = plan_sweep(spec)
    out = args.out or Path("runs") / spec.name
    if args.json:
        print(to_json(plan_table(plan)))
    else:
        print_plan(plan, spec.name)
    check_resources(plan, out)
    return 0


def show_command(args: argparse.Namespace) -> int:
    from lidjax.sweep.store import open_results

    print_summary(open_results(args.store), args.json, args.window, args.from_n, extra={})
    return 0


def plot_command(args: argparse.Namespace) -> int:
    from rich.console import Console

    from lidjax.sweep.store import open_results, store_path

    results = [open_results(store) for store in args.store]
    if args.figure in BESIDE and any(data.attrs["kind"] == "frontier" for data in results):
        raise InputError(
            f"--figure {args.figure} is of LID sweeps; a [frontier] sweep has one figure: leave it out"
        )
    folder = args.out or store_path(args.store[0]).parent / "figures"
    console = Console(stderr=True)
    if args.figure == "cifar10h":
        from lidjax.cli.features import draw_cifar10h

        paths = draw_cifar10h(results, folder, args)
    elif args.figure != "scaling":
        paths = _draw_beside(args.figure, results, folder, console)
    elif len(results) == 1:
        paths = _draw(results[0], folder, args.window, args.from_n, console)
    else:
        raise InputError(
            f"--figure scaling takes one STORE, not {len(results)}; allowed side by side: {', '.join(BESIDE)}"
        )
    print(to_json({"figures": paths}) if args.json else "\n".join(paths))
    return 0


def _draw(data: "xr.Dataset", folder: Path, window: Any, from_n: float | None, console: Any) -> list[str]:
    """Write every figure of the results as PDF and PNG; returns the paths."""
    from lidjax.figures import frontier_figure, save, scaling_figure

    if data.attrs["kind"] == "frontier":
        with console.status("drawing"):
            return save(frontier_figure(data, window=window), folder, "frontier")
    from lidjax.summary import summarise

    summary = summarise(data, window=tuple(window) if window else None, from_n=from_n)
    paths: list[str] = []
    wanted = combinations(summary)
    with console.status("drawing"):
        for where in wanted:
            varying = {name: summary[name].values[i] for name, i in where.items() if summary.sizes[name] > 1}
            suffix = "".join(f"_{name}{value:g}" for name, value in varying.items())
            figure = scaling_figure(summary.isel(where))
            paths += save(figure, folder, f"scaling{suffix}")
    return paths


def _draw_beside(name: str, results: "list[xr.Dataset]", folder: Path, console: Any) -> list[str]:
    from lidjax import figures

    draw = {
        "plane": figures.plane_figure,
        "success": figures.success_figure,
        "exponents": figures.exponents_figure,
        "protocols": figures.protocols_figure,
    }[name]
    with console.status("drawing"):
        return figures.save(draw(results), folder, name)
