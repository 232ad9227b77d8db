"""Sweep specs as frozen dataclasses: every value checked, every error naming its key.

A spec with a [model] table sweeps the LID model (`SyntheticSpec`), one with a [features] table real features
(`FeaturesSpec`), one with a [frontier] table draws from Zipf laws (`FrontierSpec`). `spec_file` reads them from TOML.
"""

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any, Literal, get_args, get_origin

from lidjax.arrays import check_window
from lidjax.errors import InputError, unknown_name

Positive = tuple[float, ...]


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
class Features:
    """Real features (Sec. 5): an `.npz` with features (m, d), mean (m,) and variance (m,)."""

    path: str = ""
    """The `.npz` file; a relative path starts at the folder of the spec."""
    num_validation: int = 2000
    """Instances held out by each split; the rest are there to train on."""
    labels_per_split: int = 1
    """Label draws that share one split and one factorisation; seeds come in multiples of it."""
    variance_floor: float = 1e-6
    """ε_v of Eq. 27, added to every variance."""
    failure: Literal["instances", "draws"] = "instances"
    """L_inf(k) as the mean of (1-s)^k over held-out instances, or the all-fail indicator of k plain draws."""
    pairing: Literal["own", "shuffled"] = "own"
    """An instance with its own features, or with another one's: a control that knows nothing of the instances."""

    def __post_init__(self) -> None:
        check_choices(self, "features")
        require(bool(self.path), "features.path", self.path, "the path of an .npz file")
        require(self.num_validation >= 1, "features.num_validation", self.num_validation, "at least 1")
        require(self.labels_per_split >= 1, "features.labels_per_split", self.labels_per_split, "at least 1")
        require(self.variance_floor >= 0, "features.variance_floor", self.variance_floor, "at least 0")


@dataclass(frozen=True)
class SyntheticGrid:
    """Axes of a synthetic sweep; every combination is a cell."""

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
        check_axis(self, "k", lambda x: x >= 1, "at least 1")
        for name in ("beta", "sigma_eta", "delta"):
            check_axis(self, name, lambda x: x > 0, "greater than 0")
        check_axis(
            self,
            "alpha",
            lambda x: -1 < x <= 20,
            "greater than -1 (α > 0 for a summable spectrum), at most 20",
        )
        check_axis(self, "ridge", lambda x: x >= 0, "at least 0")
        check_axis(self, "seed", lambda x: 0 <= x < 2**32, "from 0 to 2³²-1")


@dataclass(frozen=True)
class FeaturesGrid:
    """Axes of a sweep on real features; every combination is a cell."""

    n: tuple[int, ...]
    """Training set sizes N, at most what the split leaves."""
    k: Positive
    """Attempts k at which L_inf(k) is evaluated (not part of a cell)."""
    ridge: Positive = (1e-6,)
    """λ of Eq. 28 before the rescaling λ_eff = λ/s²."""
    delta: Positive = (0.05,)
    """Verifier tolerance before the rescaling δ_eff = δ/s."""
    scale: Positive = (1.0,)
    """s of Eq. 26: features and mean targets are divided by it."""
    seed: tuple[int, ...] = (0,)
    """A train/validation split plus a label draw each."""

    def __post_init__(self) -> None:
        check_axis(self, "n", lambda x: 1 <= x < 2**31, "at least 1, below 2³¹")
        check_axis(self, "k", lambda x: x >= 1, "at least 1")
        for name in ("delta", "scale"):
            check_axis(self, name, lambda x: x > 0, "greater than 0")
        check_axis(self, "ridge", lambda x: x >= 0, "at least 0")
        check_axis(self, "seed", lambda x: 0 <= x < 2**32, "from 0 to 2³²-1")


@dataclass(frozen=True)
class Frontier:
    """Patterns drawn from a Zipf law (`lidjax.frontier`), simulated draw by draw."""

    vocabulary: int = 100_000
    """Number of patterns K; the simulated law is finite, and is compared with the finite one."""

    def __post_init__(self) -> None:
        in_range = 1 <= self.vocabulary <= 10**8
        require(in_range, "frontier.vocabulary", self.vocabulary, "from 1 to 10⁸ patterns")


@dataclass(frozen=True)
class FrontierGrid:
    """Axes of a sweep of Zipf draws; every combination is a cell."""

    samples: tuple[int, ...]
    """Draws D; the smaller numbers of a seed are the first draws of the larger."""
    exponent: Positive = (1.5,)
    """a > 1 of p_k ∝ k^-a."""
    k: Positive = (1.0,)
    """Further attempts k at a missed pattern: expected failure is the missed mass after D + k draws."""
    seed: tuple[int, ...] = (0,)
    """One stream of draws each; exponents share its uniforms."""

    def __post_init__(self) -> None:
        check_axis(self, "samples", lambda x: 1 <= x < 2**31 - 4096, "from 1 to 2³¹-4097")
        check_axis(self, "exponent", lambda x: x > 1, "greater than 1")
        check_axis(self, "k", lambda x: x >= 1, "at least 1")
        check_axis(self, "seed", lambda x: 0 <= x < 2**32, "from 0 to 2³²-1")


