"""Straightforward JAX: one cell, vmapped and jitted for each N, `jax.random.gamma`; float64."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import cho_factor, cho_solve
from jax.scipy.special import ndtr

CELLS = 2**26  # numbers in the features of one batch

jax.config.update("jax_enable_x64", True)


def versions():
    return {"jax": jax.__version__, "device": jax.devices()[0].device_kind}


@functools.partial(jax.jit, static_argnames=("n", "work"))
def cells(keys, betas, n, work):
    eigenvalues, theta, k = (jnp.asarray(a) for a in (work.eigenvalues, work.theta, work.k))

    def cell(key, beta):
        keys = jax.random.split(key, 5)
        x = jax.random.normal(keys[0], (n, work.dim)) * jnp.sqrt(eigenvalues)
        tau = jax.random.gamma(keys[1], beta / 2, (n,))
        y = x @ theta + work.sigma_eta / jnp.sqrt(tau) * jax.random.normal(keys[2], (n,))
        gram = x.T @ x / n + work.ridge * jnp.eye(work.dim)
        estimate = cho_solve(cho_factor(gram), x.T @ y / n)
        lgen = jnp.sum(eigenvalues * (estimate - theta) ** 2)
        bias = jnp.sqrt(lgen) * jax.random.normal(keys[3], (work.instances,))
        width = jnp.sqrt(jax.random.gamma(keys[4], beta / 2, (work.instances,))) / work.sigma_eta
        success = ndtr((work.delta - bias) * width) - ndtr((-work.delta - bias) * width)
        log_miss = jnp.log1p(-jnp.minimum(success, 1 - 1e-16))
        return lgen, jnp.exp(k[:, None] * log_miss).mean(axis=1)

    batch = max(1, min(keys.size, CELLS // (n * work.dim), CELLS // (work.instances * work.num_k)))
    return jax.lax.map(lambda pair: cell(*pair), (keys, betas), batch_size=batch)


def run(work):
    shape = (len(work.betas), work.seeds)
    betas = jnp.repeat(jnp.array(work.betas), work.seeds)
    lgen, failure = [], []
    for j, n in enumerate(work.sizes):
        keys = jax.random.split(jax.random.key(j), betas.size)
        one, many = cells(keys, betas, n, work)
        lgen.append(np.asarray(one).reshape(shape))
        failure.append(np.asarray(many).reshape(*shape, -1))
    return np.stack(lgen, 1), np.stack(failure, 1)
