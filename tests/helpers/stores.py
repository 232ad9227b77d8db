"""Stores on disk, as the tests look into them."""

from pathlib import Path

from lidjax.runs.location import open_location
from lidjax.runs.store import Store, open_group
from lidjax.sweep import kind_named


def store_path(out: Path) -> Path:
    """Where the store of a run lies in its output folder."""
    return out if out.name == "results.zarr" else out / "results.zarr"


def open_store(path: Path) -> Store:
    """The store of a sweep."""
    _, manifest = open_group(path, str(path))
    return Store.open(open_location(path).zarr_store(), kind_named(manifest["kind"]).schema, str(path))
