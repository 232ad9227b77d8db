"""`lidjax allocate`: how to split a budget between training and repeated sampling, from the results of a sweep."""

import argparse
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from lidjax.cli.output_options import add_output_options, write_files
from lidjax.cli.render.allocation import allocation_rows, allocation_tables, print_allocation
from lidjax.cli.render.output import print_json
from lidjax.cli.selection import add_at, select_at
from lidjax.cli.stores import add_strict, read_results
from lidjax.errors import InputError

if TYPE_CHECKING:
    import xarray as xr

    from lidjax.allocation import AllocationSurface, SweepAllocation

EXAMPLE = """\
example, with a training instance as the unit of cost and an attempt at a tenth of it:
  lidjax allocate runs/figure1 --budget 1e3 1e4 1e5 --cost-train 1 --cost-infer 0.1 --weight 100
With several values of a model axis in the store, choose one: --at beta=2.5 delta=5e-4
"""


class Prices(TypedDict):
    """What the options say about costs."""

    cost_train: float
    cost_infer: float
    queries: float


def register(commands: Any) -> None:
    """Add `allocate` to the parser."""
    text = "the best split of a budget between training and sampling, from the results of a run"
    parser = commands.add_parser(
        "allocate",
        help=text,
        description=text,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("store", metavar="STORE", help="output folder or URL of a run")
    parser.add_argument("--budget", nargs="+", required=True, metavar="C", help="what there is to spend")
    parser.add_argument("--cost-train", required=True, metavar="C_N", help="cost of one training instance")
    parser.add_argument("--cost-infer", required=True, metavar="C_K", help="cost of one attempt")
    parser.add_argument(
        "--weight", nargs="+", required=True, metavar="R", help="weight of L_gen against L_inf"
    )
    parser.add_argument(
        "--queries", default="1", metavar="Q", help="how many questions are asked, k attempts each"
    )
    parser.add_argument(
        "--stop-at-success",
        action="store_true",
        help="attempts at a question stop at the first success, k at most; the budget pays for those that are made",
    )
    add_at(parser)
    parser.add_argument("--mean", action="store_true", help="mean over training sets instead of their median")
    parser.add_argument(
        "--bootstrap", type=int, default=200, metavar="B", help="samples for the interval of N"
    )
    parser.add_argument("--window", type=float, nargs=2, metavar=("K1", "K2"), help="window of k for β_eff")
    parser.add_argument(
        "--exact",
        action="store_true",
        help="beside it the optimum of the store's model, by the mean of L_gen over all training sets",
    )
    parser.add_argument(
        "--phase",
        type=int,
        nargs="?",
        const=24,
        metavar="SIDE",
        help="draw also where the optimum of the store's model trains, samples or does both, over SIDE budgets "
        "(to 10 times the largest --budget) and SIDE weights (sixteen decades); 24 take about a minute",
    )
    parser.add_argument("--out", type=Path, help="folder of the figures (default: STORE/figures)")
    parser.add_argument("--no-plot", action="store_true", help="no figures")
    add_strict(parser)
    add_output_options(parser)
    parser.set_defaults(handler=allocate_command)


def allocate_command(args: argparse.Namespace) -> int:
    """Allocate from the results of a run; print tables or JSON, and draw the figures."""
    import numpy as np

    from lidjax import allocate, allocate_sweep
    from lidjax.allocation import surface_sweep, surface_weights, sweep_model, sweep_window
    from lidjax.runs import open_location

    budgets, weights = _numbers(args.budget, "--budget"), _numbers(args.weight, "--weight")
    prices = Prices(
        cost_train=_numbers([args.cost_train], "--cost-train")[0],
        cost_infer=_numbers([args.cost_infer], "--cost-infer")[0],
        queries=_numbers([args.queries], "--queries")[0],
    )
    data = select_at(read_results(args.store, strict=args.strict), args.at)
    window = tuple(args.window) if args.window else sweep_window(data)
    statistic = "mean" if args.mean else "median"
    stop: bool = args.stop_at_success
    grid = np.array(budgets, dtype=object)[:, None]
    grid_weight = np.array(weights, dtype=object)[None, :]
    found = allocate_sweep(
        data,
        grid,
        weight=grid_weight,
        statistic=statistic,
        bootstrap=args.bootstrap,
        window=window,
        stop_at_success=stop,
        **prices,
    )
    exact = None
    if args.exact:
        with _named("--exact: "):
            exact = allocate(
                grid, weight=grid_weight, window=window, stop_at_success=stop, **sweep_model(data), **prices
            )
    rows = allocation_rows(budgets, weights, found, exact)
    figures: list[str] = []
    if not args.no_plot:
        folder = args.out or open_location(args.store).figures
        surface = surface_sweep(
            data,
            budgets[0],
            weight=surface_weights(weights),
            statistic=statistic,
            window=window,
            stop_at_success=stop,
            **prices,
        )
        figures += _draw(folder, data.attrs["spec"]["name"], surface, found, budgets, weights, prices)
        if args.phase is not None:
            with _named(f"--phase {args.phase}: "):
                figures += _draw_phase_map(folder, data, budgets, weights, prices, args.phase, stop)
    if args.json:
        about = {
            "store": args.store,
            "cost_train": float(prices["cost_train"]),
            "cost_infer": float(prices["cost_infer"]),
            "queries": float(prices["queries"]),
            "statistic": statistic,
            "stop_at_success": stop,
        }
        print_json("allocate", {**about, "results": rows, "figures": figures})
    else:
        print_allocation(rows, figures, statistic, stop_at_success=stop)
    write_files(args, allocation_tables(rows, statistic, stop_at_success=stop))
    return 0


def _numbers(words: list[str], option: str) -> list[int | float]:
    """Numbers as written: whole ones stay whole, however large."""
    out: list[int | float] = []
    for word in words:
        try:
            out.append(int(word))
        except ValueError:
            try:
                out.append(float(word))
            except ValueError:
                raise InputError(f"{option} {word!r} is not a number") from None
    return out


@contextmanager
def _named(option: str) -> Generator[None, None, None]:
    """Puts the option before the message of what is wrong with it."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{option}{error}") from None


def _draw(
    folder: Path,
    name: str,
    surface: "AllocationSurface",
    found: "SweepAllocation",
    budgets: Sequence[float],
    weights: Sequence[float],
    prices: Prices,
) -> list[str]:
    """Figure 2 at the first budget, and the regret of the rules at the first weight if there are several budgets."""
    from lidjax import save_figure
    from lidjax.figures import allocation_figure, regret_figure

    of_several = "" if len(budgets) == 1 else f", the first of {len(budgets)} budgets"
    figure = allocation_figure(surface, name=name + of_several, weights=[float(weight) for weight in weights])
    paths = save_figure(figure, folder, "allocation")
    if len(budgets) > 2:
        units = [float(budget) / float(prices["cost_train"]) for budget in budgets]
        regret = {rule: values[:, 0] for rule, values in found.regret.items()}
        title = f"{name}, weight R = {float(weights[0]):g}"
        paths += save_figure(regret_figure(units, regret, title=title), folder, "allocation_regret")
    return paths


def _draw_phase_map(
    folder: Path,
    data: "xr.Dataset",
    budgets: Sequence[float],
    weights: Sequence[float],
    prices: Prices,
    side: int,
    stop_at_success: bool,
) -> list[str]:
    """The phase map of the store's model around the budgets and weights, with a bar while it is computed."""
    from lidjax import save_figure
    from lidjax.allocation import phase_axes, phase_map, sweep_model
    from lidjax.figures import phase_figure
    from lidjax.runs import show_progress

    model = sweep_model(data)
    map_budgets, map_weights = phase_axes(budgets, weight=weights, side=side, **prices)
    found = phase_map(
        map_budgets,
        weight=map_weights,
        stop_at_success=stop_at_success,
        progress=show_progress,
        **model,
        **prices,
    )
    units = found.budget / float(prices["cost_train"])
    title = f"{data.attrs['spec']['name']}, d = {data['dim'].item()}"
    title += ", stop at success" if stop_at_success else ""
    figure = phase_figure(units, found.weight, found.kind, found.training_share, title=title)
    return save_figure(figure, folder, "allocation_phase")
