"""`sample_lgen` under vmap, jit and derivatives: the draws of the plain call, from one compiled program.

d = 6: sizes on both sides of d, ridges for which "dual", "bartlett" and "scalar" are chosen.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lidjax
from lidjax.generalization import resolve_method, sampling

DIM = 6
EIGENVALUES, THETA = lidjax.power_law_spectrum(DIM, 0.5), lidjax.power_law_teacher(DIM)
SIZES, RIDGES, BETAS, SIGMAS = (3, 6, 8, 40, 5000), (0.0, 1e-8, 0.1), (1.5, 2.5), (0.0, 0.3)


def draw(key, n, beta, sigma_eta, ridge, eigenvalues=EIGENVALUES, theta=THETA, **how):
    model = {"eigenvalues": eigenvalues, "theta": theta}
    how = {"num_samples": 2, **how}
    return lidjax.sample_lgen(key, n, **model, beta=beta, sigma_eta=sigma_eta, ridge=ridge, **how)


JITTED = jax.jit(draw, static_argnames=("num_samples", "method"))


def test_jit_with_every_argument_traced_gives_the_plain_draws_and_compiles_once():
    """A loop over sizes on both sides of d and over ridges, as integers and as floats of one type."""
    chosen = set()
    for n in SIZES:
        for ridge in RIDGES:
            arguments = jax.random.key(n), n, 2.5, 0.3, ridge
            known = {"eigenvalues": EIGENVALUES, "theta": THETA, "beta": 2.5, "sigma_eta": 0.3}
            chosen.add(resolve_method("exact", n, DIM, ridge, **known))
            plain = draw(*arguments)
            assert np.all(np.asarray(plain) > 0)
            np.testing.assert_allclose(JITTED(*arguments, EIGENVALUES, THETA), plain, rtol=1e-9)
    assert chosen == {"dual", "bartlett", "scalar"}
    assert JITTED._cache_size() == 1


def test_vmap_over_everything_gives_the_plain_draws():
    """Nested five deep: key, n, beta, sigma_eta and ridge."""
    keys = jax.random.split(jax.random.key(1), 2)
    values = [keys, jnp.asarray(SIZES), jnp.asarray(BETAS), jnp.asarray(SIGMAS), jnp.asarray(RIDGES)]
    function = draw
    for axis in reversed(range(5)):
        function = jax.vmap(function, tuple(0 if i == axis else None for i in range(5)))
    together = np.asarray(jax.jit(function)(*values))
    assert together.shape == (2, 5, 2, 2, 3, 2)
    for index in (
        (0, 0, 0, 1, 0),
        (1, 1, 1, 1, 2),
        (0, 2, 1, 1, 0),
        (1, 3, 0, 1, 1),
        (0, 4, 1, 1, 2),
        (1, 3, 1, 0, 2),
    ):
        alone = draw(*(value[i] for value, i in zip(values, index, strict=True)))
        np.testing.assert_allclose(together[index], alone, rtol=1e-9)


def test_the_first_script_of_a_study(monkeypatch):
    """vmap over seeds, sizes and β: one trace, one compilation, the medians of independent calls."""
    traces = []
    right = sampling.draw_chosen
    monkeypatch.setattr(sampling, "draw_chosen", lambda *a, **k: traces.append(1) or right(*a, **k))
    spectrum, theta = lidjax.power_law_spectrum(5, 1.0), lidjax.power_law_teacher(5)

    def loss(seed, n, beta):
        noise = {"beta": beta, "sigma_eta": 0.1, "ridge": 0.0}
        key = jax.random.key(seed)
        return lidjax.sample_lgen(key, n, eigenvalues=spectrum, theta=theta, **noise, num_samples=1)[0]

    over_beta = jax.vmap(loss, (None, None, 0))
    grid = jax.jit(jax.vmap(jax.vmap(over_beta, (None, 0, None)), (0, None, None)))
    for sizes in ([2, 50, 1000], [3, 7, 10**6]):
        lgen = grid(jnp.arange(64), jnp.asarray(sizes), jnp.asarray([2.5, 6.0]))
        assert lgen.shape == (64, 3, 2)
        assert np.all(np.isfinite(lgen))
    assert len(traces) == grid._cache_size() == 1
    assert np.all(np.median(lgen[:, 2], axis=0) < 1e-3 * np.median(lgen[:, 1], axis=0))  # as 1/N


# n, ridge and the kernel that serves them; labels are summed one by one up to n = 1024
POINTS = [(3.0, 0.1, "dual"), (20.0, 0.1, "bartlett"), (40.0, 0.0, "scalar"), (5000.0, 0.1, "bartlett")]


def mean_log(key, *point):
    return jnp.mean(jnp.log(draw(key, *point)))


REVERSE = jax.jit(jax.grad(mean_log, tuple(range(1, 7))))
VALUE_AND_SLOPE = jax.jit(lambda key, point, dots: jax.jvp(lambda *x: mean_log(key, *x), point, dots))


@pytest.mark.parametrize(("n", "ridge", "method"), POINTS)
def test_derivatives_in_both_modes_against_differences(n, ridge, method):
    """Under jit with everything traced, where the kernel is chosen inside. Forward along a direction in all arguments
    is the product with the gradient; without n, in which draws jump, it is the slope of a difference."""
    key, rng = jax.random.key(7), np.random.default_rng(0)
    point = tuple(jnp.asarray(x) for x in (n, 2.5, 0.3, ridge, EIGENVALUES, THETA))
    gradient = REVERSE(key, *point)
    dots = tuple(jnp.asarray(x * rng.uniform(-1, 1, x.shape)) for x in map(np.asarray, point))
    _, forward = VALUE_AND_SLOPE(key, point, dots)
    assert float(forward) == pytest.approx(
        sum(float(jnp.sum(g * d)) for g, d in zip(gradient, dots, strict=True))
    )
    dots = (jnp.zeros_like(point[0]), *dots[1:])
    _, forward = VALUE_AND_SLOPE(key, point, dots)
    step = 1e-5
    up, down = (
        VALUE_AND_SLOPE(key, tuple(x + s * step * d for x, d in zip(point, dots, strict=True)), dots)[0]
        for s in (1, -1)
    )
    assert float(forward) == pytest.approx(float(up - down) / (2 * step), rel=1e-4)


def test_reverse_derivatives_under_vmap_are_finite_on_both_sides():
    """The kernels that are not chosen are computed too, and leave no NaN behind."""
    sizes = jnp.asarray([p[0] for p in POINTS])

    def total(ridge):
        return jnp.sum(
            jax.vmap(lambda n: mean_log(jax.random.key(7), n, 2.5, 0.3, ridge, EIGENVALUES, THETA))(sizes)
        )

    slope = float(jax.jit(jax.grad(total))(0.1))
    alone = [REVERSE(jax.random.key(7), n, 2.5, 0.3, 0.1, EIGENVALUES, THETA)[3] for n in sizes]
    assert slope == pytest.approx(float(sum(alone)), rel=1e-6)


def test_eager_gradient_chooses_by_value():
    """Without jit the numbers are known under grad: the program of the plain call, and its kernel."""
    slope = jax.grad(lambda sigma: jnp.sum(draw(jax.random.key(0), 40, 2.5, sigma, 0.0)))(0.3)
    assert float(slope) == pytest.approx(2 * float(jnp.sum(draw(jax.random.key(0), 40, 2.5, 0.3, 0.0))) / 0.3)


BAD = {
    "n": (0, 7.5, np.nan, np.inf, 1e16),
    "beta": (0.0, -1.0, np.nan, np.inf),
    "sigma_eta": (-0.1, np.nan, np.inf),
    "ridge": (-1e-9, np.nan, np.inf),
}


@pytest.mark.parametrize("function", [lidjax.sample_lgen, lidjax.lgen_cell])
def test_numbers_out_of_range_are_refused(function):
    right = {"n": 40, "beta": 2.5, "sigma_eta": 0.3, "ridge": 0.1, "eigenvalues": EIGENVALUES, "theta": THETA}
    more = {"num_samples": 2} if function is lidjax.sample_lgen else {}

    def call(**wrong):
        return function(jax.random.key(0), **{**right, **more, **wrong})

    for name, values in BAD.items():
        for value in values:
            with pytest.raises(lidjax.InputError, match=f"^{name} = .*: must be "):
                call(**{name: value})
        with pytest.raises(lidjax.InputError, match=rf"^{name} of shape \(2,\): must be a single number"):
            call(**{name: jnp.ones(2)})
    for wrong in (EIGENVALUES[None], jnp.asarray(1.0), jnp.zeros(0)):
        with pytest.raises(lidjax.InputError, match=r"^eigenvalues of shape .*: must have shape \(d,\)"):
            call(eigenvalues=wrong)
    for wrong in (THETA[:-1], THETA[None], jnp.asarray(1.0)):
        with pytest.raises(lidjax.InputError, match=r"^theta of shape .*: must have shape \(6,\)"):
            call(theta=wrong)
    with pytest.raises(lidjax.InputError, match=r"^eigenvalues\[2\] = -1: must be greater than 0"):
        call(eigenvalues=EIGENVALUES.at[2].set(-1.0))
    with pytest.raises(lidjax.InputError, match=r"^eigenvalues\[5\] = 0: must be greater than 0"):
        call(eigenvalues=EIGENVALUES.at[5].set(0.0))
    with pytest.raises(lidjax.InputError, match=r"^theta\[0\] = nan: must be finite"):
        call(theta=THETA.at[0].set(np.nan))
    with pytest.raises(lidjax.InputError, match="must be made of real"):
        call(theta=np.asarray(THETA) + 1j)


def test_traced_numbers_out_of_range_give_nan():
    """Each bad value beside good ones, in the program that the other tests have compiled."""
    key = jax.random.key(3)
    right = {"n": 40, "beta": 2.5, "sigma_eta": 0.3, "ridge": 0.0, "eigenvalues": EIGENVALUES, "theta": THETA}
    assert np.all(np.isfinite(JITTED(key, **right)))
    wrong = {**BAD, "eigenvalues": (EIGENVALUES.at[2].set(-1.0),), "theta": (THETA.at[0].set(np.nan),)}
    for name, values in wrong.items():
        for value in values:
            value = float(value) if np.ndim(value) == 0 else value
            assert np.all(np.isnan(JITTED(key, **{**right, "n": 40.0, name: value})))
    assert np.all(np.isnan(JITTED(key, **{**right, "n": 7}, method="scalar")))  # d + 1: not covered


def test_integers_serve_as_numbers():
    """Integer eigenvalues and teacher are those of floats, not a result cut to whole numbers."""
    whole, how = np.array([4, 2, 1]), {"beta": 3, "sigma_eta": 1, "ridge": 1, "num_samples": 2}
    one, other = (
        lidjax.sample_lgen(jax.random.key(0), 7, eigenvalues=v, theta=v, **how)
        for v in (whole, whole.astype(float))
    )
    np.testing.assert_array_equal(one, other)
    assert one.dtype == jnp.float64


@pytest.mark.parametrize("n", [3, 40])
def test_a_ridge_of_any_size_shrinks_to_the_teacher(n):
    """ridge = 1e300: L_gen = Σ λ θ*², where products with N or 1/λ would overflow; in float32 too."""
    for dtype in (jnp.float64, jnp.float32):
        values, theta = EIGENVALUES.astype(dtype), THETA.astype(dtype)
        expected = float(jnp.sum(values * theta**2))
        for ridge in (1e30, 1e300):
            lgen = draw(jax.random.key(0), n, 2.5, 0.3, ridge, values, theta)
            np.testing.assert_allclose(lgen, expected, rtol=1e-6)
            equivalent = lidjax.deterministic_lgen(
                n, eigenvalues=values, theta=theta, noise_variance=0.1, ridge=ridge
            )
            assert float(equivalent) == pytest.approx(expected, rel=1e-6)


def test_simulation_next_to_the_peak_without_much_ridge():
    """N = d - 1, a steep spectrum and a tiny ridge: forming XXᵀ would leave no Cholesky factor."""
    values, theta = lidjax.power_law_spectrum(40, 4.0), lidjax.power_law_teacher(40)
    number = {"eigenvalues": values, "theta": theta, "beta": 2.5, "sigma_eta": 0.3, "num_samples": 200}
    lgen = np.asarray(lidjax.sample_lgen(jax.random.key(0), 39, ridge=1e-14, method="simulate", **number))
    exact = np.asarray(lidjax.sample_lgen(jax.random.key(1), 39, ridge=1e-14, method="dual", **number))
    assert np.all(np.isfinite(lgen))
    assert abs(np.mean(np.log(lgen / exact))) < 5 * np.std(np.log(lgen)) * np.sqrt(
        2 / 200
    )  # false alarm 6e-7


def test_no_noise_is_no_noise_for_small_beta():
    for method, n in (("exact", 40), ("simulate", 40), ("simulate", 3)):
        lgen = draw(jax.random.key(0), n, 0.01, 0.0, 0.1, method=method, num_samples=20)
        assert np.all(np.isfinite(lgen) & (np.asarray(lgen) > 0))
