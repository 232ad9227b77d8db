"""Reading the results of sweeps: opened, summarised, tabulated and drawn, each by the kind of the sweep."""

import inspect
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import jax

from lidjax.errors import InputError, check_choice
from lidjax.runs.location import open_location
from lidjax.sweep.kinds import SummaryTable, Window, kind_named, kind_of_results

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure


def open_results(location: str | Path) -> "xr.Dataset":
    """The results of a sweep, from its output folder or URL, or from the store inside it.

    Args:
        location: Folder, URL, or the `results.zarr` in it.

    Returns:
        A labelled Dataset; see `run_sweep`. Its attributes `tiles_done` and `tiles` say how much of the sweep is
        computed; cells that are not have the status -1 (see `complete_part`). If L_inf(k) is a mean over sampled test
        instances, there are two more variables, also over k: `effective_sample_size`, the number of instances on which
        the mean rests, and the mask `low_ess`, True where these are fewer than 30: such values should be shown as
        uncertain, or not at all.

    Raises:
        InputError: If there are no results, or a chunk is damaged.

    Example:
        >>> import lidjax, tempfile
        >>> spec = {"frontier": {"vocabulary": 100}, "grid": {"samples": [10, 100]}}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = lidjax.run_sweep(spec, out=folder)
        ...     data = lidjax.open_results(folder).load()
        >>> dict(data.missed_mass.sizes)
        {'exponent': 1, 'samples': 2, 'seed': 1}
    """
    from lidjax.runs.store import Store, open_group

    place = open_location(location)
    if not place.has_store():
        raise InputError(f"{location}: no results there; `lidjax run SPEC.toml --out {location}` makes them")
    _, manifest = open_group(place.zarr_store(), place.store_name)
    if str(manifest.get("kind")).startswith("distill"):
        raise InputError(
            f"{location}: the results of `lidjax distill`, not of a sweep; lidjax.open_distillation, `lidjax show` and "
            "`lidjax plot` read them"
        )
    kind = kind_named(str(manifest.get("kind")))
    store = Store.open(place.zarr_store(), kind.schema, place.store_name)
    store.require_undamaged(str(location))
    return kind.derived(store.dataset())


def complete_part(data: "xr.Dataset") -> "xr.Dataset":
    """The part of unfinished results that is complete: no cell in it is still to be computed.

    Values are left out along the axes, first the one with the largest share of cells that are not computed, until every
    cell of the rest is. Results that are complete are returned as they are.

    Args:
        data: Results of `open_results`.

    Returns:
        The results at the values that are left on each axis.

    Raises:
        InputError: If nothing is left.

    Example:
        >>> import numpy as np, xarray as xr
        >>> import lidjax
        >>> status = np.array([[0, 0, -1], [0, 0, -1]])  # over n, seed
        >>> data = xr.Dataset({"status": (("n", "seed"), status)}, coords={"n": [10, 20], "seed": [0, 1, 2]})
        >>> lidjax.complete_part(data)["seed"].values.tolist()
        [0, 1]
    """
    import numpy as np

    from lidjax.status import PENDING

    pending = data["status"] == PENDING
    while bool(pending.any()):
        shares = {name: pending.mean([d for d in pending.dims if d != name]).values for name in pending.dims}
        axis = max(shares, key=lambda name: shares[name].max())
        keep = {axis: np.flatnonzero(shares[axis] < shares[axis].max())}
        data, pending = data.isel(keep), pending.isel(keep)
    if not pending.size:
        raise InputError("no part of the sweep is complete yet: run it to the end first")
    return data


def summarise(
    data: "xr.Dataset", *, window: Window | None = None, from_n: float | None = None
) -> "xr.Dataset":
    """Summary of the results of a sweep over its seeds, as its kind defines it.

    For a sweep of the LID model or of real features it has, over the axes other than `seed`: `lgen_median` with a 95 %
    interval `lgen_low`, `lgen_high`, `lgen_mean` with its standard error `lgen_se`; `failure`, the median of L_inf(k)
    over training sets, and `failure_mean`; `beta_eff` (Eq. 55), the median slope, with a 95 % interval, and
    `beta_eff_mean_curve`; `low_ess` (also over k) and `beta_eff_low_ess`, True where a sampled L_inf(k) rests on fewer
    than 30 test instances, so that no slope is fitted; `saturation` and `saturation_se`, the fit of Eq. 20 along
    `parameter`, with the ends of 95 % intervals `saturation_low` and `saturation_high`, `identifiable` and
    `fit_status`. For a sweep of Zipf draws it has the missed mass `mean` with `standard_error`, `exact`, `asymptote`,
    and its `slope`. For a sweep of SGD it has L_gen and β_eff as above, over `steps`, with the exact mean `exact`, the
    noise floor `floor`, `cap` (β_eff at that L_gen), the stability edge `edge`, and `diverged`, a number of runs.

    Args:
        data: Results of `run_sweep` or `open_results`.
        window: k1 and k2 of Eq. 55; those of the spec by default.
        from_n: Smallest N in the fit of Eq. 20; that of the spec by default, where 0 means N > 1.5 d.

    Returns:
        A Dataset without the axis `seed`, with the attributes of `data`.

    Raises:
        InputError: If the window contains fewer than three values of k.

    Example:
        >>> import lidjax
        >>> k = {"logspace": [1, 1000, 7]}
        >>> grid = {"n": [20, 80], "k": k, "dim": 8, "ridge": 0.0, "seed": {"range": [0, 4]}}
        >>> summary = lidjax.summarise(lidjax.run_sweep({"model": {}, "grid": grid}), window=(10, 1000))
        >>> bool((summary.beta_eff.isel(n=1) > summary.beta_eff.isel(n=0)).all())
        True
    """
    with jax.enable_x64(True):  # slopes of curves that fall over many decades
        return kind_of_results(data).summarise(data, window, from_n)


