"""Sweeps whose curves are known: power laws, and the exact losses of one model."""

import numpy as np
import xarray as xr

from lidjax import power_law_spectrum, power_law_teacher
from lidjax.allocation.losses import ExactLosses, LossParameters, LossValues

N = np.unique(np.geomspace(8, 20_000, 30).astype(int))
K = np.geomspace(1, 1e5, 41)
DIM = 30
MODEL = {
    "eigenvalues": power_law_spectrum(DIM, 1.5),
    "theta": power_law_teacher(DIM),
    "beta": 2.5,
    "sigma_eta": 0.1,
    "delta": 0.05,
    "ridge": 1e-9,
}
COSTS = {"cost_train": 2.0, "cost_infer": 0.5}


def as_sweep(lgen, failure):
    """Curves (seed, n), (seed, n, k) as the results of a synthetic sweep of `MODEL`."""
    return xr.Dataset(
        {
            "lgen": (("beta", "seed", "n"), lgen[None]),
            "failure": (("beta", "seed", "n", "k"), failure[None]),
            "status": (("beta", "seed", "n"), np.zeros((1, *lgen.shape), np.int8)),
        },
        coords={
            "beta": [2.5],
            "n": N,
            "seed": np.arange(len(lgen)),
            "k": K,
            "dim": DIM,
            "alpha": 1.5,
            "sigma_eta": 0.1,
            "delta": 0.05,
            "ridge": 1e-9,
        },
        attrs={
            "spec": {
                "name": "made",
                "fit": {"window": [30.0, 3000.0]},
                "model": {"difficulty": "gamma", "teacher_decay": 0.0},
            },
            "kind": "synthetic",
        },
    )


def power_laws(seeds=1, noise=0.0):
    """L_gen = 4/N, L_inf = 2 k^-1.5, with prefactors that vary over training sets."""
    rng = np.random.default_rng(2)
    first, second = np.exp(noise * rng.normal(size=(2, seeds)))
    lgen = first[:, None] * 4.0 / N[None, :]
    return as_sweep(lgen, second[:, None, None] * 2 * K[None, None, :] ** -1.5 + 0 * lgen[:, :, None])


def exact_values(log_n, log_k) -> LossValues:
    """The exact losses of `MODEL`."""
    losses = ExactLosses(np.asarray(MODEL["eigenvalues"]), np.asarray(MODEL["theta"]), "gamma")
    return losses.values(log_n, log_k, LossParameters(0.04, 1e-9, 2.5, 0.05, 0.1))


def exact_curves():
    """The exact losses of `MODEL` as a sweep with one training set."""
    log_n, log_k = (x.ravel() for x in np.meshgrid(np.log(N), np.log(K), indexing="ij"))
    values = exact_values(log_n, log_k)
    failure = np.exp(values.log_failure).reshape(len(N), len(K))
    return as_sweep(np.exp(values.log_lgen).reshape(len(N), len(K))[None, :, 0], failure[None])
