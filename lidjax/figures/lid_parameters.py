"""Parameters of the LID model that a sweep was run with, as the laws take them."""

from typing import TypedDict

import xarray as xr

from lidjax.difficulty import Difficulty


class LidParameters(TypedDict):
    """Keyword arguments of the laws: β, δ (units of y), σ_η (units of y) and the prior of the precision."""

    beta: float
    delta: float
    sigma_eta: float
    difficulty: Difficulty


def lid_parameters(data: xr.Dataset, table: str = "model") -> LidParameters:
    """The parameters of results or a summary with a single value of each; `table` of the spec has the prior."""
    beta, delta, sigma_eta = (float(data[name].item()) for name in ("beta", "delta", "sigma_eta"))
    difficulty: Difficulty = data.attrs["spec"][table]["difficulty"]
    return {"beta": beta, "delta": delta, "sigma_eta": sigma_eta, "difficulty": difficulty}
