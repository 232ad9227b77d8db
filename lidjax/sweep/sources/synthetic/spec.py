"""The tables of a spec with [model]: a sweep of the LID model."""

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


@dataclass(frozen=True)
class Model:
    """The synthetic LID model (Def. 3.1): everything that does not vary over the grid."""

    difficulty: Literal["gamma", "power"] = "gamma"
    """Prior on the latent precision τ: gamma (Eq. 1) or power (bounded, same near-zero index)."""
    teacher_decay: float = 0.0
    """θ*_j ∝ j^(-decay/2), unit norm; 0 is the isotropic teacher of Eq. 39-40."""
    method: Literal["auto", "exact", "simulate"] = "auto"
    """How L_gen is drawn: `exact` in law at a cost free of N, or `simulate` N rows; auto takes exact."""
    failure: Literal["quadrature", "instances", "draws", "proposals"] = "quadrature"
    """How L_inf(k) follows: population integral (Eq. 13), mean of (1-s)^k over test instances, k plain
    draws an instance (Sec. 4.2), or k proposals of the model against one realised target (App. B.4)."""
    num_instances: int = 10_000
    """Test instances a training set, for all but `quadrature`."""
    proposal: Literal["matched", "matched_t", "normal", "student_t"] = "matched"
    """Noise of a proposal: as wide as the instance's own, σ_η/√τ (normal or Student-t), or σ_η for all."""
    proposal_df: float = 3.0
    """Degrees of freedom of the Student-t noises."""

    def __post_init__(self) -> None:
        check_choices(self, "model")
        require(self.num_instances >= 1, "model.num_instances", self.num_instances, "at least 1")
        require(self.proposal_df > 0, "model.proposal_df", self.proposal_df, "greater than 0")
        require(math.isfinite(self.teacher_decay), "model.teacher_decay", self.teacher_decay, "finite")


@dataclass(frozen=True)
class SyntheticGrid:
    """Axes of a synthetic sweep; every combination is a cell. A number stands for an axis of one value."""

    n: tuple[int, ...]
    """Training set sizes N."""
    k: Positive
    """Attempts k at which L_inf(k) is evaluated (not part of a cell)."""
    beta: Positive = (2.5,)
    """Near-zero index of the difficulty prior, β > 0."""
    alpha: Positive = (1.0,)
    """Spectral exponent: λ_j = j^-(1+α)."""
    dim: tuple[int, ...] = (128,)
    """Number of features d."""
    ridge: Positive = (1e-9,)
    """ρ ≥ 0 of Eq. 6 (the paper's λ)."""
    sigma_eta: Positive = (1e-3,)
    """Noise scale σ_η > 0."""
    delta: Positive = (1e-3,)
    """Verifier tolerance δ > 0, in the units of y."""
    seed: tuple[int, ...] = (0,)
    """One independent training set each."""

    def __post_init__(self) -> None:
        check_axis(self, "n", lambda x: 1 <= x < 2**63, "at least 1, below 2⁶³")
        check_axis(self, "dim", lambda x: 1 <= x <= 10**6, "at least 1, at most 10⁶")
        check_model_axes(self)
        check_axis(self, "ridge", lambda x: x >= 0, "at least 0")


@dataclass(frozen=True)
class SyntheticSpec:
    """A sweep of the LID model."""

    grid: SyntheticGrid
    name: str = "sweep"
    model: Model = field(default_factory=Model)
    run: Run = field(default_factory=Run)
    fit: Fit = field(default_factory=Fit)

    def __post_init__(self) -> None:
        check_name(self.name)
