"""L_gen of one training set against what its arithmetic and its random numbers must cost on this machine.

Extra columns (in the JSON and by `--benchmark-columns`): `fraction` is the time that the least arithmetic would take at
the rate of a matrix product of the same size and batch, over the time taken.
"""

import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lidjax.generalization import deterministic_lgen, lgen_cell
from lidjax.generalization.krylov import krylov_steps, wishart_solve
from lidjax.generalization.noise_norm import noise_norm_squared
from lidjax.generalization.variates import paired_uniforms, standard_normal
from lidjax.model import power_law_spectrum, power_law_teacher


def shortest(function, repeats=30):
    jax.block_until_ready(function())
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        jax.block_until_ready(function())
        times.append(time.perf_counter() - start)
    return min(times)


def product_rate(dim, dtype):
    a = jax.random.normal(jax.random.key(0), (dim, dim), dtype)
    product = jax.jit(lambda a: jnp.matmul(a, a.T, precision="highest"))
    return 2 * dim**3 / shortest(lambda: product(a))


def cells(method, n, dim, count, dtype, beta=2.5, ridge=1e-3, one_by_one=False):
    eigenvalues, theta = power_law_spectrum(dim, 1.0).astype(dtype), power_law_teacher(dim).astype(dtype)
    keys = jax.random.split(jax.random.key(1), count)

    def cell(key):
        arguments = {
            "eigenvalues": eigenvalues,
            "theta": theta,
            "beta": beta,
            "sigma_eta": 0.1,
            "ridge": ridge,
        }
        return lgen_cell(key, n, method=method, **arguments)

    run = jax.jit(lambda keys: jax.lax.map(cell, keys)) if one_by_one else jax.jit(jax.vmap(cell))
    return lambda: run(keys)


@pytest.mark.parametrize("dim", [512, 1024])
@pytest.mark.parametrize(
    ("method", "ratio", "ridge"),
    [
        ("krylov", 4.0, 1e-3),
        ("krylov", 64.0, 1e-3),
        ("krylov", 4.0, 1e-5),
        ("bartlett", 4.0, 1e-3),
        ("dual", 0.4, 1e-9),
    ],
)
def test_matrix_cell(seconds, benchmark, method, ratio, ridge, dim, dtype):
    """One cell after the other, as a sweep runs them on a CPU, against the arithmetic of a Bartlett cell at the rate
    of a matrix product: d³/3 for the product of a triangle with itself, d³/3 to factorise it."""
    count, n = 8, ratio * dim
    taken = seconds(cells(method, n, dim, count, dtype, ridge=ridge, one_by_one=True)) / count
    rate = product_rate(dim, dtype)
    benchmark.extra_info |= {
        "seconds_a_cell": taken,
        "gflops_product": rate / 1e9,
        "fraction": (2 / 3 * dim**3 / rate) / taken,
        "normal_numbers_seconds": normals(dim * (dim + 1) // 2, dtype),
    }
    if method == "krylov":
        benchmark.extra_info |= {
            "largest_relative_error": krylov_error(n, dim, ridge, dtype),
            "steps_bound": krylov_steps(n, power_law_spectrum(dim, 1.0), ridge),
        }


def krylov_error(n, dim, ridge, dtype):
    """Distance of a solution from that of LAPACK in float64, for the matrix that was drawn, completed at will."""
    eigenvalues, theta = power_law_spectrum(dim, 1.0).astype(dtype), power_law_teacher(dim).astype(dtype)
    rhs = jnp.stack([jax.random.normal(jax.random.key(1), (dim,), dtype), theta])
    n = jnp.asarray(n, dtype)
    solved = jax.jit(wishart_solve)(jax.random.key(0), n - 1, rhs, ridge / eigenvalues, scale=n)
    images, basis = (np.asarray(a, float) for a in (solved.images, solved.basis))
    rows = np.any(basis, axis=1).sum()
    across = np.linalg.svd(basis[:rows])[2][rows:]  # W is the identity there, say
    matrix = images.T @ images + across.T @ across + np.diag(ridge / np.asarray(eigenvalues, float))
    exact = np.linalg.solve(matrix, np.asarray(rhs, float).T).T
    error = np.linalg.norm(np.asarray(solved.solution) - exact, axis=1) / np.linalg.norm(exact, axis=1)
    return float(error.max())


def normals(count, dtype):
    draw = jax.jit(lambda key: jax.random.normal(key, (count,), dtype))
    return shortest(lambda: draw(jax.random.key(0)))


# of 64 bits: what a cell draws for the gain (ROUNDS of 3 chi-squares) and for the noise norm
WORDS = 4 * 3 + 15


def bare_bits(keys):
    """Seconds for the random words of a cell for each key."""
    draw = jax.jit(jax.vmap(lambda key: jax.random.bits(key, (WORDS,), jnp.uint64)))
    return shortest(lambda: draw(keys))


def bare_variates(keys):
    """Seconds for the standard variates of a cell: 14 normal, 14 + 12 exponential, 14 uniform."""

    def one(key):
        wide, narrow = paired_uniforms(key, (WORDS,))
        return standard_normal(wide[:14]), jnp.log1p(-wide[13:]), jnp.log(narrow[:12]), narrow[13:]

    draw = jax.jit(jax.vmap(one))
    return shortest(lambda: draw(keys))


@pytest.mark.parametrize("count", [4_000, 100_000])
@pytest.mark.parametrize("n", [1e4, 1e15])
def test_scalar_cell(seconds, benchmark, n, count, dtype):
    """Many cells at once, in an array that fits the cache and in one that does not, and beside them what their random
    numbers cost alone: `over_bits` the words before anything is made of them, `over_variates` the normal,
    exponential and uniform ones."""
    keys = jax.random.split(jax.random.key(1), count)
    taken = seconds(cells("scalar", n, 512, count, dtype, ridge=0.0), rounds=30)
    benchmark.extra_info |= {
        "cells_a_second": count / taken,
        "over_bits": taken / bare_bits(keys),
        "over_variates": taken / bare_variates(keys),
    }


@pytest.mark.parametrize("n", [1e3, 1e6, 1e15])
def test_noise_norm(seconds, benchmark, n):
    keys = jax.random.split(jax.random.key(2), 100_000)
    run = jax.jit(jax.vmap(lambda key: noise_norm_squared(key, n, beta=2.5, sigma_eta=1.0)))
    benchmark.extra_info["draws_a_second"] = keys.size / seconds(lambda: run(keys))


def test_deterministic_curve(seconds, benchmark):
    """The theory's L_gen at 1000 N through N = d; its error at N ≫ d is that of rounding."""
    dim = 512
    eigenvalues, theta = power_law_spectrum(dim, 1.0), power_law_teacher(dim)
    n = jnp.asarray(np.geomspace(10, 1e6, 1000))

    def curve(n):
        return deterministic_lgen(n, eigenvalues=eigenvalues, theta=theta, noise_variance=0.01, ridge=1e-6)

    run = jax.jit(curve)
    benchmark.extra_info["values_a_second"] = n.size / seconds(lambda: run(n))
