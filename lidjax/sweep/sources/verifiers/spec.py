"""The tables of a spec with [verifier]: the LID model, whose attempts are checked by a verifier that errs."""

import math
from dataclasses import dataclass, field
from typing import Literal

from lidjax.sweep.sources.synthetic.spec import Model, SyntheticGrid, SyntheticSpec
from lidjax.sweep.spec import Fit, Positive, Run, check_axis, check_choices, check_name, require


@dataclass(frozen=True)
class Verifier:
    """The verifier, whose two error rates are axes of the grid, and the LID model behind it."""

    sensitivity: Positive = (1.0,)
    """Probability a that a right answer is accepted, 0 to 1: a number or a list, an axis of the results."""
    false_accept: Positive = (0.0,)
    """Probability f that a wrong answer is accepted, 0 to 1: a number or a list, an axis of the results."""
    cost: float = 1.0
    """What an accepted wrong answer costs, where a right one is worth 1. It decides the best k of the summary."""
    difficulty: Literal["gamma", "power"] = "gamma"
    """Prior on the latent precision τ: gamma (Eq. 1) or power (bounded, same near-zero index)."""
    teacher_decay: float = 0.0
    """θ*_j ∝ j^(-decay/2), unit norm; 0 is the isotropic teacher of Eq. 39-40."""

    def __post_init__(self) -> None:
        check_choices(self, "verifier")
        for name in ("sensitivity", "false_accept"):
            check_axis(self, name, lambda x: 0 <= x <= 1, "from 0 to 1", table="verifier")
        require(0 <= self.cost < math.inf, "verifier.cost", self.cost, "at least 0, and finite")
        require(math.isfinite(self.teacher_decay), "verifier.teacher_decay", self.teacher_decay, "finite")


@dataclass(frozen=True)
class VerifierSpec:
    """A sweep of the LID model with a verifier that errs. `fit` is not used: nothing is fitted."""

    grid: SyntheticGrid
    verifier: Verifier
    name: str = "sweep"
    run: Run = field(default_factory=Run)
    fit: Fit = field(default_factory=Fit)

    def __post_init__(self) -> None:
        check_name(self.name)
        require(self.run.dtype == "float64", "run.dtype", self.run.dtype, "'float64' for a [verifier]")

    def synthetic(self) -> SyntheticSpec:
        """The sweep whose L_gen this one has."""
        model = Model(difficulty=self.verifier.difficulty, teacher_decay=self.verifier.teacher_decay)
        return SyntheticSpec(grid=self.grid, name=self.name, model=model, run=self.run)
