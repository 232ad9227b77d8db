"""Cells of Zipf draws: the mass that D samples have not seen, and its failure under k further attempts.

`lgen` is the missed mass Σ p_j 1{j unseen}, `failure` Σ p_j (1-p_j)^k 1{j unseen}; their expectations are the
coverage loss after D and after D + k draws.
"""

import functools
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from lidjax.frontier import first_seen, missed_mass
from lidjax.sweep.devices import Split, on_mesh, part_lengths
from lidjax.sweep.source import Cost, TileResult, cell_status, vmap_axes
from lidjax.sweep.spec import FrontierSpec

AXES = ("exponent", "samples", "seed")


@functools.lru_cache(maxsize=64)
def compiled_tile(vocabulary: int, lengths: tuple[tuple[str, int], ...], split: Split | None):
    """The jitted tile of a shape: every number of samples of its exponents and seeds."""

    def tile(axes, samples, attempts, root):
        def cell(args):
            # plain sums, not the zeta functions that the results are compared with
            weight = jnp.arange(1, vocabulary + 1, dtype=attempts.dtype) ** -args["exponent"]
            probability = weight / jnp.sum(weight)
            first = first_seen(jax.random.fold_in(root, args["seed"]), probability, jnp.max(samples))
            return missed_mass(first, probability, samples, attempts)

        return vmap_axes(cell, part_lengths(dict(lengths), split))(axes)

    return on_mesh(tile, split, (None, None, None), tuple(name for name, _ in lengths))


class ZipfSource:
    """The grid of a `FrontierSpec` as tiles; a tile holds every D, for the samples of a seed are nested."""

    shardable = ("seed", "exponent")
    split_order = ("seed", "exponent")

    def __init__(self, spec: FrontierSpec):
        self.spec = spec
        self.dtype = np.dtype(spec.run.dtype)
        self.axes = {name: np.asarray(getattr(spec.grid, name)) for name in AXES}
        self.axes["samples"] = np.sort(self.axes["samples"])
        self.k = np.sort(np.asarray(spec.grid.k, self.dtype))
        self.fixed_tile = {"samples": len(self.axes["samples"])}

    def provenance(self) -> dict[str, str]:
        return {}

    def coordinates(self) -> dict[str, tuple[str, np.ndarray]]:
        return {}

    def description(self) -> dict[str, float]:
        return {}

    def warnings(self) -> list[str]:
        return []

    def evaluate(self, coords: Mapping[str, np.ndarray], split: Split | None = None) -> TileResult:
        """One tile in one program; k = 0 is the missed mass itself."""
        lengths = tuple((name, len(coords[name])) for name in ("exponent", "seed"))
        axes = {"exponent": coords["exponent"].astype(self.dtype), "seed": coords["seed"].astype(np.uint32)}
        attempts = np.concatenate([np.zeros(1, self.dtype), self.k])
        root = jax.random.key(self.spec.run.root_key, impl="threefry2x32")
        program = compiled_tile(self.spec.frontier.vocabulary, lengths, split)
        missed = np.asarray(program(axes, coords["samples"].astype(np.int32), attempts, root))
        missed = np.moveaxis(missed, 2, 1)  # (exponent, samples, seed, k)
        lgen, failure = missed[..., 0], missed[..., 1:]
        return TileResult(lgen, failure, cell_status(lgen, failure))

    def tile_cost(self, shape: Mapping[str, int]) -> Cost:
        streams, sizes, k = shape["exponent"] * shape["seed"], shape["samples"], len(self.k) + 1
        vocabulary, draws = self.spec.frontier.vocabulary, float(self.axes["samples"].max())
        search = 20.0  # a draw's binary search and scatter, in evaluations; heuristic
        return Cost(
            flops=2.0 * sizes * vocabulary * k,
            draws=draws,
            evaluations=search * draws + vocabulary * (k + 2.0),
            bytes=(sizes + k + 4.0) * vocabulary * self.dtype.itemsize,
        ) * float(streams)

    def total_cost(self) -> Cost:
        return self.tile_cost({name: len(values) for name, values in self.axes.items()})
