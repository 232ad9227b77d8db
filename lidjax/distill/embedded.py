"""Embedded models: a teacher trained on right answers, a smaller base model, and adapters of all students at once."""

import math
from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from lidjax.distill.answers import first_number
from lidjax.distill.backend import TARGET_DRAWS, Student, TeacherAnswers, diverged_student
from lidjax.distill.checkpoint import Checkpoints
from lidjax.distill.problems import Difficulty, answer_length, draw_problems, question_length, tokenise
from lidjax.distill.programs import base_program, sample_many, score_many, student_program, token_values
from lidjax.distill.spec import EmbeddedSpec
from lidjax.distill.spec_tables import Network
from lidjax.distill.status import StudentStatus
from lidjax.distill.training import Examples, TrainingState, initial_state
from lidjax.distill.transformer import Adapters, Params, init_adapters, init_params
from lidjax.distill.vocabulary import TOKENS
from lidjax.progress import Progress

CALLS_PER_TRAINING = 20
"""A training is saved after each of so many compiled calls: an interruption loses at most one of them."""
ATTEMPTS_AT_ONCE = 4096
"""Attempts sampled side by side, whose keys and values take some 25 MB. A heuristic, not tuned."""
SCORED_ANSWERS = 16
"""Teacher answers to each held-out question that enter the held-out loss."""
LOSS_EXAMPLES = 1024
"""Examples that enter the loss on the training set; those of a smaller training set are repeated."""
TEACHER, BASE, ANSWERS, STUDENT = range(4)
"""Streams of the root key."""


