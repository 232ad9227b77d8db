"""The tables of the specs of the teacher-student experiment, with the checks of their values."""

from dataclasses import dataclass, field
from typing import Any, Literal

from lidjax.arrays import check_window
from lidjax.sweep.spec import check_axis, check_choices, require


@dataclass(frozen=True)
class Problems:
    """Arithmetic word problems. Each problem draws how hard it is, up to these limits."""

    steps: int = 4
    """Largest number of operations; a problem has 1 to this many."""
    operand: int = 20
    """Largest operand; a problem draws its own limit, log-uniform from 2 to this."""
    distractors: int = 2
    """Largest number of statements about another thing; a problem has 0 to this many."""
    solution: Literal["steps", "answer"] = "steps"
    """What models write: the result of each step and then the answer, or the answer alone."""

    def __post_init__(self) -> None:
        check_choices(self, "problems")
        require(1 <= self.steps <= 12, "problems.steps", self.steps, "from 1 to 12")
        require(2 <= self.operand <= 99, "problems.operand", self.operand, "from 2 to 99")
        require(0 <= self.distractors <= 12, "problems.distractors", self.distractors, "from 0 to 12")


@dataclass(frozen=True)
class Network:
    """A small causal transformer, and how it is trained on right answers."""

    width: int = 64
    """Width of the residual stream; a multiple of `heads`."""
    layers: int = 2
    heads: int = 4
    steps: int = 4000
    """Steps of Adam. The learning rate rises over the first twentieth of them and then falls linearly to 0."""
    batch: int = 64
    """Problems in the batch of one step."""
    learning_rate: float = 3e-3
    """The largest learning rate."""
    rows: int = 60_000
    """Problems to train on. None of them is held out or shown to a student."""

    def check(self, table: str) -> None:
        """Raise InputError unless the values are allowed; `table` is the name of this network's table."""
        _require_at_least(1, self, table, "width", "layers", "heads", "steps", "batch", "rows")
        require(
            self.width % self.heads == 0, f"{table}.heads", self.heads, f"a divisor of width = {self.width}"
        )
        _require_positive(self, table, "learning_rate")


@dataclass(frozen=True)
class Embedded:
    """Embedded models: trained here with JAX, nothing to download, no GPU needed."""

    teacher: Network = field(default_factory=Network)
    """The network that becomes the teacher."""
    student: Network = field(default_factory=lambda: Network(width=48, steps=1500))
    """The network that all students start from, before their adapters are trained."""
    base_steps: int = 1
    """Largest number of operations in the problems that `student` is trained on; at most problems.steps."""
    base_distractors: int = 0
    """Largest number of distractors in the problems that `student` is trained on; at most problems.distractors."""

    def __post_init__(self) -> None:
        self.teacher.check("embedded.teacher")
        self.student.check("embedded.student")
        _require_at_least(1, self, "embedded", "base_steps")
        _require_at_least(0, self, "embedded", "base_distractors")


