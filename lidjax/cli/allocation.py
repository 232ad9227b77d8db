"""`lidjax allocate`: how to split a budget between training and repeated sampling, from the results of a sweep."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lidjax.cli.allocation_output import allocation_rows, print_allocation
from lidjax.cli.render.output import to_json
from lidjax.errors import InputError

if TYPE_CHECKING:
    import xarray as xr

EXAMPLE = """\
example, with a training instance as the unit of cost and an attempt at a tenth of it:
  lidjax allocate runs/figure1 --budget 1e3 1e4 1e5 --cost-train 1 --cost-infer 0.1 --weight 100
With several values of a model axis in the store, choose one: --at beta=2.5 --at delta=5e-4
"""


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
    parser.add_argument("store", type=Path, metavar="STORE", help="output folder of a run")
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
        "--at", action="append", default=[], metavar="AXIS=VALUE", help="choose one value of an axis"
    )
    parser.add_argument("--mean", action="store_true", help="mean over training sets instead of their median")
    parser.add_argument(
        "--bootstrap", type=int, default=200, metavar="B", help="samples for the interval of N"
    )
    parser.add_argument("--window", type=float, nargs=2, metavar=("K1", "K2"), help="window of k for β_eff")
    parser.add_argument(
        "--exact", action="store_true", help="beside it the optimum of the store's model, without its seeds"
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
    parser.add_argument("--json", action="store_true", help="print JSON for programs")
    parser.set_defaults(handler=allocate_command)


def allocate_command(args: argparse.Namespace) -> int:
    import numpy as np

    from lidjax.allocation import allocate_sweep
    from lidjax.sweep import open_results

    budgets, weights = _numbers(args.budget, "--budget"), _numbers(args.weight, "--weight")
    prices = {
        "cost_train": _numbers([args.cost_train], "--cost-train")[0],
        "cost_infer": _numbers([args.cost_infer], "--cost-infer")[0],
        "queries": _numbers([args.queries], "--queries")[0],
    }
    data = _chosen(open_results(args.store), args.at)
    window = tuple(args.window) if args.window else None
    statistic = "mean" if args.mean else "median"
    found = allocate_sweep(
        data,
        np.array(budgets, dtype=object)[:, None],
        weight=np.array(weights, dtype=object)[None, :],
        statistic=statistic,
        bootstrap=args.bootstrap,
        window=window,
        **prices,
    )
    exact = _exact(data, budgets, weights, prices, window) if args.exact else None
    rows = allocation_rows(budgets, weights, found, exact)
    figures = [] if args.no_plot else _draw(args, data, budgets, weights, prices, statistic, window, found)
    if args.phase is not None and not args.no_plot:
        figures += _phase(args, data, budgets, weights, prices, window)
    if args.json:
        about = {
            "store": str(args.store),
            **{name: float(x) for name, x in prices.items()},
            "statistic": statistic,
        }
        print(to_json({**about, "results": rows, "figures": figures}))
    else:
        print_allocation(rows, figures, statistic)
    return 0


def _numbers(words: list[str], option: str) -> list[Any]:
    """Numbers as written: whole ones stay whole, however large."""
    out = []
    for word in words:
        try:
            out.append(int(word))
        except ValueError:
            try:
                out.append(float(word))
            except ValueError:
                raise InputError(f"{option} {word!r} is not a number") from None
    return out


def _chosen(data: "xr.Dataset", choices: list[str]) -> "xr.Dataset":
    """The results at the values chosen with --at."""
    import numpy as np

    for choice in choices:
        axis, _, word = choice.partition("=")
        if axis not in data.dims or axis in ("n", "k", "seed"):
            allowed = ", ".join(str(d) for d in data.dims if d not in ("n", "k", "seed"))
            raise InputError(f"--at {choice}: the store has no such axis; there are {allowed}")
        (value,) = _numbers([word], f"--at {axis}=")
        values = data[axis].values
        near = np.flatnonzero(np.isclose(values, value, rtol=1e-6, atol=0))
        if not len(near):
            raise InputError(f"--at {choice}: the store has {axis} = {', '.join(f'{v:g}' for v in values)}")
        data = data.isel({axis: near[:1]})
    return data


def _exact(data: "xr.Dataset", budgets, weights, prices, window, **options) -> Any:
    """`allocate` for the model behind a synthetic store."""
    import jax
    import numpy as np

    from lidjax.allocation import allocate
    from lidjax.model import power_law_spectrum, power_law_teacher

    if data.attrs.get("kind") != "synthetic":
        raise InputError(
            "--exact and --phase: the store is not of the LID model, whose losses alone are known exactly"
        )
    open_axes = [str(d) for d in data.dims if d not in ("n", "k", "seed") and data.sizes[d] > 1]
    if open_axes:
        raise InputError(f"choose one value of {', '.join(open_axes)} with --at")
    at = {name: data[name].item() for name in ("beta", "alpha", "dim", "ridge", "sigma_eta", "delta")}
    model = data.attrs["spec"]["model"]
    with jax.enable_x64(True):
        eigenvalues = power_law_spectrum(int(at["dim"]), at["alpha"])
        theta = power_law_teacher(int(at["dim"]), model["teacher_decay"])
    return allocate(
        np.array(budgets, dtype=object)[:, None],
        weight=np.array(weights, dtype=object)[None, :],
        eigenvalues=eigenvalues,
        theta=theta,
        difficulty=model["difficulty"],
        window=window or tuple(data.attrs["spec"]["fit"]["window"]),
        **{name: at[name] for name in ("beta", "sigma_eta", "delta", "ridge")},
        **prices,
        **options,
    )


def _phase(args, data, budgets, weights, prices, window) -> list[str]:
    """The phase map, a column of budgets at a time, with a bar."""
    import numpy as np
    from rich.console import Console
    from rich.progress import track

    from lidjax.figures import phase_figure, save
    from lidjax.runs import open_location

    if args.phase < 4:
        raise InputError(f"--phase {args.phase}: a map has 4 budgets and weights or more")
    unit, top = float(prices["cost_train"]), max(float(b) for b in budgets)
    low = 4 * max(unit, float(prices["cost_infer"]) * float(prices["queries"]))
    if top <= low:
        raise InputError(
            f"--phase: the largest --budget {top:g} must be above {low:g}, four of the dearer unit"
        )
    spent = np.geomspace(low, 10 * top, args.phase)
    centre = float(next((w for w in weights if w > 0), 1))
    shown = centre * np.geomspace(1e-8, 1e8, args.phase)
    columns = [
        _exact(data, [budget], shown, prices, window, rules=())
        for budget in track(spent, description="phase map", console=Console(stderr=True), transient=True)
    ]
    kind = np.concatenate([found.kind for found in columns])
    share = np.concatenate([np.asarray(found.n, float) for found in columns]) * unit / spent[:, None]
    figure = phase_figure(spent / unit, shown, kind, share, title=f"$d={data['dim'].item()}$")
    return save(figure, args.out or open_location(args.store).figures, "allocation_phase")


def _draw(args, data, budgets, weights, prices, statistic, window, found) -> list[str]:
    """Figure 2 at the first budget, and the regret of the rules where there are several."""
    import numpy as np

    from lidjax.allocation import surface_sweep
    from lidjax.figures import allocation_figure, regret_figure, save
    from lidjax.runs import open_location

    folder = args.out or open_location(args.store).figures
    positive = [float(w) for w in weights if w > 0] or [1.0]
    shown = np.geomspace(min(positive) / 30, max(positive) * 30, 60)
    surface = surface_sweep(data, budgets[0], weight=shown, statistic=statistic, window=window, **prices)
    paths = save(allocation_figure(surface), folder, "allocation")
    if len(budgets) > 2:
        units = np.array([float(b) / float(prices["cost_train"]) for b in budgets])
        order = np.argsort(units)
        regret = {rule: values[order, 0] for rule, values in found.regret.items()}
        figure = regret_figure(units[order], regret, title=f"$R={float(weights[0]):g}$")
        paths += save(figure, folder, "allocation_regret")
    return paths
