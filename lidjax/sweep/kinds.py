"""The registry of kinds of cell: what a kind must offer, and where the engine and the readers look it up.

A kind is one `Kind` object, made in one module and passed to `register_kind`; the shipped ones are in `sources/`. Every
command and every function of the library finds all it needs to know of a sweep there: its TOML table, how its cells are
computed, what its results are called, how they are summarised, printed and drawn.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from lidjax.errors import InputError
from lidjax.runs.schema import Schema
from lidjax.sweep.source import Source
from lidjax.sweep.spec import Spec

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

ENTRY_POINTS = "lidjax.kinds"
"""Group of entry points by which an installed package adds kinds to the command line."""

Window = tuple[float, float]


class SummaryTable(NamedTuple):
    """One table of a summary: formatted for people, and as a record for programs."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    notes: list[str]
    """Sentences to print below the table."""
    record: dict[str, Any]
    """The same results as plain numbers, for JSON."""


def no_tables(summary: "xr.Dataset") -> list[SummaryTable]:
    """Tables of a kind that defines none."""
    return []


def no_figures(data: "xr.Dataset", summary: "xr.Dataset") -> "Iterator[tuple[str, Figure]]":
    """Figures of a kind that defines none."""
    return iter(())


def nothing_derived(data: "xr.Dataset") -> "xr.Dataset":
    """`derived` of a kind whose results are the stored variables."""
    return data


def same_paths(spec: Any, folder: Path) -> Any:
    """`resolve` of a kind whose spec names no file."""
    return spec


@dataclass(frozen=True)
class Kind:
    """A kind of cell."""

    name: str
    """How stores call it; never changed once stores exist."""
    table: str
    """The TOML table that says that a spec is of this kind."""
    title: str
    """What it is, in a few words, for error messages."""
    spec: type
    """The spec: a frozen dataclass with `name`, `grid`, `run`, `fit` (see `spec.Spec`) and the table."""
    source: Callable[[Any], Source]
    """Makes the source of cells of a spec."""
    schema: Schema
    """The variables of a cell, and labels of all axes."""
    summarise: "Callable[[xr.Dataset, Window | None, float | None], xr.Dataset]"
    """Summary of results, for a window and a smallest N; None means those of the spec."""
    tables: "Callable[[xr.Dataset], list[SummaryTable]]" = no_tables
    """Tables of a summary, which `lidjax run` and `lidjax show` print."""
    figures: "Callable[[xr.Dataset, xr.Dataset], Iterator[tuple[str, Figure]]]" = no_figures
    """File names and figures of results and their summary, which `lidjax run` and `lidjax plot` write."""
    overview: "Callable[[xr.Dataset], SummaryTable] | None" = None
    """One table of all cells of a summary, a row each; None: `tables` are printed however many cells there are. Its
    record has the axes that vary under `axes`, which are the first columns, and the rows as numbers under `rows`."""
    facets: "Callable[[xr.Dataset, str | None, str | None], Iterator[tuple[str, Figure]]] | None" = None
    """File names and figures of the several cells of a summary, with an axis along the columns and one as colours."""
    along: tuple[str, ...] = ("n",)
    """Axes that a table runs along. The other axes, but the seed, tell models apart: they are chosen with `--at`."""
    comparisons: "Mapping[str, Callable[..., Figure]]" = field(default_factory=dict)
    """Figures that put several sweeps side by side, by the name that `lidjax plot --figure` knows. Each is called with
    a sequence of results; one that measures slopes over k takes a keyword `window` too."""
    derived: "Callable[[xr.Dataset], xr.Dataset]" = nothing_derived
    """Adds to opened results what follows from the stored variables, such as a mask."""
    resolve: Callable[[Any, Path], Any] = same_paths
    """Makes paths in a spec absolute, given the folder of its file."""
    window_axis: str = "k"
    """The key of [grid] of whose values `fit.window` must contain three; "" if a summary needs none."""
    not_identity: tuple[str, ...] = ()
    """Keys of the spec, such as "features.path", that do not decide the numbers of a cell."""


_kinds: dict[str, Kind] = {}
_loaded = False


def register_kind(kind: Kind) -> None:
    """Add a kind of cell, so that specs with its table can be planned, run, resumed, summarised and drawn.

    Args:
        kind: The kind. Its name and its table must not be in use by another one.

    Raises:
        ValueError: If another kind has this name or table.

    Example:
        >>> import dataclasses, lidjax
        >>> from lidjax.sweep import kind_named, register_kind
        >>> try:
        ...     register_kind(dataclasses.replace(kind_named("frontier"), name="mine"))
        ... except ValueError as error:
        ...     print(error)
        the kind 'frontier' has the table [frontier] already
    """
    for other in _kinds.values():
        if other is kind:
            return
        if other.name == kind.name:
            raise ValueError(f"a kind with the name {kind.name!r} is registered already")
        if other.table == kind.table:
            raise ValueError(f"the kind {other.name!r} has the table [{kind.table}] already")
    _kinds[kind.name] = kind


def all_kinds() -> list[Kind]:
    """The registered kinds: the shipped ones, those of installed packages, and those registered by hand."""
    global _loaded
    if not _loaded:
        _loaded = True
        from lidjax.sweep.sources import SHIPPED

        for kind in SHIPPED:
            register_kind(kind)
        for entry in entry_points(group=ENTRY_POINTS):
            register_kind(entry.load())
    return list(_kinds.values())


def kind_named(name: str) -> Kind:
    """The kind that a store names. Raises InputError if it is not registered here."""
    for kind in all_kinds():
        if kind.name == name:
            return kind
    known = ", ".join(kind.name for kind in all_kinds())
    raise InputError(f"results of kind {name!r}, which is not registered here; registered kinds: {known}")


def kind_of_spec(spec: Spec) -> Kind:
    """The kind of a spec. Raises TypeError for an object that is no spec."""
    for kind in all_kinds():
        if isinstance(spec, kind.spec):
            return kind
    raise TypeError(f"{type(spec).__name__} is not a sweep spec; load_spec and spec_from_dict make one")


def kind_of_results(data: "xr.Dataset") -> Kind:
    """The kind of the results of a sweep. Raises InputError for other data."""
    if "kind" not in data.attrs:
        raise InputError("these are not the results of a sweep: the attribute 'kind' is missing")
    return kind_named(data.attrs["kind"])
