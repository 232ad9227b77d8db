"""Summary, tables and figure of sweeps with a verifier that errs."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from lidjax.errors import InputError
from lidjax.sweep.kinds import SummaryTable, Window
from lidjax.sweep.select import cell_label, combinations, varying_axes

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure


def summarise(data: "xr.Dataset", window: Window | None = None, from_n: float | None = None) -> "xr.Dataset":
    """Medians over training sets, and the k of the grid that is best where accepted wrong answers cost something.

    Variables over the axes other than the seed: `lgen_median`, `limit` (failure without end), `failure` and `wrong`
    (also over k), `best_k` and `best_value`, and `best_inside`, False where the best k is the largest of the grid. The
    value of k attempts is P(right) - cost · P(wrong). InputError for `window` and `from_n`, since nothing is fitted.
    """
    import xarray as xr

    from lidjax.status import OK

    for name, given in (("window", window), ("from_n", from_n)):
        if given is not None:
            raise InputError(f"{name} = {given}: a sweep with [verifier] has no fit that it could be for")
    done = data.where(data["status"] == OK)
    axes = [str(name) for name in data["lgen"].dims if name != "seed"]
    out = xr.Dataset(coords={name: data[name] for name in (*axes, "k")}, attrs=dict(data.attrs))
    out.attrs["window"] = list(data.attrs["spec"]["fit"]["window"])
    out["lgen_median"] = done["lgen"].median("seed")
    for name in ("failure", "wrong", "limit"):
        out[name] = done[name].median("seed")
    out["value"] = (1 - done["failure"] - data.attrs["spec"]["verifier"]["cost"] * done["wrong"]).median(
        "seed"
    )
    best = out["value"].fillna(-np.inf).argmax("k")
    out["best_k"] = data["k"].isel(k=best).drop_vars("k").where(out["value"].notnull().all("k"))
    out["best_value"] = out["value"].max("k")
    last = out["value"].isel(k=-1, drop=True)
    out["best_inside"] = last < out["best_value"] * (1 - 1e-9 * np.sign(out["best_value"]))
    return out


def tables(summary: "xr.Dataset") -> list[SummaryTable]:
    """One table for each combination of the axes other than N."""
    return [_table(summary.isel(where), where) for where in combinations(summary)]


def _table(part: "xr.Dataset", where: Mapping[str, int]) -> SummaryTable:
    most = float(part["k"].max())
    cost = part.attrs["spec"]["verifier"]["cost"]
    rows: list[dict[str, Any]] = []
    for i, n in enumerate(part["n"].values.tolist()):
        one = part.isel(n=i)
        rows.append(
            {
                "n": n,
                "lgen_median": one["lgen_median"].item(),
                "failure": one["failure"].isel(k=-1).item(),
                "limit": one["limit"].item(),
                "best_k": one["best_k"].item(),
                "best_inside": bool(one["best_inside"].item()),
                "best_value": one["best_value"].item(),
            }
        )
    at = {name: part[name].item() for name in where}
    varying = set(varying_axes(part)) or {"sensitivity", "false_accept"}
    label = cell_label(
        {name: value for name, value in at.items() if name in varying | {"sensitivity", "false_accept"}}
    )
    shown = [
        (
            f"{row['n']:,}",
            f"{row['lgen_median']:.3e}",
            f"{row['failure']:.4e}",
            f"{row['limit']:.4e}",
            f"{row['best_k']:,.0f}" if row["best_inside"] else f"≥ {row['best_k']:,.0f}",
            f"{row['best_value']:.4f}",
        )
        for row in rows
    ]
    return SummaryTable(
        title=f"{part.attrs['spec']['name']}: {label}",
        columns=("N", "median L_gen", f"failure at k = {most:,g}", "failure, k = ∞", "best k", "its value"),
        rows=shown,
        notes=[
            f"  best k of the grid: a right answer is worth 1, a wrong one that is accepted costs {cost:g};",
            "  ≥ where more attempts change the value by less than a part in 10⁹",
        ],
        record={"at": at, "cost": cost, "rows": rows},
    )


def figures(data: "xr.Dataset", summary: "xr.Dataset") -> "Iterator[tuple[str, Figure]]":
    """The figure of the verifiers of one model."""
    from lidjax.figures import verifiers_figure

    if all(summary.sizes[name] == 1 for name in ("beta", "alpha", "dim", "ridge", "sigma_eta", "delta")):
        yield "verifiers", verifiers_figure(summary)
