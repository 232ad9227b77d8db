"""Curves of fits in figures: drawn as far as the status of the fit stands behind them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes

from lidjax.fitting import FitStatus
from lidjax.laws import saturating_exponent

UNDETERMINED: dict[str, Any] = {"color": "0.6", "ls": "--", "lw": 0.9}
"""A curve whose parameters the data leave open."""
NOT_DRAWN = {
    FitStatus.NOT_CONVERGED: "did not converge",
    FitStatus.NOT_SEPARATED: "one tail fits as well",
    FitStatus.TOO_FEW_POINTS: "too few points",
    FitStatus.NOT_POSITIVE: "a value has no logarithm",
}
"""Why a fit has no curve, for the legend. `describe_status` says it in a sentence."""


class FittedValue(NamedTuple):
    """One parameter of a fit, as the legend shows it."""

    symbol: str
    value: float
    determined: bool
    """Whether its confidence interval is closed."""


def draw_fit(
    axes: Axes,
    x: Float[np.ndarray, " m"],
    y: Float[np.ndarray, " m"],
    *,
    status: int,
    name: str,
    values: Sequence[FittedValue] = (),
    **style: Any,
) -> None:
    """Draw the curve of a fit: in `style` if every parameter is determined, else dashed in grey and marked so.

    The legend shows the parameters that are determined. A fit whose estimates should not be used has no curve, and the
    legend says why.
    """
    if status in NOT_DRAWN:
        axes.plot([], [], " ", label=f"{name}: {NOT_DRAWN[FitStatus(status)]}")
        return
    known = status == FitStatus.OK
    shown = ", ".join(f"${one.symbol}={one.value:.2f}$" for one in values if one.determined)
    label = name if known else f"{name} (not determined)"
    axes.plot(
        x, y, label=f"{label}: {shown}" if shown else label, **(style if known else style | UNDETERMINED)
    )


def draw_saturation(
    axes: Axes,
    n: Float[np.ndarray, " m"],
    parameters: Float[np.ndarray, " 4"],
    determined: Float[np.ndarray, " 4"],
    *,
    status: int,
    name: str = "Eq. 20",
    **style: Any,
) -> None:
    """Draw Eq. 20 with β, Δ, c, ν = `parameters` over the range of the training sizes `n`; see `draw_fit`."""
    smooth = np.geomspace(n.min(), n.max(), 200)
    with jax.enable_x64(True):
        curve = np.asarray(saturating_exponent(smooth, *(float(value) for value in parameters)))
    beta, nu = (
        FittedValue(symbol, float(parameters[i]), bool(determined[i]))
        for i, symbol in ((0, r"\hat\beta"), (3, r"\hat\nu"))
    )
    draw_fit(axes, smooth, curve, status=status, name=name, values=(beta, nu), **style)
