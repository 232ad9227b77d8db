"""Laws and success probabilities under jit, vmap and grad together, in every float argument.

Each case is one compiled program: values and gradients over a batch that holds the point and its neighbours, which give
the central differences.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lidjax

STEP = 1e-5  # relative; central differences are then right to about 1e-9 of the third derivative
TOLERANCE = 1e-6
K, LGEN = {"k": 1e6}, {"lgen": 0.3}
MODEL = {"beta": 2.5, "delta": 0.5, "sigma_eta": 1.2}
SLOW = {  # to compile: Newton steps within Newton steps
    "asymptotic_failure": K | LGEN | MODEL,
    "finite_n_failure": K | LGEN | MODEL,
    "threshold_failure": K | LGEN | MODEL,
    "log_crossover_k": LGEN | MODEL,
}
CASES = SLOW | {
    "finite_n_exponent": LGEN | {"sigma_eta": 1.2, "tau_max": 3.0},
    "intrinsic_amplitude": MODEL,
    "intrinsic_failure": K | MODEL,
    "intrinsic_prefactor": MODEL,
    "limiting_exponent": {"beta": 2.0, "gamma": 0.7},
    "saturating_exponent": {"n": 300.0, "beta": 2.5, "delta": 1.5, "c": 0.01, "nu": 0.9},
    "small_window_success": {"bias": 0.4, "tau": 1.3, "delta": 0.1, "sigma_eta": 1.2},
    "stretched_tail": {"s": 1e-4, "lgen": 0.3, "sigma_eta": 1.2, "delta": 0.2},
    "tauberian_amplitude": {"amplitude": 0.3, "exponent": 1.7},
    "two_tail_failure": K | {"beta": 2.0, "gamma": 0.7, "c1": 3.0, "c2": 0.01},
    "window_constant": {"delta": 0.3, "sigma_eta": 1.2},
    "success_probability": {"bias": 0.4, "tau": 1.3, "delta": 0.1, "sigma_eta": 1.2},
    "log_miss_probability": {"bias": 0.4, "tau": 1.3, "delta": 2.0, "sigma_eta": 1.2},
    "model_draw_success": {"gap": 0.4, "delta": 0.3, "scale": 1.2},
    "mean_inverse_precision": {"beta": 2.5},
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in CASES]
)
def test_gradients_under_jit_and_vmap_are_those_of_central_differences(name):
    arguments = CASES[name]
    at = np.array(list(arguments.values()))

    def value(point):
        return getattr(lidjax, name)(**dict(zip(arguments, point, strict=True)))

    steps = STEP * np.diag(at)
    batch = jnp.asarray(np.concatenate([at[None], at + steps, at - steps]))
    values, gradients = jax.jit(jax.vmap(jax.value_and_grad(value)))(batch)
    above, below = np.split(np.asarray(values)[1:], 2)
    differences = (above - below) / (2 * STEP * at)
    scale = np.abs(differences) + np.abs(values[0]) / at
    np.testing.assert_array_less(np.abs(gradients[0] - differences), TOLERANCE * scale)
    assert np.isfinite(gradients).all()
    alone = value(at.tolist())
    np.testing.assert_allclose(values[0], alone, rtol=1e-9)


REFUSED = {
    "intrinsic_failure": ("beta", 0.0),
    "saturating_exponent": ("nu", -1.0),
    "two_tail_failure": ("c1", -1.0),
    "success_probability": ("tau", -1.0),
    "model_draw_success": ("scale", 0.0),
    "stretched_tail": ("s", 1.0),
    "limiting_exponent": ("gamma", 0.0),
    "finite_n_exponent": ("lgen", 0.0),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_value_that_is_not_allowed_is_refused_or_gives_nan_where_it_is_traced(name):
    argument, bad = REFUSED[name]
    function, arguments = getattr(lidjax, name), {**CASES[name], argument: bad}
    with pytest.raises(lidjax.InputError, match=rf"^{argument} = {bad:g}: must be "):
        function(**arguments)
    assert np.isnan(jax.vmap(lambda x: function(**{**arguments, argument: x}))(jnp.array([bad]))[0])
