"""`lidjax distill`: a teacher, students on N of its answers, pass@k of the students, and what LID says of it."""

import argparse
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lidjax.distill.spec import DistillSpec

EPILOG = """\
A spec has [embedded] (models trained here in minutes, nothing to download) or [huggingface] (real models on GSM8K,
needs `pip install 'lidjax[distill]'`); sweeps/distill.toml and sweeps/distill_quick.toml are two to start from.
Any key of the spec can be set here, for this run:
  lidjax distill sweeps/distill_quick.toml --lora.rank 4 --evaluation.attempts 64
"""


def register(commands: Any) -> None:
    """Add the command to the parser."""
    text = "fine-tune students on N answers of a teacher, and measure pass@k and β_eff(N)"
    parser = commands.add_parser(
        "distill",
        help=text,
        description=text,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
    )
    parser.add_argument("spec", nargs="?", metavar="SPEC.toml", help="the experiment")
    parser.add_argument(
        "--out", type=Path, help="folder of the results (default: runs/NAME, after the spec's name)"
    )
    parser.add_argument("--no-resume", action="store_true", help="start anew instead of going on")
    parser.add_argument("--no-plot", action="store_true", help="draw no figure")
    parser.add_argument(
        "--beside",
        type=Path,
        nargs="+",
        default=[],
        metavar="JSONL",
        help="repeated answers of other teachers, measured beside this one",
    )
    parser.add_argument("--quiet", action="store_true", help="no progress")
    parser.add_argument("--json", action="store_true", help="print JSON for programs")
    parser.add_argument(
        "-h", "--help", action="store_true", help="this text; after SPEC.toml, every key of the spec"
    )
    parser.set_defaults(handler=distill_command, takes_overrides=True, parser=parser)


def distill_command(args: argparse.Namespace) -> int:
    from rich.console import Console

    from lidjax.cli.distill_output import print_results
    from lidjax.distill.run import run_distillation
    from lidjax.distill.status import STUDENT_MESSAGES, StudentStatus
    from lidjax.distill.summary import summarise_distillation
    from lidjax.distill.teacher_report import counts_csv
    from lidjax.figures import save
    from lidjax.figures.distill import distill_figure

    spec = _read_spec(args)
    others = _read_others(args.beside)  # a file that cannot be read is said before the work
    out = args.out or Path("runs") / spec.name
    console = Console(stderr=True, quiet=args.quiet)
    console.print(f"lidjax distill: {spec.name} → {out}", highlight=False)
    start = time.perf_counter()
    data = run_distillation(spec, out=out, resume=not args.no_resume, track=tracker(console))
    seconds = time.perf_counter() - start
    data.attrs["spec"] = data.attrs["spec"] | {"fit": vars(spec.fit) | {"window": list(spec.fit.window)}}
    console.print(f"{data['status'].size} students in {seconds:.1f} s; results in {out}", highlight=False)
    failed = (data["status"] != StudentStatus.OK).values
    if failed.any():
        message = STUDENT_MESSAGES[StudentStatus.TRAINING_NOT_FINITE]
        console.print(f"{failed.sum()} students: {message}", style="yellow", highlight=False)
    if failed.all():
        return 1
    summary = summarise_distillation(data)
    (out / "counts.csv").write_text(counts_csv(data), encoding="utf-8")
    figures = [] if args.no_plot else save(distill_figure(summary), out / "figures", "distill")
    print_results(data, summary, others, args.json, figures, {"out": str(out), "seconds": seconds})
    return 0


def _read_spec(args: argparse.Namespace) -> "DistillSpec":
    """The spec with overrides from the command line."""
    import tyro

    from lidjax.distill.spec import load_distill_spec

    if args.spec is None:
        args.parser.print_help()
        raise SystemExit(0 if args.help else 2)
    spec = load_distill_spec(args.spec)
    overrides = [*args.overrides, *(["--help"] if args.help else [])]
    if not overrides:
        return spec
    return tyro.cli(type(spec), default=spec, args=overrides, prog=f"lidjax distill {args.spec}")


def _read_others(paths: Sequence[Path]) -> dict[str, Any]:
    from lidjax.distill.dispersion import read_repeated_answers

    return {
        path.stem if len(styles) == 1 else f"{path.stem}: {style}": answers
        for path in paths
        for styles in [read_repeated_answers(path)]
        for style, answers in styles.items()
    }


def tracker(console: Any):
    """A `track` for `run_distillation`: a bar for each stage on a terminal, a line at its end elsewhere."""

    def track(stage: str, steps: Sequence[Any], done: int) -> Iterator[Any]:
        if console.quiet or not len(steps):
            yield from steps
        elif console.is_terminal:
            from rich.progress import track as bar

            items: Iterable = bar(steps, stage, total=done + len(steps), completed=done, console=console)
            yield from items
        else:
            start = time.perf_counter()
            yield from steps
            seconds = time.perf_counter() - start
            again = f", {done} done before" if done else ""
            console.print(f"{stage}: {seconds:.1f} s{again}", highlight=False)

    return track
