"""The compiled programs of embedded models: training, sampling answers, and scoring them."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from lidjax.distill.answers import answer_values
from lidjax.distill.sampling import sample_answers
from lidjax.distill.training import train_base, train_students
from lidjax.distill.transformer import Adapters, Params, answer_log_probs
from lidjax.distill.vocabulary import decode


@partial(jax.jit, static_argnames=("heads", "length", "together"))
def sample_many(
    key: Key[Array, ""],
    params: Params,
    questions: Int[Array, "m p"],
    temperature: Float[Array, " a"],
    adapters: Adapters,
    scale: Float[Array, ""],
    *,
    heads: int,
    length: int,
    together: int,
) -> Int[Array, "m a r"]:
    """Answers to m questions, `together` questions at a time; see `sample_answers`."""

    def sample(args: tuple[Key[Array, ""], Int[Array, " p"]]) -> Int[Array, "a r"]:
        key, question = args
        return sample_answers(key, params, question, temperature, adapters, scale, heads=heads, length=length)

    keys = jax.vmap(jax.random.fold_in, in_axes=(None, 0))(
        key, jnp.arange(questions.shape[0], dtype=jnp.int32)
    )
    return jax.lax.map(sample, (keys, questions), batch_size=together)


@partial(jax.jit, static_argnames=("heads",))
def score_many(
    params: Params,
    questions: Int[Array, "m p"],
    answers: Int[Array, "m s r"],
    adapters: Adapters,
    scale: Float[Array, ""],
    temperature: Float[Array, ""],
    *,
    heads: int,
) -> Float[Array, "m s"]:
    """log p of s whole answers to each of m questions."""

    def score(args: tuple[Int[Array, " p"], Int[Array, "s r"]]) -> Float[Array, " s"]:
        question, answers = args

        def score_answer(answer: Int[Array, " r"]) -> Float[Array, ""]:
            log_probs, counted = answer_log_probs(
                params, question, answer, adapters, scale, heads=heads, temperature=temperature
            )
            return jnp.sum(jnp.where(counted, log_probs, 0.0))

        return jax.vmap(score_answer)(answers)

    return jax.lax.map(score, (questions, answers), batch_size=64)


base_program = jax.jit(train_base, static_argnames=("heads", "steps", "batch"))
student_program = jax.jit(train_students, static_argnames=("heads", "steps", "batch"))


def token_values(tokens: Int[Array, "*axes r"]) -> Float[np.ndarray, "*axes"]:
    """The final answers in sampled tokens, as numbers. Equal answers are parsed once."""
    ids = np.asarray(tokens)
    distinct, index = np.unique(ids.reshape(-1, ids.shape[-1]), axis=0, return_inverse=True)
    return answer_values(decode(row) for row in distinct)[index.ravel()].reshape(ids.shape[:-1])
