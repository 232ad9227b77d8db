"""Specs of the teacher-student experiment, read from TOML: [embedded] runs anywhere, [huggingface] runs real models."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from lidjax.arrays import check_window
from lidjax.errors import InputError
from lidjax.sweep.spec import check_axis, check_choices, check_name, require
from lidjax.sweep.spec_file import build, read_toml, spec_to_dict


@dataclass(frozen=True)
class Problems:
    """Arithmetic word problems; every value is the upper end of what a problem draws."""

    steps: int = 4
    """Operations, 1 to this."""
    operand: int = 20
    """Size of the operands: each problem draws its own limit, log-uniform from 2 to this."""
    distractors: int = 2
    """Statements about another thing, 0 to this."""
    solution: Literal["steps", "answer"] = "steps"
    """What models write: the result of each step and then the answer, or the answer alone."""

    def __post_init__(self) -> None:
        check_choices(self, "problems")
        require(1 <= self.steps <= 12, "problems.steps", self.steps, "from 1 to 12")
        require(2 <= self.operand <= 99, "problems.operand", self.operand, "from 2 to 99")
        require(0 <= self.distractors <= 12, "problems.distractors", self.distractors, "from 0 to 12")


@dataclass(frozen=True)
class Network:
    """A small causal transformer and how it is trained on the ground truth."""

    width: int = 64
    layers: int = 2
    heads: int = 4
    steps: int = 4000
    """Steps of Adam; the learning rate rises for a twentieth of them and falls linearly to 0."""
    batch: int = 64
    learning_rate: float = 3e-3
    rows: int = 60_000
    """Problems drawn to train on; none of them is held out or shown to a student."""

    def __post_init__(self) -> None:
        for name in ("width", "layers", "heads", "steps", "batch", "rows"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "at least 1")
        require(self.width % self.heads == 0, "heads", self.heads, f"a divisor of width = {self.width}")
        require(self.learning_rate > 0, "learning_rate", self.learning_rate, "greater than 0")


@dataclass(frozen=True)
class Embedded:
    """The embedded route: pure JAX, no download, no GPU."""

    teacher: Network = field(default_factory=Network)
    student: Network = field(default_factory=lambda: Network(width=48, steps=1500))
    base_steps: int = 1
    """problems.steps of what the student's base is pretrained on (at most problems.steps)."""
    base_distractors: int = 0
    """problems.distractors of what the student's base is pretrained on."""

    def __post_init__(self) -> None:
        require(self.base_steps >= 1, "embedded.base_steps", self.base_steps, "at least 1")
        require(self.base_distractors >= 0, "embedded.base_distractors", self.base_distractors, "at least 0")


@dataclass(frozen=True)
class HuggingFace:
    """The Hugging Face route: models by name on the hub or by local path. The defaults are the paper's."""

    teacher: str = "google/flan-t5-xl"
    student: str = "google/flan-t5-small"
    train: str = "hub"
    """GSM8K training questions: a `jsonl` with `question` and `answer` a line, or `hub`."""
    test: str = "hub"
    """Held-out questions, likewise."""
    prompt: str = "Question: {question}\nAnswer step by step, and end with #### and the number.\n"
    """What a model reads; {question} is replaced."""
    max_question_tokens: int = 384
    max_answer_tokens: int = 256
    device: str = "auto"
    """`auto` takes a GPU when there is one; else a device of torch, such as cpu or cuda:0."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """`auto` takes bfloat16 on a GPU that has it, float32 elsewhere."""
    generate_batch: int = 64
    """Answers written side by side."""

    def __post_init__(self) -> None:
        check_choices(self, "huggingface")
        require(
            "{question}" in self.prompt, "huggingface.prompt", self.prompt, "a text with {question} in it"
        )
        for name in ("max_question_tokens", "max_answer_tokens", "generate_batch"):
            require(getattr(self, name) >= 1, f"huggingface.{name}", getattr(self, name), "at least 1")


@dataclass(frozen=True)
class Lora:
    """Adapters of the students and how they are trained. Every student takes as many steps, whatever its N."""

    rank: int = 8
    alpha: float = 16.0
    """Scale: alpha/rank of a b is added to a matrix."""
    steps: int = 600
    batch: int = 16
    learning_rate: float = 3e-3

    def __post_init__(self) -> None:
        require(self.rank >= 0, "lora.rank", self.rank, "at least 0")
        require(self.alpha >= 0, "lora.alpha", self.alpha, "at least 0")
        for name in ("steps", "batch"):
            require(getattr(self, name) >= 1, f"lora.{name}", getattr(self, name), "at least 1")
        require(self.learning_rate > 0, "lora.learning_rate", self.learning_rate, "greater than 0")


@dataclass(frozen=True)
class Grid:
    """One student for each pair."""

    n: tuple[int, ...]
    """Training set sizes N: teacher answers a student sees."""
    seed: tuple[int, ...] = (0, 1, 2)
    """One training set, start of the adapters and stream of samples each."""

    def __post_init__(self) -> None:
        check_axis(self, "n", lambda x: 1 <= x < 2**24, "from 1 to 2²⁴-1")
        check_axis(self, "seed", lambda x: 0 <= x < 2**31, "from 0 to 2³¹-1")


@dataclass(frozen=True)
class Evaluation:
    """Held-out questions and attempts at them."""

    questions: int = 128
    attempts: int = 256
    """Answers a student samples to each question."""
    temperature: float = 1.0
    """Of the student's samples."""
    teacher_attempts: int = 256
    """Answers the teacher samples to each held-out question: its dispersion, and the fresh targets."""
    teacher_temperature: float = 1.0
    """Of all the teacher's samples."""

    def __post_init__(self) -> None:
        require(self.questions >= 2, "evaluation.questions", self.questions, "at least 2")
        require(self.attempts >= 2, "evaluation.attempts", self.attempts, "at least 2")
        require(
            self.teacher_attempts >= 2, "evaluation.teacher_attempts", self.teacher_attempts, "at least 2"
        )
        for name in ("temperature", "teacher_temperature"):
            require(getattr(self, name) > 0, f"evaluation.{name}", getattr(self, name), "greater than 0")


