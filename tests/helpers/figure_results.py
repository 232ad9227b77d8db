"""Made-up results of every kind that a figure draws."""

import numpy as np
import xarray as xr


def distillation_summary(c: float = 0.01, nu: float = 1.0) -> xr.Dataset:
    """Summary of a teacher-student experiment whose fit of Eq. 20 has these c and ν for every target."""
    n, k, targets = np.array([10.0, 100.0, 1000.0]), np.array([1.0, 10.0]), ["truth", "teacher", "fresh"]
    axes, shape = ("target", "n"), (3, 3)
    values = {
        f"{name}{end}": (axes, np.full(shape, value))
        for name in ("greedy_loss", "beta_eff")
        for end, value in (("", 0.5), ("_low", 0.4), ("_high", 0.6))
    }
    parameters = np.broadcast_to([2.0, 1.0, c, nu], (3, 4))
    return xr.Dataset(
        {
            **values,
            "failure": ((*axes, "k"), np.full((*shape, 2), 0.5)),
            "saturation": (("target", "parameter"), parameters),
            "identifiable": (("target", "parameter"), np.ones((3, 4), bool)),
            "fit_status": ("target", np.zeros(3, int)),
        },
        coords={"n": n, "k": k, "target": targets, "parameter": ["beta", "delta", "c", "nu"]},
        attrs={"spec": {"name": "made up", "fit": {"target": "truth"}}, "window": [2, 8]},
    )
