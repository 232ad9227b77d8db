"""The embedded route: a teacher trained on the ground truth, a smaller student, adapters of all students at once."""

import math
from collections.abc import Callable, Iterator
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from lidjax.distill.answers import answer_values, first_number
from lidjax.distill.checkpoint import Checkpoints
from lidjax.distill.problems import (
    Difficulty,
    answer_length,
    draw_problems,
    question_length,
    tokenise,
)
from lidjax.distill.route import Student, TeacherAnswers
from lidjax.distill.sampling import sample_answers
from lidjax.distill.spec import EmbeddedSpec, Network
from lidjax.distill.status import StudentStatus
from lidjax.distill.training import Rows, TrainingState, begin, train_base, train_students
from lidjax.distill.transformer import Params, answer_log_probs, init_adapters, init_params
from lidjax.distill.vocabulary import TOKENS, decode
from lidjax.runs.progress import Progress

CALLS = 20  # a training is cut into so many compiled calls: what an interruption can lose
TOGETHER = 4096  # attempts sampled side by side, some 25 MB of keys and values: a heuristic, not tuned
TARGET_DRAWS = 8  # the teacher's realised answer is the first with a number among so many
SCORED = 16  # of the teacher's answers to a question, for the loss on held-out questions
LOSS_ROWS = 1024  # of a student's training set, for the loss on it; a smaller set is gone through again
TEACHER, BASE, ANSWERS, STUDENT = range(4)  # streams of the root key


@partial(jax.jit, static_argnames=("heads", "length", "together"))
def sample_many(
    key, params, questions, temperature, adapters, scale, *, heads: int, length: int, together: int
):
    """Answers (m, a, r) to questions (m, p), `together` questions at a time."""

    def one(args):
        key, question = args
        return sample_answers(key, params, question, temperature, adapters, scale, heads=heads, length=length)

    keys = jax.vmap(jax.random.fold_in, in_axes=(None, 0))(
        key, jnp.arange(questions.shape[0], dtype=jnp.int32)
    )
    return jax.lax.map(one, (keys, questions), batch_size=together)


@partial(jax.jit, static_argnames=("heads",))
def score_many(params, questions, answers, adapters, scale, temperature, *, heads: int):
    """log p of each whole answer (m, s, r) to questions (m, p): (m, s)."""

    def one(args):
        question, answers = args

        def answer(tokens):
            log_probs, counted = answer_log_probs(
                params, question, tokens, adapters, scale, heads=heads, temperature=temperature
            )
            return jnp.sum(jnp.where(counted, log_probs, 0.0))

        return jax.vmap(answer)(answers)

    return jax.lax.map(one, (questions, answers), batch_size=64)


base_program = jax.jit(train_base, static_argnames=("heads", "steps", "batch"))
student_program = jax.jit(train_students, static_argnames=("heads", "steps", "batch"))


