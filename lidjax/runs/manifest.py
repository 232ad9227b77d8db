"""What a store says of itself, and what another spec may make of it: go on, extend, or nothing.

The manifest is the truth of a store: it is replaced in one atomic write, and the arrays follow it. Axes are kept in
the order in which their values came, so that an extended store moves no old cell; `order` puts them back on reading.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lidjax.errors import InputError

FORMAT = "lidjax sweep 2"
READABLE = ("lidjax sweep 1", FORMAT)  # 1 had no checksums and no extension: read, not continued

OWN = ("format", "tile", "axes", "order", "k", "coordinates")
"""Keys that are the engine's own; the others are shown with the results."""


@dataclass(frozen=True)
class Layout:
    """Axes and tile of a store. `axes` are in storage order."""

    axes: Mapping[str, np.ndarray]
    tile: Mapping[str, int]


def make_manifest(
    *,
    axes: Mapping[str, np.ndarray],
    k: np.ndarray,
    coordinates: Mapping[str, tuple[str, np.ndarray]],
    tile: Mapping[str, int],
    law: Mapping[str, Any],
    provenance: Mapping[str, Any],
) -> dict[str, Any]:
    """The manifest of a new store, plain JSON."""
    return as_json(
        {
            "format": FORMAT,
            "tile": dict(tile),
            "axes": {name: values.tolist() for name, values in axes.items()},
            "order": {},
            "k": {"dtype": k.dtype.name, "values": k.tolist()},
            "coordinates": _plain(coordinates),
            "law": dict(law),
            **provenance,
        }
    )


def extended(
    manifest: Mapping[str, Any],
    *,
    layout: Layout,
    wanted: Mapping[str, np.ndarray],
    coordinates: Mapping[str, tuple[str, np.ndarray]],
    law: Mapping[str, Any],
    provenance: Mapping[str, Any],
) -> dict[str, Any]:
    """The manifest after more grid values: `layout` in storage order, `wanted` the axes as the spec has them."""
    order = {name: _positions(layout.axes[name], values) for name, values in wanted.items()}
    made_with = ("versions", "device", "git_commit")
    before = {key: manifest[key] for key in made_with if key in manifest}
    earlier = [*manifest.get("earlier", [])]
    if any(before.get(key) != provenance.get(key) for key in made_with) and before not in earlier:
        earlier.append(before)
    return as_json(
        {
            **manifest,
            **provenance,
            "tile": dict(layout.tile),
            "axes": {name: values.tolist() for name, values in layout.axes.items()},
            "order": {name: at for name, at in order.items() if at != list(range(len(at)))},
            "coordinates": _plain(coordinates),
            "law": dict(law),
            **({"earlier": earlier} if earlier else {}),
        }
    )


def storage_axes(manifest: Mapping[str, Any], wanted: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """`wanted` with the store's values first, as they lie there, and new ones after them."""
    axes = {}
    for name, values in wanted.items():
        stored = np.asarray(manifest["axes"][name], values.dtype)
        axes[name] = np.concatenate([stored, values[~np.isin(values, stored)]])
    return axes


def check_law(manifest: Mapping[str, Any], law: Mapping[str, Any]) -> None:
    """Raise InputError, showing every difference, unless `law` is the store's own or the same with more grid values.

    Fewer values of an axis, other values of k, and whatever else decides the numbers of a cell are differences.
    """
    stored, wanted = _flatten(manifest["law"]), _flatten(as_json(law))
    axes = {f"grid.{name}" for name in manifest["axes"]}
    lines = []
    for key in sorted(stored.keys() | wanted.keys()):
        old, new = stored.get(key, "nothing"), wanted.get(key, "nothing")
        if old == new or (key in axes and _within(old, new)):
            continue
        lines.append(f"  {key}: the store has {_short(old)}, the spec {_short(new)}")
    if lines:
        raise InputError("the store holds another sweep:\n" + "\n".join(lines))


def check_manifest(manifest: Mapping[str, Any], where: str) -> None:
    """InputError unless this is a manifest that can be read. It may come from anywhere: it is data, and checked."""
    found = manifest.get("format")
    if found not in READABLE:
        newer = isinstance(found, str) and found.startswith("lidjax sweep ")
        why = "made by another version of lidjax, " if newer else ""
        raise InputError(f"{where}: not a store of format {FORMAT!r}: {why}{found!r}")
    if found != FORMAT:
        return
    keys = ("axes", "order", "tile", "k", "coordinates", "law")
    tables: dict[str, Any] = {key: manifest.get(key) for key in keys}
    good = all(isinstance(table, dict) for table in tables.values())
    axes, order = (tables[key] if good else {} for key in ("axes", "order"))
    good = good and all(_is_axis(name, values) for name, values in axes.items())
    good = good and all(sorted(at) == list(range(len(axes.get(name, ())))) for name, at in order.items())
    good = good and all(
        isinstance(manifest["tile"].get(name), int) and manifest["tile"][name] >= 1 for name in axes
    )
    good = good and _is_axis("k", manifest["k"].get("values"))
    if not good:
        raise InputError(f"{where}: its manifest is not that of a sweep")


def _within(old: Any, new: Any) -> bool:
    both = isinstance(old, list) and isinstance(new, list)
    return both and {json.dumps(x) for x in old} <= {json.dumps(x) for x in new}


def as_json(table: Any) -> Any:
    """What comes back when `table` is written as JSON and read."""
    return json.loads(json.dumps(table))


def _is_axis(name: Any, values: Any) -> bool:
    plain = isinstance(name, str) and name.isidentifier()
    return (
        plain and isinstance(values, list) and bool(values) and all(type(x) in (int, float) for x in values)
    )


def _positions(stored: np.ndarray, values: np.ndarray) -> list[int]:
    place = {value: index for index, value in enumerate(stored.tolist())}
    return [place[value] for value in values.tolist()]


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
