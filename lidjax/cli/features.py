"""`lidjax features`: real instances as a feature file, and what they are like."""

import argparse
import json
import logging
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lidjax.cli.render.output import to_json
from lidjax.errors import InputError

if TYPE_CHECKING:
    import xarray as xr

    from lidjax.features.cifar10h import HumanLabels

AXES = ("scale", "delta", "ridge")

CIFAR10H = """\
Reads cifar10_h of TensorFlow Datasets (no TensorFlow needed), runs a frozen ImageNet ResNet-18 in JAX, and writes the
penultimate features with the mean and variance of each image's human labels. Needs pip install 'lidjax[cifar10h]'.

  lidjax features cifar10h --out features.npz                       with a network: both are downloaded by name
  lidjax features cifar10h --data-dir DIR --weights FILE.safetensors --out features.npz          without one
  lidjax run sweeps/cifar10h.toml --features.path features.npz
"""


def register(commands: Any) -> None:
    """Add the command and its two forms to the parser."""
    features = commands.add_parser(
        "features", help="real instances as a feature file, and what they are like"
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
    make.add_argument("--weights", type=Path, help="safetensors of a ResNet-18, torchvision's names")
    make.add_argument("--out", type=Path, required=True, metavar="FILE.npz", help="the feature file to write")
    make.add_argument("--batch", type=_count, help="images a device at a time (default: 64)")
    make.add_argument("--json", action="store_true", help="print JSON for programs")
    make.set_defaults(handler=cifar10h_command)

    report = forms.add_parser(
        "report",
        help="what the instances of a sweep are like",
        description="Of a sweep on real features: the tail of the label variance, its independence of the features, "
        "L_gen against its deterministic equivalent, β_eff(N) by window of k, and which instances L_inf(k) comes from.",
    )
    report.add_argument("store", type=Path, metavar="STORE", help="output folder of a run")
    report.add_argument("--features", type=Path, help="the feature file, where it is no longer in its place")
    report.add_argument("--window", type=float, nargs=2, action="append", metavar=("K1", "K2"),
                        help="window of k for β_eff; may be repeated")  # fmt: skip
    for name in AXES:
        report.add_argument(f"--{name}", type=float, help=f"value of grid.{name} (default: its first)")
    report.add_argument("--json", action="store_true", help="print JSON for programs")
    report.set_defaults(handler=report_command)


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text}: must be at least 1")
    return value


def cifar10h_command(args: argparse.Namespace) -> int:
    """From the public data set and weights to a feature file."""
    import jax
    import numpy as np
    from rich.console import Console

    from lidjax import __version__
    from lidjax.features.cifar10h import NAME, SPLIT
    from lidjax.features.extract import BATCH, extract_features
    from lidjax.features.feature_file import check_writable, write_features
    from lidjax.features.resnet18 import PREPROCESSING, fold_batch_norm
    from lidjax.features.weights import read_weights

    console = Console(stderr=True)
    check_writable(args.out)
    weights = read_weights(args.weights)
    data = _read_labels(args.data_dir, console)
    start = time.perf_counter()
    features = extract_features(
        fold_batch_norm(weights.tensors), data.images, batch=args.batch or BATCH, track=_tracker(console)
    )
    seconds = time.perf_counter() - start
    provenance = {
        "data": {"name": NAME, "version": data.version, "split": SPLIT, "images": len(data.images)},
        "weights": {"source": weights.source, "sha256": weights.sha256},
        "backbone": "ResNet-18, average pool before the classifier",
        "preprocessing": PREPROCESSING,
        "made_by": {
            "lidjax": __version__,
            "jax": jax.__version__,
            "device": jax.devices()[0].device_kind,
            "devices": jax.device_count(),
        },
    }
    columns = {"mean": data.mean, "variance": data.variance, "label": data.label, "id": data.ids}
    write_features(args.out, provenance, features=features, **columns)
    facts = {
        "out": str(args.out),
        "images": len(features),
        "unanimous": float(np.mean(data.variance == 0)),
        "mean_variance": float(np.mean(data.variance)),
        "seconds": seconds,
        "images_per_second": len(features) / seconds,
        "provenance": provenance,
    }
    if args.json:
        print(to_json(facts))
    else:
        print(
            f"{len(features):,} images in {seconds:.0f} s ({len(features) / seconds:.0f} a second) → {args.out}\n"
            f"variance of the human labels: mean {facts['mean_variance']:.3f}; 0 (everybody agrees) for "
            f"{facts['unanimous']:.1%}\nmade from {json.dumps(provenance['weights'])}"
        )
    return 0


