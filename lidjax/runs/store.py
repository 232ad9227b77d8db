"""Labelled results: a Zarr group, read back as an xarray Dataset.

A chunk is what is written at once, atomically and with its checksum; a tile is one chunk or several. `status` doubles
as the record of what is done: it is written last, chunk by chunk, and holds PENDING where nothing was written yet, so
a run that is killed leaves whole chunks and nothing else.
"""

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from zarr.codecs import Crc32cCodec, ZstdCodec

from lidjax.errors import InputError
from lidjax.runs.location import LocalPlace, place_of
from lidjax.runs.manifest import FORMAT, OWN, check_law, check_manifest, make_manifest
from lidjax.status import CellStatus
from lidjax.sweep.labels import labels_of
from lidjax.sweep.source import TileResult, cell_status

CELL_ARRAYS = ("lgen", "failure", "status")


class SweepStore:
    """The store of one sweep. `location` is a folder, or a zarr store such as `MemoryStore`."""

    def __init__(self, group: zarr.Group):
        self.group = group

    @classmethod
    def create(
        cls,
        location: Any,
        *,
        axes: Mapping[str, np.ndarray],
        k: np.ndarray,
        coordinates: Mapping[str, tuple[str, np.ndarray]],
        tile: Mapping[str, int],
        law: Mapping[str, Any],
        provenance: Mapping[str, Any],
    ) -> "SweepStore":
        """An empty store with every cell pending; one chunk a tile."""
        store = cls(zarr.open_group(location, mode="w", zarr_format=3))
        store.update(
            make_manifest(axes=axes, k=k, coordinates=coordinates, tile=tile, law=law, provenance=provenance)
        )
        return store

    @classmethod
    def open(cls, location: Any, name: str | None = None) -> "SweepStore":
        """An existing store; InputError if there is none at `location`, or one of another format."""
        where = name or str(location)
        try:
            group = zarr.open_group(location, mode="r+", zarr_format=3)
            manifest = group.attrs.asdict()
        except (FileNotFoundError, ValueError, KeyError, TypeError, OSError) as error:
            raise InputError(f"{where}: not a store of a sweep ({type(error).__name__})") from None
        check_manifest(manifest, where)
        return cls(group)

    @property
    def manifest(self) -> dict[str, Any]:
        return self.group.attrs.asdict()

    @property
    def tile(self) -> dict[str, int]:
        """The tile shape the store was laid out for."""
        return dict(self.group.attrs["tile"])  # type: ignore[arg-type]

    @property
    def chunk(self) -> dict[str, int]:
        """The chunk shape, which no extension changes."""
        return dict(zip(self.manifest["axes"], self.group["status"].chunks, strict=True))  # type: ignore[union-attr]

    def check_law(self, law: Mapping[str, Any]) -> None:
        """Raise InputError, showing every difference, unless the store was made for this law or a part of its grid."""
        if self.manifest["format"] != FORMAT:
            raise InputError(
                f"the store was written by an older version ({self.manifest['format']!r}), without checksums: "
                "it can be read (show, plot), not gone on with"
            )
        check_law(self.manifest, law)

    def update(self, manifest: Mapping[str, Any]) -> None:
        """Replace the manifest in one write and make the arrays follow; after a kill in between, `lay_out` ends it."""
        self.group.attrs.put(dict(manifest))
        self.lay_out()

    def lay_out(self) -> None:
        """Make every array as the manifest says: what is there already stays as it is."""
        manifest = self.manifest
        axes = {name: np.asarray(values) for name, values in manifest["axes"].items()}
        k = np.asarray(manifest["k"]["values"], manifest["k"]["dtype"])
        own = {name: (name, values) for name, values in {**axes, "k": k}.items()}
        own |= {name: (axis, np.asarray(v)) for name, (axis, v) in manifest["coordinates"].items()}
        for name, (axis, values) in own.items():
            self._coordinate(name, axis, values)
        shape = tuple(len(v) for v in axes.values())
        chunks = tuple(min(manifest["tile"][name], n) for name, n in zip(axes, shape, strict=True))
        codes = {"flag_values": [int(c) for c in CellStatus], "flag_meanings": [c.name for c in CellStatus]}
        missed = (
            {"long_name": "probability of the patterns not seen", "units": "1"} if "samples" in axes else {}
        )
        dims = [*axes]
        self._cells("lgen", shape, chunks, k.dtype, np.nan, dims, missed)
        self._cells("failure", (*shape, len(k)), (*chunks, len(k)), k.dtype, np.nan, [*dims, "k"], {})
        self._cells("status", shape, chunks, np.dtype("int8"), int(CellStatus.PENDING), dims, codes)

    def _coordinate(self, name: str, axis: str, values: np.ndarray) -> None:
        if name in self.group:
            there = np.asarray(self.group[name][...])  # type: ignore[index]
            if there.shape == values.shape and np.array_equal(there, values):
                return
        array = self.group.create_array(
            name,
            shape=values.shape,
            chunks=values.shape,
            dtype=values.dtype,
            dimension_names=[axis],
            attributes=labels_of(name),
            overwrite=True,
        )
        array[:] = values

    def _cells(
        self, name: str, shape, chunks, dtype, fill, dims: list[str], attributes: dict[str, Any]
    ) -> None:
        if name in self.group:
            if self.group[name].shape != shape:  # type: ignore[union-attr]
                self.group[name].resize(shape)  # type: ignore[union-attr]
            return
        self.group.create_array(
            name,
            shape=shape,
            chunks=chunks,
            dtype=dtype,
            fill_value=fill,
            compressors=(ZstdCodec(level=0), Crc32cCodec()),
            dimension_names=dims,
            attributes=labels_of(name) | attributes,
        )

    def pending(self) -> np.ndarray:
        """Boolean array over the cell axes, a byte a cell: not computed yet."""
        return np.asarray(self.group["status"][...]) == CellStatus.PENDING  # type: ignore[index]

    def write(self, tile: Mapping[str, slice], result: TileResult, pending: np.ndarray | None = None) -> None:
        """Write the cells of a tile that `pending` marks (over the tile; default all), chunk by chunk, status last.
        Cells that are there already keep every bit."""
        shape = self.group["status"].shape  # type: ignore[union-attr]
        tile = {name: slice(*part.indices(n)) for (name, part), n in zip(tile.items(), shape, strict=True)}
        corner = [part.start for part in tile.values()]
        with zarr.config.set(
            {"array.write_empty_chunks": True}
        ):  # a chunk that is not there is a damaged one
            arrays = {name: self.group[name] for name in CELL_ARRAYS}
        for chunk in self.chunks(tile):
            inside = tuple(slice(c.start - at, c.stop - at) for c, at in zip(chunk, corner, strict=True))
            new = np.ones(result.status[inside].shape, bool) if pending is None else pending[inside]
            if not new.any():
                continue
            for name in CELL_ARRAYS:
                values = getattr(result, name)[inside]
                if not new.all():
                    mask = new[..., None] if name == "failure" else new
                    values = np.where(mask, values, np.asarray(arrays[name][chunk]))  # type: ignore[index]
                arrays[name][chunk] = values  # type: ignore[index]

    def chunks(self, tile: Mapping[str, slice]) -> Iterator[tuple[slice, ...]]:
        """The chunks of a tile, as slices of the whole arrays."""
        size = self.chunk
        ranges = [
            [slice(at, min(at + size[name], part.stop)) for at in range(part.start, part.stop, size[name])]
            for name, part in tile.items()
        ]
        return itertools.product(*ranges)

    def damaged(self, chunk: tuple[slice, ...]) -> bool:
        """Whether a chunk fails its checksum, cannot be read, or its status does not fit its numbers."""
        try:
            status = np.asarray(self.group["status"][chunk])  # type: ignore[index]
            done = status != CellStatus.PENDING
            if not done.any():
                return False
            lgen, failure = (np.asarray(self.group[name][chunk]) for name in ("lgen", "failure"))  # type: ignore[index]
        except PermissionError:
            raise
        except Exception:  # each codec fails in its own way; what cannot be read is damaged
            return True
        return bool((cell_status(lgen, failure)[done] != status[done]).any())

    def discard(self, chunk: tuple[slice, ...]) -> None:
        """Forget a chunk: its cells are pending again."""
        self.group["status"][chunk] = CellStatus.PENDING  # type: ignore[index]

    def dataset(self) -> xr.Dataset:
        """The results as a Dataset, axes in the order of the spec; spec and provenance are in `attrs`."""
        data = xr.open_zarr(self.group.store, consolidated=False, chunks=None)
        data = data.set_coords([name for name in ("split", "label") if name in data])
        order = data.attrs.get("order") or {}
        data.attrs = {key: value for key, value in data.attrs.items() if key not in OWN or key == "format"}
        return data.isel({name: np.asarray(at) for name, at in order.items()}) if order else data


def store_path(out: Path) -> Path:
    """Where the store of a run lies in its output folder; takes either."""
    return LocalPlace(out).store_folder


def open_results(location: str | Path) -> xr.Dataset:
    """The results of a run, from its output folder or URL, or the store inside it.

    InputError where there are none, or where a chunk is damaged.
    """
    place = place_of(location)
    if not place.has_store():
        raise InputError(f"{location}: no results there; `lidjax run SPEC.toml --out {location}` makes them")
    store = SweepStore.open(place.zarr_store(), place.store_name)
    if store.manifest["format"] == FORMAT:
        whole = {name: slice(0, len(values)) for name, values in store.manifest["axes"].items()}
        bad = sum(store.damaged(chunk) for chunk in store.chunks(whole))
        if bad:
            raise InputError(
                f"{location}: {bad:,} chunks are damaged; the run's own command computes them again"
            )
    return store.dataset()
