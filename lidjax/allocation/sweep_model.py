"""The one model behind a sweep: chosen among the values of its axes, and as arguments of the exact allocation."""

from typing import TYPE_CHECKING, TypedDict

import jax

from lidjax.difficulty import Difficulty
from lidjax.errors import InputError
from lidjax.model import power_law_spectrum, power_law_teacher

if TYPE_CHECKING:
    import xarray as xr

CURVE_AXES = ("n", "k", "seed")  # an allocation uses all their values; the other axes select a model


def model_axes(data: "xr.Dataset") -> list[str]:
    """Names of the axes of a sweep whose values are different models: all but n, k and seed."""
    return [str(axis) for axis in data.dims if axis not in CURVE_AXES]


def check_one_model(data: "xr.Dataset") -> None:
    """Raise InputError if a model axis has several values."""
    several = [f"{axis} ({data.sizes[axis]} values)" for axis in model_axes(data) if data.sizes[axis] > 1]
    if several:
        raise InputError(f"choose one value of {', '.join(several)}: an allocation is for one model")


def select(data: "xr.Dataset", **values: float) -> "xr.Dataset":
    """The results of a sweep at one value of some of its model axes.

    A value is found if it agrees with one of the axis to a relative 1e-6, so that 1e-9 finds what was computed as
    10 ** -9. xarray's own `sel` asks for equality, and drops the axis instead of keeping it with one value.

    Args:
        data: Results of a sweep (`run_sweep`, `open_results`).
        **values: A value for each axis to select from, such as `beta=2.5`; any axis but n, k and seed.

    Returns:
        The results with one value left on each of these axes.

    Raises:
        InputError: There is no such model axis, or the axis does not have the value; the message lists what there is.

    Example:
        >>> import numpy as np, xarray as xr
        >>> from lidjax.allocation import select
        >>> data = xr.Dataset({"lgen": (("beta", "n"), np.zeros((2, 3)))}, coords={"beta": [2.5, 4.0]})
        >>> select(data, beta=4)["beta"].values
        array([4.])
    """
    from lidjax.sweep.select import select_cells  # sweeps import what this package needs

    return select_cells(data, **values)


class ModelArguments(TypedDict):
    """The arguments of `allocate`, `surface_exact` and `phase_map` that describe a model, by name."""

    eigenvalues: jax.Array
    """Spectrum of the features, (d,)."""
    theta: jax.Array
    """Teacher, (d,)."""
    beta: float
    """β, near-zero index of the difficulty prior."""
    sigma_eta: float
    """σ_η, scale of the label noise."""
    delta: float
    """δ, tolerance of the verifier."""
    ridge: float
    """ρ of Eq. 6."""
    difficulty: Difficulty
    """Family of the difficulty prior."""


def sweep_model(data: "xr.Dataset") -> ModelArguments:
    """The model of a synthetic sweep, as keyword arguments of `allocate`, `surface_exact` and `phase_map`.

    With it the exact optimum stands beside the measured one: `allocate(budget, ..., **sweep_model(data))` is the exact
    twin of `allocate_sweep(data, budget, ...)`. It knows the mean over training sets, not the seeds of this sweep.

    Args:
        data: Results of a sweep of the LID model on synthetic features, at one value of every axis but n, k and seed
            (see `select`).

    Returns:
        The arguments by name: numbers as Python floats, spectrum and teacher in float64.

    Raises:
        InputError: The sweep is of another kind, for which no exact losses are known, or it holds several models.

    Example:
        >>> import xarray as xr
        >>> from lidjax.allocation import allocate, sweep_model
        >>> axes = dict(beta=[4.0], alpha=[1.0], dim=[8], ridge=[1e-6], sigma_eta=[0.1], delta=[0.05])
        >>> spec = {"model": {"teacher_decay": 0.0, "difficulty": "gamma"}}
        >>> model = sweep_model(xr.Dataset(coords=axes, attrs={"kind": "synthetic", "spec": spec}))
        >>> model["beta"], model["theta"].shape
        (4.0, (8,))
        >>> allocate(100, cost_train=1, cost_infer=1, weight=1.0, rules=(), **model).kind
        'interior'
    """
    if data.attrs.get("kind") != "synthetic":
        raise InputError("the store is not of the LID model, whose losses alone are known exactly")
    check_one_model(data)
    model = data.attrs["spec"]["model"]
    dim, alpha = int(data["dim"].item()), data["alpha"].item()
    with jax.enable_x64(True):
        eigenvalues = power_law_spectrum(dim, alpha)
        theta = power_law_teacher(dim, model["teacher_decay"])
    return ModelArguments(
        eigenvalues=eigenvalues,
        theta=theta,
        beta=data["beta"].item(),
        sigma_eta=data["sigma_eta"].item(),
        delta=data["delta"].item(),
        ridge=data["ridge"].item(),
        difficulty=model["difficulty"],
    )


def sweep_window(data: "xr.Dataset") -> tuple[float, float]:
    """The window of k in which a sweep measures β_eff(N): `fit.window` of its spec.

    Args:
        data: Results of a sweep (`run_sweep`, `open_results`).

    Returns:
        (k1, k2), or (100, 10000) if the results have no spec.

    Example:
        >>> import xarray as xr
        >>> from lidjax.allocation import sweep_window
        >>> sweep_window(xr.Dataset(attrs={"spec": {"fit": {"window": [30.0, 3000.0]}}}))
        (30.0, 3000.0)
    """
    low, high = data.attrs["spec"]["fit"]["window"] if "spec" in data.attrs else (100.0, 10_000.0)
    return low, high
