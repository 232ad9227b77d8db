"""Figure 1 of several cells in one figure."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lidjax.figures.facets import cell_title, facet_figure
from lidjax.figures.scaling import scaling_panels
from lidjax.figures.style import (
    EXPONENT_LABEL,
    K_LABEL,
    LGEN_LABEL,
    N_LABEL,
    SPAN,
    Colour,
    number,
    paper_style,
    set_title,
)
from lidjax.sweep.select import varied_in_spec

CURVE_AXES = ("n", "k", "parameter")


def scaling_facets(summary: xr.Dataset, *, col: str | None = None, hue: str | None = None) -> Figure:
    """L_gen(N), L_inf(k; N) and β_eff(N) of several cells of a sweep, with shared axes.

    Args:
        summary: Result of `lidjax.summarise` in which axes other than `n` vary.
        col: The axis along the columns, as in xarray's plots; the three panels of a cell then stand below each other.
        hue: The axis whose values are colours in one panel. L_inf(k; N) is then that of the largest N.

    Returns:
        A figure that belongs to no window; `save_figure` writes it.

    Raises:
        InputError: If `col` or `hue` is not an axis that varies, or there are more facets than a figure can show.

    References:
        Figure 1; Eq. 20.

    Example:
        >>> import lidjax
        >>> from lidjax.figures import scaling_facets
        >>> from lidjax.sweep import Fit, SyntheticGrid, SyntheticSpec
        >>> grid = SyntheticGrid(n=(20, 40, 80), k=(1, 10, 100), dim=(4,), delta=(5e-4, 1e-3), ridge=(0.0,))
        >>> data = lidjax.run_sweep(SyntheticSpec(name="small", grid=grid, fit=Fit(window=(1, 100))))
        >>> figure = scaling_facets(lidjax.summarise(data), hue="delta")
        >>> len(figure.axes)
        3
    """
    dims = [str(name) for name in summary["beta_eff"].dims if name not in CURVE_AXES]
    varying = [name for name in dims if summary.sizes[name] > 1]
    one_each = summary.isel({name: 0 for name in dims if name not in varying})
    figure = facet_figure(
        one_each, varying, panels=3, draw=scaling_panels, draw_line=_draw_line, col=col, hue=hue
    )
    chosen = [name for name in varied_in_spec(summary.attrs, dims) if name not in varying]
    with paper_style():
        facts = [cell_title({name: one_each[name].item()}) for name in chosen]
        set_title(figure, summary.attrs["spec"]["name"], facts)
    return figure


def _draw_line(panels: list[Axes], part: xr.Dataset, colour: Colour, label: str) -> None:
    left, centre, right = panels
    n, beta_eff = part["n"].values, part["beta_eff"].values
    left.plot(n, part["lgen_median"], "o-", color=colour, label=label)
    left.set(xscale="log", yscale="log", xlabel=N_LABEL, ylabel=LGEN_LABEL)
    last = part.isel(n=int(part["n"].argmax("n")))
    curve = last["failure"].where(last["failure"] > 0)
    if "low_ess" in last:  # what rests on fewer than 30 sampled instances
        centre.plot(part["k"], curve.where(last["low_ess"]), ":", color=colour, alpha=0.4)
        curve = curve.where(~last["low_ess"])
    centre.plot(part["k"], curve, color=colour, label=label)
    centre.axvspan(*part.attrs["window"], **SPAN)
    centre.set(xscale="log", yscale="log", xlabel=K_LABEL)
    centre.set_ylabel(rf"failure rate at $N={number(last['n'].item())}$")
    if np.isfinite(curve).any():
        centre.set_ylim(bottom=min(centre.get_ylim()[1] / 10, curve.min().item() / 3))
    errors = np.nan_to_num(
        np.stack([beta_eff - part["beta_eff_low"].values, part["beta_eff_high"].values - beta_eff])
    )
    right.errorbar(
        n, beta_eff, np.maximum(errors, 0), color=colour, label=label, fmt="o-", lw=0.8, capsize=1.5
    )
    right.set(xscale="log", xlabel=N_LABEL, ylabel=EXPONENT_LABEL)