def cell_failures(data: "xr.Dataset") -> dict[str, int]:
    """Why cells have no result: a message for people, and how many cells it concerns. Empty if all are computed.

    Args:
        data: Results of `run_sweep` or `open_results`.

    Returns:
        Message to number of cells.

    Example:
        >>> import lidjax
        >>> lidjax.cell_failures(lidjax.run_sweep({"frontier": {"vocabulary": 100}, "grid": {"samples": 10}}))
        {}
    """
    return kind_of_results(data).schema.failures(data["status"].values)


def summary_tables(summary: "xr.Dataset") -> list[SummaryTable]:
    """The tables that `lidjax show` prints, as text and as records for programs.

    Args:
        summary: A summary made by `summarise`.

    Returns:
        One table for each combination of the axes other than N.

    Example:
        >>> import lidjax
        >>> data = lidjax.run_sweep({"frontier": {"vocabulary": 100}, "grid": {"samples": [10, 100, 1000]}})
        >>> (table,) = lidjax.summary_tables(lidjax.summarise(data))
        >>> table.columns[0], len(table.rows)
        ('D', 3)
    """
    return kind_of_results(summary).tables(summary)


def summary_overview(summary: "xr.Dataset") -> SummaryTable | None:
    """One table of all cells of a summary, which `lidjax show` prints where there are several.

    Args:
        summary: A summary made by `summarise`.

    Returns:
        A table with a row for each combination of the axes other than N: those that vary, and the main numbers. Its
        `record` has the same as numbers under `rows`, and the axes that vary under `axes`. None if the kind of the
        sweep has no overview.

    Example:
        >>> import lidjax
        >>> data = lidjax.run_sweep({"frontier": {"vocabulary": 100}, "grid": {"samples": 10, "exponent": [1.5, 2]}})
        >>> overview = lidjax.summary_overview(lidjax.summarise(data))
        >>> [row["exponent"] for row in overview.record["rows"]]
        [1.5, 2.0]
    """
    overview = kind_of_results(summary).overview
    return None if overview is None else overview(summary)


def sweep_figures(
    data: "xr.Dataset",
    summary: "xr.Dataset | None" = None,
    *,
    col: str | None = None,
    hue: str | None = None,
) -> "Iterator[tuple[str, Figure]]":
    """The figures that `lidjax run` and `lidjax plot` write, one by one.

    Args:
        data: Results of `run_sweep` or `open_results`.
        summary: Their summary, if it was made already.
        col: Of results with several cells, the axis along the columns of the figure.
        hue: The axis whose values share a panel as colours.

    Returns:
        Pairs of a file name without extension and a matplotlib Figure; `save_figure` writes one.

    Raises:
        InputError: If `col` or `hue` is not an axis with several values, or the sweep's figures have no facets.

    Example:
        >>> import lidjax
        >>> data = lidjax.run_sweep({"frontier": {"vocabulary": 100}, "grid": {"samples": [10, 100, 1000]}})
        >>> [name for name, figure in lidjax.sweep_figures(data)]
        ['frontier']
    """
    summary = summarise(data) if summary is None else summary
    kind = kind_of_results(data)
    if col is None and hue is None:
        return kind.figures(data, summary)
    if kind.facets is None:
        raise InputError(f"the figures of a sweep of kind {kind.name!r} cannot be laid out by col or hue")
    return kind.facets(summary, col, hue)


def comparison_figure(
    name: str, results: "Sequence[xr.Dataset]", *, window: Window | None = None
) -> "Figure":
    """A figure that puts several sweeps side by side, as `lidjax plot A B --figure NAME` draws it.

    Args:
        name: plane, the local exponent over (N, k) with the crossover; success, the law of the success of one trial;
            exponents, slopes against min(β, γ); protocols, L_inf(k) by the way trials are drawn.
        results: Results of sweeps of one kind, one or more.
        window: k1 and k2 between which the slopes of `exponents` are measured, instead of its three windows. Other
            figures measure no slope and take no window.

    Returns:
        A matplotlib Figure; `save_figure` writes it.

    Raises:
        InputError: If the kind of a sweep has no figure of this name, or the figure takes no window.

    Example:
        >>> import lidjax
        >>> grid = {"n": [20, 40, 80], "k": {"logspace": [1, 1e4, 9]}, "dim": 8, "ridge": 0.0}
        >>> figure = lidjax.comparison_figure("plane", [lidjax.run_sweep({"model": {}, "grid": grid})])
        >>> len(figure.axes) >= 1
        True
    """
    for data in results:
        kind = kind_of_results(data)
        if not kind.comparisons:
            raise InputError(
                f"a sweep of kind {kind.name!r} has no figure of several sweeps, such as {name!r}"
            )
        check_choice(f"figure of a sweep of kind {kind.name!r}:", name, kind.comparisons)
    figures = kind_of_results(results[0]).comparisons
    if window is None:
        return figures[name](results)
    takes_window = [one for one, draw in figures.items() if "window" in inspect.signature(draw).parameters]
    if name not in takes_window:
        raise InputError(
            f"the figure {name!r} measures no slope, so it takes no window; figures that take one: "
            f"{', '.join(takes_window) or 'none'}"
        )
    return figures[name](results, window=window)
