"""What `run` and `show` print of a sweep of Zipf draws."""

from typing import TYPE_CHECKING, Any

from lidjax.cli.output import table_console, to_json

if TYPE_CHECKING:
    import xarray as xr


def print_coverage(data: "xr.Dataset", as_json: bool, window: Any, extra: dict[str, Any]) -> None:
    """Missed mass by number of samples: drawn, exact and asymptotic, one block for each exponent."""
    from lidjax.frontier.report import coverage_report

    report = coverage_report(data, window=tuple(window) if window else None)
    blocks = [_block(report.isel(exponent=i)) for i in range(report.sizes["exponent"])]
    if as_json:
        print(to_json({**extra, "window": report.attrs["window"], "results": blocks}))
        return
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    console = table_console()
    low, high = report.attrs["window"]
    for block in blocks:
        name = report.attrs["spec"]["name"]
        table = Table(title=f"{name}: exponent a = {block['at']['exponent']:g}", box=SIMPLE_HEAD)
        for column in ("D", "mass not seen (± se)", "exact", "asymptote, K = ∞"):
            table.add_column(column, justify="right", no_wrap=True)
        for row in block["rows"]:
            table.add_row(
                f"{row['samples']:,}",
                f"{row['mean']:.4e} ± {row['standard_error']:.0e}",
                f"{row['exact']:.4e}",
                f"{row['asymptote']:.4e}",
            )
        console.print(table)
        console.print(
            f"  slope for D = {low:g} to {high:g}: {block['slope']:.4f}; (a-1)/a = {block['limit']:.4f}, for K = ∞",
            highlight=False,
        )


def _block(part: "xr.Dataset") -> dict[str, Any]:
    columns = ("mean", "standard_error", "exact", "asymptote")
    return {
        "at": {"exponent": part["exponent"].item()},
        "rows": [
            {"samples": int(d), **{name: part[name].values[i].item() for name in columns}}
            for i, d in enumerate(part["samples"].values)
        ],
        "slope": part["slope"].item(),
        "limit": part["limit"].item(),
    }
