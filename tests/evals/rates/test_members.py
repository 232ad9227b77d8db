"""The families of the default model against densities in double precision."""

import numpy as np
import pytest
from scipy import special, stats

from lidjax.evals.rates.members import MEMBERS, curvature
from lidjax.evals.rates.quadrature import COARSE_GRID

X = np.asarray(COARSE_GRID.nodes)
WIDTH = np.asarray(COARSE_GRID.weights)
P, Q = special.expit(X), special.expit(-X)
BY_NAME = {member.name: member for member in MEMBERS}


def kumaraswamy(a, b):
    return a * b * P**a * Q * (-np.expm1(a * np.log(P))) ** (b - 1)


def bent(x0, s, b, q, r):
    z = X - x0
    a, bend = (1 - r) * s, 0.5 * r * s / 5 * np.logaddexp(0, -z) ** 2
    return np.exp(a * z - (a + b) / q * np.logaddexp(0, q * z) - bend)


def split_normal(mode, width, ratio):
    return np.exp(-0.5 * ((X - mode) / np.where(mode > X, width / ratio, width * ratio)) ** 2)


def two_bumps():
    return 0.3 * stats.norm.pdf(X, -6, 1.5) + 0.7 * stats.norm.pdf(X, -2, 0.8)


CASES = {
    "beta": ([np.log(0.3), np.log(6.0)], stats.beta.pdf(P, 0.3, 6.0) * P * Q),
    "kumaraswamy": ([np.log(0.4), np.log(3.0)], kumaraswamy(0.4, 3.0)),
    "bent": (
        [-3.0, np.log(0.3), np.log(5.0), 0.2, -1.0],
        bent(-3.0, 0.3, 5.0, np.exp(0.2), special.expit(-1.0)),
    ),
    "log-odds": ([-4.0, np.log(2.0), 0.4], split_normal(-4.0, 2.0, np.exp(0.4))),
    "two-bumps": ([-6.0, np.log(4.0), np.log(1.5), np.log(0.8), special.logit(0.3)], two_bumps()),
}


@pytest.mark.parametrize("name", CASES)
def test_masses_are_those_of_the_density(name):
    """At the inner nodes, which have no part of the mass beyond the grid; single precision is right to 1e-4."""
    params, density = CASES[name]
    mass = BY_NAME[name].masses(np.array([params]), COARSE_GRID)[0].astype(float)
    assert mass.sum() == pytest.approx(1, abs=1e-5)
    expected = (density * WIDTH)[1:-1]
    large = expected > 1e-12 * expected.max()
    ratio = mass[1:-1][large] / expected[large]
    np.testing.assert_allclose(ratio / np.median(ratio), 1, rtol=1e-4)


def test_atoms_have_their_places_and_weights():
    mass = BY_NAME["atoms-2"].masses(np.array([[-5.03, -1.0, np.log(3.0)]]), COARSE_GRID)[0]
    assert mass[X < -3].sum() == pytest.approx(0.25, abs=1e-6)
    assert mass[X < -3] @ X[X < -3] / 0.25 == pytest.approx(-5.03, abs=1e-5)
    assert mass[X > -3] @ X[X > -3] / 0.75 == pytest.approx(-1.0, abs=1e-5)
    extremes = BY_NAME["always-or-never"].masses(np.array([[special.logit(0.3)]]), COARSE_GRID)[0]
    assert extremes[[0, -1]] == pytest.approx([0.7, 0.3])


def test_the_curvature_is_that_of_the_curve():
    """A beta distribution, whose pass@k is closed."""
    mass = BY_NAME["beta"].masses(np.log([[0.4, 6.0]]), COARSE_GRID)
    solved = -np.expm1(special.betaln(0.4, 6 + np.array([1, 100, 10_000])) - special.betaln(0.4, 6))
    assert curvature(mass)[0] == pytest.approx(np.diff(np.log(-np.log(solved)), 2)[0], abs=2e-3)
