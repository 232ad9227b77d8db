"""The tables of a spec with [random_features]: a sweep over training instances N and random features P."""

import math
from dataclasses import dataclass, field
from typing import Literal

from lidjax.sweep.spec import (
    Fit,
    Positive,
    Run,
    check_axis,
    check_choices,
    check_model_axes,
    check_name,
    require,
)

LARGEST = 10**15
"""Of N and of P: whole numbers up to it are exact in float64, and so are their differences."""


@dataclass(frozen=True)
class RandomFeatures:
    """The LID model (Def. 3.1), learned by a model that is linear in P random features Fᵀx of the d latent features x.

    F has independent N(0, 1/P) entries. L_gen is drawn from its exact distribution, and L_inf(k) is the exact
    expectation over test instances.
    """

    difficulty: Literal["gamma", "power"] = "gamma"
    """Prior on the latent precision τ: gamma (Eq. 1) or power (bounded, same near-zero index)."""
    teacher_decay: float = 0.0
    """θ*_j ∝ j^(-decay/2), unit norm; 0 is the isotropic teacher of Eq. 39-40."""

    def __post_init__(self) -> None:
        check_choices(self, "random_features")
        decay = self.teacher_decay
        require(math.isfinite(decay), "random_features.teacher_decay", decay, "finite")


@dataclass(frozen=True)
class RandomFeaturesGrid:
    """Axes of a sweep of random features; every combination is a cell. A number stands for an axis of one value."""

    n: tuple[int, ...]
    """Training set sizes N."""
    width: tuple[int, ...]
    """Numbers of random features P. Those of a seed are nested: fewer features are the first of more, up to P = d."""
    k: Positive
    """Attempts k at which L_inf(k) is evaluated (not part of a cell)."""
    beta: Positive = (2.5,)
    """Near-zero index of the difficulty prior, β > 0."""
    alpha: Positive = (1.0,)
    """Spectral exponent: λ_j = j^-(1+α)."""
    dim: tuple[int, ...] = (128,)
    """Number of latent features d."""
    ridge: Positive = (1e-3,)
    """ρ ≥ 0 of Eq. 6, the penalty on the coefficients of the random features. Where there are several, the figures and
    the compute plane take the best one at each (N, P), the plane for each loss."""
    sigma_eta: Positive = (1e-3,)
    """Noise scale σ_η > 0."""
    delta: Positive = (1e-3,)
    """Verifier tolerance δ > 0, in the units of y."""
    seed: tuple[int, ...] = (0,)
    """One F, and one independent training set for each N."""

    def __post_init__(self) -> None:
        for name in ("n", "width"):
            check_axis(self, name, lambda x: 1 <= x <= LARGEST, "at least 1, at most 10¹⁵")
        check_axis(self, "dim", lambda x: 1 <= x <= 10**6, "at least 1, at most 10⁶")
        check_model_axes(self)
        check_axis(self, "ridge", lambda x: x >= 0, "at least 0")


@dataclass(frozen=True)
class RandomFeaturesSpec:
    """A sweep over N and P."""

    grid: RandomFeaturesGrid
    random_features: RandomFeatures = field(default_factory=RandomFeatures)
    name: str = "sweep"
    run: Run = field(default_factory=Run)
    fit: Fit = field(default_factory=Fit)

    def __post_init__(self) -> None:
        check_name(self.name)
        # L_inf falls over more decades than float32 has, and what P features miss comes close to 0
        require(self.run.dtype == "float64", "run.dtype", self.run.dtype, "'float64' for [random_features]")
