"""The Hugging Face route: any teacher and student by name or local path, LoRA through peft, GSM8K.

Everything sampled from the teacher is kept in `work/teacher-*.jsonl`, a file for each batch, and students are stored
one by one: an interrupted run is resumed after the last batch, or the last student.
"""

import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lidjax.distill.answers import answer_values, first_number
from lidjax.distill.checkpoint import Checkpoints
from lidjax.distill.gsm8k import read_gsm8k
from lidjax.distill.route import Student, TeacherAnswers
from lidjax.distill.spec import HuggingFaceSpec
from lidjax.distill.status import StudentStatus
from lidjax.errors import InputError
from lidjax.runs.progress import Progress

if TYPE_CHECKING:
    from lidjax.distill.hf_models import LanguageModel

TARGET_DRAWS = 8  # the teacher's realised answer is the first with a number among so many
SCORED = 4  # of the teacher's answers to a question, for the losses


class HuggingFaceRoute:
    """See `route.Route`. The same seeds give the same numbers on the same device and batch sizes only."""

    def __init__(self, spec: HuggingFaceSpec, checkpoints: Checkpoints):
        self.spec, self.checkpoints = spec, checkpoints
        train = read_gsm8k(spec.huggingface.train, "train")
        test = read_gsm8k(spec.huggingface.test, "test")
        wanted, most = spec.evaluation.questions, max(spec.grid.n)
        if wanted > len(test):
            raise InputError(f"evaluation.questions = {wanted}: {spec.huggingface.test} has {len(test)}")
        if most > len(train):
            raise InputError(f"grid.n = {most}: {spec.huggingface.train} has {len(train)} questions")
        shown = {row.question for row in train}
        root = spec.run.root_key
        held = [test[i] for i in np.random.default_rng([root, 0]).permutation(len(test))[:wanted]]
        both = sum(row.question in shown for row in held)
        if both:
            raise InputError(
                f"{both} held-out questions are among the training questions: {spec.huggingface.test}"
            )
        self.questions = [row.question for row in held]
        self.truth = np.array([row.answer for row in held])
        self.train = [row.question for row in train]
        # a smaller N is the first part of a seed's order; the teacher answers a question once, whoever is shown it
        self.order = {
            s: np.random.default_rng([root, 1, s]).permutation(len(train))[:most] for s in spec.grid.seed
        }

    def teacher(self, progress: Progress) -> TeacherAnswers:
        evaluation, root = self.spec.evaluation, self.spec.run.root_key
        needed = sorted({int(i) for order in self.order.values() for i in order})
        draws = TARGET_DRAWS + evaluation.teacher_attempts
        tasks = [("held", i, self.questions[i], draws) for i in range(len(self.questions))]
        tasks += [("train", i, self.train[i], 1) for i in needed]
        found = self._read()
        tasks = [task for task in tasks if task[:2] not in found]
        size = max(1, self.spec.huggingface.generate_batch)
        parts = [tasks[i : i + size] for i in range(0, len(tasks), size)]
        model = None
        if parts or ("loss", 0) not in found:
            model = self._load(self.spec.huggingface.teacher)
        done = -(-(len(found) - (("loss", 0) in found)) // size)
        for part in progress("teacher answers", parts, done=done):
            assert model is not None
            for kind in ("held", "train"):
                own = [task for task in part if task[0] == kind]
                if own:
                    texts = model.sample(
                        [task[2] for task in own],
                        draws=own[0][3],
                        temperature=evaluation.teacher_temperature,
                        seed=seed_of(root, 2, kind == "train", own[0][1]),
                    )
                    self._append({task[:2]: answers for task, answers in zip(own, texts, strict=True)}, found)
        self.answers = {i: found["train", i][0] for i in needed}
        held = [found["held", i] for i in range(len(self.questions))]
        self.scored = [
            (q, a) for q, answers in zip(self.questions, held, strict=True) for a in answers[-SCORED:]
        ]
        if model is not None and ("loss", 0) not in found:
            loss = model.loss(*separated(self.scored), temperature=evaluation.teacher_temperature)
            self._append({("loss", 0): [repr(loss)]}, found)
        self.teacher_loss = float(found["loss", 0][0])
        parsed = np.stack([answer_values(answers) for answers in held])
        first = parsed[:, :TARGET_DRAWS]
        return TeacherAnswers(first_number(first), parsed[:, TARGET_DRAWS:])

    def students(self, pairs: list[tuple[int, int]], progress: Progress) -> Iterator[Student]:
        evaluation, root = self.spec.evaluation, self.spec.run.root_key
        model = self._load(self.spec.huggingface.student)
        done = len(self.spec.grid.n) * len(self.spec.grid.seed) - len(pairs)
        for n, seed in progress("students", pairs, done=done):
            rows = self.order[seed][:n].tolist()
            questions, answers = [self.train[i] for i in rows], [self.answers[i] for i in rows]
            fine = model.adapt(questions, answers, self.spec.lora, seed=seed_of(root, 3, n, seed))
            train_loss = model.loss(questions[:256], answers[:256])
            if not fine or not np.isfinite(train_loss):
                empty = np.full((len(self.questions), evaluation.attempts), np.nan)
                nan = float("nan")
                yield Student(n, seed, empty[:, 0], empty, nan, nan, nan, StudentStatus.TRAINING_NOT_FINITE)
            else:
                self._save_adapter(model, f"adapter_n{n}_seed{seed}")
                loss = model.loss(*separated(self.scored))
                greedy = model.sample(self.questions, draws=1, temperature=0.0, seed=0)
                sampled = model.sample(
                    self.questions,
                    draws=evaluation.attempts,
                    temperature=evaluation.temperature,
                    seed=seed_of(root, 4, n, seed),
                )
                values = [np.stack([answer_values(row) for row in texts]) for texts in (greedy, sampled)]
                yield Student(
                    n,
                    seed,
                    values[0][:, 0],
                    values[1],
                    train_loss,
                    loss,
                    loss - self.teacher_loss,
                    StudentStatus.OK,
                )
            model.drop_adapter()

    def _load(self, name: str) -> "LanguageModel":
        try:
            from lidjax.distill.hf_models import LanguageModel
        except ImportError as error:
            raise InputError(
                f"a [huggingface] spec wants torch, transformers and peft ({error.name} is missing): "
                "pip install 'lidjax[distill]'"
            ) from None
        return LanguageModel(name, self.spec.huggingface)

    def _save_adapter(self, model: "LanguageModel", name: str) -> None:
        """Keep a student's adapter, which peft writes as a folder."""
        with tempfile.TemporaryDirectory() as folder:
            model.save_adapter(Path(folder))
            for path in Path(folder).rglob("*"):
                if path.is_file():
                    self.checkpoints.write(f"{name}/{path.relative_to(folder)}", path.read_bytes())

    def _read(self) -> dict[tuple[str, int], list[str]]:
        """Answers kept by an earlier run. An incomplete last line, which version 0.1.0 could leave, is ignored."""
        found: dict[tuple[str, int], list[str]] = {}
        for name in self.checkpoints.names("teacher"):
            for line in (self.checkpoints.read(name) or b"").decode("utf-8", errors="replace").splitlines():
                try:
                    row: dict[str, Any] = json.loads(line)
                except json.JSONDecodeError:
                    continue
                found[row["kind"], row["index"]] = row["answers"]
        return found

    def _append(self, new: dict[tuple[str, int], list[str]], found: dict[tuple[str, int], list[str]]) -> None:
        found |= new
        lines = [json.dumps({"kind": kind, "index": index, "answers": a}) for (kind, index), a in new.items()]
        number = len(self.checkpoints.names("teacher-"))
        content = "".join(f"{line}\n" for line in lines)
        self.checkpoints.write(f"teacher-{number:05}.jsonl", content.encode("utf-8"))


def seed_of(*values: int) -> int:
    """A seed of torch from whole numbers, the same on every machine."""
    return int(np.random.SeedSequence([int(v) for v in values]).generate_state(1)[0])


def separated(rows: Sequence[tuple[str, str]]) -> tuple[list[str], list[str]]:
    """Questions and answers of rows, as two lists."""
    return [q for q, _ in rows], [a for _, a in rows]
