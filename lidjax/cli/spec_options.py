"""What the commands that take a spec share: its argument, `--help` for its keys, and keys set on the command line."""

import argparse
from collections.abc import Callable
from typing import Any, TypeVar

from lidjax.cli.output_options import add_json

OVERRIDES = """\
Any key of the spec can be set here, for this run:
  lidjax {command} {example}
`lidjax {command} SPEC.toml --help` lists them all with their values in that spec.
"""
S = TypeVar("S")


def add_spec_command(
    commands: Any,
    name: str,
    handler: Callable[[argparse.Namespace], int],
    text: str,
    *,
    what: str = "the sweep; see sweeps/ for some",
    example: str = "sweeps/figure1.toml --grid.beta 2.5 4 --run.memory-gib 2",
    about: str = "",
) -> argparse.ArgumentParser:
    """Add a command whose first argument is a spec."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=text,
        description=text,
        epilog=about + OVERRIDES.format(command=name, example=example),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
    )
    parser.add_argument("spec", nargs="?", metavar="SPEC.toml", help=what)
    add_json(parser)
    parser.add_argument(
        "-h", "--help", action="store_true", help="this text; after SPEC.toml, every key of the spec"
    )
    parser.set_defaults(handler=handler, takes_overrides=True, parser=parser)
    return parser


def read_spec(args: argparse.Namespace, load: Callable[[str], S]) -> S:
    """The spec that was named, with the keys set on the command line."""
    import tyro

    if args.spec is None:
        args.parser.print_help()
        raise SystemExit(0 if args.help else 2)
    spec = load(args.spec)
    overrides = [*args.overrides, *(["--help"] if args.help else [])]
    if not overrides:
        return spec
    return tyro.cli(type(spec), default=spec, args=overrides, prog=f"lidjax {args.command} {args.spec}")
