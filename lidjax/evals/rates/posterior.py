"""Posterior of the default model: Bayesian averaging over the families of `members.py`.

Each member is sampled by adaptive importance sampling: population Monte Carlo with t proposals and deterministic
mixture weights (Cappé et al. 2004; Owen and Zhou 2000), the first proposal being the prior. So each has its evidence
P(counts | member), and members count by evidence times prior weight. There are no chains, and the effective sample size
says whether the sample can be trusted.

A member that may be inflated has with probability INFLATED an atom at p = 0 of a weight that is uniform on (0, 1). The
weight is integrated out while a member is sampled, and drawn afterwards.
"""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy import special

from lidjax.evals.rates.atoms import atom_proposal
from lidjax.evals.rates.importance import log_normal, log_t, standard_points, standard_t, temper
from lidjax.evals.rates.members import MEMBERS, SMALLEST, Masses, Member, Params, Values
from lidjax.evals.rates.quadrature import COARSE_GRID, CountRows

INFLATED = 0.12  # prior probability of an atom at p = 0
DRAWS = 1000  # equally weighted draws that a posterior holds
PRIOR_POINTS, POINTS = 2048, 1024  # of the first proposal and of the others
MOST_ROUNDS = 12
ENOUGH = 300.0  # effective sample size at which no more proposals are made
FEWEST_TRUSTED = 100.0  # heuristic: effective sample size below which the sample has not converged
PROPOSAL_DF = 5.0
FARTHEST = 10.0  # prior standard deviations beyond which points are moved there, so that nothing overflows
WIDER = 1.2  # heuristic: covariance of the next proposal over that of the sample so far
FEW_ATTEMPTS = 5
"""With so many attempts at half of the problems, or fewer, it is hardly known how rates spread over problems."""
ALTERNATIVE_DRAWS = 200
REFUTED = 3.0  # heuristic: Bayes factor against a family from which on it is no alternative
NEARLY = 5.0  # heuristic: nats by which the best fit found so far may be improved
HOPELESS = 12.0  # nats below the best evidence at which a member is not sampled any further
MOST_ATOM_WEIGHTS, FEWEST_ATOM_WEIGHTS = 256, 16  # points of the integral over the weight of the atom at zero


class MemberEvidence(NamedTuple):
    """How well one member of the average does."""

    name: str
    """Name of the member."""
    log_evidence: float
    """log P(counts | member) in nats, binomial coefficients included."""
    probability: float
    """Posterior probability of the member."""
    effective_sample_size: float
    """Number of equally weighted points that its sample is worth."""


class Posterior(NamedTuple):
    """Posterior of the population of success rates, as S equally weighted draws."""

    masses: Float[np.ndarray, "s g"]
    """Masses of the nodes of COARSE_GRID (S, G); each draw sums to 1. An atom at p = 0 is part of the first node."""
    member: Int[np.ndarray, " s"]
    """Position in `members` of the family that each draw is of (S,)."""
    never_solved: Float[np.ndarray, " s"]
    """Weight of the atom at p = 0 in each draw (S,)."""
    tail_index: Float[np.ndarray, " s"]
    """Exponent with which the density of the solvable problems rises at p = 0, for the families that have one: draws of
    their own (S,), which do not belong to those of `masses`."""
    members: tuple[MemberEvidence, ...]
    """Evidence of each member."""
    effective_sample_size: float
    """Number of equally weighted points that the whole sample is worth."""
    log_evidence: float
    """log P(counts) in nats, binomial coefficients included."""
    alternatives: tuple[Float[np.ndarray, "a g"], ...] = ()
    """Where attempts are few: draws like `masses` of each family that the counts do not refute, with an atom at p = 0
    and without."""

    @property
    def converged(self) -> bool:
        """Whether the effective sample size is large enough to trust the sample."""
        return self.effective_sample_size >= FEWEST_TRUSTED


