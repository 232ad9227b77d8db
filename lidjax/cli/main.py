"""`lidjax COMMAND ...`: settings of the process, choice of the command, and errors for people.

Exit codes: 0 done, 1 failed, 2 bad input, 130 interrupted (Ctrl-C), 143 terminated (SIGTERM). Bad input gives one
message and no traceback.
"""

import argparse
import errno
import importlib
import importlib.util
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from lidjax import __version__
from lidjax.cli.interrupted import RESUMABLE, Terminated, end_at_once, raise_on_signals, say_interrupted
from lidjax.cli.render.output import print_in_any_encoding
from lidjax.cli.stores import Unfinished
from lidjax.errors import InputError

COMMAND_MODULES = (
    "run",
    "plan",
    "status",
    "show",
    "plot",
    "allocate",
    "fit",
    "compare",
    "backtest",
    "next",
    "report",
    "features",
    "distill",
)

QUICK_COMPILATION = (
    "--xla_backend_optimization_level=1 --xla_llvm_disable_expensive_passes=true"
    " --xla_cpu_use_fusion_emitters=false"
)
"""Flags of XLA's CPU compiler for programs that run for a second or less: it takes a quarter to a half of the time."""
EPILOG = """\
a first run:
  lidjax plan sweeps/quickstart.toml      what it will take
  lidjax run sweeps/quickstart.toml       seconds; results in runs/quickstart
  lidjax plot runs/quickstart             the figures
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    print_in_any_encoding()
    command: str | None = None
    try:
        with end_at_once():
            args = _parsed(argv)
            command = args.command
            _show_log()
            _prepare_jax()
        with raise_on_signals():
            return args.handler(args)
    except InputError as error:
        print(f"lidjax: {error}", file=sys.stderr)
        return 2
    except Unfinished:
        return 1
    except KeyboardInterrupt as error:
        return say_interrupted(command, signal.SIGTERM if isinstance(error, Terminated) else signal.SIGINT)
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    except RuntimeError as error:
        if "Unable to initialize backend" not in str(error):
            raise
        print(
            f"lidjax: JAX_PLATFORMS = {os.environ.get('JAX_PLATFORMS', '')!r}: JAX cannot start on it: "
            f"{str(error).splitlines()[0]}\nunset it, or set it to what this machine has, such as cpu",
            file=sys.stderr,
        )
        return 2
    except OSError as error:
        words = {
            errno.ENOSPC: "the disk is full",
            errno.EDQUOT: "the quota is used up",
            errno.EFBIG: "a file would be larger than allowed",
            errno.EROFS: "the file system is read-only",
            errno.EACCES: "permission denied",
        }.get(error.errno or 0)
        if words is None:
            raise
        print(f"lidjax: {words} ({error.filename or 'no file named'})", file=sys.stderr)
        if command in RESUMABLE:
            print("lidjax: completed work is kept; fix this and run the same command again", file=sys.stderr)
        return 1


def _parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    """The arguments of the command line."""
    parser = argparse.ArgumentParser(
        prog="lidjax",
        description="How training shapes what repeated sampling can buy: sweeps, and the laws fitted to them.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"lidjax {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in COMMAND_MODULES:
        importlib.import_module(f"lidjax.cli.{name}").register(commands)
    args, rest = parser.parse_known_args(argv)
    if rest and not getattr(args, "takes_overrides", False):
        parser.error(f"unrecognised arguments: {' '.join(rest)}")
    args.overrides = rest
    return args


class _StandardError(logging.Handler):
    """Prints what the library logs to standard error, as every other message of a command."""

    def emit(self, record: logging.LogRecord) -> None:
        print(f"lidjax: {self.format(record)}", file=sys.stderr, flush=True)


def _show_log() -> None:
    """Show what the library logs."""
    logger = logging.getLogger("lidjax")
    if not any(isinstance(handler, _StandardError) for handler in logger.handlers):
        logger.addHandler(_StandardError())
        logger.setLevel(logging.INFO)


def _cpu_only() -> bool:
    """Whether JAX has nothing but the CPU to compile for: no plugin of an accelerator is installed."""
    plugins = ("jax_cuda12_plugin", "jax_cuda13_plugin", "jax_rocm60_plugin", "jax_rocm7_plugin", "libtpu")
    return not any(importlib.util.find_spec(name) for name in plugins)


def _prepare_jax() -> None:
    """Settings of the process, before JAX starts.

    They are float64, a cache of compiled programs, quick compilation on the CPU (the tiles of large sweeps ask for
    more), and, where several CPU devices share XLA's thread pool, single-threaded Eigen: XLA can deadlock without it.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    several = (
        "xla_force_host_platform_device_count" in flags or os.environ.get("JAX_NUM_CPU_DEVICES", "1") != "1"
    )
    if several:  # if a flag is given twice, XLA takes the last one
        flags = f"{flags} --xla_cpu_multi_thread_eigen=false".strip()
    if "xla_backend_optimization_level" not in flags and _cpu_only():
        flags = f"{flags} {QUICK_COMPILATION}".strip()
    os.environ["XLA_FLAGS"] = flags

    import jax

    jax.config.update("jax_enable_x64", True)
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "lidjax" / "xla"
        jax.config.update("jax_compilation_cache_dir", str(cache))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)


if __name__ == "__main__":
    sys.exit(main())
