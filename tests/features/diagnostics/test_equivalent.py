"""L_gen of a misspecified linear task by its deterministic equivalent, against direct simulation."""

import jax
import jax.numpy as jnp
import numpy as np

from lidjax.features import equivalent_lgen, feature_split, linear_task

COUNT, DIM, SCALE, RIDGE = 4000, 40, 4.0, 1e-2


def task():
    """Features with a decaying spectrum and a unit that is always 0; a mean with a part that is not linear in them."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(COUNT, DIM)) * np.geomspace(1, 0.2, DIM)
    x[:, 7] = 0
    mean = x @ rng.normal(size=DIM) + 2 * (x[:, 0] ** 2 - 1)
    return x, mean, rng.exponential(0.5, COUNT)


def test_the_best_head_and_its_residual():
    x, mean, _ = task()
    found = linear_task(x, mean)
    coefficients, *_ = np.linalg.lstsq(x, mean, rcond=None)
    residual = np.sum((mean - x @ coefficients) ** 2) / (COUNT - DIM + 1)
    assert len(found.eigenvalues) == DIM - 1
    np.testing.assert_allclose(found.residual, residual, rtol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(found.theta), np.linalg.norm(coefficients), rtol=1e-9)


def test_l_gen_is_that_of_simulated_cells_and_the_misfit_matters():
    """Mean over 8 splits of 3 label draws, within 4 standard errors and 3 % for the equivalent itself."""
    x, mean, variance = task()
    sizes = jnp.array([20, 80, 400, 3000])
    split = jax.jit(
        lambda key: feature_split(
            key, x, mean, variance, n=sizes, num_labels=3, k=jnp.ones(1), scale=SCALE, ridge=RIDGE,
            delta=0.1, variance_floor=0.0, num_validation=1000,
        ).lgen.mean(axis=1)
    )  # fmt: skip
    lgen = np.stack([split(jax.random.key(i)) for i in range(8)])
    error = lgen.std(axis=0, ddof=1) / np.sqrt(8)
    arguments = {"noise_variance": variance.mean(), "ridge": RIDGE, "scale": SCALE}
    predicted = equivalent_lgen(linear_task(x, mean), sizes, **arguments)
    assert (abs(lgen.mean(axis=0) - predicted) < 4 * error + 0.03 * predicted).all()
    without = equivalent_lgen(linear_task(x, mean)._replace(residual=0.0), sizes, **arguments)
    assert (abs(lgen.mean(axis=0) - without) > 4 * error + 0.03 * predicted)[1:].all()
