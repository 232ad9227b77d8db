"""The command line: the only place with side effects."""

from lidjax.cli.main import main as main