def report_command(args: argparse.Namespace) -> int:
    """The readings of a store, and at several (s, δ, λ) how β_eff depends on them."""
    from lidjax.cli.features_output import print_report
    from lidjax.features.diagnostics.report import WINDOWS, real_report
    from lidjax.features.feature_file import read_features
    from lidjax.sweep import open_results

    data = open_results(args.store)
    _check_kind(data, args.store)
    at = {name: _index(data, name, getattr(args, name)) for name in AXES}
    features = read_features(args.features or data.attrs["spec"]["features"]["path"])
    windows = tuple(map(tuple, args.window)) if args.window else WINDOWS
    report = real_report(data, features, at=at, windows=windows)
    if args.json:
        print(to_json(report))
    else:
        print_report(report, data.attrs["spec"])
    return 0


def draw_cifar10h(results: "list[xr.Dataset]", folder: Path, args: argparse.Namespace) -> list[str]:
    """Figures 3 and 4 of one store, with the images of the data set; returns the paths."""
    from rich.console import Console

    from lidjax.figures import cifar10h_figure, examples_figure, save
    from lidjax.sweep import summarise

    if len(results) != 1:
        raise InputError(f"--figure cifar10h takes one STORE, not {len(results)}")
    _check_kind(results[0], args.store[0])
    if args.data_dir is None:
        raise InputError("--figure cifar10h shows images: give the data set with --data-dir")
    labels = _read_labels(args.data_dir, Console(stderr=True))
    data = results[0].isel({name: [0] for name in AXES})
    window = tuple(args.window) if args.window else None
    summary = summarise(data, window=window, from_n=args.from_n).isel(dict.fromkeys(AXES, 0))
    floor = data.attrs["spec"]["features"]["variance_floor"]
    examples = examples_figure(labels, scale=data["scale"].item(), floor=floor)
    return save(cifar10h_figure(summary, labels), folder, "cifar10h") + save(examples, folder, "examples")


def _check_kind(data: "xr.Dataset", store: Path) -> None:
    if data.attrs["kind"] != "features":
        raise InputError(f"{store}: a sweep of kind {data.attrs['kind']!r}; one on [features] is wanted")


def _index(data: "xr.Dataset", name: str, wanted: float | None) -> int:
    """Where a value stands on an axis; 0 if none is asked for."""
    values = data[name].values.tolist()
    if wanted is not None and wanted not in values:
        raise InputError(f"--{name} {wanted:g}: the sweep has {', '.join(f'{x:g}' for x in values)}")
    return 0 if wanted is None else values.index(wanted)


def _read_labels(data_dir: Path | None, console: Any) -> "HumanLabels":
    from lidjax.features.cifar10h import read_cifar10h

    logging.getLogger("absl").setLevel(logging.ERROR)  # TFDS would like another decoder of images
    return read_cifar10h(data_dir, track=_tracker(console))


def _tracker(console: Any):
    """A bar on a terminal; in a log, nothing."""
    from rich.progress import track as bar

    def track(items: Iterable[Any], total: int, words: str) -> Iterator[Any]:
        if not console.is_terminal:
            return iter(items)
        return iter(bar(items, description=words, total=total, console=console))

    return track
