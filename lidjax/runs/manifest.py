"""The metadata of a store, and whether a run may resume or extend it.

The manifest is the reference for a store: it is replaced in one atomic write, and the arrays follow it. Axes are kept
in the order in which their values were added, so that extending a store moves no cell that is computed already;
`order` restores the order of the spec on reading.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lidjax.errors import InputError
from lidjax.runs.schema import Schema

FORMAT = "lidjax store 3"
RESUMABLE = ("lidjax sweep 2", FORMAT)  # sweep 2: version 0.1.0; only the manifest's keys differ
READABLE = ("lidjax sweep 1", "lidjax distill 1", *RESUMABLE)  # without checksums: read, but not resumed

INTERNAL = ("format", "tile", "axes", "order", "k", "dims", "coordinates", "arrays")
"""Keys that only the store itself uses; the others are shown with the results."""

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Contents:
    """What a run asks a store to hold. `axes` are in storage order."""

    axes: Mapping[str, np.ndarray]
    """The cell axes: name to values."""
    dims: Mapping[str, np.ndarray]
    """Further dimensions of variables, such as k: name to values."""
    tile: Mapping[str, int]
    coordinates: Mapping[str, tuple[str, np.ndarray]]
    """Further coordinates: name to the axis they lie along, and values."""
    identity: Mapping[str, Any]
    """Everything that decides the numbers of a cell."""
    provenance: Mapping[str, Any]
    """The spec, versions, device and commit; facts of the input that readers need."""


def new_manifest(contents: Contents, schema: Schema) -> Manifest:
    """The manifest of a new store, as plain JSON."""
    return as_json(
        {
            "format": FORMAT,
            "tile": dict(contents.tile),
            "axes": {name: values.tolist() for name, values in contents.axes.items()},
            "order": {},
            "dims": {
                name: {"dtype": values.dtype.str, "values": values.tolist()}
                for name, values in contents.dims.items()
            },
            "coordinates": _plain(contents.coordinates),
            "arrays": {v.name: v.name for v in schema.variables},
            "identity": dict(contents.identity),
            **contents.provenance,
        }
    )


def upgraded(manifest: Manifest, schema: Schema) -> Manifest:
    """The manifest with today's keys, whichever version wrote it. The arrays on disk keep their names."""
    if manifest["format"] == FORMAT:
        return manifest
    former = schema.former_names
    return {
        **{key: value for key, value in manifest.items() if key not in ("k", "law")},
        "dims": {"k": manifest["k"]} if "k" in manifest else {},
        "arrays": {v.name: former.get(v.name, v.name) for v in schema.variables if not v.optional},
        "identity": manifest.get("law", {}),
    }


def extended(manifest: Manifest, contents: Contents, wanted: Mapping[str, np.ndarray]) -> Manifest:
    """The manifest of a store that more grid values are added to.

    `contents` has the axes in storage order, `wanted` the axes as the spec has them.
    """
    order = {name: _positions(contents.axes[name], values) for name, values in wanted.items()}
    made_with = ("versions", "device", "git_commit")
    before = {key: manifest[key] for key in made_with if key in manifest}
    earlier = [*manifest.get("earlier", [])]
    if any(before.get(key) != contents.provenance.get(key) for key in made_with) and before not in earlier:
        earlier.append(before)
    return as_json(
        {
            **manifest,
            **contents.provenance,
            "format": FORMAT,
            "tile": dict(contents.tile),
            "axes": {name: values.tolist() for name, values in contents.axes.items()},
            "order": {name: at for name, at in order.items() if at != list(range(len(at)))},
            "coordinates": _plain(contents.coordinates),
            "identity": dict(contents.identity),
            **({"earlier": earlier} if earlier else {}),
        }
    )


