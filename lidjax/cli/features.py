"""`lidjax features`: real instances as a feature file, and what they are like."""

import argparse
import json
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from lidjax.cli.output import to_json

CIFAR10H = """\
Reads cifar10_h of TensorFlow Datasets (no TensorFlow needed), runs a frozen ImageNet ResNet-18 in JAX, and writes the
penultimate features with the mean and variance of each image's human labels. Needs pip install 'lidjax[cifar10h]'.

  lidjax features cifar10h --out features.npz                       with a network: both are downloaded by name
  lidjax features cifar10h --data-dir DIR --weights FILE.safetensors --out features.npz          without one
  lidjax run sweeps/cifar10h.toml --features.path features.npz
"""


def register(commands: Any) -> None:
    """Add the command and its two forms to the parser."""
    features = commands.add_parser("features", help="real instances as a feature file, and what they are like")
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
    make.add_argument(
        "--batch", type=_count, default=64, help="images a device at a time (default: %(default)s)"
    )
    make.add_argument("--json", action="store_true", help="print JSON for programs")
    make.set_defaults(handler=cifar10h_command)


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
    from lidjax.data.cifar10h import NAME, SPLIT, read_cifar10h
    from lidjax.data.extract import extract_features
    from lidjax.data.feature_file import check_writable, write_features
    from lidjax.data.resnet18 import PREPROCESSING, fold_batch_norm
    from lidjax.data.weights import read_weights

    console = Console(stderr=True)
    check_writable(args.out)
    weights = read_weights(args.weights)
    data = read_cifar10h(args.data_dir, track=_tracker(console))
    start = time.perf_counter()
    features = extract_features(
        fold_batch_norm(weights.tensors), data.images, batch=args.batch, track=_tracker(console)
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


def _tracker(console: Any):
    """A bar on a terminal; in a log, nothing."""
    from rich.progress import track as bar

    def track(items: Iterable[Any], total: int, words: str) -> Iterator[Any]:
        if not console.is_terminal:
            return iter(items)
        return iter(bar(items, description=words, total=total, console=console))

    return track
