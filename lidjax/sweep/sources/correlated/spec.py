"""The tables of a spec with [correlated]: the LID model with τ and x correlated."""

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

LARGEST_N = 10**7
"""Training instances are drawn one by one."""


@dataclass(frozen=True)
class Correlated:
    """The LID model (Def. 3.1) with τ and x joined by a Gaussian copula: everything that does not vary over the grid.

    Training sets are simulated, instance by instance. L_gen is exact given the coefficients. L_inf(k) is a mean over
    test instances with the same dependence.
    """

    form: Literal["direction", "norm"] = "norm"
    """What τ is correlated with: the first whitened feature, or the norm of the whitened features."""
    difficulty: Literal["gamma", "power"] = "gamma"
    """Prior on the latent precision τ: gamma (Eq. 1) or power (bounded, same near-zero index)."""
    num_instances: int = 10_000
    """Test instances a training set."""

    def __post_init__(self) -> None:
        check_choices(self, "correlated")
        require(self.num_instances >= 1, "correlated.num_instances", self.num_instances, "at least 1")


@dataclass(frozen=True)
class CorrelatedGrid:
    """Axes of a sweep with [correlated]; every combination is a cell. A number stands for an axis of one value."""

    n: tuple[int, ...]
    """Training set sizes N."""
    k: Positive
    """Attempts k at which L_inf(k) is evaluated (not part of a cell)."""
    correlation: Positive = (0.0,)
    """ρ of the copula, -1 < ρ < 1; positive where easy instances (large τ) have a large projection or norm."""
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
    """One independent training set each; all correlations and β share its features."""

    def __post_init__(self) -> None:
        check_axis(self, "n", lambda x: 1 <= x <= LARGEST_N, "at least 1, at most 10⁷")
        check_axis(self, "dim", lambda x: 1 <= x <= 10**4, "at least 1, at most 10⁴")
        check_axis(self, "correlation", lambda x: -1 < x < 1, "greater than -1, less than 1")
        check_model_axes(self)
        check_axis(self, "ridge", lambda x: x >= 0, "at least 0")


@dataclass(frozen=True)
class CorrelatedSpec:
    """A sweep of the LID model with τ and x correlated."""

    grid: CorrelatedGrid
    correlated: Correlated = field(default_factory=Correlated)
    name: str = "sweep"
    run: Run = field(default_factory=Run)
    fit: Fit = field(default_factory=Fit)

    def __post_init__(self) -> None:
        check_name(self.name)
        # the tails of the copula reach beyond the range of float32
        require(self.run.dtype == "float64", "run.dtype", self.run.dtype, "'float64' for [correlated]")
