"""Which kernel of L_gen serves a cell, decided on the host from the cell's own values."""

import functools

import numpy as np

from lidjax.generalization import CellMethod, resolve_method
from lidjax.model import power_law_spectrum, power_law_teacher
from lidjax.sweep.sources.synthetic.spec import Model


@functools.lru_cache(maxsize=100_000)
def cell_method(
    model: Model, beta: float, alpha: float, dim: int, ridge: float, sigma_eta: float, n: int
) -> CellMethod:
    """`resolve_method` for plain numbers."""
    eigenvalues, theta = host_model(dim, alpha, model.teacher_decay)
    return resolve_method(
        model.method,
        n=n,
        dim=dim,
        ridge=ridge,
        eigenvalues=eigenvalues,
        theta=theta,
        beta=beta,
        sigma_eta=sigma_eta,
        difficulty=model.difficulty,
    )


@functools.lru_cache(maxsize=64)
def host_model(dim: int, alpha: float, decay: float) -> tuple[np.ndarray, np.ndarray]:
    """Spectrum and teacher on the host."""
    return np.asarray(power_law_spectrum(dim, alpha)), np.asarray(power_law_teacher(dim, decay))
