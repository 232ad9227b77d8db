"""Hamiltonian Monte Carlo for one smooth density, several chains side by side.

x = L y with a fixed metric factor L; leapfrog steps of a jittered length in y. Reference: Neal, "MCMC using Hamiltonian
dynamics", in Handbook of Markov Chain Monte Carlo (2011).
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

TARGET = 0.8  # acceptance; the usual compromise for a fixed number of leapfrog steps
LEARN = 0.15  # heuristic gain of the step-size adaptation
JITTER = (0.7, 1.2)  # of the step, so that no trajectory closes on itself


class Chains(NamedTuple):
    """State of C chains: position (C, D), potential (C,), its gradient (C, D), and the log of the common step."""

    position: Float[Array, "c d"]
    potential: Float[Array, " c"]
    gradient: Float[Array, "c d"]
    log_step: Float[Array, ""]


def leapfrog(potential_and_gradient, factor, step, num_steps, position, momentum, potential, gradient):
    def body(_, state):
        position, momentum, potential, gradient = state
        momentum = momentum - 0.5 * step * jnp.matmul(factor.T, gradient, precision="highest")
        position = position + step * jnp.matmul(factor, momentum, precision="highest")
        potential, gradient = potential_and_gradient(position)
        momentum = momentum - 0.5 * step * jnp.matmul(factor.T, gradient, precision="highest")
        return position, momentum, potential, gradient

    return jax.lax.fori_loop(0, num_steps, body, (position, momentum, potential, gradient))


def transition(key, potential_and_gradient, factor, step, num_steps, position, potential, gradient):
    """One proposal of one chain: the state it ends in, and the acceptance probability (0 where the energy blew up)."""
    momentum_key, accept_key = jax.random.split(key)
    momentum = jax.random.normal(momentum_key, position.shape, position.dtype)
    proposal = leapfrog(potential_and_gradient, factor, step, num_steps, position, momentum, potential, gradient)
    new_position, new_momentum, new_potential, new_gradient = proposal
    gain = potential + 0.5 * jnp.sum(momentum**2) - new_potential - 0.5 * jnp.sum(new_momentum**2)
    accept = jnp.where(jnp.isfinite(gain), jnp.exp(jnp.minimum(gain, 0.0)), 0.0)
    taken = jax.random.uniform(accept_key, (), position.dtype) < accept
    old, new = (position, potential, gradient), (new_position, new_potential, new_gradient)
    return jax.tree.map(lambda a, b: jnp.where(taken, b, a), old, new), accept


def run_block(
    key, potential: Callable[[Array], Array], chains: Chains, factor: Float[Array, "d d"], adapt, *, length: int, num_steps: int
):
    """`length` transitions of every chain. Returns the chains, positions (length, C, D) and mean acceptance.

    `adapt` (a boolean array) moves the step towards TARGET; draws are a sample only where it is False.
    """
    both = jax.value_and_grad(potential)
    count = chains.position.shape[0]

    def body(chains, key):
        jitter_key, *keys = jax.random.split(key, count + 1)
        low, high = JITTER
        step = jnp.exp(chains.log_step) * jax.random.uniform(jitter_key, (), chains.position.dtype, low, high)
        move = partial(transition, potential_and_gradient=both, factor=factor, step=step, num_steps=num_steps)
        states, accept = jax.vmap(lambda k, x, u, g: move(k, position=x, potential=u, gradient=g))(
            jnp.stack(keys), chains.position, chains.potential, chains.gradient
        )
        log_step = chains.log_step + jnp.where(adapt, LEARN * (jnp.mean(accept) - TARGET), 0.0)
        return Chains(*states, log_step), (states[0], jnp.mean(accept))

    chains, (positions, accepts) = jax.lax.scan(body, chains, jax.random.split(key, length))
    return chains, positions, jnp.mean(accepts)


def split_rhat(draws: Float[Array, "s c d"]) -> Float[Array, " d"]:
    """Gelman-Rubin R̂ with each chain cut in two; near 1 where the chains agree (below 1.1 is the usual demand)."""
    half = draws.shape[0] // 2
    parts = jnp.concatenate([draws[:half], draws[half : 2 * half]], axis=1)
    within = jnp.mean(jnp.var(parts, axis=0, ddof=1), axis=0)
    between = jnp.var(jnp.mean(parts, axis=0), axis=0, ddof=1)
    return jnp.sqrt((half - 1) / half + between / within)
