"""What are forecasts of pass@K worth where the truth is known? Made-up benchmarks, thinned and scored like real ones.

Compared: the default model with its 90 % intervals, and the published kinds of estimator. Each benchmark has 128
problems and seven models with 10,000 attempts, whose pass@1 runs from .003 to .04 and pass@10,000 from .5 to .97, as
published curves of small models on competition mathematics do; difficulties are shared (rank correlation .9).
Families of success rates: `power-law` (the non-negative density whose -log pass@k is closest to a k^-b), and `beta`,
`logit-normal` and `skew` (a normal law of log-odds, cut above) with pass@k nearest to that power law's at five k.

    python benchmarks/forecast_evidence.py --benchmarks 6 [--json]
"""

import argparse
import json

import jax

jax.config.update("jax_enable_x64", True)

import numpy as np  # noqa: E402
from scipy import optimize, special  # noqa: E402

from lidjax.evals import EvalData, Group, backtest, summarise_backtest  # noqa: E402

LOG_ODDS = np.arange(-30, 4, 0.1)
MISSES = -np.logaddexp(0, LOG_ODDS)
LAWS = ((5.9, 0.24), (5.5, 0.256), (5.0, 0.3), (4.5, 0.36), (4.0, 0.4), (3.5, 0.45), (3.2, 0.475))  # (a, b)
CELLS = ((100, 1000), (316, 3000), (100, 10_000), (1000, 10_000))  # (attempts, K)
PROBLEMS, ATTEMPTS, SHARED = 128, 10_000, 0.9
FAMILIES = {
    "beta": (lambda t: np.exp(t[0]) * (LOG_ODDS + MISSES) + np.exp(t[1]) * MISSES, (-1.0, 2.0)),
    "logit-normal": (lambda t: -0.5 * ((LOG_ODDS - t[0]) / np.exp(t[1])) ** 2, (-6.0, 0.8)),
    "skew": (
        lambda t: (
            -0.5 * ((LOG_ODDS - t[0]) / np.exp(t[1])) ** 2
            + special.log_ndtr(-4 * (LOG_ODDS - t[0]) / np.exp(t[1]))
        ),
        (-3.0, 1.0),
    ),
}


def pass_matrix(k):
    return -np.expm1(np.asarray(k, dtype=float)[:, None] * MISSES)


def weights_of(family: str, a: float, b: float):
    """Weights on LOG_ODDS of one model's success rates."""
    k = np.exp(np.linspace(0, np.log(3e5), 80))
    roughness = 6 * np.diff(np.eye(len(LOG_ODDS)), 3, axis=0)
    rows = np.vstack([30 * pass_matrix(k), roughness, np.full((1, len(LOG_ODDS)), 100.0)])
    wanted = np.concatenate([30 * np.exp(-a * k**-b), np.zeros(len(roughness)), [100.0]])
    weights, _ = optimize.nnls(rows, wanted, maxiter=20_000)
    weights /= weights.sum()
    if family == "power-law":
        return weights
    log_density, start = FAMILIES[family]
    few = pass_matrix([1, 10, 100, 1000, 10_000])

    def normalised(t):
        density = np.exp(log_density(t) - log_density(t).max())
        return density / density.sum()

    best = optimize.minimize(
        lambda t: np.sum((few @ (normalised(t) - weights)) ** 2),
        start,
        method="Nelder-Mead",
        options={"maxiter": 2000},
    )
    return normalised(best.x)


def made_up_benchmark(family: str, seed: int):
    """Counts (n, c) of seven models by name."""
    rng = np.random.default_rng(seed)
    difficulty = rng.standard_normal(PROBLEMS)
    groups = []
    for place, (a, b) in enumerate(LAWS):
        weights = weights_of(family, a + rng.uniform(-0.3, 0.3), b + rng.uniform(-0.03, 0.03))
        rank = special.ndtr(SHARED * difficulty + np.sqrt(1 - SHARED**2) * rng.standard_normal(PROBLEMS))
        rate = special.expit(np.interp(rank, np.cumsum(weights) - 0.5 * weights, LOG_ODDS))
        solved = rng.binomial(ATTEMPTS, rate)
        name = f"{family}-{seed}-{place}"
        problems = tuple(str(i) for i in range(PROBLEMS))
        groups.append(Group(name, {}, problems, np.full(PROBLEMS, ATTEMPTS), solved))
    return EvalData(tuple(groups), "made up")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--benchmarks", type=int, default=4, help="made-up benchmarks of each family")
    parser.add_argument("--first-seed", type=int, default=1000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    lines = []
    for family in ("power-law", *FAMILIES):
        seeds = range(options.first_seed, options.first_seed + options.benchmarks)
        made = [made_up_benchmark(family, seed) for seed in seeds]
        data = EvalData(tuple(group for benchmark in made for group in benchmark.groups), "made up")
        for budget, target in CELLS:
            result = backtest(data, budget=budget, target=target, seeds=1, models=False)
            for line in summarise_backtest(result.forecasts):
                lines.append({"family": family, "budget": budget, "target": target, **line._asdict()})
                if not options.json:
                    print(
                        f"{family:13s}{budget:6d} → {target:<7d}{line.method:18s}error {line.error:.3f}  "
                        f"bias {line.bias:+.3f}  cover {line.coverage:.2f}  ({line.forecasts})",
                        flush=True,
                    )
    if options.json:
        print(json.dumps(lines))


if __name__ == "__main__":
    main()
