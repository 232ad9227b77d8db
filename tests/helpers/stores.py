"""Stores on disk, as the tests look into them."""

from pathlib import Path

import numpy as np

from lidjax.runs.location import open_location
from lidjax.runs.manifest import Contents
from lidjax.runs.store import Store, open_group
from lidjax.sweep import SyntheticSpec, kind_named, spec_to_dict
from lidjax.sweep.sources.synthetic.source import AXES, SCHEMA


def store_path(out: Path) -> Path:
    """Where the store of a run lies in its output folder."""
    return out if out.name == "results.zarr" else out / "results.zarr"


def open_store(path: Path) -> Store:
    """The store of a sweep."""
    _, manifest = open_group(path, str(path))
    return Store.open(open_location(path).zarr_store(), kind_named(manifest["kind"]).schema, str(path))


def write_results(out: Path, spec: SyntheticSpec, lgen: np.ndarray, failure: np.ndarray) -> str:
    """A finished run of a sweep of the LID model with given L_gen and L_inf(k), over its axes; returns the folder."""
    axes = {name: np.array(getattr(spec.grid, name)) for name in AXES}
    contents = Contents(
        axes=axes,
        dims={"k": np.array(spec.grid.k)},
        tile={name: len(values) for name, values in axes.items()},
        coordinates={},
        identity={},
        provenance={"spec": spec_to_dict(spec), "kind": "synthetic"},
    )
    shape = tuple(len(values) for values in axes.values())
    values = {
        "lgen": np.broadcast_to(lgen, shape),
        "failure": np.broadcast_to(failure, (*shape, len(spec.grid.k))),
    }
    schema = SCHEMA.restricted(())  # exact failures rest on no sample
    Store.create(store_path(out), schema, contents).write({name: slice(None) for name in AXES}, values)
    return str(out)
