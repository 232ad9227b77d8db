"""lidjax in single precision."""

from peers import lidjax_sweep
from peers.lidjax_sweep import versions as versions


def run(work):
    return lidjax_sweep.run(work, dtype="float32")