class Likelihood(NamedTuple):
    """Rows of counts, ready for masses."""

    solved: Float[np.ndarray, "g v"]
    """Likelihood of each row with c > 0 at each node."""
    solved_times: Float[np.ndarray, " v"]
    """Number of problems with each of those rows."""
    unsolved: Float[np.ndarray, "g u"]
    """Likelihood of each row with c = 0."""
    unsolved_times: Float[np.ndarray, " u"]
    """Number of problems with each of those rows."""
    atom: Float[np.ndarray, " w"]
    """Weights of an atom at p = 0 to integrate over."""


class MemberSample(NamedTuple):
    """Weighted points of one member's posterior."""

    params: Params
    masses: Masses
    log_weight: Values
    log_evidence: float

    @property
    def weights(self) -> Values:
        """Weights that sum to 1."""
        return special.softmax(self.log_weight)


def sample_posterior(
    rows: CountRows, *, members: Sequence[Member] = MEMBERS, inflated: float = INFLATED, seed: int = 0
) -> Posterior:
    """Posterior of one group from its rows, `count_rows(n, c, COARSE_GRID)`."""
    samples = sample_members(rows, members, inflated)
    prior = np.array([member.weight for member in members])
    return average_members(rows, members, samples, prior, inflated, seed)


def sample_members(rows: CountRows, members: Sequence[Member], inflated: float) -> list[MemberSample]:
    """The posterior of each member."""
    likelihood = prepare_rows(rows)
    samples: list[MemberSample] = []
    best = -np.inf
    for member in members:
        samples.append(sample_member(member, rows, likelihood, inflated, best))
        best = max(best, samples[-1].log_evidence)
    return samples


def average_members(
    rows: CountRows,
    members: Sequence[Member],
    samples: Sequence[MemberSample],
    prior: Float[np.ndarray, " f"],
    inflated: float,
    seed: int,
) -> Posterior:
    """Draws from the members together, each as often as evidence times `prior` says."""
    rng = np.random.default_rng(seed)
    evidence = np.array([sample.log_evidence for sample in samples])
    joint = np.log(prior / prior.sum()) + evidence
    probability = special.softmax(joint)
    pooled = np.concatenate([p * sample.weights for p, sample in zip(probability, samples, strict=True)])
    owner = np.repeat(np.arange(len(samples)), [len(sample.log_weight) for sample in samples])
    chosen = resample(pooled, DRAWS, rng)
    masses = np.concatenate([sample.masses for sample in samples])[chosen]
    never = draw_atoms(rng, [members[i] for i in owner[chosen]], masses, prepare_rows(rows), inflated)
    masses = masses * (1 - never[:, None])
    masses[:, 0] += never
    index = np.concatenate(
        [
            np.full(len(sample.log_weight), np.nan)
            if member.tail_index is None
            else member.tail_index(sample.params)
            for member, sample in zip(members, samples, strict=True)
        ]
    )
    tailed = np.isfinite(index)
    with_index = np.concatenate(
        [np.exp(e - evidence.max()) * sample.weights for e, sample in zip(evidence, samples, strict=True)]
    )
    scale = float(np.sum(rows.multiplicity * rows.log_scale))
    found = tuple(
        MemberEvidence(
            member.name, sample.log_evidence + scale, float(p), float(1 / np.sum(sample.weights**2))
        )
        for member, sample, p in zip(members, samples, probability, strict=True)
    )
    return Posterior(
        masses,
        owner[chosen],
        never,
        index[tailed][resample(with_index[tailed], DRAWS, rng)] if tailed.any() else index[:0],
        found,
        float(1 / np.sum(pooled**2)),
        float(special.logsumexp(joint)) + scale,
        find_alternatives(rng, rows, members, samples, inflated),
    )


