"""Figures for the report: lines with bands and points, whose values are shown under the pointer."""

# pyright: reportUnknownParameterType=false
# (Plotly is an extra: where it is not installed, none of its types are known)

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from plotly.graph_objects import Figure  # pyright: ignore[reportMissingImports]

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9", "#000000")
"""Colours of Okabe and Ito, which people with any kind of colour vision can tell apart; as in the printed figures."""
DASHES = ("solid", "dash", "dot", "dashdot")
MARKERS = ("circle", "square", "diamond", "x")
"""Styles of lines and points: the next one for every round through the palette."""
MOST_ROWS = 10
"""Rows of the legend; longer legends scroll."""
MOST_SHOWN = 8
"""Series that are visible at first; a click in the legend shows the others."""
LONGEST_NAME = 38
"""Characters of a name in the legend; the pointer shows all of it."""
PLOT_HEIGHT, LEGEND_ROW = 380, 24
"""Pixels: of a figure without its legend, and of a row of the legend, which on a telephone holds one name."""
BAND = 0.15
"""Opacity of bands."""

Numbers = Sequence[float]


@dataclass(frozen=True)
class Series:
    """One line, with a band if there are intervals, and points if there are measurements."""

    name: str
    x: Numbers
    y: Numbers
    lower: Numbers = ()
    upper: Numbers = ()
    point_x: Numbers = ()
    """Where measurements are drawn as points."""
    point_y: Numbers = ()
    labels: Sequence[str] = ()
    """A label for each value of x, shown under the pointer."""
    lines: bool = True
    """Whether the values are joined by a line."""


@dataclass(frozen=True)
class Axes:
    """Names and scales of the axes."""

    x: str
    y: str
    log_x: bool = False
    log_y: bool = False
    y_range: tuple[float, float] | None = None
    complement: str = ""
    """If given, a button switches from y to 1 - y on a logarithmic scale, under this name."""
    symbols: Mapping[str, str] = field(default_factory=dict[str, str])
    """How the values are called under the pointer: "x", "y" and "points"."""


def line_chart(series: Sequence[Series], axes: Axes) -> "Figure":
    """A figure of all series. Beyond MOST_SHOWN they are hidden until their name in the legend is clicked."""
    from plotly.graph_objects import Figure, Scatter  # pyright: ignore[reportMissingImports]

    figure = Figure()
    signs: list[np.ndarray] = []  # y of every trace, for the button
    x_name, y_name = axes.symbols.get("x", axes.x), axes.symbols.get("y", axes.y)
    for position, one in enumerate(series):
        colour = PALETTE[position % len(PALETTE)]
        style = (position // len(PALETTE)) % len(DASHES)
        name = escape(one.name, quote=False)
        shared: dict[str, Any] = {
            "legendgroup": str(position),
            "visible": True if position < MOST_SHOWN else "legendonly",
        }
        if len(one.lower):
            edge = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "showlegend": False}
            figure.add_trace(Scatter(x=list(one.x), y=list(one.upper), **edge, **shared))
            fill = {"fill": "tonexty", "fillcolor": rgba(colour, BAND)}
            figure.add_trace(Scatter(x=list(one.x), y=list(one.lower), **edge, **fill, **shared))
            signs += [np.asarray(one.upper, float), np.asarray(one.lower, float)]
        hover = f"<b>{name}</b><br>"
        if one.labels:
            hover += "%{text}<br>"
        hover += f"{x_name} = %{{x:,.6~g}}<br>{y_name} = %{{y:.4~g}}"
        if len(one.lower):
            hover += " (%{customdata[0]:.4~g} to %{customdata[1]:.4~g})"
        figure.add_trace(
            Scatter(
                x=list(one.x),
                y=list(one.y),
                name=escape(shortened(one.name), quote=False),
                mode="lines" if one.lines else "markers",
                line={"color": colour, "dash": DASHES[style], "width": 2},
                marker={"color": colour, "size": 6, "opacity": 0.8, "symbol": MARKERS[style]},
                text=[escape(label, quote=False) for label in one.labels] or None,
                customdata=np.column_stack([one.lower, one.upper]).tolist() if len(one.lower) else None,
                hovertemplate=hover + "<extra></extra>",
                **shared,
            )
        )
        signs.append(np.asarray(one.y, float))
        if len(one.point_x):
            points = axes.symbols.get("points", y_name)
            figure.add_trace(
                Scatter(
                    x=list(one.point_x),
                    y=list(one.point_y),
                    mode="markers",
                    marker={"color": colour, "size": 6, "symbol": MARKERS[style]},
                    showlegend=False,
                    hovertemplate=f"<b>{name}</b><br>{x_name} = %{{x:,.6~g}}<br>{points} = %{{y:.4~g}}<extra></extra>",
                    **shared,
                )
            )
            signs.append(np.asarray(one.point_y, float))
    figure.update_layout(
        template="plotly_white",
        height=PLOT_HEIGHT + LEGEND_ROW * min(len(series), MOST_ROWS),
        margin={"l": 10, "r": 15, "t": 45 if axes.complement else 15, "b": 10},
        font={"size": 13},
        hovermode="closest",
        hoverlabel={"namelength": -1, "font": {"size": 13}},
        showlegend=len(series) > 1,
        legend={
            "orientation": "h",
            "yref": "container",
            "yanchor": "bottom",
            "y": 0,
            "x": 0,
            "font": {"size": 12},
            "maxheight": 0.55,
        },
        xaxis=axis(axes.x, log=axes.log_x),
        yaxis=axis(axes.y, log=axes.log_y, limits=axes.y_range),
    )
    if axes.complement:
        figure.update_layout(updatemenus=[complement_buttons(signs, axes)])
    return figure


def shortened(name: str) -> str:
    """A name for the legend."""
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"


def axis(title: str, *, log: bool, limits: tuple[float, float] | None = None) -> dict[str, Any]:
    """Plotly's description of an axis, with readable ticks."""
    found: dict[str, Any] = {
        "title": {"text": title},
        "automargin": True,
        "linecolor": "#888",
        "ticks": "outside",
    }
    if log:
        return found | {"type": "log", "exponentformat": "power", "minorloglabels": "none"}
    return found | ({"range": list(limits)} if limits else {})


def complement_buttons(values: Sequence[np.ndarray], axes: Axes) -> dict[str, Any]:
    """Buttons that switch between y and 1 - y."""
    plain = {"title.text": axes.y, "type": "linear"} | ({"range": list(axes.y_range)} if axes.y_range else {})
    failed = {"title.text": axes.complement, "type": "log", "autorange": True}
    choices = []
    for label, wanted, y in (
        (axes.symbols.get("y", axes.y), plain, [finite(value) for value in values]),
        (axes.complement, failed, [positive(1 - value) for value in values]),
    ):
        choices.append(
            {
                "label": label,
                "method": "update",
                "args": [{"y": y}, {f"yaxis.{key}": value for key, value in wanted.items()}],
            }
        )
    return {
        "type": "buttons",
        "direction": "right",
        "buttons": choices,
        "x": 0,
        "xanchor": "left",
        "y": 1.02,
        "yanchor": "bottom",
        "pad": {"t": 0, "b": 0},
        "showactive": True,
    }


def finite(values: np.ndarray) -> list[float | None]:
    """Values for JSON: None where there is none."""
    return [float(value) if np.isfinite(value) else None for value in values]


def positive(values: np.ndarray) -> list[float | None]:
    """Values for a logarithmic axis: None where they are not positive."""
    return [float(value) if value > 0 else None for value in values]


def rgba(colour: str, opacity: float) -> str:
    """A colour "#rrggbb" with an opacity, as CSS."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"