def storage_axes(manifest: Manifest, wanted: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """`wanted` in storage order: the values that the store has, in its order, then the new ones."""
    axes: dict[str, np.ndarray] = {}
    for name, values in wanted.items():
        stored = np.asarray(manifest["axes"][name], values.dtype)
        axes[name] = np.concatenate([stored, values[~np.isin(values, stored)]])
    return axes


def check_identity(manifest: Manifest, identity: Mapping[str, Any]) -> None:
    """Raise InputError, showing every difference, unless `identity` is the store's or has more grid values.

    Fewer values of an axis, other values of k, and anything else that decides the numbers of a cell are differences.
    """
    stored, wanted = _flatten(manifest["identity"]), _flatten(as_json(identity))
    axes = {f"grid.{name}" for name in manifest["axes"]}
    lines: list[str] = []
    for key in sorted(stored.keys() | wanted.keys()):
        old, new = stored.get(key, "nothing"), wanted.get(key, "nothing")
        if old == new or (key in axes and _contains(new, old)):
            continue
        lines.append(f"  {key}: the store has {_short(old)}, the spec {_short(new)}")
    if lines:
        raise InputError("the store holds another run:\n" + "\n".join(lines))


def is_same_run(manifest: Manifest, identity: Mapping[str, Any], name: str) -> bool:
    """Whether a store is of the run `name` with this identity, its grid apart: one that may be started anew.

    A newer version may draw other random numbers for the same run.
    """
    spec = manifest.get("spec")
    stored, wanted = _flatten(manifest["identity"]), _flatten(as_json(identity))
    differ = {key for key in stored.keys() | wanted.keys() if stored.get(key) != wanted.get(key)}
    free = ("grid.", "problems_of_students.", "random_streams")
    return isinstance(spec, dict) and spec.get("name") == name and all(key.startswith(free) for key in differ)


def check_manifest(manifest: Manifest, where: str) -> None:
    """Raise InputError unless the manifest can be read. A store may come from anywhere, so nothing is trusted."""
    found = manifest.get("format")
    if found not in READABLE:
        newer = isinstance(found, str) and found.startswith("lidjax ")
        why = "made by another version of lidjax, " if newer else ""
        raise InputError(f"{where}: not a store of format {FORMAT!r}: {why}{found!r}")
    if found not in RESUMABLE:
        return
    own = ("dims", "identity", "arrays") if found == FORMAT else ("k", "law")
    tables: dict[str, Any] = {
        key: manifest.get(key) for key in ("axes", "order", "tile", "coordinates", *own)
    }
    if not all(isinstance(table, dict) for table in tables.values()) or not _is_sound(manifest):
        raise InputError(f"{where}: the store's manifest is not valid")


def _is_sound(manifest: Manifest) -> bool:
    axes, order, tile = manifest["axes"], manifest["order"], manifest["tile"]
    dims: dict[str, Any] = manifest["dims"] if manifest["format"] == FORMAT else {"k": manifest["k"]}
    arrays = manifest.get("arrays", {}).items()
    return (
        all(_is_name(name) and _is_axis(values) for name, values in axes.items())
        and all(sorted(at) == list(range(len(axes.get(name, ())))) for name, at in order.items())
        and all(type(tile.get(name)) is int and tile[name] >= 1 for name in axes)
        and all(
            _is_name(name) and isinstance(dim, dict) and _is_dim(dim.get("values"))
            for name, dim in dims.items()
        )
        and all(_is_name(name) and _is_name(array) for name, array in arrays)
    )


def as_json(table: Any) -> Any:
    """What comes back when `table` is written as JSON and read."""
    return json.loads(json.dumps(table))


def _is_name(name: Any) -> bool:
    return isinstance(name, str) and name.isidentifier()


def _is_axis(values: Any) -> bool:
    return isinstance(values, list) and bool(values) and all(type(x) in (int, float) for x in values)


def _is_dim(values: Any) -> bool:
    return _is_axis(values) or (
        isinstance(values, list) and bool(values) and all(isinstance(x, str) for x in values)
    )


def _contains(larger: Any, smaller: Any) -> bool:
    if not (isinstance(larger, list) and isinstance(smaller, list)):
        return False
    return {json.dumps(x) for x in smaller} <= {json.dumps(x) for x in larger}


def _positions(stored: np.ndarray, values: np.ndarray) -> list[int]:
    position = {value: index for index, value in enumerate(stored.tolist())}
    return [position[value] for value in values.tolist()]


def _plain(coordinates: Mapping[str, tuple[str, np.ndarray]]) -> dict[str, Any]:
    return {name: [axis, values.tolist()] for name, (axis, values) in coordinates.items()}


def _short(value: Any) -> str:
    text = str(value)
    if not isinstance(value, list) or len(text) <= 200:
        return text
    return f"{len(value)} values, {str(value[:3])[:-1]}, ..., {value[-1]}]"


def _flatten(table: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(table, Mapping):
        return {prefix.rstrip("."): table}
    return {k: v for key, value in table.items() for k, v in _flatten(value, f"{prefix}{key}.").items()}