def find_alternatives(
    rng: np.random.Generator,
    rows: CountRows,
    members: Sequence[Member],
    samples: Sequence[MemberSample],
    inflated: float,
) -> tuple[Float[np.ndarray, "a g"], ...]:
    """Draws of each family, with an atom at zero and without, that is not refuted. None with more than few attempts."""
    if np.median(rows.n[rows.index]) > FEW_ATTEMPTS:
        return ()
    likelihood = prepare_rows(rows)
    found: list[tuple[float, Masses]] = []
    for member, sample in zip(members, samples, strict=True):
        marginal = log_marginal(sample.masses, likelihood, inflated if member.inflated else 0.0)
        plain, mixed = log_likelihoods(sample.masses, likelihood)
        for kind in (0.0, 1.0) if member.inflated and inflated > 0 else (0.0,):
            own = special.logsumexp(mixed, axis=1) - np.log(mixed.shape[1]) if kind else plain
            log_weight = sample.log_weight + own - marginal
            evidence = float(special.logsumexp(log_weight) - np.log(len(log_weight)))
            masses = sample.masses[resample(special.softmax(log_weight), ALTERNATIVE_DRAWS, rng)]
            never = draw_atoms(rng, [member] * ALTERNATIVE_DRAWS, masses, likelihood, kind)
            masses = masses * (1 - never[:, None])
            masses[:, 0] += never
            found.append((evidence, masses))
    best = max(evidence for evidence, _ in found)
    return tuple(masses for evidence, masses in found if evidence > best - np.log(REFUTED))


