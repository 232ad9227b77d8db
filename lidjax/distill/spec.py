"""Specs of the teacher-student experiment, read from TOML.

A spec has the table [embedded], for small models that are trained here, or [huggingface], for real models.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lidjax.distill.spec_tables import Embedded, Evaluation, Fit, Grid, HuggingFace, Lora, Problems, Run
from lidjax.errors import InputError
from lidjax.sweep.spec import check_name, require
from lidjax.sweep.spec_file import build, read_toml, spec_to_dict


@dataclass(frozen=True)
class EmbeddedSpec:
    """The experiment with small models that are trained here, on arithmetic problems that are drawn here.

    References:
        The paper's maths teacher-student experiment, made small for this project.

    Example:
        >>> from lidjax.distill import EmbeddedSpec, distill_spec_from_dict
        >>> spec = distill_spec_from_dict({"embedded": {}, "grid": {"n": [10, 100]}})
        >>> isinstance(spec, EmbeddedSpec), spec.grid.n, spec.grid.seed, spec.lora.rank
        (True, (10, 100), (0, 1, 2), 8)
    """

    grid: Grid
    """Training set sizes and seeds."""
    embedded: Embedded = field(default_factory=Embedded)
    """The networks, and what they are trained on before the experiment."""
    problems: Problems = field(default_factory=Problems)
    """The problems of the experiment."""
    lora: Lora = field(default_factory=Lora)
    """The students' adapters."""
    evaluation: Evaluation = field(default_factory=Evaluation)
    """Held-out questions and attempts at them."""
    fit: Fit = field(default_factory=Fit)
    """How the results are summarised."""
    run: Run = field(default_factory=Run)
    """Root of the random streams."""
    name: str = "distill"
    """Name of the experiment, and of its folder under `runs/`."""

    def __post_init__(self) -> None:
        _check_experiment(self)
        for name in ("steps", "distractors"):
            most, base = getattr(self.problems, name), getattr(self.embedded, f"base_{name}")
            require(base <= most, f"embedded.base_{name}", base, f"at most problems.{name} = {most}")


@dataclass(frozen=True)
class HuggingFaceSpec:
    """The experiment with real models on GSM8K. Running it needs the extra `distill`.

    References:
        The paper's maths teacher-student experiment. The paper gives the models and the rank of the adapters, 8; the
        other defaults are choices of this project.

    Example:
        >>> from lidjax.distill import HuggingFaceSpec, distill_spec_from_dict
        >>> spec = distill_spec_from_dict({"huggingface": {"device": "cpu"}, "grid": {"n": 10}})
        >>> isinstance(spec, HuggingFaceSpec), spec.huggingface.student
        (True, 'google/flan-t5-small')
    """

    grid: Grid
    """Training set sizes and seeds."""
    huggingface: HuggingFace = field(default_factory=HuggingFace)
    """The models, the questions, and how answers are sampled."""
    lora: Lora = field(default_factory=lambda: Lora(steps=2000, learning_rate=1e-3))
    """The students' adapters."""
    evaluation: Evaluation = field(default_factory=Evaluation)
    """Held-out questions and attempts at them."""
    fit: Fit = field(default_factory=Fit)
    """How the results are summarised."""
    run: Run = field(default_factory=Run)
    """Root of the random streams."""
    name: str = "distill"
    """Name of the experiment, and of its folder under `runs/`."""

    def __post_init__(self) -> None:
        _check_experiment(self)


DistillSpec = EmbeddedSpec | HuggingFaceSpec
BACKENDS: dict[str, type[DistillSpec]] = {"embedded": EmbeddedSpec, "huggingface": HuggingFaceSpec}
"""The table that says which backend a spec is for, and the class of such a spec."""
LOCAL_PATHS = ("teacher", "student", "train", "test")
"""Keys of [huggingface] that may name a local file or folder."""


def load_distill_spec(path: str | Path) -> DistillSpec:
    """The spec of a teacher-student experiment from a TOML file, checked.

    Args:
        path: The TOML file. A model or a file of questions that exists beside it is named relative to its folder; the
            name of the experiment defaults to the file's.

    Returns:
        An `EmbeddedSpec` or a `HuggingFaceSpec`.

    Raises:
        InputError: If the file cannot be read, or a key or value is not allowed; the message names it.

    Example:
        >>> import pathlib, tempfile
        >>> from lidjax.distill import load_distill_spec
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "mine.toml")
        ...     _ = path.write_text("[embedded]\\n[grid]\\nn = [10, 100]")
        ...     spec = load_distill_spec(path)
        >>> spec.name, spec.grid.n
        ('mine', (10, 100))
    """
    path = Path(path)
    table = read_toml(path, "sweeps/distill*.toml")
    try:
        spec = distill_spec_from_dict({"name": path.stem, **table})
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    if isinstance(spec, EmbeddedSpec):
        return spec
    beside = {name: path.parent / getattr(spec.huggingface, name) for name in LOCAL_PATHS}
    found = {name: str(file.resolve()) for name, file in beside.items() if file.exists()}
    return dataclasses.replace(spec, huggingface=dataclasses.replace(spec.huggingface, **found))


def distill_spec_from_dict(table: Mapping[str, Any]) -> DistillSpec:
    """The spec of a teacher-student experiment from nested dicts, as TOML or the attributes of results have them.

    Args:
        table: Tables and values, with the same keys as a TOML spec; exactly one of `embedded` and `huggingface`.

    Returns:
        An `EmbeddedSpec` or a `HuggingFaceSpec`.

    Raises:
        InputError: If a key or value is not allowed; the message names it.

    Example:
        >>> from lidjax.distill import distill_spec_from_dict
        >>> spec = distill_spec_from_dict({"embedded": {}, "grid": {"n": {"logspace": [10, 1000, 3]}}})
        >>> spec.grid.n
        (10, 100, 1000)
    """
    named = [name for name in BACKENDS if name in table]
    if len(named) != 1:
        raise InputError(
            "a distillation spec has exactly one of [embedded] (models trained here) and [huggingface] (real models on "
            f"GSM8K); this one has {' and '.join(f'[{name}]' for name in named) or 'neither'}"
        )
    return build(BACKENDS[named[0]], dict(table), "")


def backend_name(spec: DistillSpec) -> str:
    """The backend that a spec is for, by the name of its table."""
    return next(name for name, cls in BACKENDS.items() if isinstance(spec, cls))


def identity_of(spec: DistillSpec) -> dict[str, Any]:
    """The part of a spec that decides the numbers. Local paths count by their last name, because folders may move."""
    table = spec_to_dict(spec)
    del table["name"], table["fit"]
    if isinstance(spec, HuggingFaceSpec):
        for name in ("device", "generate_batch"):
            del table["huggingface"][name]
        for name in LOCAL_PATHS:
            table["huggingface"][name] = Path(table["huggingface"][name]).name
    else:  # the networks are trained on problems that no student is shown, and so depend on all of the grid
        table["problems_of_students"] = {"seeds": list(spec.grid.seed), "largest_n": max(spec.grid.n)}
    return table


def _check_experiment(spec: DistillSpec) -> None:
    """The checks that both kinds of spec share and that concern more than one table."""
    check_name(spec.name)
    attempts, window = spec.evaluation.attempts, list(spec.fit.window)
    require(window[1] <= attempts, "fit.window", window, f"within evaluation.attempts = {attempts}")
