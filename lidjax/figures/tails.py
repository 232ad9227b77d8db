"""The tail of pass@k over (N, k), prior by prior: local exponent and crossover, the law of the success, exponents."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lidjax.errors import InputError
from lidjax.figures.style import new_figure, paper_style, sequential
from lidjax.laws import asymptotic_failure, finite_n_exponent, log_crossover_k, log_finite_n_tail
from lidjax.passk import success_distribution

PRIORS = {"gamma": r"$\tau\sim$ Gamma, unbounded", "power": r"$\tau\leq 1$, power law"}
SETTINGS = ("beta", "alpha", "dim", "ridge", "sigma_eta", "delta")
WINDOWS = ((1e1, 1e3), (1e3, 1e6), (1e9, 1e12))


class Typical(NamedTuple):
    """The typical training set of each N: medians over seeds."""

    name: str
    difficulty: str
    n: np.ndarray
    k: np.ndarray
    lgen: np.ndarray  # (n,)
    log_failure: np.ndarray  # (n, k)
    beta: float
    delta: float
    sigma_eta: float

    @property
    def tail(self) -> dict:
        return {
            "beta": self.beta,
            "delta": self.delta,
            "sigma_eta": self.sigma_eta,
            "difficulty": self.difficulty,
        }


def typical(data: xr.Dataset) -> Typical:
    """Medians over seeds of a sweep of the LID model over n and k; InputError if it varies anything else."""
    spec = data.attrs["spec"]
    if "beta" not in data.dims:
        raise InputError(f"{spec['name']}: a sweep of the LID model is wanted; this one is on real features")
    wide = [f"{name} ({data.sizes[name]})" for name in SETTINGS if data.sizes[name] > 1]
    if wide:
        raise InputError(f"{spec['name']}: one value each is wanted of {', '.join(wide)}")
    if data.sizes["n"] < 3 or data.sizes["k"] < 3:
        raise InputError(f"{spec['name']}: three values or more of n and of k are wanted")
    one = data.squeeze(SETTINGS)
    with np.errstate(divide="ignore"):
        log_failure = np.log(one["failure"].median("seed").transpose("n", "k").values)
    facts = {name: float(data[name].item()) for name in ("beta", "delta", "sigma_eta")}
    lgen = one["lgen"].median("seed").values
    return Typical(
        spec["name"],
        spec["model"]["difficulty"],
        data["n"].values,
        data["k"].values,
        lgen,
        log_failure,
        **facts,
    )


def local_exponent(k: np.ndarray, log_failure: np.ndarray) -> np.ndarray:
    """-d log L_inf / d log k along the last axis, by second-order differences."""
    return -np.gradient(log_failure, np.log(k), axis=-1)


def plane_figure(results: Sequence[xr.Dataset]) -> Figure:
    """The local exponent over the (N, k) plane with the crossover k_c(N), a panel for each sweep."""
    sweeps = [typical(data) for data in results]
    top = max(sweep.beta for sweep in sweeps) * 1.1
    with paper_style():
        figure, panels = new_figure(len(sweeps), width=3.2, height=2.6)
        for axes, sweep in zip(panels, sweeps, strict=True):
            exponent = local_exponent(sweep.k, sweep.log_failure)
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
            levels = np.arange(0.5, top, 0.5)
            lines = axes.contour(sweep.n, sweep.k, exponent.T, levels, colors="w", linewidths=0.5)
            axes.clabel(lines, fontsize=6, fmt="%.1f")
            crossover = _crossover(sweep)
            inside = np.where((crossover > sweep.k[0]) & (crossover < sweep.k[-1]), crossover, np.nan)
            axes.plot(sweep.n, inside, color="C3", lw=1.5, label="$k_c(N)$: tails equal")
            axes.set(
                xscale="log", yscale="log", xlabel="training instances $N$", title=PRIORS[sweep.difficulty]
            )
            axes.set(xlim=(sweep.n[0], sweep.n[-1]), ylim=(sweep.k[0], sweep.k[-1]))
            axes.legend(loc="upper right", labelcolor="w")
        panels[0].set_ylabel("attempts $k$")
        figure.colorbar(
            panels[-1].collections[0],
            ax=panels,
            label=r"$-\partial\log\mathcal{L}_{\rm inf}/\partial\log k$",
            pad=0.01,
        )
    return figure


def _crossover(sweep: Typical) -> np.ndarray:
    with jax.enable_x64(True):
        log_k = np.asarray(log_crossover_k(sweep.lgen.astype(np.float64), **sweep.tail))
    with np.errstate(over="ignore"):
        return np.exp(log_k)


def success_figure(results: Sequence[xr.Dataset], *, curves: int = 5) -> Figure:
    """P(S ≤ s) of the single-trial success at a few N: the intrinsic tail s^β and the finite-N tail above it."""
    sweeps = [typical(data) for data in results]
    s = np.geomspace(1e-12, 0.9, 160)
    with paper_style():
        figure, panels = new_figure(len(sweeps), width=3.0, height=2.5)
        for axes, sweep in zip(panels, sweeps, strict=True):
            chosen = np.unique(np.linspace(0, 0.75 * (len(sweep.n) - 1), curves).round().astype(int))
            for index, colour in zip(chosen, sequential(len(chosen)), strict=True):
                lgen = float(sweep.lgen[index])
                with jax.enable_x64(True):
                    law = np.exp(np.asarray(success_distribution(s, lgen, **sweep.tail).log_cdf))
                    tail = np.asarray(log_finite_n_tail(np.log(s), lgen, **sweep.tail).log_tail)
                axes.plot(s, law, color=colour, label=_scientific(int(sweep.n[index])))
                axes.plot(s, np.exp(tail), color=colour, lw=0.8, ls="--")
            with jax.enable_x64(True):
                free = np.exp(np.asarray(success_distribution(s, 1e-300, **sweep.tail).log_cdf))
            axes.plot(s, free, "k:", lw=1, label=r"$\mathcal{L}_{\rm gen}\to 0$: $s^\beta$")
            axes.set(xscale="log", yscale="log", xlabel="success of one trial $s$", ylim=(1e-12, 1.5))
            axes.set_title(PRIORS[sweep.difficulty])
            axes.legend(loc="lower right", frameon=True, framealpha=0.85, edgecolor="none", borderpad=0.2)
        panels[0].set_ylabel(r"$P(S_N\leq s)$")
    return figure


def exponents_figure(results: Sequence[xr.Dataset]) -> Figure:
    """Measured slopes over windows farther and farther out against γ(N) = σ²/(τ_max L_gen) and min{β, γ}, Eq. 19."""
    sweeps = [typical(data) for data in results]
    with paper_style():
        figure, panels = new_figure(len(sweeps), width=3.0, height=2.5)
        for axes, sweep in zip(panels, sweeps, strict=True):
            gamma = np.asarray(finite_n_exponent(sweep.lgen, sweep.sigma_eta))
            _reference(axes, gamma, sweep.beta)
            for window, colour in zip(WINDOWS, sequential(len(WINDOWS)), strict=True):
                inside = (sweep.k >= window[0] * 0.999) & (sweep.k <= window[1] * 1.001)
                if inside.sum() < 3:
                    continue
                slope = -np.polyfit(np.log(sweep.k[inside]), sweep.log_failure[:, inside].T, 1)[0]
                label = f"$k=10^{{{np.log10(window[0]):.0f}}}$ to $10^{{{np.log10(window[1]):.0f}}}$"
                axes.plot(gamma, slope, "o", color=colour, ms=3, label=label)
            axes.set(xscale="log", xlabel=r"$\gamma(N)=\sigma_\eta^2/\mathcal{L}_{\rm gen}(N)$")
            axes.set(title=PRIORS[sweep.difficulty], ylim=(0, sweep.beta * 1.2))
        figure.legend(
            *panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=2 * len(panels)
        )
        panels[0].set_ylabel(r"measured $\beta_{\rm eff}$")
    return figure


def _reference(axes: Axes, gamma: np.ndarray, beta: float) -> None:
    smooth = np.geomspace(gamma.min(), gamma.max(), 200)
    axes.plot(smooth, np.minimum(beta, smooth), "k--", lw=0.9, label=r"$\min\{\beta,\gamma\}$, Eq. 19")


def protocols_figure(results: Sequence[xr.Dataset]) -> Figure:
    """L_inf(k) at the largest N under different protocols of one model (App. B.4), with the target draw's law."""
    sweeps = [typical(data) for data in results]
    with paper_style():
        figure, (axes,) = new_figure(1, width=3.6, height=2.8)
        floor = max(math.log(_resolved(data)) for data in results)
        for data, sweep, colour in zip(results, sweeps, sequential(len(sweeps)), strict=True):
            shown = sweep.log_failure[-1] > floor
            curve = np.exp(sweep.log_failure[-1][shown])
            axes.plot(sweep.k[shown], curve, "o-", ms=2.5, color=colour, label=_protocol(data))
        first = sweeps[0]
        with jax.enable_x64(True):
            law = np.asarray(asymptotic_failure(first.k, first.lgen[-1], **first.tail))
        shown = (law < 1) & (law > math.exp(floor))
        axes.plot(first.k[shown], law[shown], "k--", lw=0.9, label="laws of the target draw")
        axes.set(xscale="log", yscale="log", xlabel="attempts $k$", ylim=(math.exp(floor), 1.5))
        axes.set_ylabel(rf"$\mathcal{{L}}_{{\rm inf}}(k)$ at $N={first.n[-1]:,}$".replace(",", "{,}"))
        axes.legend(loc="lower left")
    return figure


def _resolved(data: xr.Dataset) -> float:
    """The smallest L_inf that a mean over test instances resolves: about 30 of them fail."""
    model = data.attrs["spec"]["model"]
    return 1e-30 if model["failure"] == "quadrature" else 30 / model["num_instances"]


def _protocol(data: xr.Dataset) -> str:
    model = data.attrs["spec"]["model"]
    if model["failure"] != "proposals":
        return "target draws"
    words = {
        "matched": r"proposals, noise $\sigma/\sqrt{\tau}$ normal",
        "matched_t": r"proposals, noise $\sigma/\sqrt{\tau}$ Student",
        "normal": r"proposals, noise $\sigma$ normal",
        "student_t": r"proposals, noise $\sigma$ Student",
    }
    return words[model["proposal"]]


def _scientific(n: int) -> str:
    return f"$N={n:,}$".replace(",", "{,}")
