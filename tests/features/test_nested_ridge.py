"""Ridge predictions on nested training sets: two solvers, and the minimum-norm solution written out in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np

from lidjax.features.nested_ridge import nested_predictions
from lidjax.features.split import draw_split

DIM = 24
SIZES = np.array([1, 5, 23, 24, 25, 60, 255, 256, 257, 257, 600])  # both sides of d and of a 256-row block


def test_one_decomposition_serves_every_ridge():
    ridges = jnp.array([1e-6, 1e-3, 0.1])
    rng = np.random.default_rng(1)
    features = jnp.asarray(np.abs(rng.normal(size=(700, DIM))) * np.arange(1, DIM + 1) ** -1.0)
    mean = features @ rng.normal(size=DIM) + 3 + 0.3 * rng.normal(size=700)
    split = draw_split(jax.random.key(8), features, mean, jnp.asarray(rng.gamma(0.5, size=700)), 1e-6, 2, 100)

    def predictions(ridge, solver):
        return nested_predictions(split.x, split.targets, split.x_val, jnp.asarray(SIZES), ridge, solver)

    factorised, decomposed = (
        jax.vmap(lambda ridge, solver=solver: predictions(ridge, solver)) for solver in ("cholesky", "eigh")
    )
    np.testing.assert_allclose(jax.jit(decomposed)(ridges), jax.jit(factorised)(ridges), rtol=1e-7, atol=1e-9)
    text = str(jax.make_jaxpr(decomposed)(ridges))
    assert text.count("= eigh[") == 1
    assert f"f64[{len(ridges)},{DIM},{DIM}]" not in text
    assert f"f64[{len(ridges)},{DIM},{DIM}]" in str(jax.make_jaxpr(factorised)(ridges))  # control


def test_fewer_rows_than_dimensions():
    """Never a primal system: 20 rows to train on in 40 dimensions."""
    rng = np.random.default_rng(2)
    x, targets, x_val = (rng.normal(size=shape) for shape in ((20, 40), (20, 3), (7, 40)))
    got = nested_predictions(*map(jnp.asarray, (x, targets, x_val)), jnp.array([4, 20, 21]), 0.0)
    for i, n in enumerate((4, 20)):
        np.testing.assert_allclose(got[i], x_val @ np.linalg.pinv(x[:n]) @ targets[:n], rtol=1e-8)
    assert np.isnan(got[2]).all()
