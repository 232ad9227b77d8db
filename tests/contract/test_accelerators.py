"""Kernels, and the programs of synthetic sweeps and real features, lower for GPU and TPU without one at hand.

`jax.export` runs JAX's lowering rules of the named platforms. An operation without a rule for one of them fails here,
and so does a program that asks the host in the middle. What the vendors' compilers then do is not tested, nor are the
programs of other kinds of sweep, whose kernels are among the public functions here.
"""

from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from contract.test_single_precision import CASES
from jax import export

from lidjax.generalization import CellMethod
from lidjax.passk import build_curve, eval_curve
from lidjax.sweep import Features, Model
from lidjax.sweep.sources import features
from lidjax.sweep.sources.synthetic import programs

PLATFORMS = ("cuda", "tpu")
ROOT = jax.random.key(0, impl="threefry2x32")


def lower(function, *arguments):
    """Lower a function for the accelerators; raises where it cannot be."""
    exported = export.export(jax.jit(function), platforms=PLATFORMS)(*arguments)
    assert set(exported.platforms) == set(PLATFORMS)
    return exported


@pytest.fixture
def as_on_an_accelerator(monkeypatch):
    """Programs are made as they are where the default device is not a CPU."""
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    for program in (programs.lgen_program, programs.sampled_failure_program, features.compiled_tile):
        program.cache_clear()
    yield
    for program in (programs.lgen_program, programs.sampled_failure_program, features.compiled_tile):
        program.cache_clear()


@pytest.mark.parametrize("name", CASES)
def test_functions(name):
    lower(lambda: jax.tree.leaves(CASES[name]()))


def test_an_operation_of_the_cpu_alone_is_found():
    """Negative control: eigenvalues of a matrix that is not symmetric are LAPACK's."""
    with pytest.raises(NotImplementedError, match="eig"):
        lower(jnp.linalg.eig, jnp.eye(3))


def test_real_features(as_on_an_accelerator):
    file = Features(path="none", num_validation=10, labels_per_split=2)
    lengths = {"ridge": 1, "delta": 2, "scale": 1}
    program = features.compiled_tile(file, tuple(lengths.items()), "quick")
    axes = {name: np.linspace(0.1, 0.2, length) for name, length in lengths.items()}
    n, k = np.array([4, 10, 20]), np.array([1.0, 10.0])
    instances = (jnp.ones((40, 6)), jnp.ones(40), jnp.ones(40))
    lower(program, axes, ROOT, n, k, instances)


AXES = {"beta": 2, "alpha": 1, "ridge": 1, "sigma_eta": 1, "delta": 2, "n": 2, "seed": 3}


def arguments(dtype, without=()):
    size = np.array([40.0, 80.0], dtype)
    values = {
        "beta": [2.5, 5.0], "alpha": [1.2], "ridge": [1e-2], "sigma_eta": [0.1], "delta": [0.05, 0.1],
    }  # fmt: skip
    axes = {name: np.array(value, dtype) for name, value in values.items()}
    axes |= {
        "n": programs.TrainingSize(size, np.array([[0, 40], [0, 80]], np.uint32)),
        "seed": np.arange(3, dtype=np.uint32),
    }
    return {name: value for name, value in axes.items() if name not in without}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("method", get_args(CellMethod))
def test_training_sets(as_on_an_accelerator, method, dtype):
    lengths = tuple((name, length) for name, length in AXES.items() if name != "delta")
    program = programs.lgen_program(8, method, Model(), lengths)
    lower(program, arguments(dtype, without=("delta",)), ROOT)


@pytest.mark.parametrize("failure", ["instances", "draws", "proposals"])
def test_sampled_failures(as_on_an_accelerator, failure):
    lengths = tuple(AXES.items())
    lgen = np.full([length for name, length in AXES.items() if name != "delta"], 1e-3)
    program = programs.sampled_failure_program(8, Model(failure=failure, num_instances=64), lengths)
    lower(program, arguments(np.float64), lgen, np.array([1.0, 10.0]), ROOT)


def test_tables_of_the_population_curve():
    def curve(k, v):
        table = build_curve(
            *map(jnp.asarray, (0.0, 1.0)),
            k,
            beta=jnp.asarray(2.5),
            delta_over_sigma=jnp.asarray(0.5),
            bias_nodes=32,
            tau_nodes=64,
        )
        return eval_curve(table, v)

    lower(curve, jnp.array([1.0, 10.0]), jnp.array(2.0))
