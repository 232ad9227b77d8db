"""Labelled results: a Zarr group in which every chunk is written atomically with a checksum.

A chunk holds the cells that are written together; a tile is one chunk or several. `status` also records what is done:
it is written last, chunk by chunk, and is PENDING where nothing was written yet. A run that is killed therefore leaves
complete chunks and nothing else.
"""

import itertools
import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

import numpy as np
import xarray as xr
import zarr
from zarr.codecs import Crc32cCodec, ZstdCodec
from zarr.core.sync import sync
from zarr.errors import ZarrUserWarning

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
from lidjax.runs.tiles import Tile, TileGrid
from lidjax.status import PENDING

Chunk = tuple[slice, ...]
COMPRESSORS = (ZstdCodec(level=0), Crc32cCodec())


class Store:
    """The store of one run."""

    def __init__(self, group: zarr.Group, schema: Schema):
        self.group, self.schema = group, schema
        self._arrays: dict[str, zarr.Array[Any]] = {}  # opening one costs two requests of an object store

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
        arrays = upgraded(manifest, schema)["arrays"]
        present = schema.restricted(arrays)
        missing = [v.name for v in present.variables if v.name not in arrays]
        if missing:
            raise InputError(f"{name or location}: the store's manifest names no array for {missing[0]!r}")
        return cls(group, present)

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
        self._arrays.clear()
        manifest = self.manifest
        axes, dims = _axes(manifest), _dims(manifest)
        changed = [
            self._coordinate(name, axis, values) for name, (axis, values) in _coordinates(manifest).items()
        ]
        shape = tuple(len(values) for values in axes.values())
        chunks = tuple(min(manifest["tile"][name], n) for name, n in zip(axes, shape, strict=True))
        default = next(
            (values.dtype for values in dims.values() if values.dtype.kind == "f"), np.dtype("float64")
        )
        for variable in self.schema.variables:
            own = tuple(len(dims[name]) for name in variable.dims)
            changed.append(
                self._cell_array(
                    manifest["arrays"][variable.name],
                    (*shape, *own),
                    (*chunks, *own),
                    np.dtype(variable.dtype or default),
                    variable.fill,
                    [*axes, *variable.dims],
                    {"long_name": variable.long_name, "units": variable.units},
                )
            )
        codes = self.schema.status_names()
        attributes: dict[str, Any] = {"long_name": "status code of the cell", "units": "1"}
        attributes |= {"flag_values": list(codes), "flag_meanings": list(codes.values())}
        changed.append(
            self._cell_array("status", shape, chunks, np.dtype("int8"), PENDING, [*axes], attributes)
        )
        if any(changed):
            self.consolidate()

    def consolidate(self) -> None:
        """Copy the metadata of every array into that of the group, where xarray and Zarr look for it first.

        Only other programs read the copy: a run that is killed before this point leaves none, or none that is wrong,
        because replacing the manifest removes it.
        """
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", ZarrUserWarning
            )  # an extension of the format, as it should be here
            zarr.consolidate_metadata(self.group.store)

    def _coordinate(self, name: str, axis: str, values: np.ndarray) -> bool:
        """Write a coordinate, unless it is there and whole; returns whether it was written."""
        if self._holds(name, values):
            return False
        array = self.group.create_array(
            name,
            shape=values.shape,
            chunks=values.shape,
            dtype=values.dtype,
            dimension_names=[axis],
            attributes=self.schema.label(name),
            overwrite=True,
        )
        self._arrays.pop(name, None)
        array[:] = values
        return True

    def _holds(self, name: str, values: np.ndarray) -> bool:
        """Whether an array is there, can be read, and has these values."""
        try:
            stored = np.asarray(self._array(name)[...])
        except PermissionError:
            raise
        except Exception:  # not there, or damaged: every codec has its own exceptions
            return False
        return stored.shape == values.shape and bool(np.array_equal(stored, values))

    def _cell_array(
        self,
        name: str,
        shape: tuple[int, ...],
        chunks: tuple[int, ...],
        dtype: np.dtype,
        fill: float,
        dims: list[str],
        attributes: dict[str, Any],
    ) -> bool:
        """Create an array of cells, or make it as long as it has to be; returns whether anything was written."""
        if name in self.group:
            if self._array(name).shape == shape:
                return False
            self._arrays.pop(name).resize(shape)
            return True
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
        return True

    def _array(self, name: str) -> zarr.Array[Any]:
        if name not in self._arrays:
            array = self.group[name]
            assert isinstance(array, zarr.Array)
            self._arrays[name] = array
        return self._arrays[name]

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

    def pending(self, tiles: Iterable[Tile] | None = None) -> np.ndarray:
        """Boolean array over the cell axes: not computed yet. One byte a cell.

        With `tiles` only theirs are read, and all other cells are taken for computed: to read the status of a million
        tiles is as many requests of an object store.
        """
        status = self._array("status")
        if tiles is None:
            return np.asarray(status[...]) == PENDING
        found = np.zeros(status.shape, bool)
        for tile in tiles:
            part = tuple(tile.values())
            found[part] = np.asarray(status[part]) == PENDING
        return found

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
        """Whether a chunk is missing, fails its checksum, or has a status that does not match its numbers."""
        try:
            status = np.asarray(self._array("status")[chunk])
            done = status != PENDING
            if not done.any():
                return False
            arrays = self.manifest["arrays"].items()
            values = {name: np.asarray(self._array(array)[chunk]) for name, array in arrays}
            if any(self._is_missing(array, chunk, values[name]) for name, array in arrays):
                return True
        except PermissionError:
            raise
        except Exception:  # every codec has its own exceptions; what cannot be read is damaged
            return True
        return bool((self.schema.status_of(values)[done] != status[done]).any())

    def _is_missing(self, name: str, chunk: Chunk, values: np.ndarray) -> bool:
        """Whether no file has these values: a missing chunk is read as the fill value, which may look like a result."""
        array = self._array(name)
        if not np.array_equal(
            values, np.full_like(values, array.fill_value), equal_nan=values.dtype.kind == "f"
        ):
            return False
        inner = (0,) * (array.ndim - len(chunk))
        at = [part.start // size for part, size in zip(chunk, array.chunks, strict=False)]
        key = array.metadata.encode_chunk_key((*at, *inner))
        return not sync((array.store_path / key).exists())

    def require_undamaged(self, where: str) -> None:
        """Raise InputError if an axis, a coordinate or a chunk is damaged.

        Axes and coordinates are compared with the manifest, chunks with their checksums. Stores of the first format
        have no checksums and are not checked.
        """
        if not self.is_resumable:
            return
        self._require_axes(where)
        damaged = sum(self.is_damaged(chunk) for chunk in self.chunks(self.whole()))
        if damaged:
            raise InputError(
                f"{where}: {damaged:,} chunks are damaged; run the command that made them again to compute them"
            )

    def _require_axes(self, where: str) -> None:
        """Raise InputError unless every axis and coordinate is as the manifest has it, and every array as long."""
        manifest = self.manifest
        axes, dims = _axes(manifest), _dims(manifest)
        wrong = [
            name for name, (_, values) in _coordinates(manifest).items() if not self._holds(name, values)
        ]
        cells = tuple(len(values) for values in axes.values())
        shapes = {"status": cells} | {
            manifest["arrays"][v.name]: (*cells, *(len(dims[name]) for name in v.dims))
            for v in self.schema.variables
        }
        for name, shape in shapes.items():
            try:
                found = self._array(name).shape
            except Exception:  # not there, or its metadata cannot be read
                found = None
            if found != shape:
                wrong.append(name)
        if wrong:
            raise InputError(
                f"{where}: {', '.join(wrong)} of the store {'do' if len(wrong) > 1 else 'does'} not agree with its "
                "manifest: it is damaged, or a run was killed while it extended the store; run the command that made "
                "it again to mend it"
            )

    def discard(self, chunk: Chunk) -> None:
        """Mark the cells of a chunk as pending again."""
        self._array("status")[chunk] = PENDING

    def tiles_done(self) -> tuple[int, int]:
        """How many tiles of the store are complete, and how many there are."""
        pending = self.pending()
        if not self.is_resumable:  # stores of the first format do not say how they were cut
            return int((~pending).sum()), pending.size
        lengths = {name: len(values) for name, values in self.manifest["axes"].items()}
        left = TileGrid(lengths, self.tile).any_per_tile(pending)
        return int((~left).sum()), left.size

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
        data.attrs["tiles_done"], data.attrs["tiles"] = self.tiles_done()
        return data.isel({name: np.asarray(at) for name, at in order.items()}) if order else data


def _axes(manifest: Manifest) -> dict[str, np.ndarray]:
    return {name: np.asarray(values) for name, values in manifest["axes"].items()}


def _dims(manifest: Manifest) -> dict[str, np.ndarray]:
    return {name: np.asarray(dim["values"], dim["dtype"]) for name, dim in manifest["dims"].items()}


def _coordinates(manifest: Manifest) -> dict[str, tuple[str, np.ndarray]]:
    """Every array of coordinates: its dimension, and its values."""
    found = {name: (name, values) for name, values in {**_axes(manifest), **_dims(manifest)}.items()}
    # Zarr has no stable type for strings; they stay in the manifest
    found = {name: item for name, item in found.items() if item[1].dtype.kind != "U"}
    return found | {
        name: (axis, np.asarray(values)) for name, (axis, values) in manifest["coordinates"].items()
    }


def open_group(location: Any, where: str, mode: Literal["r", "r+"] = "r+") -> tuple[zarr.Group, Manifest]:
    """A Zarr group and its attributes. Raises InputError if `location` holds none."""
    try:
        group = zarr.open_group(location, mode=mode, zarr_format=3, use_consolidated=False)
        return group, group.attrs.asdict()
    except (FileNotFoundError, ValueError, KeyError, TypeError, OSError) as error:
        why = (
            "its zarr.json is missing, or that of an array"
            if isinstance(error, FileNotFoundError)
            else ("its zarr.json is damaged, or was not written by lidjax")
        )
        raise InputError(f"{where}: not a store of results: {why}") from None


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
