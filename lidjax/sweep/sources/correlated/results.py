"""Summary and tables of sweeps with τ and x correlated: those of the LID model, with the leading order of L_gen."""

from typing import TYPE_CHECKING, Any

from lidjax.sweep.kinds import SummaryTable, Window
from lidjax.sweep.sources import lid_results

if TYPE_CHECKING:
    import xarray as xr


def summarise(data: "xr.Dataset", window: Window | None = None, from_n: float | None = None) -> "xr.Dataset":
    """See `summary.summarise_correlated`."""
    from lidjax.sweep.sources.correlated.summary import summarise_correlated

    return summarise_correlated(data, window, from_n)


def tables(summary: "xr.Dataset") -> list[SummaryTable]:
    """The tables of the LID model, each with the leading order of its L_gen."""
    return [_with_leading_order(table, summary) for table in lid_results.tables(summary)]


def _with_leading_order(table: SummaryTable, summary: "xr.Dataset") -> SummaryTable:
    at: dict[str, Any] = table.record["at"]
    own = summary.sel({name: value for name, value in at.items() if name in summary["leading"].dims})
    factor, leading = own["factor"].item(), own["leading"].item()
    record = table.record | {"factor": factor, "leading": leading}
    note = (
        f"  without ridge at large N the mean of L_gen is {leading:.4g}/N, {factor:.3f} times that of independent τ"
        if factor == factor
        else "  the leading order of L_gen is known for β from 2.2 to 100 and correlations from -0.95 to 0.95"
    )
    return table._replace(notes=[*table.notes, note], record=record)
