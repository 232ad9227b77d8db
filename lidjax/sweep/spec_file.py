"""Specs from TOML files and nested dicts, and back.

An axis of [grid] is a number, a list of numbers, or one of `{ logspace = [lo, hi, count] }`,
`{ linspace = [lo, hi, count] }`, `{ range = [start, stop] }`.
"""

import dataclasses
import math
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

import numpy as np

from lidjax.errors import InputError, unknown_name
from lidjax.sweep.kinds import Kind, all_kinds, kind_of_spec
from lidjax.sweep.spec import Spec

LONGEST = 1_000_000  # values of an axis


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
    """The sweep spec of a TOML file, checked.

    Args:
        path: The TOML file. Paths in it start at its folder; the name of the sweep defaults to the file's.

    Returns:
        A frozen dataclass of the spec's kind, such as `SyntheticSpec`.

    Raises:
        InputError: If the file cannot be read, or a key or value is not allowed; the message names it.

    Example:
        >>> import lidjax, pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "mine.toml")
        ...     _ = path.write_text("[model]\\n[grid]\\nn = [10, 100]\\nk = [1, 10]")
        ...     spec = lidjax.load_spec(path)
        >>> spec.name, spec.grid.n
        ('mine', (10, 100))
    """
    path = Path(path)
    table = read_toml(path, "sweeps/")
    try:
        spec = spec_from_dict({"name": path.stem, **table})
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return kind_of_spec(spec).resolve(spec, path.parent)


def spec_from_dict(table: Mapping[str, Any]) -> Spec:
    """A sweep spec from nested dicts, as TOML or the attributes of results have them.

    Args:
        table: Tables and values, with the same keys as a TOML spec.

    Returns:
        A frozen dataclass of the spec's kind.

    Raises:
        InputError: If a key or value is not allowed; the message names it.

    Example:
        >>> import lidjax
        >>> spec = lidjax.spec_from_dict({"model": {}, "grid": {"n": 64, "k": {"logspace": [1, 100, 3]}}})
        >>> spec.grid.k
        (1.0, 10.0, 100.0)
    """
    named = [kind for kind in all_kinds() if kind.table in table]
    if not named and ("embedded" in table or "huggingface" in table):
        raise InputError("is a spec of teacher and students: `lidjax distill` runs it")
    if len(named) != 1:
        allowed = ", ".join(f"[{kind.table}] ({kind.title})" for kind in all_kinds())
        found = " and ".join(f"[{kind.table}]" for kind in named) or "none"
        raise InputError(f"a spec has exactly one of the tables {allowed}; this one has {found}")
    _check_axes(named[0], table)
    return build(named[0].spec, dict(table), "")


def _check_axes(kind: Kind, table: Mapping[str, Any]) -> None:
    """Raise InputError for an axis that specs of another kind have, naming the table that they have."""
    own = _axes(kind)
    for axis in table.get("grid", {}) if isinstance(table.get("grid"), dict) else {}:
        others = [f"[{other.table}] ({other.title})" for other in all_kinds() if axis in _axes(other)]
        if axis not in own and others:
            raise InputError(
                f"grid.{axis} is not known to specs with [{kind.table}]; it is an axis of specs with "
                f"{' or '.join(others)}"
            )


def _axes(kind: Kind) -> set[str]:
    """The keys of [grid] in specs of a kind."""
    (grid,) = (f.type for f in dataclasses.fields(kind.spec) if f.name == "grid")
    return {f.name for f in dataclasses.fields(grid)} if dataclasses.is_dataclass(grid) else set()


def spec_to_dict(spec: Any) -> dict[str, Any]:
    """A spec of any kind as nested dicts of plain JSON types."""
    return dataclasses.asdict(spec, dict_factory=lambda items: {k: _plain(v) for k, v in items})


def identity_of(spec: Spec) -> dict[str, Any]:
    """The part of a spec that decides the numbers of its cells: a store is resumed only where it agrees."""
    table = spec_to_dict(spec)
    del table["name"], table["fit"]
    table["run"] = {key: table["run"][key] for key in ("root_key", "dtype")}
    for key in kind_of_spec(spec).not_identity:
        name, _, field = key.partition(".")
        del table[name][field]
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
