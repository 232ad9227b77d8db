"""A source whose cells are plain NumPy: nothing to compile, and every bit of a cell follows from its own values."""

import numpy as np

from helpers.stores import store_path
from lidjax.sweep import Fit, Run, SyntheticGrid, SyntheticSpec
from lidjax.sweep.sources.synthetic.source import AXES, SyntheticSource


class NumpySource(SyntheticSource):
    """Cells that are arithmetic of their coordinates; `tiles` keeps the coordinates of every tile computed."""

    shardable = ()

    def __init__(self, spec):
        super().__init__(spec)
        self.tiles = []

    def evaluate(self, coords, sharding=None):
        self.tiles.append({name: values.copy() for name, values in coords.items()})
        grids = np.meshgrid(*(coords[name].astype(float) for name in AXES), indexing="ij")
        lgen = sum((i + 1) * np.sqrt(grid + 1) for i, grid in enumerate(grids))
        failure = 1 / (1 + lgen[..., None] * self.k)
        return {"lgen": lgen, "failure": failure}


def spec_of(n=(10, 30), seed=(0, 1, 2), beta=(2.5,), k=(1.0, 3.0, 10.0), tile_seconds=2.0, **run):
    grid = SyntheticGrid(n=n, k=k, beta=beta, dim=(8,), ridge=(1e-2,), seed=seed)
    return SyntheticSpec(
        name="x", grid=grid, run=Run(tile_seconds=tile_seconds, **run), fit=Fit(window=(1, 10))
    )


SPEC = spec_of(n=(10, 20, 30, 40), seed=tuple(range(6)), tile_seconds=1e-9)  # 24 tiles of a cell


def contents(out):
    return {str(p.relative_to(out)): p.read_bytes() for p in store_path(out).rglob("*") if p.is_file()}
