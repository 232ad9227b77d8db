"""L_inf(k): the integral value by value, and tables that serve many training sets; accuracy beside speed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lidjax.passk import build_curve, eval_curve, pass_at_k_failure, success_distribution

K = np.geomspace(1, 1e6, 64)
V = np.exp(np.random.default_rng(0).uniform(np.log(1e-4), np.log(1.0), 100_000))


def exact(k, v, beta=2.5, difficulty="gamma"):
    return pass_at_k_failure(k, v, beta=beta, delta=0.5, sigma_eta=1.0, difficulty=difficulty)


def test_integral(seconds, benchmark):
    k, v = K[None, :], V[:16, None]
    benchmark.extra_info["values_a_second"] = 16 * 64 / seconds(lambda: exact(k, v))


@pytest.mark.parametrize("nodes", [(80, 160), (160, 320), (320, 640), (640, 1280)])
@pytest.mark.parametrize("difficulty", ["gamma", "power"])
def test_curves_from_a_table(seconds, benchmark, nodes, difficulty):
    """The accuracy-speed curve: 100,000 curves of 64 k, for four numbers of nodes."""
    build = jax.jit(
        lambda beta: build_curve(
            jnp.log(1e-4),
            jnp.log(1.0),
            jnp.asarray(K),
            beta=beta,
            delta_over_sigma=jnp.array(0.5),
            difficulty=difficulty,
            bias_nodes=nodes[0],
            tau_nodes=nodes[1],
            checks=0,
        )
    )
    table = jax.block_until_ready(build(jnp.array(2.5)))
    evaluate = jax.jit(lambda v: jax.lax.map(lambda v: eval_curve(table, v), v, batch_size=2000))
    v = jnp.asarray(V)
    taken = seconds(lambda: evaluate(v))
    some = slice(0, 24)
    error = np.abs(evaluate(v[some]) / exact(K[None, :], V[some, None], difficulty=difficulty) - 1).max()
    benchmark.extra_info |= {"curves_a_second": v.size / taken, "largest_relative_error": float(error)}


@pytest.mark.parametrize("nodes", [(320, 640)])
def test_building_a_table(seconds, benchmark, nodes):
    arguments = {
        "delta_over_sigma": jnp.array(0.5),
        "bias_nodes": nodes[0],
        "tau_nodes": nodes[1],
        "checks": 0,
    }
    build = jax.jit(
        lambda beta: build_curve(jnp.log(1e-4), jnp.log(1.0), jnp.asarray(K), beta=beta, **arguments)
    )
    beta = jnp.array(2.5)
    benchmark.extra_info["tables_a_second"] = 1 / seconds(lambda: build(beta))


def test_distribution(seconds, benchmark):
    s = np.geomspace(1e-8, 0.9, 200)
    taken = seconds(lambda: success_distribution(s, 0.1, beta=2.5, delta=0.5, sigma_eta=1.0).log_cdf)
    benchmark.extra_info["values_a_second"] = s.size / taken
