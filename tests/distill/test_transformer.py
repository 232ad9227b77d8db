"""The transformer against a plain NumPy forward pass; adapters; sampling against the logits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.transformer import HEADS, SCALE, ZERO, forward
from scipy.stats import chisquare

from lidjax.distill.sampling import sample_answers
from lidjax.distill.transformer import ADAPTED, init_adapters
from lidjax.distill.vocabulary import END_ID, PAD_ID

sample = jax.jit(sample_answers, static_argnames=("heads", "length"))


def numpy_logits(params, tokens, adapters, scale, heads, *, causal=True):
    """The same model, a place, a head and a layer at a time, in float64."""
    p = jax.tree.map(lambda x: np.asarray(x, np.float64), params)
    a = jax.tree.map(lambda x: np.asarray(x, np.float64), adapters)
    tokens, scale = np.asarray(tokens), float(scale)

    def matrix(name, layer):
        w = p["blocks"][name][layer]
        return w + scale * a[name]["a"][layer] @ a[name]["b"][layer] if name in a else w

    def norm(x, gain):
        return x / np.sqrt(np.mean(x**2) + 1e-6) * gain

    x = [p["embed"][t] + p["position"][i] for i, t in enumerate(tokens)]
    for layer in range(len(p["blocks"]["query"])):
        inside = [norm(v, p["blocks"]["norm_attention"][layer]) for v in x]
        q, k, v = (
            [(u @ matrix(name, layer)).reshape(heads, -1) for u in inside]
            for name in ("query", "key", "value")
        )
        for i in range(len(x)):
            seen = [j for j in range(i + 1 if causal else len(x)) if tokens[j] != PAD_ID]
            mixed = np.zeros_like(q[i])
            for h in range(heads):
                scores = np.array([q[i][h] @ k[j][h] / np.sqrt(len(q[i][h])) for j in seen])
                weights = np.exp(scores - scores.max()) if len(seen) else scores
                for j, w in zip(seen, weights / weights.sum() if len(seen) else weights, strict=True):
                    mixed[h] += w * v[j][h]
            x[i] = x[i] + mixed.ravel() @ matrix("output", layer)
        for i in range(len(x)):
            u = norm(x[i], p["blocks"]["norm_mlp"][layer]) @ matrix("up", layer)
            u = 0.5 * u * (1 + np.tanh(np.sqrt(2 / np.pi) * (u + 0.044715 * u**3)))
            x[i] = x[i] + u @ matrix("down", layer)
    return np.array([norm(v, p["norm"]) @ p["unembed"] for v in x])


def test_logits_are_those_of_a_plain_numpy_pass(params, adapters, rows):
    """float32 against float64: at most 1.5e-6 seen over eight problems, in units of the largest logit."""
    for i in (0, 3):
        tokens = jnp.concatenate([rows[0][i], rows[1][i]])
        slow = numpy_logits(params, tokens, adapters, SCALE, HEADS)
        fast = np.asarray(forward(params, tokens, adapters, SCALE, heads=HEADS))
        assert np.max(np.abs(fast - slow)) < 2e-5 * np.max(np.abs(slow))
        uncausal = numpy_logits(params, tokens, adapters, SCALE, HEADS, causal=False)
        assert np.max(np.abs(fast - uncausal)) > 1e-2 * np.max(np.abs(slow))


def test_rank_0_and_scale_0_are_the_base_and_an_adapter_is_not(params, adapters, rows):
    tokens = rows[0][0]
    base = forward(params, tokens, {}, ZERO, heads=HEADS)
    rank_0 = init_adapters(jax.random.key(0), params, rank=0)
    np.testing.assert_array_equal(forward(params, tokens, rank_0, SCALE, heads=HEADS), base)
    np.testing.assert_array_equal(forward(params, tokens, adapters, ZERO, heads=HEADS), base)
    start = jax.tree.map(jnp.zeros_like, adapters)  # as training starts: b is 0
    start = {name: {"a": adapters[name]["a"], "b": start[name]["b"]} for name in ADAPTED}
    np.testing.assert_array_equal(forward(params, tokens, start, SCALE, heads=HEADS), base)
    assert np.max(np.abs(forward(params, tokens, adapters, SCALE, heads=HEADS) - base)) > 1e-2


def test_an_adapter_is_a_change_of_the_matrices(params, adapters, rows):
    merged = {
        name: w + SCALE * jnp.einsum("lir,lro->lio", adapters[name]["a"], adapters[name]["b"])
        for name, w in params["blocks"].items()
        if name in adapters
    }
    changed = params | {"blocks": params["blocks"] | merged}
    tokens = rows[0][1]
    np.testing.assert_allclose(
        forward(changed, tokens, {}, ZERO, heads=HEADS),
        forward(params, tokens, adapters, SCALE, heads=HEADS),
        atol=1e-4,
    )


@pytest.fixture(scope="module")
def drawn(params, adapters, rows):
    """4000 answers to one question, the first half at temperature 1.3, the next at 0.6, then one greedy; sharpened
    logits, so that the draws can be told from uniform ones."""
    sharp = params | {"unembed": 3 * params["unembed"]}
    temperature = jnp.asarray(np.repeat([1.3, 0.6, 0.0], [2000, 2000, 1]), jnp.float32)
    length = rows[1].shape[1]
    tokens = sample(
        jax.random.key(7), sharp, rows[0][2], temperature, adapters, SCALE, heads=HEADS, length=length
    )
    return sharp, np.asarray(tokens)


def next_probability(sharp, adapters, question, prefix, temperature):
    """softmax(logits/temperature) after `prefix`, by the whole forward pass and no cache."""
    padded = np.full(len(drawn_shape(question, prefix)), PAD_ID, np.int32)
    padded[: len(question) + len(prefix)] = [*np.asarray(question), *prefix]
    out = forward(sharp, jnp.asarray(padded), adapters, SCALE, heads=HEADS)[len(question) + len(prefix) - 1]
    return np.asarray(jax.nn.softmax(out.astype(jnp.float64) / temperature))


def drawn_shape(question, prefix):
    return range(len(question) + 5)


@pytest.mark.parametrize(("part", "temperature"), [(slice(0, 2000), 1.3), (slice(2000, 4000), 0.6)])
def test_tokens_are_drawn_with_the_probabilities_of_their_logits(drawn, adapters, rows, part, temperature):
    """The first token, and the second after the commonest first, by chi-square: four tests at the 1e-3 level."""
    sharp, tokens = drawn
    first = tokens[part, 0]
    common = int(np.bincount(first).argmax())
    assert common not in (END_ID, PAD_ID)
    for seen, prefix in ((first, []), (tokens[part][first == common, 1], [common])):
        probability = next_probability(sharp, adapters, rows[0][2], prefix, temperature)
        assert pearson(seen, probability) > 1e-3
        wrong = next_probability(sharp, adapters, rows[0][2], prefix, 1.3 + 0.6 - temperature)
        assert pearson(seen, wrong) < 1e-6


def pearson(seen, probability) -> float:
    """p-value; tokens expected under five times are counted together."""
    expected = len(seen) * probability / probability.sum()
    observed = np.bincount(seen, minlength=len(probability)).astype(float)
    kept = expected >= 5
    pooled = [np.append(x[kept], x[~kept].sum()) for x in (observed, expected)]
    return float(chisquare(*pooled).pvalue)


def test_greedy_takes_the_likeliest_and_answers_end_with_padding(drawn, adapters, rows):
    sharp, tokens = drawn
    greedy = tokens[-1].tolist()
    for place in range(len(greedy)):
        if greedy[place] == PAD_ID:
            assert END_ID in greedy[:place]
            break
        probability = next_probability(sharp, adapters, rows[0][2], greedy[:place], 1.0)
        assert probability.argmax() == greedy[place]
    ended = np.cumsum(tokens == END_ID, axis=1) - (tokens == END_ID) > 0
    assert ended.any()
    assert (tokens[ended] == PAD_ID).all()