class EmbeddedRoute:
    """See `route.Route`. Deterministic in the spec: every stage has its own stream of the root key."""

    def __init__(self, spec: EmbeddedSpec, checkpoints: Checkpoints):
        self.spec = spec
        self.checkpoints = checkpoints
        self.root = jax.random.key(spec.run.root_key)
        p = spec.problems
        self.difficulty = Difficulty(p.steps, p.operand, p.distractors, p.solution == "steps")
        self.length = answer_length(self.difficulty)
        held = draw_problems([spec.run.root_key, 0], spec.evaluation.questions, self.difficulty)
        self.questions = [problem.question for problem in held]
        self.truth = np.array([problem.answer for problem in held], dtype=np.float64)
        self.held = jnp.asarray(tokenise(held, self.difficulty).question)
        # a training set of its own for each seed; a smaller N is the first part of it
        shown = [
            draw_problems(
                [spec.run.root_key, 1, seed], max(spec.grid.n), self.difficulty, frozenset(self.questions)
            )
            for seed in spec.grid.seed
        ]
        self.shown = jnp.asarray(
            np.stack([tokenise(problems, self.difficulty).question for problems in shown])
        )
        self.hidden = frozenset(self.questions).union(*({p.question for p in problems} for problems in shown))

    def teacher(self, progress: Progress) -> TeacherAnswers:
        evaluation, heads = self.spec.evaluation, self.spec.embedded.teacher.heads
        params = self._train_network(
            "teacher", TEACHER, self.spec.embedded.teacher, self.difficulty, progress
        )
        shown = self.shown
        draws = TARGET_DRAWS + evaluation.teacher_attempts

        def sample(part: int, questions, count: int):
            temperature = jnp.full(count, evaluation.teacher_temperature, jnp.float32)
            key = jax.random.fold_in(jax.random.fold_in(self.root, ANSWERS), part)
            return self._sample(key, params, questions, temperature, {}, 0.0, heads)

        def make():
            answers = []
            for part, flat in enumerate(
                progress("teacher answers", [shown.reshape(-1, shown.shape[-1]), self.held])
            ):
                answers.append(sample(part, flat, draws if part else 1))
            return answers[0].reshape(*shown.shape[:2], -1), answers[1]

        trained, held = self.checkpoints.once("answers", (0, 0), make)
        self.rows = Rows(shown, trained)
        parsed = parse_tokens(held)
        self.scored = held[:, -min(SCORED, evaluation.teacher_attempts) :]
        temperature = jnp.asarray(evaluation.teacher_temperature, jnp.float32)
        zero = jnp.zeros((), jnp.float32)
        own = score_many(params, self.held, self.scored, {}, zero, temperature, heads=heads)
        self.teacher_loss = -float(jnp.mean(own))
        return TeacherAnswers(first_number(parsed[:, :TARGET_DRAWS]), parsed[:, TARGET_DRAWS:])

    def students(self, pairs: list[tuple[int, int]], progress: Progress) -> Iterator[Student]:
        embedded, evaluation = self.spec.embedded, self.spec.evaluation
        easy = self.difficulty._replace(steps=embedded.base_steps, distractors=embedded.base_distractors)
        base = self._train_network("student base", BASE, embedded.student, easy, progress)
        adapters: dict[tuple[int, int], Params] = {}
        for index, group in enumerate(self._training_groups()):
            if any(pair in group for pair in pairs):
                trained = self._train_students(base, index, group, progress)
                adapters |= {pair: jax.tree.map(lambda x, i=i: x[i], trained) for i, pair in enumerate(group)}
        scale = jnp.asarray(self.spec.lora.alpha / max(1, self.spec.lora.rank), jnp.float32)
        temperature = jnp.full(1 + evaluation.attempts, evaluation.temperature, jnp.float32).at[0].set(0.0)
        heads, one = embedded.student.heads, jnp.ones((), jnp.float32)
        done = len(self.spec.grid.n) * len(self.spec.grid.seed) - len(pairs)
        for n, seed in progress("students", pairs, done=done):
            mine = adapters[n, seed]
            place, rows = self.spec.grid.seed.index(seed), np.arange(LOSS_ROWS) % n
            shown, answers = self.rows.question[place][rows], self.rows.answer[place][rows]
            seen = score_many(base, shown, answers[:, None], mine, scale, one, heads=heads)
            heldout = score_many(base, self.held, self.scored, mine, scale, one, heads=heads)
            train_loss, heldout_loss = -float(jnp.mean(seen)), -float(jnp.mean(heldout))
            losses = (train_loss, heldout_loss, heldout_loss - self.teacher_loss)
            if not math.isfinite(train_loss):
                nothing = np.full(len(self.questions), np.nan)
                empty = np.full((len(self.questions), evaluation.attempts), np.nan)
                yield Student(n, seed, nothing, empty, *losses, StudentStatus.TRAINING_NOT_FINITE)
                continue
            key = self._student_key(n, seed, 1)
            answers = parse_tokens(self._sample(key, base, self.held, temperature, mine, scale, heads))
            yield Student(n, seed, answers[:, 0], answers[:, 1:], *losses, StudentStatus.OK)

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

    def _student_key(self, n: int, seed: int, use: int):
        key = jax.random.fold_in(self.root, STUDENT)
        for value in (n, seed, use):
            key = jax.random.fold_in(key, value)
        return key

    def _sample(self, key, params, questions, temperature, adapters, scale, heads: int):
        together = max(1, min(TOGETHER // temperature.shape[0], questions.shape[0]))
        scale = jnp.asarray(scale, jnp.float32)
        return sample_many(
            key,
            params,
            questions,
            temperature,
            adapters,
            scale,
            heads=heads,
            length=self.length,
            together=together,
        )

    def _train_network(
        self, name: str, stream: int, network: Network, difficulty: Difficulty, progress: Progress
    ) -> Params:
        """Train a model on the ground truth, on problems that are neither held out nor shown to students."""
        key = jax.random.fold_in(self.root, stream)
        length = question_length(self.difficulty) + self.length
        params = init_params(
            key, tokens=len(TOKENS), length=length, width=network.width, layers=network.layers
        )
        problems = draw_problems(
            [self.spec.run.root_key, 2, stream], network.rows, difficulty, self.hidden, repeats=True
        )
        rows = Rows(*(jnp.asarray(x) for x in tokenise(problems, self.difficulty)))
        peak, total = jnp.asarray(network.learning_rate, jnp.float32), jnp.asarray(network.steps, jnp.int32)

        def advance(state: TrainingState, steps: int) -> TrainingState:
            return base_program(
                key, state, rows, peak, total, heads=network.heads, steps=steps, batch=network.batch
            )[0]

        return self._finish(name, begin(params), network.steps, advance, progress).weights

    def _train_students(
        self, base: Params, index: int, group: list[tuple[int, int]], progress: Progress
    ) -> Params:
        """Train the adapters of a group side by side; the leaves of the result have its students first."""
        lora, heads = self.spec.lora, self.spec.embedded.student.heads
        starts = jnp.stack([self._student_key(n, seed, 0) for n, seed in group])
        state = jax.vmap(lambda key: begin(init_adapters(key, base, rank=lora.rank)))(starts)
        n = jnp.array([n for n, _ in group], jnp.int32)
        which = jnp.array([self.spec.grid.seed.index(seed) for _, seed in group], jnp.int32)
        peak = jnp.full(len(group), lora.learning_rate, jnp.float32)
        scale = jnp.asarray(lora.alpha / max(1, lora.rank), jnp.float32)
        total = jnp.asarray(lora.steps, jnp.int32)

        def advance(state: TrainingState, steps: int) -> TrainingState:
            return student_program(
                *(starts, state, self.rows, n, which, peak, total, base, scale),
                heads=heads,
                steps=steps,
                batch=lora.batch,
            )[0]

        name = "adapters" if index == 0 else f"adapters {index}"
        return self._finish(name, state, lora.steps, advance, progress).weights

    def _finish(
        self,
        stage: str,
        state: TrainingState,
        total: int,
        advance: Callable[[TrainingState, int], TrainingState],
        progress: Progress,
    ) -> TrainingState:
        """Run a training to its end in equal calls, saving it after each. Steps beyond `total` have learning rate 0."""
        name = stage.replace(" ", "_")
        state = self.checkpoints.load(name, state) or state
        steps = -(-total // CALLS)
        calls = -(-total // steps)
        done = int(np.max(state.step)) // steps
        for _ in progress(stage, range(done, calls), done=done):
            state = jax.block_until_ready(advance(state, steps))
            self.checkpoints.save(name, state)
        return state


def parse_tokens(tokens) -> np.ndarray:
    """Final answers (..., a) of sampled tokens (..., a, r); equal answers are read once."""
    tokens = np.asarray(tokens)
    rows, index = np.unique(tokens.reshape(-1, tokens.shape[-1]), axis=0, return_inverse=True)
    return answer_values(decode(row) for row in rows)[index.ravel()].reshape(tokens.shape[:-1])
