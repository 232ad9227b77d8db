"""The tail of pass@k over (N, k) for each prior: local exponent and crossover, distribution of the success, slopes."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np
import xarray as xr
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from lidjax.arrays import check_window
from lidjax.errors import InputError
from lidjax.figures.facets import cell_title
from lidjax.figures.lid_parameters import LidParameters, lid_parameters
from lidjax.figures.style import (
    COLUMN,
    K_LABEL,
    MARKERS,
    N_LABEL,
    PAGE,
    PALETTE,
    REFERENCE,
    legends_below,
    new_figure,
    number,
    paper_style,
    plain_text,
    readable_ticks,
    sequential,
    series_style,
    set_title,
    shared_legend,
)
from lidjax.fitting import effective_exponent
from lidjax.fitting.exponent import MIN_POINTS
from lidjax.laws import (
    asymptotic_failure,
    finite_n_exponent,
    limiting_exponent,
    log_crossover_k,
    log_finite_n_tail,
)
from lidjax.passk import success_distribution
from lidjax.sweep.select import varied_in_spec

PRIORS = {"gamma": r"$\tau\sim$ Gamma", "power": r"$\tau\leq 1$, power law"}
SETTINGS = ("beta", "alpha", "dim", "ridge", "sigma_eta", "delta")
CROSSOVER = "$k_c(N)$: both tails are equal"
WINDOWS = ((1e1, 1e3), (1e3, 1e6), (1e9, 1e12))
PROTOCOLS = {
    "matched": r"proposals, noise $\sigma/\sqrt{\tau}$ normal",
    "matched_t": r"proposals, noise $\sigma/\sqrt{\tau}$ Student",
    "normal": r"proposals, noise $\sigma$ normal",
    "student_t": r"proposals, noise $\sigma$ Student",
}


PANEL_WIDTH = 3.1  # of one sweep beside others, in inches


class TypicalCurves(NamedTuple):
    """Medians over seeds of a sweep: the typical training set of each N."""

    name: str
    n: Int[np.ndarray, " n"]
    k: Float[np.ndarray, " k"]
    lgen: Float[np.ndarray, " n"]
    log_failure: Float[np.ndarray, "n k"]
    model: LidParameters
    cell: str
    """The values of what else varies in the sweep, for titles; empty if nothing but n, k, seed and β does."""

    @property
    def title(self) -> str:
        """Title of a panel: the sweep, its β and prior, and which of its cells this is."""
        beta, prior = self.model["beta"], PRIORS[self.model["difficulty"]]
        lines = [plain_text(self.name), rf"$\beta={number(beta)}$, {prior}", self.cell]
        return "\n".join(line for line in lines if line)


def typical(data: xr.Dataset) -> TypicalCurves:
    """Medians over seeds of a sweep of the LID model over n and k; InputError if it varies anything else."""
    name = data.attrs["spec"]["name"]
    if "beta" not in data.dims:
        raise InputError(f"{name}: not a sweep of the LID model; allowed: sweeps with a [model] table")
    varied = [f"{axis} ({data.sizes[axis]})" for axis in SETTINGS if data.sizes[axis] > 1]
    if varied:
        raise InputError(f"{name}: several values of {', '.join(varied)}; allowed: one value of each")
    if data.sizes["n"] < 3 or data.sizes["k"] < 3:
        raise InputError(
            f"{name}: {data.sizes['n']} values of n and {data.sizes['k']} of k; allowed: 3 or more of each"
        )
    one = data.squeeze(SETTINGS)
    with np.errstate(divide="ignore"):
        log_failure = np.log(one["failure"].median("seed").transpose("n", "k").values)
    lgen = one["lgen"].median("seed").values
    cell = cell_title({axis: one[axis].item() for axis in varied_in_spec(data.attrs, SETTINGS[1:])})
    return TypicalCurves(
        name, data["n"].values, data["k"].values, lgen, log_failure, lid_parameters(data), cell
    )


def _panels(sweeps: Sequence[TypicalCurves], height: float) -> tuple[Figure, list[Axes]]:
    """A panel for each sweep, titled with its name, its β and its prior; three in a row at most."""
    columns = min(len(sweeps), 3)
    rows = math.ceil(len(sweeps) / columns)
    figure, panels = new_figure(columns, rows=rows, width=min(PAGE, PANEL_WIDTH * columns), height=height)
    for axes in panels[len(sweeps) :]:
        axes.remove()
    for axes, sweep in zip(panels, sweeps, strict=False):
        axes.set_title(sweep.title)
    return figure, panels[: len(sweeps)]


def local_exponent(
    k: Float[np.ndarray, " k"], log_failure: Float[np.ndarray, "*n k"]
) -> Float[np.ndarray, "*n k"]:
    """-d log L_inf / d log k along the last axis, by second-order differences."""
    return -np.gradient(log_failure, np.log(k), axis=-1)


def plane_figure(results: Sequence[xr.Dataset]) -> Figure:
    """The local exponent over the (N, k) plane with the crossover k_c(N), a panel for each sweep.

    Args:
        results: Sweeps of the LID model over `n` and `k` with one value of every other setting, three or more values
            of each, for instance one of each prior. Medians over seeds are drawn.

    Returns:
        A figure that belongs to no window; `save_figure` writes it.

    Raises:
        InputError: If a sweep varies another setting, or is not one of the LID model.

    References:
        Eq. 17-19; the crossover is `lidjax.laws.log_crossover_k`.

    Example:
        >>> import lidjax
        >>> from lidjax.figures import plane_figure
        >>> from lidjax.sweep import SyntheticGrid, SyntheticSpec
        >>> grid = SyntheticGrid(n=(20, 40, 80), k=(1, 10, 100), dim=(4,), ridge=(0.0,), seed=(0, 1))
        >>> figure = plane_figure([lidjax.run_sweep(SyntheticSpec(grid=grid))])
        >>> figure.axes[0].get_ylabel()
        'attempts $k$'
    """
    sweeps = [typical(data) for data in results]
    top = max(sweep.model["beta"] for sweep in sweeps) * 1.1
    levels = np.arange(0.5, top, 0.5)
    outline = [withStroke(linewidth=2.6, foreground="w")]
    with paper_style():
        figure, panels = _panels(sweeps, height=2.6)
        for axes, sweep in zip(panels, sweeps, strict=True):
            exponent = local_exponent(sweep.k, sweep.log_failure)
            axes.set(xscale="log", yscale="log", xlabel=N_LABEL, ylabel=K_LABEL)
            axes.pcolormesh(
                sweep.n,
                sweep.k,
                exponent.T,
                vmin=0,
                vmax=top,
                cmap="viridis",
                rasterized=True,
                shading="gouraud",
            )
            axes.contour(sweep.n, sweep.k, exponent.T, levels, colors="w", linewidths=0.5)
            crossover = _crossover(sweep)
            inside = np.where((crossover > sweep.k[0]) & (crossover < sweep.k[-1]), crossover, np.nan)
            axes.plot(sweep.n, inside, color=PALETTE[1], lw=1.5, path_effects=outline, label=CROSSOVER)
            axes.set(xlim=(sweep.n[0], sweep.n[-1]), ylim=(sweep.k[0], sweep.k[-1]))
        bar = figure.colorbar(
            panels[-1].collections[0],
            ax=panels,
            label=r"local exponent $-\partial\log\mathcal{L}_{\rm inf}/\partial\log k$",
            pad=0.01,
            ticks=levels,
        )
        bar.ax.hlines(levels, 0, 1, colors="w", linewidths=0.5)
        contour = Line2D([], [], color="0.75", lw=0.8, label="contours at the levels of the bar")
        shared_legend(figure, [panels[0].get_lines()[0], contour], columns=2)
        readable_ticks(figure)
    return figure


def _crossover(sweep: TypicalCurves) -> Float[np.ndarray, " n"]:
    with jax.enable_x64(True):
        log_k = np.asarray(log_crossover_k(sweep.lgen.astype(np.float64), **sweep.model))
    with np.errstate(over="ignore"):
        return np.exp(log_k)


def success_figure(results: Sequence[xr.Dataset], *, curves: int = 5) -> Figure:
    """P(S ≤ s) of the single-trial success at a few N, a panel for each sweep.

    Full lines are the exact distribution, dashed lines its finite-N tail alone, and the dotted line is the limit
    without bias, whose tail is s^β.

    Args:
        results: Sweeps as for `plane_figure`.
        curves: Number of training sizes drawn, from the smallest to three quarters of the way up.

    Returns:
        A figure that belongs to no window; `save_figure` writes it.

    Raises:
        InputError: If a sweep varies another setting than `n`, `k` and `seed`, or is not one of the LID model.

    References:
        Eq. 14, Sec. 4.1; `success_distribution` and `lidjax.laws.log_finite_n_tail`.

    Example:
        >>> import lidjax
        >>> from lidjax.figures import success_figure
        >>> from lidjax.sweep import SyntheticGrid, SyntheticSpec
        >>> grid = SyntheticGrid(n=(20, 40, 80), k=(1, 10, 100), dim=(4,), ridge=(0.0,), seed=(0, 1))
        >>> figure = success_figure([lidjax.run_sweep(SyntheticSpec(grid=grid))], curves=1)
        >>> figure.axes[0].get_xlabel()
        'success of one trial $s$'
    """
    sweeps = [typical(data) for data in results]
    s = np.geomspace(1e-12, 0.9, 160)
    with paper_style():
        figure, panels = _panels(sweeps, height=2.3)
        for axes, sweep in zip(panels, sweeps, strict=True):
            chosen = np.unique(np.linspace(0, 0.75 * (len(sweep.n) - 1), curves).round().astype(int))
            for index, colour in zip(chosen, sequential(len(chosen)), strict=True):
                lgen = float(sweep.lgen[index])
                with jax.enable_x64(True):
                    cdf = np.exp(np.asarray(success_distribution(s, lgen, **sweep.model).log_cdf))
                    tail = np.asarray(log_finite_n_tail(np.log(s), lgen, **sweep.model).log_tail)
                axes.plot(s, cdf, color=colour, label=f"$N={number(float(sweep.n[index]))}$")
                axes.plot(s, np.exp(tail), color=colour, lw=0.8, ls="--")
            with jax.enable_x64(True):
                unbiased = np.exp(np.asarray(success_distribution(s, 1e-300, **sweep.model).log_cdf))
            axes.plot(s, unbiased, "k:", lw=1, label=r"$\mathcal{L}_{\rm gen}\to 0$, tail $s^\beta$")
            axes.plot([], [], color="0.4", label="exact")
            axes.plot([], [], color="0.4", lw=0.8, ls="--", label="finite-$N$ tail alone")
            axes.set(xscale="log", yscale="log", ylim=(1e-12, 2))
            axes.set(xlabel="success rate of one trial $s$", ylabel=r"probability $P(S_N\leq s)$")
        legends_below(panels, columns=2)
        readable_ticks(figure)
    return figure


def exponents_figure(results: Sequence[xr.Dataset], *, window: tuple[float, float] | None = None) -> Figure:
    """Slopes measured over windows of growing k against γ(N) and min{β, γ}, a panel for each sweep.

    Args:
        results: Sweeps as for `plane_figure`.
        window: k1 and k2 between which slopes are measured. By default three windows are shown, k = 10 to 10³, 10³ to
            10⁶ and 10⁹ to 10¹²; one of them with fewer than three values of k is left out.

    Returns:
        A figure that belongs to no window; `save_figure` writes it.

    Raises:
        InputError: If a sweep varies another setting than `n`, `k` and `seed`, is not one of the LID model, or has
            fewer than three values of k in `window`.

    References:
        Eq. 18, Eq. 19, Eq. 55.

    Example:
        >>> import lidjax
        >>> from lidjax.figures import exponents_figure
        >>> from lidjax.sweep import SyntheticGrid, SyntheticSpec
        >>> grid = SyntheticGrid(n=(20, 40, 80), k=(10, 100, 1000), dim=(4,), ridge=(0.0,), seed=(0, 1))
        >>> figure = exponents_figure([lidjax.run_sweep(SyntheticSpec(grid=grid))])
        >>> len(figure.axes[0].lines)  # the law and one window
        2
    """
    sweeps = [typical(data) for data in results]
    windows = WINDOWS if window is None else (check_window(window),)
    with paper_style():
        figure, panels = _panels(sweeps, height=2.2)
        entries: dict[str, Line2D] = {}
        for axes, sweep in zip(panels, sweeps, strict=True):
            with jax.enable_x64(True):
                gamma = np.asarray(finite_n_exponent(sweep.lgen, sweep.model["sigma_eta"]))
            _limiting_line(axes, gamma, sweep.model["beta"])
            for (low, high), colour, marker in zip(windows, sequential(len(windows)), MARKERS, strict=False):
                edges = (low * 0.999, high * 1.001)
                inside = np.sum((sweep.k >= edges[0]) & (sweep.k <= edges[1]))
                if inside < MIN_POINTS:
                    if window is None:
                        continue
                    raise InputError(
                        f"{sweep.name}: the window {low:g} to {high:g} contains {inside} of the sweep's values of k "
                        f"(from {sweep.k.min():g} to {sweep.k.max():g}); a slope needs at least {MIN_POINTS}"
                    )
                with jax.enable_x64(True):
                    fit = effective_exponent(sweep.k, sweep.log_failure, window=edges, log=True)
                label = f"$k={number(low)}$ to ${number(high)}$"
                axes.plot(gamma, np.asarray(fit.beta_eff), marker, color=colour, ms=3, label=label)
            entries |= {str(line.get_label()): line for line in axes.get_lines()}
            axes.set(
                xscale="log", xlabel=r"finite-$N$ exponent $\gamma(N)=\sigma_\eta^2/\mathcal{L}_{\rm gen}(N)$"
            )
            axes.set_ylabel(r"measured exponent $\beta_{\rm eff}$")
            axes.set_ylim(0, sweep.model["beta"] * 1.2)
        shared_legend(figure, list(entries.values()), columns=4)
        readable_ticks(figure)
    return figure


def _limiting_line(axes: Axes, gamma: Float[np.ndarray, " n"], beta: float) -> None:
    smooth = np.geomspace(gamma.min(), gamma.max(), 200)
    with jax.enable_x64(True):
        limit = np.asarray(limiting_exponent(beta, smooth))
    axes.plot(smooth, limit, **REFERENCE, label=r"$\min\{\beta,\gamma\}$, Eq. 19")


def protocols_figure(results: Sequence[xr.Dataset]) -> Figure:
    """L_inf(k) at the largest N under different protocols of one model, with the law for fresh targets.

    Args:
        results: Sweeps as for `plane_figure` that differ in `model.failure` and `model.proposal`. The law is drawn with
            the parameters of the first.

    Returns:
        A figure that belongs to no window; `save_figure` writes it.

    Raises:
        InputError: If a sweep varies another setting than `n`, `k` and `seed`, or is not one of the LID model.

    References:
        App. B.4; the law is `lidjax.laws.asymptotic_failure`.

    Example:
        >>> import lidjax
        >>> from lidjax.figures import protocols_figure
        >>> from lidjax.sweep import SyntheticGrid, SyntheticSpec
        >>> grid = SyntheticGrid(n=(20, 40, 80), k=(1, 10, 100), dim=(4,), ridge=(0.0,), seed=(0, 1))
        >>> figure = protocols_figure([lidjax.run_sweep(SyntheticSpec(grid=grid))])
        >>> [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
        ['target draws', 'laws of the target draw']
    """
    sweeps = [typical(data) for data in results]
    with paper_style():
        figure, (axes,) = new_figure(1, width=COLUMN + 0.4, height=2.5)
        lowest = 1.0
        for index, (data, sweep, label) in enumerate(zip(results, sweeps, _labels(results), strict=True)):
            colour, marker = series_style(index)
            shown = sweep.log_failure[-1] > math.log(_smallest_resolved(data))
            curve = np.exp(sweep.log_failure[-1][shown])
            lowest = min([lowest, *curve.tolist()])
            axes.plot(sweep.k[shown], curve, f"{marker}-", ms=2.5, lw=0.9, color=colour, label=label)
        first = sweeps[0]
        with jax.enable_x64(True):
            law = np.asarray(asymptotic_failure(first.k, first.lgen[-1], **first.model))
        shown = (law < 1) & (law > lowest / 2)
        axes.plot(first.k[shown], law[shown], **REFERENCE, label="law of the target draw, fresh targets")
        axes.set(xscale="log", yscale="log", xlabel=K_LABEL, ylim=(lowest / 2, 1.5))
        axes.set_ylabel(r"failure rate $\mathcal{L}_{\rm inf}(k)$")
        set_title(
            figure, first.name, [rf"$\beta={number(first.model['beta'])}$", f"$N={number(first.n[-1])}$"]
        )
        legends_below([axes])
        readable_ticks(figure)
    return figure


def _smallest_resolved(data: xr.Dataset) -> float:
    """The smallest L_inf that a mean over test instances resolves: about 30 of them fail."""
    model = data.attrs["spec"]["model"]
    return 1e-30 if model["failure"] == "quadrature" else 30 / model["num_instances"]


def _protocol(data: xr.Dataset) -> str:
    model = data.attrs["spec"]["model"]
    return PROTOCOLS[model["proposal"]] if model["failure"] == "proposals" else "target draws"


def _labels(results: Sequence[xr.Dataset]) -> list[str]:
    """The protocol of each sweep, followed by what else tells it from the others with that protocol."""
    labels = [_protocol(data) for data in results]
    facts = [_settings(data) for data in results]
    found: list[str] = []
    for index, (label, own) in enumerate(zip(labels, facts, strict=True)):
        alike = [other for other, name in zip(facts, labels, strict=True) if name == label]
        varied = [
            f"{key} = {value}" for key, value in own.items() if any(one.get(key) != value for one in alike)
        ]
        if len(alike) > 1:
            label += f" ({', '.join(varied)})" if varied else ""
        elif len({one["N"] for one in facts}) > 1:
            label += f" (N = {own['N']})"
        found.append(label if label not in found else f"{label}, sweep {index + 1}")
    return found


def _settings(data: xr.Dataset) -> dict[str, str]:
    """What a sweep of one model was run with: its name, its table [model], the values on its axes, its largest N."""
    spec = data.attrs["spec"]
    axes = {name: f"{data[name].item():g}" for name in SETTINGS}
    model = {key: plain_text(str(value)) for key, value in spec["model"].items()}
    return {"N": f"{data['n'].values[-1]:,}"} | axes | model | {"name": plain_text(spec["name"])}
