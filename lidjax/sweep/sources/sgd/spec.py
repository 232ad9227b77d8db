"""The tables of a spec with [sgd]: heads trained on a stream of LID data."""

import math
from dataclasses import dataclass, field
from typing import Literal

from lidjax.errors import InputError
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

LARGEST_BATCH = 2**16
"""Rows of every batch are drawn side by side: more would not fit in memory with the seeds of a tile."""


@dataclass(frozen=True)
class Sgd:
    """One-pass SGD on the LID model: everything that does not vary over the grid."""

    difficulty: Literal["gamma", "power"] = "gamma"
    """Prior on the latent precision τ: gamma (Eq. 1) or power (bounded, same near-zero index)."""
    teacher_decay: float = 0.0
    """θ*_j ∝ j^(-decay/2), unit norm; 0 is the isotropic teacher of Eq. 39-40."""
    gradient: Literal["law", "rows"] = "law"
    """How a batch's gradient is drawn: from its exact distribution given the weights, or from B instances."""
    decay_steps: float = 1000.0
    """Steps after which the decay of the learning rate begins to be felt: η (1 + t/decay_steps)^-decay."""

    def __post_init__(self) -> None:
        check_choices(self, "sgd")
        require(self.decay_steps > 0, "sgd.decay_steps", self.decay_steps, "greater than 0")
        require(math.isfinite(self.decay_steps), "sgd.decay_steps", self.decay_steps, "finite")
        require(math.isfinite(self.teacher_decay), "sgd.teacher_decay", self.teacher_decay, "finite")


@dataclass(frozen=True)
class SgdGrid:
    """Axes of a sweep of SGD; every combination is a cell. A number stands for an axis of one value."""

    steps: tuple[int, ...]
    """Numbers of steps t at which the head is looked at, ascending; a run passes them all."""
    k: Positive
    """Attempts k at which L_inf(k) is evaluated (not part of a cell)."""
    learning_rate: Positive = (0.1,)
    """Step size η > 0, on half the mean squared residual of a batch."""
    batch: tuple[int, ...] = (1,)
    """New instances a step, B."""
    momentum: Positive = (0.0,)
    """Momentum μ of optax.sgd, at least 0, below 1."""
    decay: Positive = (0.0,)
    """Exponent of the decay of the learning rate; 0 keeps it constant."""
    beta: Positive = (2.5,)
    """Near-zero index of the difficulty prior, β > 0."""
    alpha: Positive = (1.0,)
    """Spectral exponent: λ_j = j^-(1+α)."""
    dim: tuple[int, ...] = (128,)
    """Number of features d."""
    sigma_eta: Positive = (1e-3,)
    """Noise scale σ_η > 0."""
    delta: Positive = (1e-3,)
    """Verifier tolerance δ > 0, in the units of y."""
    seed: tuple[int, ...] = (0,)
    """One stream of data each; all learning rates, batches and β share its draws."""

    def __post_init__(self) -> None:
        check_axis(self, "steps", lambda x: 1 <= x < 2**31, "at least 1, below 2³¹")
        if list(self.steps) != sorted(self.steps):
            raise InputError(f"grid.steps = {list(self.steps)}: must ascend")
        check_axis(self, "batch", lambda x: 1 <= x <= LARGEST_BATCH, "at least 1, at most 2¹⁶")
        check_axis(self, "learning_rate", lambda x: x > 0, "greater than 0")
        check_axis(self, "momentum", lambda x: 0 <= x < 1, "at least 0, below 1")
        check_axis(self, "decay", lambda x: x >= 0, "at least 0")
        check_axis(self, "dim", lambda x: 1 <= x <= 10**6, "at least 1, at most 10⁶")
        check_model_axes(self)


@dataclass(frozen=True)
class SgdSpec:
    """A sweep of heads trained by SGD on streams of LID data."""

    grid: SgdGrid
    sgd: Sgd = field(default_factory=Sgd)
    name: str = "sweep"
    run: Run = field(default_factory=Run)
    fit: Fit = field(default_factory=Fit)

    def __post_init__(self) -> None:
        check_name(self.name)
