"""Students trained together equal students trained alone; one that diverges is alone in it; the loss by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.transformer import HEADS, RANK

from lidjax.distill.training import Examples, answer_loss, initial_state, learning_rate, train_students
from lidjax.distill.transformer import init_adapters

STEPS, BATCH = 6, 4
together = jax.jit(train_students, static_argnames=("heads", "steps", "batch"))
SCALE = jnp.asarray(2.0, jnp.float32)


@pytest.fixture(scope="module")
def lanes(params, rows):
    """Three lanes over two training sets of eight rows, N = 2, 5 and 8."""
    keys = jax.random.split(jax.random.key(0), 3)
    progress = jax.vmap(lambda key: initial_state(init_adapters(key, params, rank=RANK)))(keys)
    data = Examples(*(jnp.stack([x, x[::-1]]) for x in rows))
    n, which = jnp.array([2, 5, 8], jnp.int32), jnp.array([0, 1, 1], jnp.int32)
    return keys, progress, data, n, which


def run(params, lanes, chosen, steps, peak=0.01, progress=None):
    keys, start, data, n, which = lanes
    progress = start if progress is None else progress
    peaks = jnp.broadcast_to(jnp.asarray(peak, jnp.float32), (3,))
    part = jax.tree.map(lambda x: x[jnp.array(chosen)], (keys, progress, n, which, peaks))
    return together(
        part[0], part[1], data, *part[2:], jnp.asarray(STEPS, jnp.int32), params, SCALE,
        heads=HEADS, steps=steps, batch=BATCH,
    )  # fmt: skip


def test_vmapped_students_equal_students_trained_one_by_one(params, lanes):
    """Not bit for bit: sums may run in another order, and Adam divides by small numbers."""
    whole, losses = run(params, lanes, [0, 1, 2], STEPS)
    assert not np.allclose(losses[0], losses[1])
    for lane in range(3):
        alone, loss = run(params, lanes, [lane], STEPS)
        np.testing.assert_allclose(loss[0], losses[lane], rtol=1e-4)
        for one, many in zip(jax.tree.leaves(alone.weights), jax.tree.leaves(whole.weights), strict=True):
            np.testing.assert_allclose(one[0], many[lane], atol=2e-4)


def test_steps_beyond_the_total_change_nothing(params, lanes):
    whole, _ = run(params, lanes, [0, 1, 2], STEPS)
    more, _ = run(params, lanes, [0, 1, 2], STEPS, progress=whole)
    np.testing.assert_array_equal(more.weights["query"]["a"], whole.weights["query"]["a"])


def test_a_lane_that_diverges_leaves_the_others(params, lanes):
    fine, _ = run(params, lanes, [0, 1, 2], STEPS)
    mixed, losses = run(params, lanes, [0, 1, 2], STEPS, peak=[0.01, np.inf, 0.01])
    assert not np.isfinite(losses[1]).all()
    for one, other in zip(jax.tree.leaves(fine.weights), jax.tree.leaves(mixed.weights), strict=True):
        np.testing.assert_array_equal(one[::2], other[::2])
        assert not np.isfinite(other[1]).any()


def test_a_lane_sees_the_first_n_rows_only(params, lanes):
    """Examples from N on may hold anything."""
    keys, progress, data, n, which = lanes
    spoilt = Examples(data.question.at[:, 5:].set(3), data.answer.at[:, 5:].set(4))
    changed = (keys, progress, spoilt, n, which)
    one, other = (run(params, x, [0, 1, 2], STEPS)[0].weights["up"]["b"] for x in (lanes, changed))
    np.testing.assert_array_equal(one[:2], other[:2])
    assert not np.array_equal(one[2], other[2])


def test_the_loss_counts_answer_tokens_up_to_the_end(params, rows):
    """Padding after the end has no say: the mean over tokens of log-softmax by hand."""
    from helpers.transformer import ZERO, forward

    fast = jax.jit(answer_loss, static_argnames="heads")
    loss = float(fast(params, Examples(*rows), {}, ZERO, heads=HEADS))
    total, count = 0.0, 0
    for question, answer in zip(*rows, strict=True):
        tokens = jnp.concatenate([question, answer])
        out = np.asarray(jax.nn.log_softmax(forward(params, tokens, {}, ZERO, heads=HEADS), axis=-1))
        for place, token in enumerate(answer.tolist()):
            total -= out[len(question) + place - 1, token]
            count += 1
            if token == 1:
                break
    assert loss == pytest.approx(total / count, rel=1e-5)


def test_the_learning_rate_rises_and_ends_at_0():
    peak = jnp.asarray(2.0, jnp.float32)
    rates = np.array([learning_rate(jnp.asarray(s, jnp.int32), peak, 100) for s in range(101)])
    assert rates.max() == pytest.approx(2.0)
    assert rates.argmax() == 4
    assert (np.diff(rates[:5]) > 0).all()
    assert (np.diff(rates[5:]) < 0).all()
    assert rates[100] == 0
