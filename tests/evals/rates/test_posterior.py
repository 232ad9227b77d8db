"""The posterior of the default model against quadrature over the parameters."""

import numpy as np
import pytest
from scipy import integrate, special, stats

from lidjax.evals.rates.members import MEMBERS
from lidjax.evals.rates.posterior import log_likelihoods, prepare_rows, sample_posterior
from lidjax.evals.rates.quadrature import COARSE_GRID, count_rows

PROBLEMS, N = 64, 50
BY_NAME = {member.name: member for member in MEMBERS}
GRID_ERROR = 0.1  # of the log-likelihood of a hundred problems on COARSE_GRID


@pytest.fixture(scope="module")
def example():
    rng = np.random.default_rng(3)
    c = rng.binomial(N, rng.beta(0.4, 4, PROBLEMS))
    return np.full(PROBLEMS, N), c


def beta_log_likelihood(c, log_a, log_b, weight):
    """log P(counts) under a beta distribution with an atom at zero, by SciPy's beta-binomial distribution."""
    values, times = np.unique(c, return_counts=True)
    chance = stats.betabinom.pmf(values, N, np.exp(log_a)[..., None], np.exp(log_b)[..., None])
    chance = (1 - weight)[..., None] * chance + weight[..., None] * (values == 0)
    return np.log(chance) @ times


def test_the_likelihood_is_that_of_the_beta_binomial(example):
    rows = count_rows(*example, COARSE_GRID)
    likelihood = prepare_rows(rows)
    log_a, log_b = np.array([-1.0, -0.5, -1.4]), np.array([1.2, 2.0, 0.7])
    masses = BY_NAME["beta"].masses(np.column_stack([log_a, log_b]), COARSE_GRID)
    plain, mixed = log_likelihoods(masses, likelihood)
    scale = np.sum(rows.multiplicity * rows.log_scale)
    exact = beta_log_likelihood(example[1], log_a, log_b, np.zeros(3))
    np.testing.assert_allclose(plain + scale, exact, atol=GRID_ERROR)
    atom = np.broadcast_to(likelihood.atom, mixed.shape)
    exact = beta_log_likelihood(example[1], log_a[:, None], log_b[:, None], atom)
    np.testing.assert_allclose(mixed + scale, exact, atol=GRID_ERROR)


@pytest.mark.parametrize("inflated", [0.0, 0.3])
def test_evidence_and_means_are_those_of_quadrature(example, inflated):
    """The member with a beta distribution, by the trapezoid rule over (log a, log b) and the weight of the atom.

    The tolerances are five standard errors of the sample beside the error of the grid.
    """
    member = BY_NAME["beta"]
    found = sample_posterior(count_rows(*example, COARSE_GRID), members=(member,), inflated=inflated)
    axes = [m + s * np.linspace(-4.5, 4.5, 91) for m, s in zip(member.mean, member.scale, strict=True)]
    log_a, log_b = np.meshgrid(*axes, indexing="ij")
    prior = sum(
        stats.norm.logpdf(x, m, s) for x, m, s in zip((log_a, log_b), member.mean, member.scale, strict=True)
    )
    plain = beta_log_likelihood(example[1], log_a, log_b, np.zeros_like(log_a))
    weight = (np.arange(40) + 0.5) / 40
    mixed = np.stack([beta_log_likelihood(example[1], log_a, log_b, np.full_like(log_a, w)) for w in weight])
    with_atom = special.logsumexp(mixed, axis=0) - np.log(40)
    with np.errstate(divide="ignore"):
        total = prior + np.logaddexp(np.log1p(-inflated) + plain, np.log(inflated) + with_atom)
    share = np.exp(total - total.max())
    evidence = np.log(share.sum() * (axes[0][1] - axes[0][0]) * (axes[1][1] - axes[1][0])) + total.max()
    error = 5 / np.sqrt(found.effective_sample_size)
    assert found.converged
    assert found.log_evidence == pytest.approx(evidence, abs=error + GRID_ERROR)
    share /= share.sum()
    mean = np.sum(share * log_a)
    spread = np.sqrt(np.sum(share * (log_a - mean) ** 2))
    assert np.log(found.tail_index).mean() == pytest.approx(mean, abs=(error + 5 / np.sqrt(1000)) * spread)
    if inflated:
        never = np.sum(share * inflated * np.exp(with_atom + prior - total))
        assert np.mean(found.never_solved > 0) == pytest.approx(never, abs=error + 5 * np.sqrt(never / 1000))
    else:
        assert not found.never_solved.any()


def test_evidence_of_the_extremes_is_that_of_quadrature():
    """All problems are equally hard; or each is solved always or never, which one attempt in between refutes."""
    n, c = np.full(40, 1), np.repeat([0, 1], [30, 10])
    for name, log_chance in (
        ("atoms-1", lambda x: -10 * np.logaddexp(0, -x) - 30 * np.logaddexp(0, x)),
        ("always-or-never", lambda x: -10 * np.logaddexp(0, -x) - 30 * np.logaddexp(0, x)),
    ):
        member = BY_NAME[name]
        found = sample_posterior(count_rows(n, c, COARSE_GRID), members=(member,), inflated=0.0)
        exact, _ = integrate.quad(
            lambda x, log_chance=log_chance, member=member: (
                np.exp(log_chance(x) + 25) * stats.norm.pdf(x, member.mean[0], member.scale[0])
            ),
            -15,
            8,
            points=[-2, -1, 0],
        )
        assert found.log_evidence == pytest.approx(np.log(exact) - 25, abs=0.02)
    rows = count_rows(np.full(40, 2), np.repeat([0, 1, 2], [20, 1, 19]), COARSE_GRID)
    found = {member.name: member.probability for member in sample_posterior(rows).members}
    assert found["always-or-never"] < 0.01
    assert sum(found.values()) == pytest.approx(1)


def test_the_average_weighs_members_by_their_evidence(example):
    rows = count_rows(*example, COARSE_GRID)
    pair = BY_NAME["beta"], BY_NAME["atoms-3"]
    both = sample_posterior(rows, members=pair)
    evidence = [sample_posterior(rows, members=(member,)).log_evidence for member in pair]
    assert [member.log_evidence for member in both.members] == pytest.approx(evidence, abs=1e-9)
    prior = np.array([member.weight for member in pair])
    joint = np.log(prior / prior.sum()) + evidence
    assert [member.probability for member in both.members] == pytest.approx(special.softmax(joint))
    assert both.log_evidence == pytest.approx(special.logsumexp(joint))
    shares = np.bincount(both.member, minlength=2) / len(both.member)
    np.testing.assert_allclose(shares, special.softmax(joint), atol=2e-3)  # systematic resampling
