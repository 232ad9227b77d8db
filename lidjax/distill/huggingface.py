"""Hugging Face models: any teacher and student by name or local path, LoRA through peft, the questions of GSM8K.

Everything sampled from the teacher is kept in `work/teacher-*.jsonl`, a file for each batch, and students are stored
one by one: an interrupted run is resumed after the last batch, or the last student.
"""

import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from lidjax.distill.answers import answer_values, first_number
from lidjax.distill.backend import TARGET_DRAWS, Student, TeacherAnswers, diverged_student
from lidjax.distill.checkpoint import Checkpoints
from lidjax.distill.gsm8k import read_gsm8k
from lidjax.distill.spec import HuggingFaceSpec
from lidjax.distill.status import StudentStatus
from lidjax.errors import InputError
from lidjax.progress import Progress

if TYPE_CHECKING:
    from lidjax.distill.hf_models import LanguageModel

SCORED_ANSWERS = 4
"""Teacher answers to each held-out question that enter the held-out loss."""
LOSS_EXAMPLES = 256
"""Largest number of training examples that enter the loss on the training set."""
TEACHER_LOSS = ("loss", 0)
"""Where the teacher's own loss is kept among its answers."""

Answers = dict[tuple[str, int], list[str]]
"""What the teacher wrote, by kind of question ("held" for held out, or "train") and number of the question."""


class Task(NamedTuple):
    """A question for the teacher, and how many answers to sample."""

    kind: str
    number: int
    question: str
    draws: int

    @property
    def key(self) -> tuple[str, int]:
        return self.kind, self.number