@dataclass(frozen=True)
class HuggingFace:
    """Hugging Face models, by name on the hub or by local path. The defaults are the paper's models."""

    teacher: str = "google/flan-t5-xl"
    """The model that answers the training questions."""
    student: str = "google/flan-t5-small"
    """The model that the adapters of all students are put on."""
    train: str = "hub"
    """GSM8K training questions: a `jsonl` file with `question` and `answer` on each line, or `hub` to download them."""
    test: str = "hub"
    """Held-out questions, in the same form."""
    prompt: str = "Question: {question}\nAnswer step by step, and end with #### and the number.\n"
    """What a model reads. {question} stands for the question."""
    max_question_tokens: int = 384
    """Longest prompt; of a longer one the last tokens are read."""
    max_answer_tokens: int = 256
    """Longest answer that a model writes or is trained on."""
    device: str = "auto"
    """`auto` takes a GPU when there is one; otherwise a device of torch, such as cpu or cuda:0."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """`auto` takes bfloat16 on a GPU that has it, and float32 elsewhere."""
    generate_batch: int = 64
    """Answers sampled side by side."""

    def __post_init__(self) -> None:
        check_choices(self, "huggingface")
        require(
            "{question}" in self.prompt, "huggingface.prompt", self.prompt, "a text with {question} in it"
        )
        _require_at_least(
            1, self, "huggingface", "max_question_tokens", "max_answer_tokens", "generate_batch"
        )


@dataclass(frozen=True)
class Lora:
    """Low-rank adapters of the students, and how they are trained: for as many steps whatever N is."""

    rank: int = 8
    """Rank of the adapter of each matrix."""
    alpha: float = 16.0
    """An adapter adds alpha/rank times the product of its two factors to a matrix."""
    steps: int = 600
    """Steps of Adam. The learning rate rises over the first twentieth of them and then falls linearly to 0."""
    batch: int = 16
    """Teacher answers in the batch of one step."""
    learning_rate: float = 3e-3
    """The largest learning rate."""

    def __post_init__(self) -> None:
        _require_at_least(1, self, "lora", "rank", "steps", "batch")
        _require_positive(self, "lora", "alpha", "learning_rate")


@dataclass(frozen=True)
class Grid:
    """One student for each pair of N and seed."""

    n: tuple[int, ...]
    """Training set sizes N: how many answers of the teacher a student is trained on."""
    seed: tuple[int, ...] = (0, 1, 2)
    """Each seed has a training set, a start of the adapters and a stream of samples of its own."""

    def __post_init__(self) -> None:
        check_axis(self, "n", lambda x: 1 <= x < 2**24, "from 1 to 2²⁴-1")
        check_axis(self, "seed", lambda x: 0 <= x < 2**31, "from 0 to 2³¹-1")

    @property
    def num_students(self) -> int:
        """The number of pairs."""
        return len(self.n) * len(self.seed)


@dataclass(frozen=True)
class Evaluation:
    """Held-out questions, and attempts at them."""

    questions: int = 128
    """Number of held-out questions."""
    attempts: int = 256
    """Answers that a student samples to each question."""
    temperature: float = 1.0
    """Temperature of a student's samples."""
    teacher_attempts: int = 256
    """Answers that the teacher samples to each held-out question: they show how far it disagrees with itself."""
    teacher_temperature: float = 1.0
    """Temperature of all the teacher's samples."""

    def __post_init__(self) -> None:
        _require_at_least(2, self, "evaluation", "questions", "attempts", "teacher_attempts")
        _require_positive(self, "evaluation", "temperature", "teacher_temperature")


@dataclass(frozen=True)
class Fit:
    """How the results are summarised. It changes no stored number."""

    window: tuple[float, float] = (8.0, 128.0)
    """[k1, k2] of Eq. 55."""
    target: Literal["truth", "teacher", "fresh"] = "truth"
    """The target that is shown first and drawn in the middle of the figure; see `lidjax.distill.run_distillation`."""
    replicates: int = 400
    """Replicates of the bootstrap over questions and seeds."""

    def __post_init__(self) -> None:
        check_choices(self, "fit")
        check_window(self.window, "fit.window")
        _require_at_least(20, self, "fit", "replicates")


@dataclass(frozen=True)
class Run:
    """How the experiment runs."""

    root_key: int = 0
    """Root of every random stream."""

    def __post_init__(self) -> None:
        require(0 <= self.root_key < 2**31, "run.root_key", self.root_key, "from 0 to 2³¹-1")


def _require_at_least(least: int, item: Any, table: str, *names: str) -> None:
    for name in names:
        value = getattr(item, name)
        require(value >= least, f"{table}.{name}", value, f"at least {least}")


def _require_positive(item: Any, table: str, *names: str) -> None:
    for name in names:
        value = getattr(item, name)
        require(value > 0, f"{table}.{name}", value, "greater than 0")
