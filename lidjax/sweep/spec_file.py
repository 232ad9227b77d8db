"""Specs from TOML files and nested dicts, and back.

An axis of [grid] is a number, a list of numbers, or one of `{ logspace = [lo, hi, count] }`,
`{ linspace = [lo, hi, count] }`, `{ range = [start, stop] }`.
"""

import dataclasses
import math
import tomllib
from pathlib import Path
from typing import Any, get_args, get_origin

import numpy as np

from lidjax.errors import InputError, unknown_name
from lidjax.sweep.spec import FeaturesSpec, FrontierSpec, Spec, SyntheticSpec

LONGEST = 1_000_000  # values of an axis
KINDS = {"model": SyntheticSpec, "features": FeaturesSpec, "frontier": FrontierSpec}
"""The table that says which kind of sweep a spec is."""


def read_toml(path: Path, examples: str) -> dict[str, Any]:
    """The tables of a TOML file; InputError in words if there is none or it is not one."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; specs to start from are in {examples}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as a spec: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: not valid TOML: {error}") from None


def load_spec(path: str | Path) -> Spec:
    """Read and check a TOML spec. A relative `features.path` is resolved against the spec's folder."""
    path = Path(path)
    table = read_toml(path, "sweeps/")
    try:
        spec = spec_from_dict({"name": path.stem, **table})
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    if isinstance(spec, FeaturesSpec) and not Path(spec.features.path).expanduser().is_absolute():
        resolved = str((path.parent / spec.features.path).resolve())
        spec = dataclasses.replace(spec, features=dataclasses.replace(spec.features, path=resolved))
    return spec


def spec_from_dict(table: dict[str, Any]) -> Spec:
    """Build a spec from nested dicts, as TOML or a store's manifest gives them."""
    kinds = [name for name in KINDS if name in table]
    if not kinds and ("embedded" in table or "huggingface" in table):
        raise InputError("is a spec of teacher and students: `lidjax distill` runs it")
    if len(kinds) != 1:
        raise InputError(
            "a spec has exactly one of [model] (the LID model), [features] (an .npz of real features) and [frontier] "
            f"(Zipf draws); this one has {' and '.join(f'[{k}]' for k in kinds) or 'neither'}"
        )
    return build(KINDS[kinds[0]], table, "")


def spec_to_dict(spec: Any) -> dict[str, Any]:
    """A spec of any kind as nested dicts of plain JSON types."""
    return dataclasses.asdict(spec, dict_factory=lambda items: {k: _plain(v) for k, v in items})


def law_of(spec: Spec) -> dict[str, Any]:
    """The part of a spec that decides the numbers; two stores may be continued only where it agrees.

    A feature file counts by its content, which the store keeps a hash of, not by its path.
    """
    table = spec_to_dict(spec)
    del table["name"], table["fit"]
    table["run"] = {key: table["run"][key] for key in ("root_key", "dtype")}
    if "features" in table:
        del table["features"]["path"]
    return table


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def build(cls: Any, table: Any, prefix: str) -> Any:
    """A dataclass from a table; unknown and missing keys are errors that name the key."""
    if not isinstance(table, dict):
        raise InputError(f"{prefix.rstrip('.')} must be a table, not {table!r}")
    fields = {f.name: f for f in dataclasses.fields(cls)}
    for key in table:
        if key not in fields:
            raise unknown_name("key", prefix + key, [prefix + name for name in fields])
    values = {}
    for name, item in fields.items():
        required = item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
        if name in table:
            values[name] = _convert(item.type, table[name], prefix + name)
        elif required and not dataclasses.is_dataclass(item.type):
            raise InputError(f"{prefix}{name} is missing")
        elif required:
            values[name] = build(item.type, {}, prefix + name + ".")
    return cls(**values)


def _convert(kind: Any, value: Any, key: str) -> Any:
    if dataclasses.is_dataclass(kind):
        return build(kind, value, key + ".")
    if get_origin(kind) is tuple:
        items = get_args(kind)
        expanded = _expand_axis(value, items[0], key)
        if items[-1] is not Ellipsis and len(expanded) != len(items):
            raise InputError(f"{key} = {value!r}: {len(items)} numbers are wanted")
        return tuple(_number(items[0], x, key) for x in expanded)
    if kind in (int, float):
        return _number(kind, value, key)
    if not isinstance(value, str):
        raise InputError(f"{key} = {value!r}: must be a string")
    return value


def _number(kind: type, value: Any, key: str) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InputError(f"{key} = {value!r}: must be a number")
    if not math.isfinite(value):
        raise InputError(f"{key} = {value!r}: must be finite")
    if kind is int and value != int(value):
        raise InputError(f"{key} = {value!r}: must be a whole number")
    return kind(value)


def _expand_axis(value: Any, kind: type, key: str) -> list[Any]:
    """The values of an axis, in the order given; spaced integers are rounded and made unique."""
    if isinstance(value, (list, tuple)):
        return list(value)
    if not isinstance(value, dict):
        return [value]
    spacings = ("logspace", "linspace", "range")
    if len(value) != 1 or next(iter(value)) not in spacings:
        raise InputError(f"{key} = {value!r}: one of {', '.join(spacings)} is allowed")
    name, arguments = next(iter(value.items()))
    wanted = 2 if name == "range" else 3
    if not isinstance(arguments, list) or len(arguments) != wanted:
        form = "[start, stop]" if name == "range" else "[lo, hi, count]"
        raise InputError(f"{key} = {value!r}: {name} takes {form}")
    numbers = [_number(float, x, key) for x in arguments]
    if name == "range":
        start, stop = (_number(int, x, key) for x in numbers)
        if stop - start > LONGEST:
            raise InputError(f"{key} = {value!r}: an axis has at most {LONGEST:,} values")
        return list(range(start, stop))
    low, high, count = numbers
    if count != int(count) or not 2 <= count <= LONGEST:
        raise InputError(f"{key} = {value!r}: count must be a whole number from 2 to {LONGEST:,}")
    if name == "logspace" and not 0 < low < high:
        raise InputError(f"{key} = {value!r}: logspace wants 0 < lo < hi")
    spaced = (np.geomspace if name == "logspace" else np.linspace)(low, high, int(count))
    if kind is int:
        spaced = np.unique(np.rint(spaced))
    return spaced.tolist()