@dataclass(frozen=True)
class Run:
    """How the sweep runs. Only `root_key` and `dtype` change its numbers."""

    root_key: int = 0
    """Root of every random stream."""
    dtype: Literal["float64", "float32"] = "float64"
    """Precision of the kernels."""
    memory_gib: float = 1.0
    """What one tile may take on each device, in GiB."""
    tile_seconds: float = 2.0
    """Tiles are cut so that none should take much longer: what an interruption can lose."""

    def __post_init__(self) -> None:
        check_choices(self, "run")
        require(0 <= self.root_key < 2**63, "run.root_key", self.root_key, "from 0 to 2⁶³-1")
        require(self.memory_gib > 0, "run.memory_gib", self.memory_gib, "greater than 0")
        require(self.tile_seconds > 0, "run.tile_seconds", self.tile_seconds, "greater than 0")


@dataclass(frozen=True)
class Fit:
    """How the results are summarised; changes no stored number."""

    window: tuple[float, float] = (10.0, 1000.0)
    """[k1, k2] of Eq. 55."""
    from_n: float = 0.0
    """Smallest N in the fit of Eq. 20; 0 takes N > 1.5 d, beyond the double-descent peak."""
    published: tuple[float, ...] = ()
    """Published β_eff, first to last N, printed beside the measured ones."""

    def __post_init__(self) -> None:
        check_window(self.window, "fit.window")
        require(self.from_n >= 0, "fit.from_n", self.from_n, "at least 0")


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


@dataclass(frozen=True)
class FeaturesSpec:
    """A sweep on real features."""

    grid: FeaturesGrid
    features: Features
    name: str = "sweep"
    run: Run = field(default_factory=Run)
    fit: Fit = field(default_factory=Fit)

    def __post_init__(self) -> None:
        check_name(self.name)
        per_split, seeds = self.features.labels_per_split, self.grid.seed
        require(
            len(seeds) % per_split == 0
            and list(seeds) == list(range(seeds[0], seeds[0] + len(seeds)))
            and seeds[0] % per_split == 0,
            "grid.seed",
            list(seeds),
            f"whole splits: consecutive seeds, first and count multiples of labels_per_split = {per_split}, "
            f"such as {{ range = [0, {4 * per_split}] }}",
        )


@dataclass(frozen=True)
class FrontierSpec:
    """A sweep of draws from Zipf laws. `fit.window` is one of samples D."""

    grid: FrontierGrid
    frontier: Frontier
    name: str = "sweep"
    run: Run = field(default_factory=Run)
    fit: Fit = field(default_factory=Fit)

    def __post_init__(self) -> None:
        check_name(self.name)
        # uniforms of float32 have 23 bits: patterns rarer than 1e-7 would never or far too often be drawn
        require(self.run.dtype == "float64", "run.dtype", self.run.dtype, "'float64' for a [frontier]")


Spec = SyntheticSpec | FeaturesSpec | FrontierSpec


def check_axis(grid: Any, name: str, allowed: Any, words: str) -> None:
    values = getattr(grid, name)
    if not values:
        raise InputError(f"grid.{name} is empty: an axis has at least one value")
    for value in values:
        require(math.isfinite(value) and allowed(value), f"grid.{name}", value, words)
        squares = value == 0 or 1e-100 <= abs(value) <= 1e100
        require(
            squares,
            f"grid.{name}",
            value,
            "between 1e-100 and 1e100 in size: larger or smaller, its square is no number",
        )
    if len(set(values)) != len(values):
        raise InputError(f"grid.{name} = {list(values)}: a value stands there twice")


def check_choices(item: Any, prefix: str) -> None:
    for f in dataclasses.fields(item):
        if get_origin(f.type) is Literal and getattr(item, f.name) not in get_args(f.type):
            raise unknown_name(f"{prefix}.{f.name}:", getattr(item, f.name), get_args(f.type))


def check_name(name: str) -> None:
    """The name becomes a folder: it may not lead elsewhere."""
    plain = bool(name) and not name.startswith(".") and all(c.isalnum() or c in "-_. " for c in name)
    require(plain, "name", name, "letters, digits, spaces and -_. only, not starting with a dot")


def require(ok: bool, key: str, value: Any, words: str) -> None:
    if not ok:
        raise InputError(f"{key} = {value!r}: must be {words}")
