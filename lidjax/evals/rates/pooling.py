"""Groups of one file share what they can: the shape of their success densities scatters around a mean of the file.

In group g the shape (log s, log b, log q, logit r) is normal around μ, and μ is normal around the prior's mean, so that
each group alone has exactly the prior of the default model; the preference for straight curves stays each group's own
factor. μ is integrated out by importance sampling over the
groups' own posterior points, so pooling costs no further likelihood.

Measured (thinned GSM8K groups and synthetic sets): on the whole it does not forecast better than the groups do
alone; it is offered, not the default. A shared difficulty a problem on top of it (a Gaussian copula, as item
response models have) was measured too, and bought nothing on the real counts.
"""

# pyright: reportPossiblyUnboundVariable=false
# (the loops over rounds run at least once)

import numpy as np
from scipy import special

from lidjax.evals.rates.importance import NEARLY_NORMAL, draw_t, log_normal, log_t
from lidjax.evals.rates.population import ROUNDS, Posterior, resample
from lidjax.evals.rates.prior import Prior

OWN_SHARE = 0.7  # of the prior's standard deviation, the part between groups of one file
DRAWS = 512


def pool_shapes(posteriors: list[Posterior], *, prior: Prior | None = None, seed: int = 0) -> list[Posterior]:
    """Posteriors of all groups given all counts, as equally weighted points; `posteriors` are those of the groups
    alone."""
    prior = Prior() if prior is None else prior
    rng = np.random.default_rng(seed)
    centre, total = np.array(prior.mean[1:]), np.array(prior.scale[1:])
    own, common = OWN_SHARE * total, np.sqrt(1 - OWN_SHARE**2) * total
    points = [resample(posterior, DRAWS, rng) for posterior in posteriors]

    def log_ratio(draws, mean):  # (M, S): density of a group's points given μ, over that under its own prior
        shape = draws[None, :, 1:]
        return log_normal(shape, mean[:, None, :], own) - log_normal(shape, centre, total)

    location, factor, df = centre, np.diag(common), NEARLY_NORMAL
    proposals, means, targets = [], [], []
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
    pooled = []
    for draws, alone in zip(points, posteriors, strict=True):
        share = special.softmax(log_ratio(draws, chosen), axis=1)
        picked = np.sum(np.cumsum(share, axis=1) < rng.random((DRAWS, 1)), axis=1).clip(0, DRAWS - 1)
        counts = np.bincount(picked, minlength=DRAWS) / DRAWS
        effective = min(alone.effective, float(1 / np.sum(counts**2)))
        pooled.append(Posterior(draws, counts, effective, alone.log_evidence))
    return pooled
