"""What is it worth to place attempts where they tell most? Real counts, sampled without replacement.

Claim: at the same total number of attempts the forecast of pass@K has a narrower interval and a smaller error where
`next_attempts` places them than where all problems get as many, and than where the problem with the fewest successes is
always next. Each policy starts with ten attempts at every problem. The truth is the unbiased pass@K of all attempts of
the file, and the interval is that for this number.

    python benchmarks/placement_evidence.py counts.csv --target 1000 --seeds 3 [--first 0] [--groups 5] [--json]
    python benchmarks/placement_evidence.py --made-up 0.3 0.5 --target 100 --seeds 1
"""

import argparse
import json
import sys

import jax

jax.config.update("jax_enable_x64", True)

import numpy as np  # noqa: E402

from lidjax.evals import Group, read_evals  # noqa: E402
from lidjax.evals.curve import mean_pass_at_k  # noqa: E402
from lidjax.evals.forecasts.forecast import forecast_from_posterior  # noqa: E402
from lidjax.evals.placement.next_attempts import place_attempts  # noqa: E402
from lidjax.evals.rates.posterior import sample_posterior  # noqa: E402
from lidjax.evals.rates.quadrature import COARSE_GRID, count_rows  # noqa: E402

START = 10  # attempts at every problem before anything is decided
ROUNDS = (14, 20, 28, 40, 57, 80, 113, 160)  # mean attempts a problem after each round
SCORED = (20, 40, 80, 160)
FEWEST_ATTEMPTS, FEWEST_SOLVED = 10_000, 0.25  # groups that are used: attempts at every problem, share solved
CHUNK = 16  # attempts of "fewest successes first" that are made before it looks again


class Pool:
    """The attempts of a file: those made so far, and those still to be drawn."""

    def __init__(self, total, correct, rng):
        self.total, self.correct, self.rng = total, correct, rng
        self.n, self.c = np.zeros_like(total), np.zeros_like(total)
        self.make(np.full(len(total), START))

    def make(self, attempts):
        attempts = np.minimum(attempts, self.total - self.n)
        left = self.correct - self.c
        self.c = self.c + self.rng.hypergeometric(left, self.total - self.n - left, attempts)
        self.n = self.n + attempts


def posterior_of(pool):
    rows = count_rows(pool.n, pool.c, COARSE_GRID)
    return rows, sample_posterior(rows)


def uniform(pool, attempts, k):
    pool.make(np.full(len(pool.n), attempts // len(pool.n)))


def fewest_successes(pool, attempts, k):
    while attempts > 0:
        order = np.lexsort((pool.n, pool.c))
        order = order[pool.n[order] < pool.total[order]]
        more = np.zeros_like(pool.n)
        more[order[: min(CHUNK, attempts)]] = 1
        pool.make(more)
        attempts -= int(more.sum())


def placed(pool, attempts, k):
    rows, posterior = posterior_of(pool)
    rng = np.random.default_rng(0)
    found = place_attempts(rng, posterior, rows, k, attempts, at_most=pool.total - pool.n)
    pool.make(found.attempts)


POLICIES = {"placed": placed, "uniform": uniform, "fewest successes first": fewest_successes}


def made_up_groups(a, b):
    """Ten groups of 128 problems whose rates are Beta(a, b)."""
    made = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        n = np.full(128, FEWEST_ATTEMPTS)
        problems = tuple(map(str, range(128)))
        made.append(Group(f"made up {seed}", {}, problems, n, rng.binomial(n, rng.beta(a, b, 128))))
    return made


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("counts", nargs="?")
    parser.add_argument(
        "--made-up",
        type=float,
        nargs=2,
        metavar=("A", "B"),
        help="instead of a file: ten groups of 128 problems with rates Beta(A, B) and 10,000 attempts",
    )
    parser.add_argument("--target", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=0, help="first of the groups that are used")
    parser.add_argument("--groups", type=int, help="number of groups that are used (default: all)")
    parser.add_argument("--json", action="store_true", help="print every forecast")
    options = parser.parse_args()
    groups = made_up_groups(*options.made_up) if options.made_up else read_evals(options.counts).groups
    usable = [
        group
        for group in groups
        if group.n.min() >= FEWEST_ATTEMPTS and np.mean(group.c > 0) >= FEWEST_SOLVED
    ][options.first :][: options.groups]
    found = []
    for group in usable:
        truth = mean_pass_at_k(group.n, group.c, options.target)
        for seed in range(options.seeds):
            for name, policy in POLICIES.items():
                pool = Pool(group.n, group.c, np.random.default_rng([seed, len(group.name)]))
                for mean in ROUNDS:
                    policy(pool, mean * len(group.n) - int(pool.n.sum()), options.target)
                    if mean not in SCORED:
                        continue
                    rows, posterior = posterior_of(pool)
                    rng = np.random.default_rng(seed)
                    forecast = forecast_from_posterior(
                        rng, posterior, rows, pool.n, pool.c, options.target, pool.total, level=0.9
                    )
                    found.append(
                        {
                            "group": group.name,
                            "seed": seed,
                            "policy": name,
                            "attempts": mean,
                            "made": int(pool.n.sum()),
                            "error": float(forecast.prediction[0]) - truth,
                            "width": float(forecast.upper[0] - forecast.lower[0]),
                            "covered": bool(forecast.lower[0] <= truth <= forecast.upper[0]),
                        }
                    )
            print(group.name, seed, file=sys.stderr, flush=True)
    if options.json:
        print(json.dumps(found))
        return
    print(f"pass@{options.target:,} of {len(usable)} groups, {options.seeds} seeds")
    for mean in SCORED:
        for name in POLICIES:
            own = [one for one in found if (one["policy"], one["attempts"]) == (name, mean)]
            error = np.array([one["error"] for one in own])
            width, cover = (np.mean([one[key] for one in own]) for key in ("width", "covered"))
            print(
                f"{mean:5d} attempts a problem  {name:24s}|error| {np.abs(error).mean():.4f}  "
                f"bias {error.mean():+.4f}  width {width:.4f}  cover {cover:.2f}"
            )


if __name__ == "__main__":
    main()
