"""`lidjax distill`: a teacher, students trained on N of its answers, and how their pass@k follows the laws."""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lidjax.cli.interrupted import say_interrupted
from lidjax.cli.render.distill import print_results
from lidjax.cli.spec_options import add_spec_command, read_spec

if TYPE_CHECKING:
    import numpy as np

ABOUT = """\
A spec has the table [embedded] (small models that are trained here in minutes, nothing to download) or [huggingface]
(real models on GSM8K; needs `pip install 'lidjax[distill]'`). Specs to start from: sweeps/distill.toml and
sweeps/distill_quick.toml.
"""


def register(commands: Any) -> None:
    """Add the command to the parser."""
    parser = add_spec_command(
        commands,
        "distill",
        distill_command,
        "fine-tune students on N answers of a teacher, and measure pass@k and β_eff(N)",
        what="the experiment",
        example="sweeps/distill_quick.toml --lora.rank 4 --evaluation.attempts 64",
        about=ABOUT,
    )
    parser.add_argument(
        "--out", help="folder or URL of the results (default: runs/NAME, after the spec's name)"
    )
    parser.add_argument(
        "--no-resume",
        action="store_true",
        help="start anew instead of resuming: removes what --out holds of an earlier run",
    )
    parser.add_argument("--no-plot", action="store_true", help="draw no figure")
    parser.add_argument(
        "--beside",
        type=Path,
        nargs="+",
        default=[],
        metavar="JSONL",
        help="files with repeated answers of other teachers, which are measured beside this one",
    )
    parser.add_argument("--quiet", action="store_true", help="show no progress")


def distill_command(args: argparse.Namespace) -> int:
    """Run the experiment, write its counts and its figure, and print its summary."""
    from rich.console import Console

    from lidjax import run_distillation, save_figure, stop_on_signals
    from lidjax.distill import (
        check_distill_fit,
        counts_csv,
        load_distill_spec,
        student_failures,
        summarise_distillation,
    )
    from lidjax.figures import distill_figure
    from lidjax.runs import ConsoleProgress, Stopped, open_location

    spec = read_spec(args, load_distill_spec)
    check_distill_fit(spec)
    # before the work starts, so that a file that cannot be read costs no time
    others = _read_others(args.beside)
    out = str(Path("runs") / spec.name) if args.out is None else args.out
    console = Console(stderr=True, quiet=args.quiet)
    console.print(f"lidjax distill: {spec.name} → {out}", highlight=False)
    start = time.perf_counter()
    try:
        with stop_on_signals() as stop:
            progress = ConsoleProgress(console)
            data = run_distillation(spec, out=out, resume=not args.no_resume, progress=progress, stop=stop)
    except Stopped as stopped:
        return say_interrupted(args.command, stopped.number, step="step")
    seconds = time.perf_counter() - start
    data.attrs["spec"] = data.attrs["spec"] | {"fit": vars(spec.fit) | {"window": list(spec.fit.window)}}
    console.print(f"{data['status'].size} students in {seconds:.1f} s; results in {out}", highlight=False)
    failures = student_failures(data)
    for message, count in failures.items():
        console.print(f"{count} students: {message}", style="yellow", highlight=False)
    if sum(failures.values()) == data["status"].size:
        return 1
    summary = summarise_distillation(data)
    location = open_location(out)
    location.write("counts.csv", counts_csv(data).encode("utf-8"))
    figures = [] if args.no_plot else save_figure(distill_figure(summary), location.figures, "distill")
    print_results(data, summary, others, args.json, figures, {"out": out, "seconds": seconds})
    return 0


def _read_others(paths: Sequence[Path]) -> "dict[str, np.ndarray]":
    """Repeated answers of other teachers, by file and prompt style."""
    from lidjax.distill import read_repeated_answers

    return {
        path.stem if len(styles) == 1 else f"{path.stem}: {style}": answers
        for path in paths
        for styles in [read_repeated_answers(path)]
        for style, answers in styles.items()
    }
