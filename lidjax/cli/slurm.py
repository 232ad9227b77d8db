"""`lidjax run SPEC --slurm N`: submit a sweep to SLURM as a job array of N tasks, each with a shard of the tiles.

A task runs the same command with `--shard I/N`. What it has computed stays in the store, so a task that is preempted,
or that runs out of time, is put back into the queue and goes on where it was.
"""

import argparse
import re
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lidjax.cli.render.output import print_json, print_lines
from lidjax.errors import InputError

if TYPE_CHECKING:
    from lidjax.runs import Location

MOST_REQUEUES = 1000
"""How often a task may run out of time and go on in another one; its results are kept each time."""
OPTIONS = ("gpus", "cpus", "memory", "time", "partition", "account", "sbatch")


def add_slurm_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a submission."""
    group = parser.add_argument_group(
        "submission to SLURM (pip install 'lidjax[slurm]')",
        "lidjax run SPEC.toml --out /shared/run --slurm 8 --gpus 1 --time 2h",
    )
    group.add_argument(
        "--slurm",
        type=int,
        metavar="N",
        help="submit N tasks, each with a shard of the tiles, instead of running",
    )
    group.add_argument("--gpus", type=int, metavar="G", help="GPUs of a task (default: none)")
    group.add_argument("--cpus", type=int, metavar="C", help="CPU cores of a task (default: the cluster's)")
    group.add_argument(
        "--memory", metavar="SIZE", help="memory of a task, such as 16G (default: the cluster's)"
    )
    group.add_argument(
        "--time",
        metavar="TIME",
        help="longest time of a task, such as 90m, 2h or 1d (default: 1h); then it is requeued",
    )
    group.add_argument("--partition", metavar="NAME", help="partition (default: the cluster's)")
    group.add_argument("--account", metavar="NAME", help="account to charge (default: yours)")
    group.add_argument(
        "--sbatch",
        nargs="+",
        metavar="KEY=VALUE",
        help="further options of sbatch, such as qos=low constraint=a100",
    )


def refuse_without_slurm(args: argparse.Namespace) -> None:
    """Raise InputError if an option of a submission is given and none is asked for."""
    given = [name for name in OPTIONS if getattr(args, name) is not None]
    if given:
        raise InputError(f"--{given[0]}: is for a submission; add --slurm N, or leave it out")


def minutes(text: str) -> int:
    """A time such as 90m, 2h or 1d in whole minutes. A bare number is minutes, as sbatch has it."""
    found = re.fullmatch(r"(\d+)\s*(m|min|h|d|)", text.strip())
    amount = int(found[1]) * {"h": 60, "d": 1440}.get(found[2], 1) if found else 0
    if amount < 1:
        raise InputError(f"--time {text!r}: must be a time of at least a minute, such as 90m, 2h or 1d")
    return amount


@dataclass(frozen=True)
class ShardTask:
    """What one task of the array does; submitit stores it and calls it there."""

    command: tuple[str, ...]
    """The words of the command line after `lidjax`."""

    def __call__(self) -> None:
        """Run the command; raises SystemExit with its exit code if it failed, so that SLURM sees that."""
        from lidjax.cli.main import main

        code = main(self.command)
        if code:
            sys.exit(code)

    def checkpoint(self) -> Any:
        """What to put into the queue when the time runs out: the same command, which resumes."""
        from submitit.helpers import DelayedSubmission  # pyright: ignore[reportMissingImports]

        return DelayedSubmission(self)


def submit(args: argparse.Namespace, name: str, out: str, location: "Location") -> int:
    """Submit the sweep; returns at once."""
    if args.slurm < 1:
        raise InputError(f"--slurm {args.slurm}: must be a number of tasks, at least 1")
    if args.shard or args.distributed or args.no_resume:
        raise InputError(
            "--slurm divides the tiles by itself and resumes; leave out --shard, --distributed, --no-resume"
        )
    for option in ("gpus", "cpus"):
        value = getattr(args, option)
        if value is not None and value < 1:
            raise InputError(f"--{option} {value}: must be at least 1")
    parameters: dict[str, Any] = {
        "time": minutes(args.time or "1h"),
        "additional_parameters": {"requeue": True} | _pairs(args.sbatch or ()),
    }
    for option, key in (("partition", "partition"), ("account", "account"), ("memory", "mem")):
        if getattr(args, option) is not None:
            parameters[key] = getattr(args, option)
    if args.gpus is not None:
        parameters["gpus_per_node"] = args.gpus
    if args.cpus is not None:
        parameters["cpus_per_task"] = args.cpus
    place = out if "://" in out else str(Path(out).absolute())
    words = ("run", str(Path(args.spec).absolute()), *args.overrides, "--out", place, "--no-plot")
    tasks = [ShardTask((*words, "--shard", f"{i}/{args.slurm}")) for i in range(1, args.slurm + 1)]
    logs = location.figures.parent / "slurm"
    job = _submit_array(tasks, logs, f"lidjax-{name}", parameters)
    again = shlex.join(["lidjax", "run", args.spec, *args.overrides, "--out", out])
    if args.json:
        print_json(
            "run", {"job": job, "tasks": args.slurm, "out": out, "logs": str(logs), "completes": again}
        )
        return 0
    print_lines(
        [
            f"submitted job {job}: {args.slurm} tasks, results in {out}, logs in {logs}",
            f"  watch it:  lidjax status {shlex.quote(out)}      squeue -j {job}",
            f"  stop it:   scancel {job}",
            f"  afterwards, or if a task failed, this completes it and draws the figures:\n    {again}",
        ]
    )
    return 0


def _pairs(texts: list[str] | tuple[str, ...]) -> dict[str, Any]:
    """KEY=VALUE options of sbatch; KEY alone is a switch."""
    found: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.lstrip("-").partition("=")
        if not re.fullmatch(r"[a-z][a-z-]*", key):
            raise InputError(
                f"--sbatch {text!r}: must be KEY=VALUE with an option of sbatch, such as qos=low"
            )
        found[key] = value if equals else True
    return found


def _submit_array(tasks: list[ShardTask], logs: Path, name: str, parameters: dict[str, Any]) -> str:
    """Submit the tasks as one job array; returns its number."""
    if shutil.which("sbatch") is None:
        raise InputError(
            "--slurm: there is no sbatch on this machine; submit from a login node of the cluster"
        )
    try:
        import submitit  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise InputError("--slurm needs submitit: pip install 'lidjax[slurm]'") from None
    logs.mkdir(parents=True, exist_ok=True)
    executor = submitit.SlurmExecutor(folder=logs, max_num_timeout=MOST_REQUEUES)
    executor.update_parameters(job_name=name, array_parallelism=len(tasks), **parameters)
    try:
        with executor.batch():
            jobs = [executor.submit(task) for task in tasks]
    except submitit.core.utils.FailedJobError as error:
        raise InputError(f"--slurm: sbatch refused the job: {str(error).strip().splitlines()[-1]}") from None
    return str(jobs[0].job_id).split("_")[0]
