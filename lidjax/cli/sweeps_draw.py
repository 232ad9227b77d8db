"""The figures that the sweep commands write."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lidjax.cli.sweeps_output import combinations

if TYPE_CHECKING:
    import xarray as xr


def figures_folder(location: str) -> Path:
    """Where the figures of a run go: beside its store; of one at a URL, under `runs/` here."""
    from lidjax.runs.location import LocalPlace, place_of

    place = place_of(location)
    if isinstance(place, LocalPlace):
        return place.folder / "figures"
    return Path("runs") / (Path(place.path).name or "results") / "figures"


def draw(data: "xr.Dataset", folder: Path, window: Any, from_n: float | None, console: Any) -> list[str]:
    """Write every figure of the results as PDF and PNG; returns the paths."""
    from lidjax.figures import frontier_figure, save, scaling_figure

    if data.attrs["kind"] == "frontier":
        with console.status("drawing"):
            return save(frontier_figure(data, window=window), folder, "frontier")
    from lidjax.sweep.summary import summarise

    summary = summarise(data, window=tuple(window) if window else None, from_n=from_n)
    paths: list[str] = []
    wanted = combinations(summary)
    with console.status("drawing"):
        for where in wanted:
            varying = {name: summary[name].values[i] for name, i in where.items() if summary.sizes[name] > 1}
            suffix = "".join(f"_{name}{value:g}" for name, value in varying.items())
            figure = scaling_figure(summary.isel(where))
            paths += save(figure, folder, f"scaling{suffix}")
    return paths


def draw_beside(name: str, results: "list[xr.Dataset]", folder: Path, console: Any) -> list[str]:
    from lidjax import figures

    chosen = {
        "plane": figures.plane_figure,
        "success": figures.success_figure,
        "exponents": figures.exponents_figure,
        "protocols": figures.protocols_figure,
    }[name]
    with console.status("drawing"):
        return figures.save(chosen(results), folder, name)