class HuggingFaceBackend:
    """See `backend.Backend`. The same seeds give the same numbers only on the same device with the same batch sizes."""

    def __init__(self, spec: HuggingFaceSpec, checkpoints: Checkpoints):
        self.spec, self.checkpoints = spec, checkpoints
        train = read_gsm8k(spec.huggingface.train, "train")
        test = read_gsm8k(spec.huggingface.test, "test")
        wanted, most = spec.evaluation.questions, max(spec.grid.n)
        if wanted > len(test):
            raise InputError(
                f"evaluation.questions = {wanted}: {spec.huggingface.test} has {len(test)} questions"
            )
        if most > len(train):
            raise InputError(f"grid.n = {most}: {spec.huggingface.train} has {len(train)} questions")
        root = spec.run.root_key
        heldout = [test[i] for i in np.random.default_rng([root, 0]).permutation(len(test))[:wanted]]
        training_texts = {row.question for row in train}
        shared = sum(row.question in training_texts for row in heldout)
        if shared:
            raise InputError(
                f"{spec.huggingface.test}: {shared} of the held-out questions are among the training questions of "
                f"{spec.huggingface.train}; name other files in huggingface.test or huggingface.train"
            )
        self.questions = [row.question for row in heldout]
        self.truth = np.array([row.answer for row in heldout])
        self.train_questions = [row.question for row in train]
        # a smaller N is the first part of a seed's order; the teacher answers a question once, whoever is shown it
        self.order = {
            seed: np.random.default_rng([root, 1, seed]).permutation(len(train))[:most]
            for seed in spec.grid.seed
        }

    def teacher(self, progress: Progress) -> TeacherAnswers:
        evaluation, root = self.spec.evaluation, self.spec.run.root_key
        needed = sorted({int(i) for order in self.order.values() for i in order})
        draws = TARGET_DRAWS + evaluation.teacher_attempts
        tasks = [Task("held", i, question, draws) for i, question in enumerate(self.questions)]
        tasks += [Task("train", i, self.train_questions[i], 1) for i in needed]
        found = self._read_answers()
        tasks = [task for task in tasks if task.key not in found]
        size = max(1, self.spec.huggingface.generate_batch)
        batches = [tasks[i : i + size] for i in range(0, len(tasks), size)]
        model = None
        if batches or TEACHER_LOSS not in found:
            model = self._load(self.spec.huggingface.teacher)
        done = -(-(len(found) - (TEACHER_LOSS in found)) // size)
        for batch in progress("teacher answers", batches, done=done):
            assert model is not None
            new: Answers = {}
            for kind in ("held", "train"):
                own = [task for task in batch if task.kind == kind]
                if own:
                    texts = model.sample(
                        [task.question for task in own],
                        draws=own[0].draws,
                        temperature=evaluation.teacher_temperature,
                        seed=seed_of(root, 2, kind == "train", own[0].number),
                    )
                    new |= {task.key: answers for task, answers in zip(own, texts, strict=True)}
            # at once: if only a part of a batch were kept, a resumed run would form other batches, with other seeds
            self._keep_answers(new, found)
        self.train_answers = {i: found["train", i][0] for i in needed}
        heldout = [found["held", i] for i in range(len(self.questions))]
        self.scored_answers = [
            (question, answer)
            for question, answers in zip(self.questions, heldout, strict=True)
            for answer in answers[-SCORED_ANSWERS:]
        ]
        if model is not None and TEACHER_LOSS not in found:
            loss = model.loss(
                *questions_and_answers(self.scored_answers), temperature=evaluation.teacher_temperature
            )
            self._keep_answers({TEACHER_LOSS: [repr(loss)]}, found)
        self.teacher_loss = float(found[TEACHER_LOSS][0])
        values = np.stack([answer_values(answers) for answers in heldout])
        return TeacherAnswers(first_number(values[:, :TARGET_DRAWS]), values[:, TARGET_DRAWS:])

    def students(self, pairs: list[tuple[int, int]], progress: Progress) -> Iterator[Student]:
        evaluation, root = self.spec.evaluation, self.spec.run.root_key
        model = self._load(self.spec.huggingface.student)
        nan = float("nan")
        for n, seed in progress("students", pairs, done=self.spec.grid.num_students - len(pairs)):
            rows = self.order[seed][:n].tolist()
            questions = [self.train_questions[i] for i in rows]
            answers = [self.train_answers[i] for i in rows]
            converged = model.adapt(questions, answers, self.spec.lora, seed=seed_of(root, 3, n, seed))
            train_loss = model.loss(questions[:LOSS_EXAMPLES], answers[:LOSS_EXAMPLES])
            if not converged or not np.isfinite(train_loss):
                yield diverged_student(n, seed, len(self.questions), evaluation.attempts, (nan, nan, nan))
            else:
                self._keep_adapter(model, f"adapter_n{n}_seed{seed}")
                loss = model.loss(*questions_and_answers(self.scored_answers))
                greedy = model.sample(self.questions, draws=1, temperature=0.0, seed=0)
                sampled = model.sample(
                    self.questions,
                    draws=evaluation.attempts,
                    temperature=evaluation.temperature,
                    seed=seed_of(root, 4, n, seed),
                )
                greedy_values, sampled_values = (
                    np.stack([answer_values(row) for row in texts]) for texts in (greedy, sampled)
                )
                losses = (train_loss, loss, loss - self.teacher_loss)
                yield Student(n, seed, greedy_values[:, 0], sampled_values, *losses, StudentStatus.OK)
            model.drop_adapter()

    def _load(self, name: str) -> "LanguageModel":
        try:
            from lidjax.distill.hf_models import LanguageModel
        except ImportError as error:
            raise InputError(
                f"a spec with [huggingface] needs torch, transformers and peft ({error.name} is missing): "
                "pip install 'lidjax[distill]'"
            ) from None
        return LanguageModel(name, self.spec.huggingface)

    def _keep_adapter(self, model: "LanguageModel", name: str) -> None:
        """Keep a student's adapter, which peft writes as a folder."""
        with tempfile.TemporaryDirectory() as folder:
            model.save_adapter(Path(folder))
            for path in Path(folder).rglob("*"):
                if path.is_file():
                    self.checkpoints.write(f"{name}/{path.relative_to(folder)}", path.read_bytes())

    def _read_answers(self) -> Answers:
        """What the teacher wrote in an earlier run. Answers in a damaged line are left out, and sampled again."""
        found: Answers = {}
        for name in self.checkpoints.names("teacher-"):
            for line in (self.checkpoints.read(name) or b"").decode("utf-8", errors="replace").splitlines():
                try:
                    row: dict[str, Any] = json.loads(line)
                except json.JSONDecodeError:
                    continue
                found[row["kind"], row["index"]] = row["answers"]
        return found

    def _keep_answers(self, new: Answers, found: Answers) -> None:
        """Add `new` answers to `found`, and keep them in a file of their own."""
        found |= new
        lines = [
            json.dumps({"kind": kind, "index": index, "answers": answers})
            for (kind, index), answers in new.items()
        ]
        number = len(self.checkpoints.names("teacher-"))
        content = "".join(f"{line}\n" for line in lines)
        self.checkpoints.write(f"teacher-{number:05}.jsonl", content.encode("utf-8"))


def seed_of(*values: int) -> int:
    """A seed for torch from whole numbers, the same on every machine."""
    return int(np.random.SeedSequence([int(value) for value in values]).generate_state(1)[0])


def questions_and_answers(pairs: Sequence[tuple[str, str]]) -> tuple[list[str], list[str]]:
    """Pairs of a question and an answer as two lists."""
    return [question for question, _ in pairs], [answer for _, answer in pairs]
