"""The linear map that one step of SGD makes of the second moments of θ, and its powers.

With Δ = θ - θ*, momentum u ← g + μu, Δ ← Δ - ηu and p = ηu, the moments of direction j are m = E[Δ²], c = E[Δp] and
q = E[p²]. A batch of B Gaussian instances gives E[g] = λΔ and E[g²] = λ²m (1 + 1/B) + λ(L + σ²_noise)/B, L = Σ λ m:

    q ← μ²q + 2μηλ c + η²λ² (1+1/B) m + (η²λ/B)(L + σ²_noise)
    c ← μc + ηλ m - q,      m ← m - 2(μc + ηλ m) + q      (both with the new q)

The directions are coupled through L alone. One step costs O(d). Without momentum only m is needed (model of one pass:
m ← m [(1-ηλ)² + η²λ²/B] + (η²λ/B)(L + σ²_noise)).

A thousand million steps are powers of the map M, made by squaring. N = I - M is what is kept, with I - M² = N(2I - N):
a direction in which training has hardly begun has a row of small entries, which keep their relative precision in N and
would lose it in M.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float


class Training(NamedTuple):
    """What decides the mean of a training, as floating arrays of one dtype: scalars, and (d,) for each direction."""

    eigenvalues: Float[Array, " d"]
    theta: Float[Array, " d"]
    noise_variance: Float[Array, ""]
    learning_rate: Float[Array, ""]
    batch: Float[Array, ""]
    momentum: Float[Array, ""]
    decay: Float[Array, ""]
    decay_steps: Float[Array, ""]


def mean_by_steps(training: Training, length: int) -> Float[Array, " t"]:
    """L after 0, 1, ..., length - 1 steps, one after the other. The learning rate may decay."""
    lam, dtype = training.eigenvalues, training.eigenvalues.dtype
    mu, batch = training.momentum, training.batch

    def step(state: tuple[Array, Array, Array], t: Array) -> tuple[tuple[Array, Array, Array], Array]:
        m, cross, square = state  # cross and square with u, not p = ηu: η changes from step to step
        loss = jnp.sum(lam * m)
        rate = training.learning_rate * (1 + t.astype(dtype) / training.decay_steps) ** -training.decay
        gradient = lam**2 * m + lam * (lam * m + loss + training.noise_variance) / batch
        square = mu**2 * square + 2 * mu * lam * cross + gradient
        ahead = mu * cross + lam * m  # E[Δu] with the new u and the old Δ
        return (m - 2 * rate * ahead + rate**2 * square, ahead - rate * square, square), loss

    zero = jnp.zeros_like(lam)
    start = (training.theta**2, zero, zero)
    return jax.lax.scan(step, start, jnp.arange(length))[1]


def mean_by_powers(
    training: Training, bits: Bool[Array, "s t"], *, with_momentum: bool
) -> Float[Array, " t"]:
    """L after the numbers of steps whose binary digits are `bits`, the lowest first. The learning rate is constant."""
    dim = training.eigenvalues.shape[0]
    moments = jnp.concatenate(
        [training.theta**2, jnp.zeros(2 * dim if with_momentum else 0, training.theta.dtype)]
    )
    start = jnp.concatenate([moments, jnp.ones(1, moments.dtype)])
    states = jnp.broadcast_to(start, (bits.shape[1], start.shape[0]))

    def double(carry: tuple[Array, Array], taken: Array) -> tuple[tuple[Array, Array], None]:
        step, states = carry
        moved = states - jnp.matmul(states, step.T, precision="highest")
        return (_double(step), jnp.where(taken[:, None], moved, states)), None

    (_, states), _ = jax.lax.scan(double, (step_matrix(training, with_momentum), states), bits)
    return jnp.matmul(states[:, :dim], training.eigenvalues, precision="highest")


def _double(step: Float[Array, "a a"]) -> Float[Array, "a a"]:
    """I - M² from I - M."""
    return 2 * step - jnp.matmul(step, step, precision="highest")


def step_matrix(training: Training, with_momentum: bool) -> Float[Array, "a a"]:
    """I - M of one step on the moments (m, or m, c and q) and a last entry that is always 1."""
    lam, eta, batch = training.eigenvalues, training.learning_rate, training.batch
    gain = eta**2 * lam / batch
    pace = eta * lam
    rank_one = gain[:, None] * lam[None, :]
    noise = (gain * training.noise_variance)[:, None]
    if not with_momentum:
        top = jnp.diag(2 * pace - pace**2 * (1 + 1 / batch)) - rank_one
        return _with_constant(top, -noise)
    mu = training.momentum
    own = pace**2 * (1 + 1 / batch)  # part of the new q that comes from m of the same direction
    same = jnp.ones_like(pace)
    new_m = jnp.concatenate(
        [jnp.diag(2 * pace - own) - rank_one, jnp.diag(2 * mu * (1 - pace)), jnp.diag(-(mu**2) * same)], 1
    )
    new_c = jnp.concatenate(
        [jnp.diag(own - pace) + rank_one, jnp.diag(1 - mu + 2 * mu * pace), jnp.diag(mu**2 * same)], 1
    )
    new_q = jnp.concatenate(
        [jnp.diag(-own) - rank_one, jnp.diag(-2 * mu * pace), jnp.diag((1 - mu**2) * same)], 1
    )
    top = jnp.concatenate([new_m, new_c, new_q], 0)
    return _with_constant(top, jnp.concatenate([-noise, noise, -noise], 0))


def _with_constant(top: Float[Array, "a a"], constant: Float[Array, "a 1"]) -> Float[Array, "b b"]:
    """The linear part and the constant part of an affine map as one matrix."""
    above = jnp.concatenate([top, constant], 1)
    return jnp.concatenate([above, jnp.zeros_like(above[:1])], 0)
