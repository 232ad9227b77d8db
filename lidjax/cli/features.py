"""`lidjax features`: make a feature file of real instances, and report what the instances of a sweep are like."""

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lidjax.cli.output_options import add_json
from lidjax.cli.render.output import print_json
from lidjax.cli.stores import add_strict, read_results
from lidjax.errors import InputError

if TYPE_CHECKING:
    import xarray as xr

SETTING_AXES = ("scale", "delta", "ridge")  # what one report is for, besides N and k
CIFAR10H = """\
Reads cifar10_h of TensorFlow Datasets (TensorFlow is not needed), runs a frozen ImageNet ResNet-18 in JAX, and writes
the penultimate features with the mean and variance of each image's human labels.
Needs pip install 'lidjax[cifar10h]'.

  lidjax features cifar10h --out features.npz                       with a network: both are downloaded by name
  lidjax features cifar10h --data-dir DIR --weights FILE.safetensors --out features.npz          without one
  lidjax run sweeps/cifar10h.toml --features.path features.npz
"""


def register(commands: Any) -> None:  # argparse has no public type for subparsers
    """Add the command and its two forms to the parser."""
    features = commands.add_parser(
        "features", help="make a feature file of real instances, or report what instances are like"
    )
    forms = features.add_subparsers(dest="form", metavar="FORM", required=True)
    make = forms.add_parser(
        "cifar10h",
        help="CIFAR-10H through a frozen ResNet-18",
        description=CIFAR10H,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    make.add_argument(
        "--data-dir", type=Path, help="folder of TensorFlow Datasets that holds cifar10_h/1.0.0"
    )
    make.add_argument(
        "--weights", type=Path, help="safetensors file of a ResNet-18, with torchvision's names"
    )
    make.add_argument("--out", type=Path, required=True, metavar="FILE.npz", help="the feature file to write")
    make.add_argument(
        "--batch",
        type=_count,
        help="images a device at a time (default: 64)",
    )
    add_json(make)
    make.set_defaults(handler=cifar10h_command)

    report = forms.add_parser(
        "report",
        help="what the instances of a sweep are like",
        description="Of a sweep on real features: the tail of the label variance, its independence of the features, "
        "L_gen against its deterministic equivalent, β_eff(N) by window of k, and which instances L_inf(k) comes from.",
    )
    report.add_argument("store", type=Path, metavar="STORE", help="output folder of a run")
    report.add_argument("--features", type=Path, help="the feature file, if it has moved since the run")
    report.add_argument("--window", type=float, nargs=2, action="append", metavar=("K1", "K2"),
                        help="window of k for β_eff; may be repeated")  # fmt: skip
    for name in SETTING_AXES:
        report.add_argument(f"--{name}", type=float, help=f"value of grid.{name} (default: its first)")
    add_strict(report)
    add_json(report)
    report.set_defaults(handler=report_command)


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text}: must be at least 1")
    return value


def cifar10h_command(args: argparse.Namespace) -> int:
    """From the public data set and weights to a feature file."""
    from lidjax.cli.render.features import print_made
    from lidjax.features import DEFAULT_BATCH, make_cifar10h_features
    from lidjax.runs import show_progress

    _silence_tfds()
    made = make_cifar10h_features(
        args.out,
        data_dir=args.data_dir,
        weights=args.weights,
        batch=args.batch or DEFAULT_BATCH,
        progress=show_progress,
    )
    if args.json:
        print_json("features cifar10h", {"out": str(args.out), **made._asdict()})
    else:
        print_made(made, args.out)
    return 0


def report_command(args: argparse.Namespace) -> int:
    """The diagnostics of a sweep on real features."""
    from lidjax.cli.render.features import print_report
    from lidjax.features import WINDOWS, diagnostics_report

    data = read_results(args.store, strict=args.strict)
    chosen = {name: getattr(args, name) for name in SETTING_AXES if getattr(args, name) is not None}
    report = diagnostics_report(data, args.features, at=chosen, windows=args.window or WINDOWS)
    if args.json:
        print_json("features report", report)
    else:
        print_report(report, data.attrs["spec"])
    return 0


def draw_cifar10h(results: "list[xr.Dataset]", folder: Path, args: argparse.Namespace) -> list[str]:
    """Draw Figures 3 and 4 of one store, with the images of the data set; returns the paths."""
    from lidjax import save_figure, summarise
    from lidjax.features import read_cifar10h, select_setting
    from lidjax.figures import cifar10h_figure, examples_figure
    from lidjax.runs import show_progress

    if len(results) != 1:
        raise InputError(f"--figure cifar10h takes one STORE, not {len(results)}")
    data = select_setting(results[0])
    if args.data_dir is None:
        raise InputError("--figure cifar10h shows images: give the data set with --data-dir")
    _silence_tfds()
    labels = read_cifar10h(args.data_dir, progress=show_progress)
    window = tuple(args.window) if args.window else None
    summary = summarise(data, window=window, from_n=args.from_n)
    floor = data.attrs["spec"]["features"]["variance_floor"]
    examples = examples_figure(labels, scale=data["scale"].item(), floor=floor)
    paths = save_figure(cifar10h_figure(summary, labels), folder, "cifar10h")
    return paths + save_figure(examples, folder, "examples")


def _silence_tfds() -> None:
    """Silence the advice of TensorFlow Datasets to install another decoder of images."""
    logging.getLogger("absl").setLevel(logging.ERROR)
