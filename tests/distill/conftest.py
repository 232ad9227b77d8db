"""The small model of `helpers.transformer` with problems for it, and a finished run of `helpers.distillation`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.distillation import SPEC
from helpers.transformer import DIFFICULTY, RANK

from lidjax.distill import run_distillation
from lidjax.distill.problems import answer_length, draw_problems, question_length, tokenise
from lidjax.distill.transformer import init_adapters, init_params
from lidjax.distill.vocabulary import TOKENS


@pytest.fixture(scope="session")
def params():
    length = question_length(DIFFICULTY) + answer_length(DIFFICULTY)
    return init_params(jax.random.key(1), tokens=len(TOKENS), length=length, width=16, layers=2)


@pytest.fixture(scope="session")
def adapters(params):
    """Adapters that are not at their start, where b is 0 and nothing is added."""
    start = init_adapters(jax.random.key(2), params, rank=RANK)
    keys = iter(jax.random.split(jax.random.key(3), 12))
    return jax.tree.map(lambda x: x + 0.3 * jax.random.normal(next(keys), x.shape, x.dtype), start)


@pytest.fixture(scope="session")
def rows():
    """Eight problems: questions padded on the left by different amounts."""
    tokens = tokenise(draw_problems(5, 8, DIFFICULTY), DIFFICULTY)
    assert len(set(np.sum(tokens.question == 0, axis=1))) > 1
    return jnp.asarray(tokens.question), jnp.asarray(tokens.answer)


@pytest.fixture(scope="session")
def spec_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("spec") / "tiny.toml"
    path.write_text(SPEC)
    return path


@pytest.fixture(scope="session")
def whole(spec_file, tmp_path_factory):
    """Results of a run that nothing disturbed, and their folder. Tests that change it work on a copy."""
    out = tmp_path_factory.mktemp("whole") / "out"
    return run_distillation(spec_file, out=out).load(), out
