"""Feature splits against Eq. 26-28 written out in NumPy, one training set at a time."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

from lidjax.errors import InputError
from lidjax.features import feature_split
from lidjax.features.split import draw_split, mean_failure

ROWS, DIM, VALIDATION, LABELS = 700, 24, 100, 40
SIZES = np.array([1, 5, 23, 24, 25, 60, 255, 256, 257, 257, 600])  # both sides of d and of a 256-row block
K = np.array([1.0, 10.0, 1000.0])
SETTING = {"scale": 4.0, "ridge": 1e-3, "delta": 0.2, "variance_floor": 1e-6}


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(1)
    features = np.abs(rng.normal(size=(ROWS, DIM))) * np.arange(1, DIM + 1) ** -1.0
    mean = features @ rng.normal(size=DIM) + 3 + 0.3 * rng.normal(size=ROWS)
    return tuple(map(jnp.asarray, (features, mean, rng.gamma(0.5, size=ROWS))))


TRACES: list[int] = []


@functools.partial(jax.jit, static_argnames=("num_labels", "num_validation", "failure"))
def run(seed, data, n, k, setting, num_labels=LABELS, num_validation=VALIDATION, failure="instances"):
    TRACES.append(1)
    return feature_split(
        jax.random.key(seed),
        *data,
        n=n,
        k=k,
        num_labels=num_labels,
        num_validation=num_validation,
        failure=failure,
        **setting,
    )


def split_of(seed, data, num_labels=LABELS, num_validation=VALIDATION):
    """What `feature_split` draws with this seed."""
    key = jax.random.split(jax.random.key(seed))[0]
    split = draw_split(key, *data, SETTING["variance_floor"], num_labels, num_validation)
    return split._replace(**{name: np.asarray(value, float) for name, value in split._asdict().items()})


def equations_26_to_28(split, n, label, setting):
    """(L_gen, L_inf at K) of one cell: features over s, ridge λ/s², tolerance δ/s, as the paper has them."""
    s = setting["scale"]
    z, z_val, mean_val = split.x[:n] / s, split.x_val / s, split.mean_val / s
    y = split.targets[:n, 0] / s + split.targets[:n, 1 + label]
    theta = np.linalg.solve(z.T @ z / n + setting["ridge"] / s**2 * np.eye(z.shape[1]), z.T @ y / n)
    gap, deviation = z_val @ theta - mean_val, np.sqrt(split.variance_val + setting["variance_floor"])
    window = setting["delta"] / s
    success = special.ndtr((window - gap) / deviation) - special.ndtr((-window - gap) / deviation)
    return np.mean(gap**2), np.mean((1 - success[:, None]) ** K, axis=0)


def test_agrees_with_the_equations_for_every_n(data):
    got = run(3, data, SIZES, K, SETTING)
    assert got.lgen.shape == (len(SIZES), LABELS)
    assert got.failure.shape == (len(SIZES), LABELS, len(K))
    split = split_of(3, data)
    for i, n in enumerate(SIZES):
        for label in (0, 1, LABELS - 1):
            lgen, failure = equations_26_to_28(split, n, label, SETTING)
            np.testing.assert_allclose(got.lgen[i, label], lgen, rtol=1e-8)
            np.testing.assert_allclose(got.failure[i, label], failure, rtol=1e-8)
    wrong = equations_26_to_28(split, 60, 0, SETTING | {"ridge": 4e-3})[0]  # control: a ridge that is noticed
    assert abs(wrong / got.lgen[5, 0] - 1) > 1e-4


@pytest.mark.parametrize("change", [{"scale": 1.0}, {"ridge": 0.1}, {"delta": 1.0}])
def test_scale_ridge_and_tolerance_enter_as_the_equations_say(data, change):
    setting = SETTING | change
    got, split = run(4, data, SIZES, K, setting), split_of(4, data)
    for i in (1, 4, 10):
        lgen, failure = equations_26_to_28(split, SIZES[i], 1, setting)
        np.testing.assert_allclose(got.lgen[i, 1], lgen, rtol=1e-8)
        np.testing.assert_allclose(got.failure[i, 1], failure, rtol=1e-8)


def test_split_is_a_permutation_and_labels_have_the_stated_noise(data):
    features, mean, variance = map(np.asarray, data)
    split = split_of(5, data, num_labels=200)
    rows = np.concatenate([split.x, split.x_val])
    order = np.array([np.argmin(np.abs(features - row).sum(axis=1)) for row in rows])
    np.testing.assert_array_equal(np.sort(order), np.arange(ROWS))
    assert not np.array_equal(order, np.arange(ROWS))
    np.testing.assert_array_equal(
        split.targets[:, 0], mean[order[:-VALIDATION]]
    )  # each row kept its own label
    np.testing.assert_array_equal(split.mean_val, mean[order[-VALIDATION:]])
    np.testing.assert_array_equal(split.variance_val, variance[order[-VALIDATION:]])
    white = split.targets[:, 1:] / np.sqrt(variance[order[:-VALIDATION]] + 1e-6)[:, None]
    assert stats.kstest(white.ravel(), "norm").pvalue > 1e-4  # false alarm 1e-4
    between = np.corrcoef(white.T)[np.triu_indices(200, 1)] * np.sqrt(len(white))
    assert np.abs(between).max() < 6.5  # 19900 pairs: false alarm 2e-6


def test_cells_do_not_change_when_their_neighbours_do(data):
    """Nested training sets, label draws with keys of their own: other N, more labels, more validation."""
    all_sizes = run(6, data, SIZES, K, SETTING)
    shared = np.array([1, 5, 10])
    others = np.full_like(SIZES, 100)
    others[[0, 1, 2, 10]] = SIZES[[0, 1, 5, 10]]
    np.testing.assert_allclose(
        run(6, data, others, K, SETTING).lgen[np.array([1, 2, 10])], all_sizes.lgen[shared], rtol=1e-9
    )
    more, fewer = split_of(6, data, num_labels=LABELS + 4), split_of(6, data)
    np.testing.assert_array_equal(more.targets[:, : 1 + LABELS], fewer.targets)
    wider = split_of(6, data, num_validation=VALIDATION + 50)
    np.testing.assert_array_equal(wider.x, fewer.x[:-50])
    assert not np.allclose(run(7, data, SIZES, K, SETTING).lgen, all_sizes.lgen)


def test_vmap_over_settings_builds_one_gram_matrix(data):
    axes = {
        "ridge": jnp.array([1e-6, 1e-3, 0.1]),
        "delta": jnp.array([0.1, 0.2, 0.4]),
        "scale": jnp.array([1.0, 4.0, 8.0]),
    }

    def cell(ridge, delta, scale):
        return run(8, data, SIZES, K, SETTING | {"ridge": ridge, "delta": delta, "scale": scale})

    got = jax.vmap(cell)(*axes.values())
    for i in range(3):
        alone = cell(*(values[i] for values in axes.values()))
        np.testing.assert_allclose(got.failure[i], alone.failure, rtol=1e-7)
    matrices = matmul_shapes(jax.make_jaxpr(jax.vmap(cell))(*axes.values()).jaxpr, contracted=256)
    assert matrices
    assert all(len(shape) == 2 for shape in matrices)  # none has the settings as a batch


def matmul_shapes(jaxpr, contracted):
    """Result shapes of the matrix products that sum over an axis of this length, nested programs included."""
    shapes = []
    for equation in jaxpr.eqns:
        if equation.primitive.name == "dot_general":
            (axis, *_), _ = equation.params["dimension_numbers"][0]
            if equation.invars[0].aval.shape[axis] == contracted:
                shapes.append(equation.outvars[0].aval.shape)
        for inner in jax.tree.leaves(list(equation.params.values()), is_leaf=lambda x: hasattr(x, "eqns")):
            inner = getattr(inner, "jaxpr", inner)
            if hasattr(inner, "eqns"):
                shapes += matmul_shapes(inner, contracted)
    return shapes


def test_bad_sizes_are_nan_and_the_rest_stand(data):
    sizes = SIZES.copy()
    sizes[[0, 3, 10]] = 0, 4, 601  # none at all, out of order, one more than there are
    bad = np.isin(np.arange(len(sizes)), [0, 3, 10])
    got, good = run(9, data, sizes, K, SETTING), run(9, data, SIZES, K, SETTING)
    np.testing.assert_array_equal(np.isnan(got.lgen).all(axis=1), bad)
    np.testing.assert_array_equal(np.isnan(got.failure).all(axis=(1, 2)), bad)
    np.testing.assert_allclose(got.lgen[~bad], good.lgen[~bad], rtol=1e-9)
    singular = run(9, data, SIZES, K, SETTING | {"ridge": -1e9}, failure="draws")
    assert np.isnan(singular.lgen).all()
    assert np.isnan(singular.failure).all()


def test_drawn_trials_fail_as_often_as_the_mean_of_powers_says(data):
    """Given the predictions a count is Poisson-binomial, of variance at most p(1-p)/m; z < 4.5: 7e-6 each."""
    exact = run(10, data, SIZES, K, SETTING)
    drawn = run(10, data, SIZES, K, SETTING, failure="draws")
    np.testing.assert_array_equal(drawn.lgen, exact.lgen)
    counts = np.asarray(drawn.failure) * VALIDATION
    np.testing.assert_allclose(counts, np.round(counts), atol=1e-9)
    p = np.asarray(exact.failure)
    z = (np.asarray(drawn.failure) - p).sum(axis=1) / np.sqrt((p * (1 - p) / VALIDATION).sum(axis=1))
    assert np.abs(z).max() < 4.5
    assert np.abs(z).max() > 0.1  # they were drawn


def test_one_program_serves_every_grid_of_one_length(data):
    run(0, data, SIZES, K, SETTING)
    before = len(TRACES)
    run(1, data, np.arange(3, 3 + len(SIZES)), 2 * K, SETTING | {"ridge": 0.3, "scale": 2.0})
    assert len(TRACES) == before


def test_memory_does_not_grow_with_k():
    def temporary(num_k):
        shape = jax.ShapeDtypeStruct((2000, 50), jnp.float64)
        return (
            jax.jit(mean_failure).lower(jnp.ones(num_k), shape).compile().memory_analysis().temp_size_in_bytes
        )

    assert temporary(400) < temporary(4) + 1e6  # all k at once would be 320 MB


def test_float32_follows_the_features_to_four_digits(data):
    single = tuple(x.astype(jnp.float32) for x in data)
    setting = {name: jnp.float32(value) for name, value in SETTING.items()}
    got = run(11, single, SIZES, K, setting)
    assert got.lgen.dtype == got.failure.dtype == jnp.float32
    split = split_of(11, single)
    for i in (1, 5, 10):
        lgen, failure = equations_26_to_28(split, SIZES[i], 0, SETTING)
        np.testing.assert_allclose(got.lgen[i, 0], lgen, rtol=3e-3 if i == 1 else 3e-4)
        np.testing.assert_allclose(got.failure[i, 0], failure, rtol=3e-3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"num_validation": ROWS},
            f"num_validation = {ROWS}: must be from 1 to {ROWS - 1}, as there are {ROWS} instances",
        ),
        ({"num_validation": 0}, "num_validation = 0"),
        ({"num_labels": 0}, "num_labels = 0: must be at least 1"),
    ],
)
def test_bad_static_input_is_refused(data, change, message):
    with pytest.raises(InputError, match=message):
        run(0, data, SIZES, K, SETTING, **change)


def test_real_features_show_double_descent_and_agree_with_the_equations(real_data):
    path = real_data / "cifar10h" / "features_resnet18_quantised.npz"
    if not path.is_file():
        pytest.skip(f"{path} is absent")
    with np.load(path) as file:
        data = tuple(jnp.asarray(file[name], jnp.float64) for name in ("features", "mean", "variance"))
    sizes, setting = (
        np.array([100, 512, 1500, 6000]),
        {"scale": 32.0, "ridge": 1e-6, "delta": 0.05, "variance_floor": 1e-6},
    )
    got = run(12, data, sizes, K, setting, num_labels=2, num_validation=2000)
    lgen = np.asarray(got.lgen).mean(axis=1)
    assert lgen[1] > 10 * max(lgen[0], lgen[2])  # the peak at N = d = 512
    assert lgen[3] < lgen[2] / 2
    assert np.all(np.diff(np.asarray(got.failure), axis=2) < 0)
    split = split_of(12, data, num_labels=2, num_validation=2000)
    for i in (0, 2, 3):
        expected, failure = equations_26_to_28(split, sizes[i], 1, setting)
        np.testing.assert_allclose(got.lgen[i, 1], expected, rtol=1e-5)
        np.testing.assert_allclose(got.failure[i, 1], failure, rtol=1e-6)


def test_the_effective_sample_size_is_that_of_kish_and_survives_underflow():
    log_miss = -np.random.default_rng(4).gamma(0.3, size=(60, 2))
    k = np.array([1.0, 30.0, 1e5])
    failure, ess = mean_failure(jnp.asarray(k), jnp.asarray(log_miss))
    terms = np.exp(k[:, None, None] * (log_miss - log_miss.max(axis=0)))
    np.testing.assert_allclose(ess.T, terms.sum(axis=1) ** 2 / np.sum(terms**2, axis=1), rtol=1e-9)
    np.testing.assert_allclose(failure.T, np.exp(k[:, None, None] * log_miss).mean(axis=1), rtol=1e-9)
    assert ess[:, 0].min() > 10
    assert ess[:, -1].max() < 3
