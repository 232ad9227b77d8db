"""What every sweep spec has, and the checks of its values; each error names its key.

A spec is a frozen dataclass of tables. Its kind (`kinds.py`) says which tables there are: each file of `sources/`
defines those of its own kind. `spec_file` reads specs from TOML.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args, get_origin

import numpy as np

from lidjax.arrays import check_window
from lidjax.errors import InputError, check_choice

MIN_POINTS = 3
"""Fewest points of a slope."""
Positive = tuple[float, ...]


class Spec(Protocol):
    """A sweep of any kind: a name, a grid, how it runs and how it is summarised, and the table of its kind."""

    @property
    def name(self) -> str: ...
    @property
    def grid(self) -> Any: ...
    @property
    def run(self) -> "Run": ...
    @property
    def fit(self) -> "Fit": ...


@dataclass(frozen=True)
class Run:
    """How the sweep runs. Only `root_key` and `dtype` change its numbers."""

    root_key: int = 0
    """Root of every random stream."""
    dtype: Literal["float64", "float32"] = "float64"
    """Precision of the kernels."""
    memory_gib: float = 1.0
    """Memory that one tile may take on each device, in GiB."""
    tile_seconds: float = 2.0
    """Time a tile should take at most, in seconds: an interruption loses no more than one tile."""

    def __post_init__(self) -> None:
        check_choices(self, "run")
        require(0 <= self.root_key < 2**63, "run.root_key", self.root_key, "from 0 to 2⁶³-1")
        require(self.memory_gib > 0, "run.memory_gib", self.memory_gib, "greater than 0")
        require(self.tile_seconds > 0, "run.tile_seconds", self.tile_seconds, "greater than 0")


@dataclass(frozen=True)
class Fit:
    """How the results are summarised. It changes no stored number."""

    window: tuple[float, float] = (10.0, 1000.0)
    """[k1, k2] of Eq. 55."""
    from_n: float = 0.0
    """Smallest N in the fit of Eq. 20. 0 means N > 1.5 d, beyond the double-descent peak."""
    published: tuple[float, ...] = ()
    """Published β_eff at the first to the last N, printed beside the measured values."""

    def __post_init__(self) -> None:
        check_window(self.window, "fit.window")
        require(self.from_n >= 0, "fit.from_n", self.from_n, "at least 0")


def check_window_on_grid(window: Sequence[float], values: Sequence[float] | np.ndarray, axis: str) -> None:
    """Raise InputError unless `window` contains at least three of the values of an axis."""
    low, high = check_window(window, "fit.window")
    values = np.asarray(values, float)
    inside = int(np.sum((values >= low) & (values <= high)))
    if inside < MIN_POINTS:
        raise InputError(
            f"fit.window = [{low:g}, {high:g}]: contains {inside} of the sweep's values of {axis} (from "
            f"{values.min():g} to {values.max():g}); a slope needs at least {MIN_POINTS}"
        )


def check_axis(
    grid: Any, name: str, allowed: Callable[[Any], bool], words: str, *, table: str = "grid"
) -> None:
    """Raise InputError unless `grid.name` has finite, different values that are all `allowed`.

    One number stands for an axis of one value, and a list or a NumPy array for a tuple: `grid.name` becomes a tuple.
    `table` is what the TOML table is called.
    """
    key = f"{table}.{name}"
    given = getattr(grid, name)
    values: tuple[Any, ...] = (
        given if isinstance(given, tuple) else tuple(np.atleast_1d(given).ravel().tolist())
    )
    object.__setattr__(grid, name, values)  # the dataclass is frozen
    if not values:
        raise InputError(f"{key} is empty: an axis needs at least one value")
    for value in values:
        require(math.isfinite(value) and allowed(value), key, value, words)
        squares = value == 0 or 1e-100 <= abs(value) <= 1e100
        require(
            squares,
            key,
            value,
            "between 1e-100 and 1e100 in size, so that its square is a finite number",
        )
    if len(set(values)) != len(values):
        raise InputError(f"{key} = {list(values)}: contains a value twice")


def check_model_axes(grid: Any) -> None:
    """Raise InputError unless the axes that sweeps of the LID model have in common are in their ranges."""
    check_axis(grid, "k", lambda x: x >= 1, "at least 1")
    for name in ("beta", "sigma_eta", "delta"):
        check_axis(grid, name, lambda x: x > 0, "greater than 0")
    spectrum = "greater than -1 (α > 0 for a summable spectrum), at most 20"
    check_axis(grid, "alpha", lambda x: -1 < x <= 20, spectrum)
    check_axis(grid, "seed", lambda x: 0 <= x < 2**32, "from 0 to 2³²-1")


def check_choices(item: Any, prefix: str) -> None:
    """Raise InputError unless every field of a dataclass that is a Literal has one of its values."""
    for f in dataclasses.fields(item):
        if get_origin(f.type) is Literal:
            check_choice(f"{prefix}.{f.name} =", getattr(item, f.name), get_args(f.type))


def check_name(name: str) -> None:
    """Raise InputError unless `name` can be the name of a folder."""
    plain = bool(name) and not name.startswith(".") and all(c.isalnum() or c in "-_. " for c in name)
    require(plain, "name", name, "made of letters, digits, spaces and -_. only, and not start with a dot")


def require(ok: bool, key: str, value: Any, words: str) -> None:
    """Raise InputError, saying what `key` must be, unless `ok`."""
    if not ok:
        raise InputError(f"{key} = {value!r}: must be {words}")
