"""Pooling: the groups of one file share the shape of their success densities, up to a scatter around a common mean.

In group g the shape (log s, log b, log q, logit r) is normal around μ, and μ is normal around the mean of the prior, so
that each group alone has exactly the prior of the default model. The preference for straight curves remains each
group's own factor. μ is integrated out by importance sampling over the groups' own posterior points, so pooling needs
no further likelihoods.

Measured on subsampled GSM8K groups and on synthetic sets: on the whole the pooled forecasts are not better than those
of the groups alone, so pooling is an option and not the default. A difficulty of each problem that the groups share on
top of it (a Gaussian copula, as in item response models) was measured too, and did not improve the real counts.
"""

# pyright: reportPossiblyUnboundVariable=false
# (the loop over rounds runs at least once)

import numpy as np
from jaxtyping import Float
from scipy import special

from lidjax.evals.rates.importance import NEARLY_NORMAL, draw_t, log_normal, log_t
from lidjax.evals.rates.posterior import ROUNDS, Posterior, draw_parameters
from lidjax.evals.rates.prior import Prior

WITHIN_FILE = 0.7  # heuristic: standard deviation between groups of one file, as a share of the prior's
DRAWS = 512  # posterior points of each group


def pool_shapes(posteriors: list[Posterior], *, prior: Prior | None = None, seed: int = 0) -> list[Posterior]:
    """Posteriors of all groups given the counts of all groups. `posteriors` are those of each group alone."""
    prior = Prior() if prior is None else prior
    rng = np.random.default_rng(seed)
    centre, total = np.array(prior.mean[1:]), np.array(prior.scale[1:])
    own, common = WITHIN_FILE * total, np.sqrt(1 - WITHIN_FILE**2) * total
    points = [draw_parameters(posterior, DRAWS, rng) for posterior in posteriors]

    def log_ratio(
        draws: Float[np.ndarray, "s 5"], mean: Float[np.ndarray, "m 4"]
    ) -> Float[np.ndarray, "m s"]:
        """Log density of a group's points given μ, minus that under the prior of the group alone."""
        shape = draws[None, :, 1:]
        return log_normal(shape, mean[:, None, :], own) - log_normal(shape, centre, total)

    location, factor, df = centre, np.diag(common), NEARLY_NORMAL
    proposals: list[tuple[np.ndarray, np.ndarray, float]] = []
    means: list[np.ndarray] = []
    targets: list[np.ndarray] = []
    for step in range(ROUNDS):
        proposals.append((location, factor, df))
        drawn = draw_t(location, factor, df, seed=ROUNDS * seed + step)
        each = [np.asarray(special.logsumexp(log_ratio(draws, drawn), axis=1)) for draws in points]
        evidence = np.sum(each, axis=0)
        means.append(drawn)
        targets.append(evidence + log_normal(drawn, centre, common))
        stacked = np.concatenate(means)
        mixture = special.logsumexp([log_t(stacked, *proposal) for proposal in proposals], axis=0)
        weights = special.softmax(np.concatenate(targets) - mixture)
        location = weights @ stacked
        spread = stacked - location
        factor = np.linalg.cholesky(
            1.15 * (spread * weights[:, None]).T @ spread + 1e-6 * np.eye(len(location))
        )
        df = 6.0
    chosen = stacked[rng.choice(len(stacked), DRAWS, p=weights)]
    pooled: list[Posterior] = []
    for draws, alone in zip(points, posteriors, strict=True):
        share = special.softmax(log_ratio(draws, chosen), axis=1)
        picked = np.sum(np.cumsum(share, axis=1) < rng.random((DRAWS, 1)), axis=1).clip(0, DRAWS - 1)
        counts = np.bincount(picked, minlength=DRAWS) / DRAWS
        size = min(alone.effective_sample_size, float(1 / np.sum(counts**2)))
        pooled.append(Posterior(draws, counts, size, alone.log_evidence))
    return pooled
