"""One cell: the choice of the method, dtypes, and what is drawn once under `vmap`."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lidjax.generalization import lgen_cell, resolve_method
from lidjax.model import power_law_spectrum, power_law_teacher

DIM = 20
EIGENVALUES, THETA = power_law_spectrum(DIM, 0.5), power_law_teacher(DIM)


def test_a_small_ridge_is_left_out_only_where_it_is_negligible():
    known = {"eigenvalues": EIGENVALUES, "theta": THETA, "beta": 2.5, "sigma_eta": 1e-3}
    assert resolve_method("exact", 1000, DIM, 1e-9, **known) == "scalar"
    assert (
        resolve_method("exact", 10**15, DIM, 1e-9, **known) == "bartlett"
    )  # noise has averaged out, the bias has not
    # at d + 2 and d + 3 no ridge is small enough, for the mean is not linear in it
    methods = [resolve_method("exact", DIM + more, DIM, 1e-13, **known) for more in (2, 3, 4)]
    assert methods == ["bartlett", "bartlett", "scalar"]
    assert resolve_method("exact", 1000, DIM, 1e-3, **known) == "bartlett"
    assert resolve_method("exact", 1000, DIM, 1e-9) == "bartlett"
    assert resolve_method("exact", 1000, DIM, 1e-9, **{**known, "sigma_eta": 0.0}) == "bartlett"


def test_resolution():
    assert [resolve_method("auto", n, 5, 0.0) for n in (4, 5, 6, 7)] == [
        "dual",
        "bartlett",
        "bartlett",
        "scalar",
    ]
    assert [resolve_method("simulate", n, 5, 0.0) for n in (4, 5)] == ["simulate_dual", "simulate_primal"]
    with pytest.raises(ValueError, match=r"method = 'exakt' is not known.*; allowed: auto, exact, simulate"):
        resolve_method("exakt", 10, 5, 0.0)
    with pytest.raises(ValueError, match="method = 'dual': does not cover n = 10"):
        resolve_method("dual", 10, 5, 0.0)
    with pytest.raises(ValueError, match="method = 'scalar': does not cover n = 6"):
        resolve_method("scalar", 6, 5, 0.0)
    with pytest.raises(ValueError, match="n = 0: must be at least 1"):
        resolve_method("exact", 0, 5, 0.0)
    with pytest.raises(ValueError, match="ridge = nan: must be at least 0"):
        resolve_method("exact", 7, 5, float("nan"))


@pytest.mark.parametrize("method", ["simulate_primal", "simulate_dual", "bartlett", "dual", "scalar"])
def test_float32_has_no_float64_inside(method, equations):
    n = 10 if "dual" in method else 50

    def cell(key, eigenvalues, theta):
        arguments = {"eigenvalues": eigenvalues, "theta": theta, "beta": 2.5, "sigma_eta": 0.3, "ridge": 1e-3}
        return lgen_cell(key, n, method=method, **arguments)

    jaxpr = jax.make_jaxpr(cell)(
        jax.random.key(0), EIGENVALUES.astype(jnp.float32), THETA.astype(jnp.float32)
    )
    assert jaxpr.out_avals[0].dtype == jnp.float32
    wide = [e for e in equations(jaxpr) for v in e.outvars if v.aval.dtype == jnp.float64 and v.aval.shape]
    assert not wide


@pytest.mark.slow
def test_one_design_serves_every_beta_and_sigma(equations):
    """Under vmap with one key nothing of size d² is batched, and the noise norm is the only thing that changes."""
    betas = jnp.asarray([1.5, 2.5, 5.0])

    def over_betas(key):
        cell = functools.partial(
            lgen_cell, key, 50, eigenvalues=EIGENVALUES, theta=THETA, ridge=1e-3, method="bartlett"
        )
        return jax.vmap(lambda beta: cell(beta=beta, sigma_eta=0.3))(betas)

    jaxpr = jax.make_jaxpr(over_betas)(jax.random.key(0))
    shapes = [
        v.aval.shape for e in jaxpr.eqns for v in e.outvars if e.primitive.name in ("cholesky", "dot_general")
    ]
    assert shapes
    assert not [shape for shape in shapes if 3 in shape and shape.count(DIM) == 2]
    alone = [
        lgen_cell(
            jax.random.key(0),
            50,
            eigenvalues=EIGENVALUES,
            theta=THETA,
            beta=b,
            sigma_eta=0.3,
            ridge=1e-3,
            method="bartlett",
        )
        for b in betas
    ]
    np.testing.assert_allclose(over_betas(jax.random.key(0)), alone, rtol=1e-12)
