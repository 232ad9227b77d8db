"""Sweep specs: TOML → frozen dataclasses, every value checked, every error naming its key.

A spec with a [model] table sweeps the LID model (`SyntheticSpec`); one with a [features] table
sweeps real features (`FeaturesSpec`). An axis of [grid] is a number, a list of numbers, or one of
`{ logspace = [lo, hi, count] }`, `{ linspace = [lo, hi, count] }`, `{ range = [start, stop] }`.
"""

import dataclasses
import math
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import numpy as np

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
        _check_choices(self, "model")
        _require(self.num_instances >= 1, "model.num_instances", self.num_instances, "at least 1")
        _require(self.proposal_df > 0, "model.proposal_df", self.proposal_df, "greater than 0")
        _require(math.isfinite(self.teacher_decay), "model.teacher_decay", self.teacher_decay, "finite")


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

    def __post_init__(self) -> None:
        _check_choices(self, "features")
        _require(bool(self.path), "features.path", self.path, "the path of an .npz file")
        _require(self.num_validation >= 1, "features.num_validation", self.num_validation, "at least 1")
        _require(self.labels_per_split >= 1, "features.labels_per_split", self.labels_per_split, "at least 1")
        _require(self.variance_floor >= 0, "features.variance_floor", self.variance_floor, "at least 0")


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
        for name in ("n", "dim"):
            _check_axis(self, name, lambda x: x >= 1, "at least 1")
        for name in ("k",):
            _check_axis(self, name, lambda x: x >= 1, "at least 1")
        for name in ("beta", "sigma_eta", "delta"):
            _check_axis(self, name, lambda x: x > 0, "greater than 0")
        _check_axis(self, "alpha", lambda x: x > -1, "greater than -1 (α > 0 for a summable spectrum)")
        _check_axis(self, "ridge", lambda x: x >= 0, "at least 0")
        _check_axis(self, "seed", lambda x: 0 <= x < 2**32, "from 0 to 2³²-1")


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
        _check_axis(self, "n", lambda x: x >= 1, "at least 1")
        _check_axis(self, "k", lambda x: x >= 1, "at least 1")
        for name in ("delta", "scale"):
            _check_axis(self, name, lambda x: x > 0, "greater than 0")
        _check_axis(self, "ridge", lambda x: x >= 0, "at least 0")
        _check_axis(self, "seed", lambda x: 0 <= x < 2**32, "from 0 to 2³²-1")


@dataclass(frozen=True)
class Run:
    """How the sweep runs. Only `root_key` and `dtype` change its numbers."""

    root_key: int = 0
    """Root of every random stream."""
    dtype: Literal["float64", "float32"] = "float64"
    """Precision of the kernels."""
    memory_gib: float = 1.0
    """What one tile may take, in GiB."""
    tile_seconds: float = 2.0
    """Tiles are cut so that none should take much longer: what an interruption can lose."""

    def __post_init__(self) -> None:
        _check_choices(self, "run")
        _require(0 <= self.root_key < 2**63, "run.root_key", self.root_key, "from 0 to 2⁶³-1")
        _require(self.memory_gib > 0, "run.memory_gib", self.memory_gib, "greater than 0")
        _require(self.tile_seconds > 0, "run.tile_seconds", self.tile_seconds, "greater than 0")


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
        low, high = self.window
        _require(0 < low < high, "fit.window", list(self.window), "two numbers, 0 < k1 < k2")
        _require(self.from_n >= 0, "fit.from_n", self.from_n, "at least 0")


@dataclass(frozen=True)
class SyntheticSpec:
    """A sweep of the LID model."""

    grid: SyntheticGrid
    name: str = "sweep"
    model: Model = field(default_factory=Model)
    run: Run = field(default_factory=Run)
    fit: Fit = field(default_factory=Fit)

    def __post_init__(self) -> None:
        _check_name(self.name)


@dataclass(frozen=True)
class FeaturesSpec:
    """A sweep on real features."""

    grid: FeaturesGrid
    features: Features
    name: str = "sweep"
    run: Run = field(default_factory=Run)
    fit: Fit = field(default_factory=Fit)

    def __post_init__(self) -> None:
        _check_name(self.name)
        per_split, seeds = self.features.labels_per_split, self.grid.seed
        _require(
            len(seeds) % per_split == 0
            and list(seeds) == list(range(seeds[0], seeds[0] + len(seeds)))
            and seeds[0] % per_split == 0,
            "grid.seed",
            list(seeds),
            f"whole splits: consecutive seeds, first and count multiples of labels_per_split = {per_split}, "
            f"such as {{ range = [0, {4 * per_split}] }}",
        )


Spec = SyntheticSpec | FeaturesSpec


def load_spec(path: str | Path) -> Spec:
    """Read and check a TOML spec. A relative `features.path` is resolved against the spec's folder."""
    path = Path(path)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; specs to start from are in sweeps/") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as a spec: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: not valid TOML: {error}") from None
    try:
        spec = spec_from_dict({"name": path.stem, **table})
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    if isinstance(spec, FeaturesSpec) and not Path(spec.features.path).expanduser().is_absolute():
        resolved = str((path.parent / spec.features.path).resolve())
        spec = dataclasses.replace(spec, features=dataclasses.replace(spec.features, path=resolved))
    return spec