def prepare_rows(rows: CountRows) -> Likelihood:
    """The rows per unit of mass, those with c = 0 apart."""
    values = (rows.likelihood / np.asarray(COARSE_GRID.weights)).astype(np.float32)
    zero = rows.c == 0
    wanted = max(MOST_ATOM_WEIGHTS // max(1, int(zero.sum())), FEWEST_ATOM_WEIGHTS)
    count = min(wanted, 4 * round(np.sqrt(len(rows.index))) + FEWEST_ATOM_WEIGHTS)
    atom = (np.arange(count) + 0.5) / count
    return Likelihood(
        np.ascontiguousarray(values[~zero].T),
        rows.multiplicity[~zero],
        np.ascontiguousarray(values[zero].T),
        rows.multiplicity[zero],
        atom,
    )


def log_likelihoods(masses: Masses, likelihood: Likelihood) -> tuple[Values, Float[np.ndarray, "m w"]]:
    """log P(counts) without an atom at zero (M,), and with one of each of the W weights (M, W)."""
    solved = np.log(np.maximum(masses @ likelihood.solved, SMALLEST)) @ likelihood.solved_times
    unsolved = np.maximum(masses @ likelihood.unsolved, SMALLEST)
    plain = solved + np.log(unsolved) @ likelihood.unsolved_times
    atom = likelihood.atom.astype(np.float32)
    mixed = np.log((1 - atom) * unsolved[:, :, None] + atom)
    with_atom = np.tensordot(mixed, likelihood.unsolved_times.astype(np.float32), (1, 0))
    return plain, solved[:, None] + likelihood.solved_times.sum() * np.log1p(-likelihood.atom) + with_atom


def log_marginal(masses: Masses, likelihood: Likelihood, inflated: float) -> Values:
    """log P(counts), averaged over whether there is an atom at zero and over its weight."""
    plain, mixed = log_likelihoods(masses, likelihood)
    if inflated == 0:
        return plain
    top = mixed.max(axis=1)
    with_atom = top + np.log(np.exp(mixed - top[:, None], dtype=np.float32).mean(axis=1))
    return np.logaddexp(np.log1p(-inflated) + plain, np.log(inflated) + with_atom)


@cache
def prior_points(member: Member) -> tuple[Params, Masses, float]:
    """Points of a member's prior, their masses, and the logarithm of the mean of its further factor."""
    normal, _ = standard_points(PRIOR_POINTS, len(member.mean), 0)
    params = np.array(member.mean) + np.array(member.scale) * normal
    masses = member.masses(params, COARSE_GRID)
    if member.log_factor is None:
        return params, masses, 0.0
    factor = member.log_factor(masses, COARSE_GRID)
    return params, masses, float(special.logsumexp(factor) - np.log(len(factor)))


def sample_member(
    member: Member, rows: CountRows, likelihood: Likelihood, inflated: float, best: float
) -> MemberSample:
    """Posterior of one member. It is left early where its evidence is far below `best`."""
    mean, scale, dim = np.array(member.mean), np.array(member.scale), len(member.mean)
    params, masses, log_mass = prior_points(member)
    own = inflated if member.inflated else 0.0
    sizes, proposals = [PRIOR_POINTS], [(mean, np.diag(scale), 0.0)]
    log_prior = log_normal(params, mean, scale)
    fits = log_marginal(masses, likelihood, own) + further(member, masses) - log_mass
    densities = [log_prior]
    start = atom_proposal(rows, (dim + 1) // 2) if member.name.startswith("atoms-") and dim > 1 else None
    log_weight = fits
    evidence = float(special.logsumexp(log_weight) - np.log(len(log_weight)))
    known = (
        0 if dim == 1 else 1 if start is not None else 3
    )  # rounds after which the best fit is nearly known
    for step in range(MOST_ROUNDS):
        if step >= known and fits.max() + NEARLY < best - HOPELESS:
            break
        if step > 0 or start is None:
            tempered = temper(log_weight)
            location = tempered @ params
            spread = params - location
            covariance = WIDER * (spread * tempered[:, None]).T @ spread + 1e-8 * np.eye(dim)
            proposal = location, np.linalg.cholesky(covariance), PROPOSAL_DF
        else:
            proposal = *start, PROPOSAL_DF
        location, factor, df = proposal
        drawn = location + standard_t(POINTS, dim, df, step + 1) @ factor.T
        drawn = np.clip(drawn, mean - FARTHEST * scale, mean + FARTHEST * scale)
        made = member.masses(drawn, COARSE_GRID)
        params, masses = np.concatenate([params, drawn]), np.concatenate([masses, made])
        fits = np.concatenate([fits, log_marginal(made, likelihood, own) + further(member, made) - log_mass])
        densities = [
            np.append(old, log_normal(drawn, mean, scale) if i == 0 else log_t(drawn, *proposals[i]))
            for i, old in enumerate(densities)
        ]
        proposals.append(proposal)
        sizes.append(POINTS)
        densities.append(log_t(params, *proposal))
        share = np.log(np.array(sizes) / np.sum(sizes))[:, None]
        log_weight = fits + densities[0] - special.logsumexp(share + np.array(densities), axis=0)
        evidence = float(special.logsumexp(log_weight) - np.log(len(log_weight)))
        size = 1 / np.sum(special.softmax(log_weight) ** 2)
        if size >= ENOUGH:
            break
    return MemberSample(params, masses, log_weight, evidence)


def further(member: Member, masses: Masses) -> Values | float:
    """Logarithm of the further factor of a member's prior."""
    return 0.0 if member.log_factor is None else member.log_factor(masses, COARSE_GRID)


def draw_atoms(
    rng: np.random.Generator,
    members: Sequence[Member],
    masses: Masses,
    likelihood: Likelihood,
    inflated: float,
) -> Values:
    """Weight of the atom at zero for each draw, 0 where it has none, given its masses."""
    plain, mixed = log_likelihoods(masses, likelihood)
    own = np.array([inflated if member.inflated else 0.0 for member in members])
    with np.errstate(divide="ignore"):
        logs = np.column_stack([np.log1p(-own) + plain, np.log(own / mixed.shape[1])[:, None] + mixed])
    share = special.softmax(logs, axis=1)
    picked = np.sum(np.cumsum(share, axis=1) < rng.random((len(share), 1)), axis=1)
    weight = (picked - 1 + rng.random(len(picked))) / mixed.shape[1]
    return np.where(picked == 0, 0.0, np.minimum(weight, 1.0))


def resample(weights: Values, count: int, rng: np.random.Generator) -> Int[np.ndarray, " s"]:
    """`count` positions, each as often as its weight says, in random order (systematic resampling)."""
    levels = (np.arange(count) + rng.random()) / count
    chosen = np.searchsorted(np.cumsum(weights), levels * weights.sum()).clip(0, len(weights) - 1)
    return rng.permutation(chosen)