class EmbeddedBackend:
    """See `backend.Backend`. Deterministic in the spec: every stage has its own stream of the root key."""

    def __init__(self, spec: EmbeddedSpec, checkpoints: Checkpoints):
        self.spec = spec
        self.checkpoints = checkpoints
        root, limits = spec.run.root_key, spec.problems
        self.root = jax.random.key(root)
        self.difficulty = Difficulty(
            limits.steps, limits.operand, limits.distractors, limits.solution == "steps"
        )
        self.answer_length = answer_length(self.difficulty)
        heldout = draw_problems([root, 0], spec.evaluation.questions, self.difficulty)
        self.questions = [problem.question for problem in heldout]
        self.truth = np.array([problem.answer for problem in heldout], dtype=np.float64)
        self.heldout_questions = jnp.asarray(tokenise(heldout, self.difficulty).question)
        # each seed has a training set of its own; that of a smaller N is its first part
        training_sets = [
            draw_problems([root, 1, seed], max(spec.grid.n), self.difficulty, frozenset(self.questions))
            for seed in spec.grid.seed
        ]
        self.training_questions = jnp.asarray(
            np.stack([tokenise(problems, self.difficulty).question for problems in training_sets])
        )
        of_students = ({problem.question for problem in problems} for problems in training_sets)
        self.excluded = frozenset(self.questions).union(*of_students)

    def teacher(self, progress: Progress) -> TeacherAnswers:
        evaluation, heads = self.spec.evaluation, self.spec.embedded.teacher.heads
        params = self._train_network(
            "teacher", TEACHER, self.spec.embedded.teacher, self.difficulty, progress
        )
        to_training, to_heldout = self._teacher_answers(params, progress)
        self.training_sets = Examples(
            self.training_questions, to_training.reshape(*self.training_questions.shape[:2], -1)
        )
        values = token_values(to_heldout)
        self.scored_answers = to_heldout[:, -min(SCORED_ANSWERS, evaluation.teacher_attempts) :]
        temperature = jnp.asarray(evaluation.teacher_temperature, jnp.float32)
        zero = jnp.zeros((), jnp.float32)
        log_probs = score_many(
            params, self.heldout_questions, self.scored_answers, {}, zero, temperature, heads=heads
        )
        self.teacher_loss = -float(jnp.mean(log_probs))
        return TeacherAnswers(first_number(values[:, :TARGET_DRAWS]), values[:, TARGET_DRAWS:])

    def _teacher_answers(self, params: Params, progress: Progress) -> tuple[Array, Array]:
        """Tokens of one answer to each training question, and of many to each held-out question."""
        evaluation, heads = self.spec.evaluation, self.spec.embedded.teacher.heads
        questions = (
            self.training_questions.reshape(-1, self.training_questions.shape[-1]),
            self.heldout_questions,
        )
        draws = (1, TARGET_DRAWS + evaluation.teacher_attempts)
        names = ("answers_training", "answers_heldout")
        found: dict[int, Array] = {}
        for part, name in enumerate(names):
            like = np.empty((len(questions[part]), draws[part], self.answer_length), np.int32)
            saved = self.checkpoints.load(name, like)
            if saved is not None:
                found[part] = jnp.asarray(saved)
        missing = [part for part in range(len(names)) if part not in found]
        for part in progress("teacher answers", missing, done=len(found)):
            key = jax.random.fold_in(jax.random.fold_in(self.root, ANSWERS), part)
            temperature = jnp.full(draws[part], evaluation.teacher_temperature, jnp.float32)
            found[part] = self._sample(key, params, questions[part], temperature, {}, 0.0, heads)
            self.checkpoints.save(names[part], found[part])
        return found[0], found[1]

    def students(self, pairs: list[tuple[int, int]], progress: Progress) -> Iterator[Student]:
        grid, evaluation = self.spec.grid, self.spec.evaluation
        base = self._train_base(progress)
        adapters: dict[tuple[int, int], Adapters] = {}
        for index, group in enumerate(self._training_groups()):
            if any(pair in group for pair in pairs):
                trained = self._train_group(base, index, group, progress)
                adapters |= {pair: jax.tree.map(lambda x, i=i: x[i], trained) for i, pair in enumerate(group)}
        scale = jnp.asarray(self._scale, jnp.float32)
        temperature = jnp.full(1 + evaluation.attempts, evaluation.temperature, jnp.float32).at[0].set(0.0)
        heads, one = self.spec.embedded.student.heads, jnp.ones((), jnp.float32)
        for n, seed in progress("students", pairs, done=grid.num_students - len(pairs)):
            own = adapters[n, seed]
            training_set, rows = grid.seed.index(seed), np.arange(LOSS_EXAMPLES) % n
            questions = self.training_sets.question[training_set][rows]
            answers = self.training_sets.answer[training_set][rows]
            on_training = score_many(base, questions, answers[:, None], own, scale, one, heads=heads)
            on_heldout = score_many(
                base, self.heldout_questions, self.scored_answers, own, scale, one, heads=heads
            )
            train_loss, heldout_loss = -float(jnp.mean(on_training)), -float(jnp.mean(on_heldout))
            losses = (train_loss, heldout_loss, heldout_loss - self.teacher_loss)
            if not math.isfinite(train_loss):
                yield diverged_student(n, seed, len(self.questions), evaluation.attempts, losses)
                continue
            key = self._student_key(n, seed, 1)
            tokens = self._sample(key, base, self.heldout_questions, temperature, own, scale, heads)
            values = token_values(tokens)
            yield Student(n, seed, values[:, 0], values[:, 1:], *losses, StudentStatus.OK)

    @property
    def _scale(self) -> float:
        """What the product of an adapter's factors is multiplied by."""
        return self.spec.lora.alpha / self.spec.lora.rank

    def _training_groups(self) -> list[list[tuple[int, int]]]:
        """The (N, seed) whose adapters are trained together: those of the first run, then those of each extension.

        A group is kept as it was, so that a resumed run trains in a program of the same shape and ends with the same
        bits.
        """
        groups = [[(n, seed) for n, seed in group] for group in self.checkpoints.read_json("groups") or []]
        known = {pair for group in groups for pair in group}
        pairs = [(n, seed) for n in self.spec.grid.n for seed in self.spec.grid.seed]
        new = [pair for pair in pairs if pair not in known]
        if new:
            groups.append(new)
            self.checkpoints.write_json("groups", groups)
        return groups

    def _student_key(self, n: int, seed: int, use: int) -> Key[Array, ""]:
        """A stream of one student: `use` is 0 for its training and 1 for its samples."""
        key = jax.random.fold_in(self.root, STUDENT)
        for value in (n, seed, use):
            key = jax.random.fold_in(key, value)
        return key

    def _sample(
        self,
        key: Key[Array, ""],
        params: Params,
        questions: Int[Array, "m p"],
        temperature: Float[Array, " a"],
        adapters: Adapters,
        scale: float | Float[Array, ""],
        heads: int,
    ) -> Int[Array, "m a r"]:
        together = max(1, min(ATTEMPTS_AT_ONCE // temperature.shape[0], questions.shape[0]))
        return sample_many(
            key,
            params,
            questions,
            temperature,
            adapters,
            jnp.asarray(scale, jnp.float32),
            heads=heads,
            length=self.answer_length,
            together=together,
        )

    def _train_base(self, progress: Progress) -> Params:
        """The model that all students start from, trained on easier problems."""
        embedded = self.spec.embedded
        easy = self.difficulty._replace(steps=embedded.base_steps, distractors=embedded.base_distractors)
        return self._train_network("student base", BASE, embedded.student, easy, progress)

    def _train_network(
        self, stage: str, stream: int, network: Network, difficulty: Difficulty, progress: Progress
    ) -> Params:
        """Train a model on right answers to problems that are neither held out nor shown to students."""
        key = jax.random.fold_in(self.root, stream)
        length = question_length(self.difficulty) + self.answer_length
        params = init_params(
            key, tokens=len(TOKENS), length=length, width=network.width, layers=network.layers
        )
        problems = draw_problems(
            [self.spec.run.root_key, 2, stream], network.rows, difficulty, self.excluded, repeats=True
        )
        examples = Examples(*(jnp.asarray(ids) for ids in tokenise(problems, self.difficulty)))
        peak, total = jnp.asarray(network.learning_rate, jnp.float32), jnp.asarray(network.steps, jnp.int32)

        def advance(state: TrainingState, steps: int) -> TrainingState:
            return base_program(
                key, state, examples, peak, total, heads=network.heads, steps=steps, batch=network.batch
            )[0]

        return self._train_in_calls(stage, initial_state(params), network.steps, advance, progress).weights

    def _train_group(
        self, base: Params, index: int, group: list[tuple[int, int]], progress: Progress
    ) -> Adapters:
        """Train the adapters of a group side by side. The leaves of the result have its students first."""
        lora, heads = self.spec.lora, self.spec.embedded.student.heads
        keys = jnp.stack([self._student_key(n, seed, 0) for n, seed in group])
        states = jax.vmap(lambda key: initial_state(init_adapters(key, base, rank=lora.rank)))(keys)
        n = jnp.array([n for n, _ in group], jnp.int32)
        set_index = jnp.array([self.spec.grid.seed.index(seed) for _, seed in group], jnp.int32)
        peak = jnp.full(len(group), lora.learning_rate, jnp.float32)
        scale = jnp.asarray(self._scale, jnp.float32)
        total = jnp.asarray(lora.steps, jnp.int32)

        def advance(states: TrainingState, steps: int) -> TrainingState:
            return student_program(
                *(keys, states, self.training_sets, n, set_index, peak, total, base, scale),
                heads=heads,
                steps=steps,
                batch=lora.batch,
            )[0]

        stage = "adapters" if index == 0 else f"adapters {index}"
        return self._train_in_calls(stage, states, lora.steps, advance, progress).weights

    def _train_in_calls(
        self,
        stage: str,
        state: TrainingState,
        total: int,
        advance: Callable[[TrainingState, int], TrainingState],
        progress: Progress,
    ) -> TrainingState:
        """Take `total` steps in equal calls, saving the state after each. Steps beyond `total` change nothing."""
        name = stage.replace(" ", "_")
        state = self.checkpoints.load(name, state) or state
        steps = -(-total // CALLS_PER_TRAINING)
        calls = -(-total // steps)
        done = int(np.max(state.step)) // steps
        for _ in progress(stage, range(done, calls), done=done):
            state = jax.block_until_ready(advance(state, steps))
            self.checkpoints.save(name, state)
        return state