def spec_from_dict(table: dict[str, Any]) -> Spec:
    """Build a spec from nested dicts, as TOML or a store's manifest gives them."""
    kinds = [name for name in ("model", "features") if name in table]
    if len(kinds) != 1:
        raise InputError(
            "a spec has exactly one of [model] (the LID model) and [features] (an .npz of real features); "
            f"this one has {' and '.join(f'[{k}]' for k in kinds) or 'neither'}"
        )
    return _build(SyntheticSpec if kinds == ["model"] else FeaturesSpec, table, "")


def spec_to_dict(spec: Spec) -> dict[str, Any]:
    """Nested dicts of plain JSON types."""
    return dataclasses.asdict(spec, dict_factory=lambda items: {k: _plain(v) for k, v in items})


def law_of(spec: Spec) -> dict[str, Any]:
    """The part of a spec that decides the numbers; two stores may be continued only where it agrees.

    A feature file counts by its content, which the store keeps a hash of, not by its path.
    """
    table = spec_to_dict(spec)
    del table["name"], table["fit"]
    table["run"] = {key: table["run"][key] for key in ("root_key", "dtype")}
    if "features" in table:
        del table["features"]["path"]
    return table


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _build(cls: Any, table: Any, prefix: str) -> Any:
    """A dataclass from a table; unknown and missing keys are errors that name the key."""
    if not isinstance(table, dict):
        raise InputError(f"{prefix.rstrip('.')} must be a table, not {table!r}")
    fields = {f.name: f for f in dataclasses.fields(cls)}
    for key in table:
        if key not in fields:
            raise unknown_name("key", prefix + key, [prefix + name for name in fields])
    values = {}
    for name, item in fields.items():
        required = item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
        if name in table:
            values[name] = _convert(item.type, table[name], prefix + name)
        elif required and not dataclasses.is_dataclass(item.type):
            raise InputError(f"{prefix}{name} is missing")
        elif required:
            values[name] = _build(item.type, {}, prefix + name + ".")
    return cls(**values)


def _convert(kind: Any, value: Any, key: str) -> Any:
    if dataclasses.is_dataclass(kind):
        return _build(kind, value, key + ".")
    if get_origin(kind) is tuple:
        items = get_args(kind)
        expanded = _expand_axis(value, items[0], key)
        if items[-1] is not Ellipsis and len(expanded) != len(items):
            raise InputError(f"{key} = {value!r}: {len(items)} numbers are wanted")
        return tuple(_number(items[0], x, key) for x in expanded)
    if kind in (int, float):
        return _number(kind, value, key)
    if not isinstance(value, str):
        raise InputError(f"{key} = {value!r}: must be a string")
    return value


def _number(kind: type, value: Any, key: str) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InputError(f"{key} = {value!r}: must be a number")
    if not math.isfinite(value):
        raise InputError(f"{key} = {value!r}: must be finite")
    if kind is int and value != int(value):
        raise InputError(f"{key} = {value!r}: must be a whole number")
    return kind(value)


def _expand_axis(value: Any, kind: type, key: str) -> list[Any]:
    """The values of an axis, in the order given; spaced integers are rounded and made unique."""
    if isinstance(value, (list, tuple)):
        return list(value)
    if not isinstance(value, dict):
        return [value]
    spacings = ("logspace", "linspace", "range")
    if len(value) != 1 or next(iter(value)) not in spacings:
        raise InputError(f"{key} = {value!r}: one of {', '.join(spacings)} is allowed")
    name, arguments = next(iter(value.items()))
    wanted = 2 if name == "range" else 3
    if not isinstance(arguments, list) or len(arguments) != wanted:
        form = "[start, stop]" if name == "range" else "[lo, hi, count]"
        raise InputError(f"{key} = {value!r}: {name} takes {form}")
    numbers = [_number(float, x, key) for x in arguments]
    if name == "range":
        return list(range(_number(int, numbers[0], key), _number(int, numbers[1], key)))
    low, high, count = numbers
    if count != int(count) or not 2 <= count <= 10_000_000:
        raise InputError(f"{key} = {value!r}: count must be a whole number, 2 or more")
    if name == "logspace" and not 0 < low < high:
        raise InputError(f"{key} = {value!r}: logspace wants 0 < lo < hi")
    spaced = (np.geomspace if name == "logspace" else np.linspace)(low, high, int(count))
    if kind is int:
        spaced = np.unique(np.rint(spaced))
    return spaced.tolist()


def _check_axis(grid: Any, name: str, allowed: Any, words: str) -> None:
    values = getattr(grid, name)
    if not values:
        raise InputError(f"grid.{name} is empty: an axis has at least one value")
    for value in values:
        _require(math.isfinite(value) and allowed(value), f"grid.{name}", value, words)
    if len(set(values)) != len(values):
        raise InputError(f"grid.{name} = {list(values)}: a value stands there twice")


def _check_choices(item: Any, prefix: str) -> None:
    for f in dataclasses.fields(item):
        if get_origin(f.type) is Literal and getattr(item, f.name) not in get_args(f.type):
            raise unknown_name(f"{prefix}.{f.name}:", getattr(item, f.name), get_args(f.type))


def _check_name(name: str) -> None:
    """The name becomes a folder: it may not lead elsewhere."""
    plain = bool(name) and not name.startswith(".") and all(c.isalnum() or c in "-_. " for c in name)
    _require(plain, "name", name, "letters, digits, spaces and -_. only, not starting with a dot")


def _require(ok: bool, key: str, value: Any, words: str) -> None:
    if not ok:
        raise InputError(f"{key} = {value!r}: must be {words}")
