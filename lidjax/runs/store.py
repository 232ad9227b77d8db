"""Labelled results: a Zarr group in which every chunk is written atomically with a checksum.

A chunk holds the cells that are written together; a tile is one chunk or several. `status` also records what is done:
it is written last, chunk by chunk, and is PENDING where nothing was written yet. A run that is killed therefore leaves
complete chunks and nothing else.
"""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import xarray as xr
import zarr
from zarr.codecs import Crc32cCodec, ZstdCodec

from lidjax.errors import InputError
from lidjax.runs.location import Location
from lidjax.runs.manifest import (
    INTERNAL,
    RESUMABLE,
    Contents,
    Manifest,
    check_identity,
    check_manifest,
    extended,
    new_manifest,
    upgraded,
)
from lidjax.runs.schema import CellValues, Schema
from lidjax.runs.tiles import Tile
from lidjax.status import PENDING

Chunk = tuple[slice, ...]
COMPRESSORS = (ZstdCodec(level=0), Crc32cCodec())


class Store:
    """The store of one run."""

    def __init__(self, group: zarr.Group, schema: Schema):
        self.group, self.schema = group, schema

    @classmethod
    def create(cls, location: Any, schema: Schema, contents: Contents) -> "Store":
        """An empty store with every cell pending and one chunk a tile.

        `location` is a folder, or a Zarr store such as `MemoryStore`.
        """
        store = cls(zarr.open_group(location, mode="w", zarr_format=3), schema)
        store._replace_manifest(new_manifest(contents, schema))
        return store

    @classmethod
    def open(cls, location: Any, schema: Schema, name: str | None = None) -> "Store":
        """An existing store. Raises InputError if there is none at `location`, or one of another format."""
        group, manifest = open_group(location, name or str(location))
        check_manifest(manifest, name or str(location))
        return cls(group, schema)

    @property
    def manifest(self) -> Manifest:
        """The manifest with today's keys."""
        return upgraded(self.group.attrs.asdict(), self.schema)

    @property
    def is_resumable(self) -> bool:
        """Whether the store has checksums: stores of the first format do not."""
        return self.group.attrs["format"] in RESUMABLE

    @property
    def tile(self) -> dict[str, int]:
        """The tile shape of the run that created or extended the store."""
        return dict(self.manifest["tile"])

    @property
    def chunk(self) -> dict[str, int]:
        """The chunk shape, which stays the same when the store is extended."""
        return dict(zip(self.manifest["axes"], self._array("status").chunks, strict=True))

    def check_identity(self, identity: Mapping[str, Any]) -> None:
        """Raise InputError unless the store holds cells of this identity and can be resumed."""
        if not self.is_resumable:
            raise InputError(
                f"the store was written by an older version ({self.group.attrs['format']!r}), without checksums: "
                "it can be read (show, plot), but not resumed"
            )
        check_identity(self.manifest, identity)

    def extend(self, contents: Contents, wanted: Mapping[str, np.ndarray]) -> None:
        """Add grid values: `contents` has the axes in storage order, `wanted` as the spec has them."""
        self._replace_manifest(extended(self.manifest, contents, wanted))

    def _replace_manifest(self, manifest: Manifest) -> None:
        """Write the manifest at once, then make the arrays follow; after a kill in between `lay_out` completes it."""
        self.group.attrs.put(manifest)
        self.lay_out()

    def lay_out(self) -> None:
        """Make every array as the manifest says. What exists already stays as it is."""
        manifest = self.manifest
        axes = {name: np.asarray(values) for name, values in manifest["axes"].items()}
        dims = {name: np.asarray(dim["values"], dim["dtype"]) for name, dim in manifest["dims"].items()}
        for name, values in {**axes, **dims}.items():
            if values.dtype.kind != "U":  # Zarr has no stable type for strings; they stay in the manifest
                self._coordinate(name, name, values)
        for name, (axis, values) in manifest["coordinates"].items():
            self._coordinate(name, axis, np.asarray(values))
        shape = tuple(len(values) for values in axes.values())
        chunks = tuple(min(manifest["tile"][name], n) for name, n in zip(axes, shape, strict=True))
        default = next(
            (values.dtype for values in dims.values() if values.dtype.kind == "f"), np.dtype("float64")
        )
        for variable in self.schema.variables:
            own = tuple(len(dims[name]) for name in variable.dims)
            self._cell_array(
                manifest["arrays"][variable.name],
                (*shape, *own),
                (*chunks, *own),
                np.dtype(variable.dtype or default),
                variable.fill,
                [*axes, *variable.dims],
                {"long_name": variable.long_name, "units": variable.units},
            )
        codes = self.schema.status_names()
        attributes: dict[str, Any] = {"long_name": "status code of the cell", "units": "1"}
        attributes |= {"flag_values": list(codes), "flag_meanings": list(codes.values())}
        self._cell_array("status", shape, chunks, np.dtype("int8"), PENDING, [*axes], attributes)

    def _coordinate(self, name: str, axis: str, values: np.ndarray) -> None:
        if name in self.group:
            stored = np.asarray(self._array(name)[...])
            if stored.shape == values.shape and np.array_equal(stored, values):
                return
        array = self.group.create_array(
            name,
            shape=values.shape,
            chunks=values.shape,
            dtype=values.dtype,
            dimension_names=[axis],
            attributes=self.schema.label(name),
            overwrite=True,
        )
        array[:] = values

    def _cell_array(
        self,
        name: str,
        shape: tuple[int, ...],
        chunks: tuple[int, ...],
        dtype: np.dtype,
        fill: float,
        dims: list[str],
        attributes: dict[str, Any],
    ) -> None:
        if name in self.group:
            if self._array(name).shape != shape:
                self._array(name).resize(shape)
            return
        self.group.create_array(
            name,
            shape=shape,
            chunks=chunks,
            dtype=dtype,
            fill_value=int(fill) if dtype.kind == "i" else fill,
            compressors=COMPRESSORS,
            dimension_names=dims,
            attributes=attributes,
        )

    def _array(self, name: str) -> zarr.Array[Any]:
        array = self.group[name]
        assert isinstance(array, zarr.Array)
        return array

    def write_table(self, name: str, dims: tuple[str, ...], values: np.ndarray, long_name: str) -> None:
        """Write an array that does not belong to cells, such as the answers to the questions of an experiment."""
        array = self.group.create_array(
            name,
            shape=values.shape,
            chunks=values.shape,
            dtype=values.dtype,
            compressors=COMPRESSORS,
            dimension_names=list(dims),
            attributes={"long_name": long_name},
            overwrite=True,
        )
        array[...] = values

    def pending(self) -> np.ndarray:
        """Boolean array over the cell axes: not computed yet. One byte a cell."""
        return np.asarray(self._array("status")[...]) == PENDING

    def write(self, tile: Tile, values: CellValues, pending: np.ndarray | None = None) -> None:
        """Write cells of a tile, chunk by chunk, status last.

        `pending` (over the tile) marks the cells to write, all by default. The others keep every bit.
        """
        shape = self._array("status").shape
        tile = {name: slice(*part.indices(n)) for (name, part), n in zip(tile.items(), shape, strict=True)}
        corner = [part.start for part in tile.values()]
        arrays = self.manifest["arrays"]
        status = self.schema.status_of(values)
        with zarr.config.set({"array.write_empty_chunks": True}):  # a missing chunk means damage
            for chunk in self.chunks(tile):
                inside = tuple(slice(c.start - at, c.stop - at) for c, at in zip(chunk, corner, strict=True))
                new = np.ones(status[inside].shape, bool) if pending is None else pending[inside]
                if not new.any():
                    continue
                for name in arrays:
                    self._write_chunk(arrays[name], chunk, values[name][inside], new)
                self._write_chunk("status", chunk, status[inside], new)

    def _write_chunk(self, name: str, chunk: Chunk, values: np.ndarray, new: np.ndarray) -> None:
        array = self._array(name)
        if not new.all():
            mask = new.reshape(new.shape + (1,) * (values.ndim - new.ndim))
            values = np.where(mask, values, np.asarray(array[chunk]))
        array[chunk] = values

    def chunks(self, tile: Tile) -> Iterator[Chunk]:
        """The chunks of a tile, as slices of the whole arrays."""
        size = self.chunk
        ranges = [
            [slice(at, min(at + size[name], part.stop)) for at in range(part.start, part.stop, size[name])]
            for name, part in tile.items()
        ]
        return itertools.product(*ranges)

    def labels_of(self, tile: Tile) -> dict[str, float]:
        """The first value of each axis in a tile."""
        axes = self.manifest["axes"]
        return {name: axes[name][part.start] for name, part in tile.items()}

    def whole(self) -> Tile:
        """All cells, as one tile."""
        return {name: slice(0, len(values)) for name, values in self.manifest["axes"].items()}

    def is_damaged(self, chunk: Chunk) -> bool:
        """Whether a chunk fails its checksum, cannot be read, or has a status that does not match its numbers."""
        try:
            status = np.asarray(self._array("status")[chunk])
            done = status != PENDING
            if not done.any():
                return False
            arrays = self.manifest["arrays"].items()
            values = {name: np.asarray(self._array(array)[chunk]) for name, array in arrays}
        except PermissionError:
            raise
        except Exception:  # every codec has its own exceptions; what cannot be read is damaged
            return True
        return bool((self.schema.status_of(values)[done] != status[done]).any())

    def require_undamaged(self, where: str) -> None:
        """Raise InputError if a chunk is damaged. Stores of the first format have no checksums and are not checked."""
        if not self.is_resumable:
            return
        damaged = sum(self.is_damaged(chunk) for chunk in self.chunks(self.whole()))
        if damaged:
            raise InputError(
                f"{where}: {damaged:,} chunks are damaged; run the command that made them again to compute them"
            )

    def discard(self, chunk: Chunk) -> None:
        """Mark the cells of a chunk as pending again."""
        self._array("status")[chunk] = PENDING

    def dataset(self) -> xr.Dataset:
        """The results as a Dataset, axes in the order of the spec; spec and provenance are in `attrs`."""
        manifest = self.manifest
        data = xr.open_zarr(self.group.store, consolidated=False, chunks=None)
        data = data.set_coords([name for name in manifest.get("coordinates", {}) if name in data])
        renamed = {array: name for name, array in manifest["arrays"].items() if array != name}
        data = data.rename({array: name for array, name in renamed.items() if array in data})
        for name, dim in manifest["dims"].items():
            if name in data.dims and name not in data.coords:
                data = data.assign_coords({name: dim["values"]})
        order = manifest.get("order") or {}
        data.attrs = {key: value for key, value in manifest.items() if key not in INTERNAL or key == "format"}
        return data.isel({name: np.asarray(at) for name, at in order.items()}) if order else data


def open_group(location: Any, where: str) -> tuple[zarr.Group, Manifest]:
    """A Zarr group and its attributes. Raises InputError if `location` holds none."""
    try:
        group = zarr.open_group(location, mode="r+", zarr_format=3)
        return group, group.attrs.asdict()
    except (FileNotFoundError, ValueError, KeyError, TypeError, OSError) as error:
        raise InputError(f"{where}: not a store of results ({type(error).__name__})") from None


def stored_kind(location: Location) -> str:
    """What made the store at a location: the name of a kind of sweep, or "distill" and the backend of the models.

    Raises InputError if there is no store.
    """
    if not location.has_store():
        raise InputError(
            f"{location}: no results there; `lidjax run SPEC.toml --out {location}` makes those of a sweep"
        )
    _, manifest = open_group(location.zarr_store(), location.store_name)
    return str(manifest.get("kind"))
