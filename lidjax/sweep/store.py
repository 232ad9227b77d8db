"""Labelled results on disk: a Zarr group, one chunk a tile, read back as an xarray Dataset.

`status` doubles as the record of what is done: it is written last, tile by tile, and holds PENDING
where nothing was written yet. Chunk files are replaced atomically, so a run that is killed leaves whole
tiles and nothing else.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr

from lidjax.errors import InputError
from lidjax.status import CellStatus
from lidjax.sweep.source import TileResult

FORMAT = "lidjax sweep 1"

DESCRIPTIONS = {
    "beta": ("β, near-zero index of the difficulty prior", "1"),
    "alpha": ("α, spectral exponent", "1"),
    "dim": ("d, number of features", "1"),
    "ridge": ("ρ, ridge of Eq. 6", "squared units of x"),
    "sigma_eta": ("σ_η, noise scale", "units of y"),
    "delta": ("δ, verifier tolerance", "units of y"),
    "scale": ("s, rescaling of Eq. 26", "1"),
    "n": ("N, training instances", "1"),
    "exponent": ("a, exponent of the Zipf law", "1"),
    "samples": ("D, draws from the Zipf law", "1"),
    "seed": ("training set", "1"),
    "split": ("train/validation split of a seed", "1"),
    "label": ("label draw of a seed within its split", "1"),
    "k": ("k, attempts", "1"),
    "lgen": ("L_gen, generalisation loss", "squared units of y"),
    "failure": ("L_inf(k), pass@k failure probability", "1"),
    "status": ("status code of the cell", "1"),
}


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
        """An empty store with every cell pending."""
        group = zarr.open_group(location, mode="w")
        own = {name: (name, values) for name, values in {**axes, "k": k}.items()}
        for name, (axis, values) in (own | dict(coordinates)).items():
            array = group.create_array(
                name, shape=values.shape, dtype=values.dtype, dimension_names=[axis], attributes=_labels(name)
            )
            array[:] = values
        shape, chunks = tuple(len(v) for v in axes.values()), tuple(tile[name] for name in axes)
        codes = {"flag_values": [int(c) for c in CellStatus], "flag_meanings": [c.name for c in CellStatus]}

        def array_of_cells(name: str, dtype: Any, fill: Any, last: int | None, **attributes: Any) -> None:
            group.create_array(
                name,
                shape=shape if last is None else (*shape, last),
                chunks=chunks if last is None else (*chunks, last),
                dtype=dtype,
                fill_value=fill,
                dimension_names=[*axes] if last is None else [*axes, "k"],
                attributes=_labels(name) | attributes,
            )

        missed = (
            {"long_name": "probability of the patterns not seen", "units": "1"} if "samples" in axes else {}
        )
        array_of_cells("lgen", k.dtype, np.nan, None, **missed)
        array_of_cells("failure", k.dtype, np.nan, len(k))
        array_of_cells("status", "int8", int(CellStatus.PENDING), None, **codes)
        # written last: a folder without it is not taken for a store
        group.attrs.update({"format": FORMAT, "tile": dict(tile), "law": dict(law), **provenance})
        return cls(group)

    @classmethod
    def open(cls, location: Any) -> "SweepStore":
        """An existing store; InputError if there is none at `location`, or one of another format."""
        try:
            group = zarr.open_group(location, mode="r+")
        except (FileNotFoundError, ValueError, KeyError, OSError) as error:
            raise InputError(f"{location}: not a store of a sweep ({type(error).__name__})") from None
        if group.attrs.get("format") != FORMAT:
            raise InputError(f"{location}: not a store of format {FORMAT!r}: {group.attrs.get('format')!r}")
        return cls(group)

    @property
    def tile(self) -> dict[str, int]:
        """The tile shape the store was laid out for."""
        return dict(self.group.attrs["tile"])  # type: ignore[arg-type]

    def check_law(self, law: Mapping[str, Any]) -> None:
        """Raise InputError, showing every difference, unless the store was made for the same law."""
        stored = _flatten(self.group.attrs["law"])
        wanted = _flatten(json.loads(json.dumps(law)))
        lines = [
            f"  {key}: the store has {stored.get(key, 'nothing')}, the spec {wanted.get(key, 'nothing')}"
            for key in sorted(stored.keys() | wanted.keys())
            if stored.get(key) != wanted.get(key)
        ]
        if lines:
            raise InputError("the store holds another sweep:\n" + "\n".join(lines))

    def pending(self) -> np.ndarray:
        """Boolean array over the cell axes: not computed yet."""
        return np.asarray(self.group["status"][...]) == CellStatus.PENDING  # type: ignore[index]

    def write(self, tile: Mapping[str, slice], result: TileResult) -> None:
        """Write one tile, status last."""
        where = tuple(tile.values())
        self.group["lgen"][where] = result.lgen  # type: ignore[index]
        self.group["failure"][where] = result.failure  # type: ignore[index]
        self.group["status"][where] = result.status  # type: ignore[index]

    def dataset(self) -> xr.Dataset:
        """The results as a Dataset; spec and provenance are in `attrs`."""
        data = xr.open_zarr(self.group.store, consolidated=False, chunks=None)
        data = data.set_coords([name for name in ("split", "label") if name in data])
        data.attrs = {key: value for key, value in data.attrs.items() if key != "tile"}
        return data


def store_path(out: Path) -> Path:
    """Where the store of a run lies in its output folder; takes either."""
    return out if out.name == "results.zarr" else out / "results.zarr"


def open_results(location: str | Path) -> xr.Dataset:
    """The results of a run, from its output folder or the store inside it."""
    path = store_path(Path(location))
    if not path.exists():
        raise InputError(f"{location}: no results there; `lidjax run SPEC.toml --out {location}` makes them")
    return SweepStore.open(path).dataset()


def _labels(name: str) -> dict[str, Any]:
    long_name, units = DESCRIPTIONS[name]
    return {"long_name": long_name, "units": units}


def _flatten(table: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(table, Mapping):
        return {prefix.rstrip("."): table}
    return {k: v for key, value in table.items() for k, v in _flatten(value, f"{prefix}{key}.").items()}
