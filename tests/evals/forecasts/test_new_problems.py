"""Forecasts of new problems: exact means of known densities, and coverage of problems that were not seen."""

import csv

import numpy as np
import pytest
from scipy import special

from lidjax.errors import InputError
from lidjax.evals import forecast_new_problems
from lidjax.evals.forecasts.forecast import forecast_from_posterior
from lidjax.evals.forecasts.new_problems import (
    draw_logits,
    means_of_many,
    means_of_sample,
    new_problems_from_posterior,
    unsolved_share,
)
from lidjax.evals.rates.posterior import sample_posterior
from lidjax.evals.rates.quadrature import COARSE_GRID, count_rows
from lidjax.passk import pass_at_k_from_counts

K = np.array([1, 10, 100, 1000])


def beta_masses(a, b):
    """Masses of the nodes for p ~ Beta(a, b)."""
    log_p, log_q = -np.logaddexp(0, -COARSE_GRID.nodes), -np.logaddexp(0, COARSE_GRID.nodes)
    density = np.exp(a * log_p + b * log_q - special.betaln(a, b))
    return density * COARSE_GRID.weights / (density @ COARSE_GRID.weights)


def test_means_of_a_known_density():
    """Means of (1-p)^k against the beta function: 3e-3, the interpolation of the density. Means of drawn problems
    against them, within five standard errors of 4000 draws; and the normal means of many likewise."""
    a, b = 0.8, 3.0
    masses = beta_masses(a, b)
    exact = np.exp(special.betaln(a, b + K) - special.betaln(a, b))
    np.testing.assert_allclose(unsolved_share(K) @ masses, exact, rtol=3e-3)  # worst: 2.2e-3
    rng = np.random.default_rng(0)
    many = np.tile(masses, (40, 1))
    found = {
        "sample": means_of_sample(rng, many, K, 1000),
        "many": means_of_many(rng, many, K, 1000),
    }
    spread = np.sqrt((np.exp(special.betaln(a, b + 2 * K) - special.betaln(a, b)) - exact**2) / 1000)
    for means in found.values():
        assert np.all(np.abs(means.mean(axis=0) - (1 - exact)) < 5 * spread / np.sqrt(40) + 3e-3 * exact)
        # the standard deviation of 40 means is off by a factor of 1.6 with probability 1e-4
        assert np.all(np.abs(np.log(means.std(axis=0) / spread)) < np.log(1.6))


def test_drawn_rates_have_the_density():
    """Kolmogorov's distance of 20,000 draws from the exact distribution: beyond 0.0144 with probability 5e-4."""
    masses = beta_masses(0.5, 2.0)
    drawn = np.sort(draw_logits(np.random.default_rng(1), masses[None], 20_000)[0])
    exact = special.betainc(0.5, 2.0, special.expit(drawn))
    steps = np.arange(20_000) / 20_000
    assert np.max(np.abs(exact - steps)) < 0.0144
    wrong = special.betainc(0.5, 2.2, special.expit(drawn))
    assert np.max(np.abs(wrong - steps)) > 0.0144


@pytest.mark.slow
def test_intervals_cover_problems_that_were_not_seen():
    """40 populations Beta(a, 4), 48 problems of 60 attempts each, and 48 new ones: fewer than 29 of 40 intervals at
    90 % hold their pass@100 with probability 2e-4. The control is the interval of the problems at hand."""
    hits = control = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        a = rng.uniform(0.3, 0.8)
        rates, new = rng.beta(a, 4, 48), rng.beta(a, 4, 48)
        c = rng.binomial(60, rates)
        truth = np.mean(1 - (1 - new) ** 100)
        n, k = np.full(48, 60), np.array([100])
        rows = count_rows(n, c, COARSE_GRID)
        posterior = sample_posterior(rows, seed=seed)
        found = new_problems_from_posterior(rng, posterior, k, problems=48, level=0.9)
        these = forecast_from_posterior(rng, posterior, rows, n, c, k, level=0.9)
        hits += found.lower[0] <= truth <= found.upper[0]
        control += these.latent_lower[0] <= truth <= these.latent_upper[0]
    print(f"\nnew problems {hits} of 40, these problems {control} of 40")
    assert hits >= 29
    assert control < 29


@pytest.mark.slow
def test_half_of_real_problems_forecast_the_other_half(real_data):
    """GSM8K groups with 1000 attempts a problem: pass@1000 of the half that was not seen, from 100 attempts each.

    34 groups, which share their problems: fewer than 70 % of the intervals at 90 % would be far from chance. The
    intervals are wide, so that of the problems at hand holds the other half as well: no control is in it.
    """
    groups: dict[str, list[tuple[int, int]]] = {}
    with open(real_data / "evals" / "pythia_gsm8k_checkpoint_counts.csv") as file:
        for row in csv.DictReader(file):
            groups.setdefault(row["model"], []).append((int(row["n"]), int(row["c"])))
    hits = total = 0
    for name, counts in groups.items():
        n, c = np.array(counts).T
        n, c = n[n >= 1000], c[n >= 1000]
        if len(n) < 100 or np.mean(c > 0) < 0.2:
            continue
        rng = np.random.default_rng(len(name))
        order = rng.permutation(len(n))
        seen, other = order[: len(n) // 2], order[len(n) // 2 :]
        tried = rng.hypergeometric(c[seen], n[seen] - c[seen], 100)
        truth = pass_at_k_from_counts(n[other], c[other], 1000).mean()
        found = forecast_new_problems(np.full(len(seen), 100), tried, 1000, problems=len(other))
        hits += found.lower[0] <= truth <= found.upper[0]
        total += 1
    print(f"\nnew problems: {hits} of {total} intervals hold the other half")
    assert total >= 20
    assert hits >= 0.7 * total


def test_larger_sets_are_nearer_to_the_population():
    n, c = [100] * 40, [0, 0, 1, 3, 10, 60, 2, 90] * 5
    widths = [
        np.ptp([f.lower, f.upper])
        for f in (forecast_new_problems(n, c, 100, problems=p) for p in (1, 40, 30_000))
    ]
    assert widths[0] > 1.5 * widths[1] > 1.5 * widths[2]


@pytest.mark.parametrize(
    ("how", "message"),
    [({"problems": 0}, "problems = 0"), ({"level": 90}, "level 90"), ({"k": 0}, "at least 1")],
)
def test_bad_input_is_refused(how, message):
    with pytest.raises(InputError, match=message):
        forecast_new_problems(**({"n": [9, 9], "c": [0, 3], "k": 10} | how))
