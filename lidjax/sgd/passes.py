"""Several passes of SGD over one training set, and gradient descent on it, beside ridge with the matching penalty.

Gradient descent of length T = ηt on half the mean squared residual shrinks a direction of the sample covariance with
eigenvalue s by 1 - e^{-Ts}, ridge by s/(s + ρ): both turn at s = 1/T for ρ = 1/T. Momentum lengthens the time to
ηt/(1-μ).
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int

from lidjax.arrays import FINITE, NOT_NEGATIVE, POSITIVE, check_whole, checked
from lidjax.difficulty import Difficulty, check_difficulty
from lidjax.errors import InputError
from lidjax.model import sample_training_set
from lidjax.ridge import ridge_fit
from lidjax.sgd.arguments import MOMENTUM
from lidjax.sgd.runs import ascending_steps


class AgainstRidge(NamedTuple):
    """L_gen of one training set by three estimators, after each number of passes, in squared units of the labels.

    Attributes:
        penalty: The matching ridge ρ = (1-μ)/(ηt) (p,), with t = passes · N/B steps.
        gradient_descent: L_gen (p,) of gradient descent on the whole training set, after t steps.
        multi_pass: L_gen (p,) of SGD that reshuffles the training set in each pass, after t steps.
        ridge: L_gen (p,) of ridge with the penalty.
    """

    penalty: Float[Array, " p"]
    gradient_descent: Float[Array, " p"]
    multi_pass: Float[Array, " p"]
    ridge: Float[Array, " p"]


def sgd_against_ridge(
    key: jax.Array,
    passes: ArrayLike | Sequence[int],
    *,
    n: int,
    eigenvalues: ArrayLike,
    theta: ArrayLike,
    beta: ArrayLike,
    sigma_eta: ArrayLike,
    learning_rate: ArrayLike,
    batch: int,
    momentum: ArrayLike = 0.0,
    difficulty: Difficulty = "gamma",
) -> AgainstRidge:
    """L_gen of one random training set by multi-pass SGD, gradient descent, and ridge with the matching penalty.

    All start from θ = 0 and are trained by `optax.sgd` with one learning rate, so that after as many steps they have
    come as far. The function can be called under `jit`, and under `vmap` over the key and every float argument.

    Args:
        key: JAX random key.
        passes: Numbers of passes over the training set (p,), whole, ascending, at least 1.
        n: Training size N ≥ 1, a Python int.
        eigenvalues: Variances of the features (d,), > 0, finite. The result has their dtype.
        theta: Teacher θ* (d,), finite.
        beta: Tail index β > 0 of the prior on the precision, finite, scalar.
        sigma_eta: Noise scale σ_η ≥ 0, finite, scalar.
        learning_rate: Step size η > 0 on half the mean squared residual, finite, scalar.
        batch: Instances a step B of SGD, a Python int that divides N.
        momentum: Momentum μ of `optax.sgd`, at least 0, below 1, scalar.
        difficulty: Prior on the precision, "gamma" or "power".

    Returns:
        `AgainstRidge`; infinite or NaN where training diverged, and NaN where a traced argument is out of its range.

    Raises:
        InputError: If a shape does not fit, a value is known and out of its range, or `batch` does not divide `n`.

    References:
        Eq. 6. Early stopping against ridge: Ali, Kolter and Tibshirani, arXiv:1810.10082.

    Example:
        >>> import jax, lidjax
        >>> model = {"eigenvalues": lidjax.power_law_spectrum(8, 1.0), "theta": lidjax.power_law_teacher(8)}
        >>> law = {"beta": 6.0, "sigma_eta": 0.3, "learning_rate": 0.02, "batch": 4}
        >>> found = lidjax.sgd_against_ridge(jax.random.key(0), [1, 10, 100], n=64, **model, **law)
        >>> bool((found.gradient_descent < 1.69 * found.ridge).all())
        True
    """
    check_difficulty(difficulty)
    check_whole("n", n, 1)
    check_whole("batch", batch, 1)
    if n % batch:
        raise InputError(f"batch = {batch}: must divide n = {n}, so that a pass meets every instance once")
    eigenvalues = checked("eigenvalues", eigenvalues, POSITIVE, shape=("d",))
    dtype = eigenvalues.dtype
    theta = checked("theta", theta, FINITE, shape=eigenvalues.shape, dtype=dtype)
    learning_rate = checked("learning_rate", learning_rate, POSITIVE, shape=(), dtype=dtype)
    momentum = checked("momentum", momentum, MOMENTUM, shape=(), dtype=dtype)
    sigma_eta = checked("sigma_eta", sigma_eta, NOT_NEGATIVE, shape=(), dtype=dtype)
    counts = jnp.asarray(ascending_steps(passes, "passes", 1))

    data_key, order_key = jax.random.split(key)
    model: dict[str, Any] = {"eigenvalues": eigenvalues, "theta": theta, "difficulty": difficulty}
    x, y = sample_training_set(data_key, n, **model, beta=beta, sigma_eta=sigma_eta)

    def gradient(weights: Array, rows: Array | slice) -> Array:
        mine, labels = x[rows], y[rows]
        residual = jnp.matmul(mine, weights, precision="highest") - labels
        return jnp.matmul(residual, mine, precision="highest") / residual.shape[0]

    def lgen(weights: Array) -> Array:
        return jnp.sum(eigenvalues * (weights - theta) ** 2)

    optimiser = optax.inject_hyperparams(optax.sgd)(learning_rate=learning_rate, momentum=momentum)
    training = _Training(optimiser, jnp.zeros_like(theta), steps=n // batch)

    def shuffled(index: Array) -> Callable[[Array, Array], Array]:
        order = jax.random.permutation(jax.random.fold_in(order_key, index), n).reshape(-1, batch)
        return lambda step, weights: gradient(weights, order[step])

    def whole(index: Array) -> Callable[[Array, Array], Array]:
        return lambda step, weights: gradient(weights, slice(None))

    penalty = (1 - momentum) / (learning_rate * counts.astype(dtype) * (n // batch))
    by_ridge = jax.vmap(lambda ridge: lgen(ridge_fit(x, y, ridge)))(penalty)
    descended, passed = (jax.vmap(lgen)(training.run(counts, kind)) for kind in (whole, shuffled))
    return AgainstRidge(penalty, descended, passed, by_ridge)


class _Training(NamedTuple):
    """Passes over a training set by an optimiser of optax."""

    optimiser: Any
    start: Float[Array, " d"]
    steps: int
    """Steps in a pass."""

    def run(
        self, counts: Int[Array, " p"], gradients: Callable[[Array], Callable[[Array, Array], Array]]
    ) -> Float[Array, "p d"]:
        """The weights after each number of passes; `gradients` gives, for a pass, the gradient of a step."""

        def one_pass(index: Array, state: tuple[Array, Any]) -> tuple[Array, Any]:
            gradient = gradients(index)

            def advance(step: Array, state: tuple[Array, Any]) -> tuple[Array, Any]:
                weights, optimiser_state = state
                with jax.numpy_dtype_promotion("standard"):
                    update, optimiser_state = self.optimiser.update(
                        gradient(step, weights), optimiser_state, weights
                    )
                moved: Any = optax.apply_updates(weights, update)
                return moved, optimiser_state

            return jax.lax.fori_loop(0, self.steps, advance, state)

        def until(state: tuple[Array, Any], ends: tuple[Array, Array]) -> tuple[tuple[Array, Any], Array]:
            state = jax.lax.fori_loop(ends[0], ends[1], one_pass, state)
            return state, state[0]

        with jax.numpy_dtype_promotion("standard"):
            state = self.start, self.optimiser.init(self.start)
        begins = jnp.concatenate([jnp.zeros(1, counts.dtype), counts[:-1]])
        return jax.lax.scan(until, state, (begins, counts))[1]