@dataclass(frozen=True)
class Fit:
    """How the results are summarised; changes no stored number."""

    window: tuple[float, float] = (8.0, 128.0)
    """[k1, k2] of Eq. 55."""
    target: Literal["truth", "teacher", "fresh"] = "truth"
    """The target shown first, and in the figure."""
    replicates: int = 400
    """Of the bootstrap over questions and seeds."""

    def __post_init__(self) -> None:
        check_choices(self, "fit")
        check_window(self.window, "fit.window")
        require(self.replicates >= 20, "fit.replicates", self.replicates, "at least 20")


@dataclass(frozen=True)
class Run:
    """`root_key` decides every random number."""

    root_key: int = 0

    def __post_init__(self) -> None:
        require(0 <= self.root_key < 2**31, "run.root_key", self.root_key, "from 0 to 2³¹-1")


@dataclass(frozen=True)
class EmbeddedSpec:
    """The experiment with models trained here, on problems drawn here."""

    grid: Grid
    embedded: Embedded = field(default_factory=Embedded)
    problems: Problems = field(default_factory=Problems)
    lora: Lora = field(default_factory=Lora)
    evaluation: Evaluation = field(default_factory=Evaluation)
    fit: Fit = field(default_factory=Fit)
    run: Run = field(default_factory=Run)
    name: str = "distill"

    def __post_init__(self) -> None:
        check_name(self.name)
        _check_window(self)
        for name in ("steps", "distractors"):
            most, base = getattr(self.problems, name), getattr(self.embedded, f"base_{name}")
            require(base <= most, f"embedded.base_{name}", base, f"at most problems.{name} = {most}")


@dataclass(frozen=True)
class HuggingFaceSpec:
    """The experiment with real models on GSM8K."""

    grid: Grid
    huggingface: HuggingFace = field(default_factory=HuggingFace)
    lora: Lora = field(default_factory=lambda: Lora(steps=2000, learning_rate=1e-3))
    """The paper gives the rank, 8, and no more."""
    evaluation: Evaluation = field(default_factory=Evaluation)
    fit: Fit = field(default_factory=Fit)
    run: Run = field(default_factory=Run)
    name: str = "distill"

    def __post_init__(self) -> None:
        check_name(self.name)
        _check_window(self)
        require(self.lora.rank >= 1, "lora.rank", self.lora.rank, "at least 1 for [huggingface]")


DistillSpec = EmbeddedSpec | HuggingFaceSpec
KINDS = {"embedded": EmbeddedSpec, "huggingface": HuggingFaceSpec}
"""The table that says which route a spec takes."""


def load_distill_spec(path: str | Path) -> DistillSpec:
    """Read and check a TOML spec. Paths of models and files that exist beside the spec start at its folder."""
    path = Path(path)
    table = read_toml(path, "sweeps/distill*.toml")
    try:
        spec = distill_spec_from_dict({"name": path.stem, **table})
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    if isinstance(spec, HuggingFaceSpec):
        places = {
            name: str((path.parent / value).resolve())
            for name in ("teacher", "student", "train", "test")
            if (path.parent / (value := getattr(spec.huggingface, name))).exists()
        }
        return dataclasses.replace(spec, huggingface=dataclasses.replace(spec.huggingface, **places))
    return spec


def distill_spec_from_dict(table: dict[str, Any]) -> DistillSpec:
    """Build a spec from nested dicts, as TOML or a store gives them."""
    kinds = [name for name in KINDS if name in table]
    if len(kinds) != 1:
        raise InputError(
            "a distillation spec has exactly one of [embedded] (models trained here) and [huggingface] (real models on "
            f"GSM8K); this one has {' and '.join(f'[{k}]' for k in kinds) or 'neither'}"
        )
    return build(KINDS[kinds[0]], table, "")


def identity_of(spec: DistillSpec) -> dict[str, Any]:
    """The part of a spec that decides the numbers. Local paths count by their last name, because folders may move."""
    table = spec_to_dict(spec)
    del table["name"], table["fit"]
    if isinstance(spec, HuggingFaceSpec):
        for name in ("device", "generate_batch"):
            del table["huggingface"][name]
        for name in ("teacher", "student", "train", "test"):
            table["huggingface"][name] = Path(table["huggingface"][name]).name
    else:  # the teacher is trained on other problems than its students see
        table["problems_of_students"] = {"seeds": list(spec.grid.seed), "largest_n": max(spec.grid.n)}
    return table


def _check_window(spec: Any) -> None:
    high, attempts = spec.fit.window[1], spec.evaluation.attempts
    require(high <= attempts, "fit.window", list(spec.fit.window), f"within evaluation.attempts = {attempts}")
