"""Forecasts of pass@K on made-up families of success rates: the default, the baselines and an estimator of richness.

A problem set has 128 problems, whose rates are drawn from a family. Each problem has n attempts. What is forecast is
the pass@K that a run of `total` = K attempts would report, of which those n are a part, as in a back-test on real
counts.

    python benchmarks/forecast_families.py --repeats 10 --families development [--json FILE]
"""

import argparse
import json
import time

import numpy as np
from scipy import special

from lidjax.evals.arguments import check_counts
from lidjax.evals.baselines import BASELINES
from lidjax.evals.forecasts.forecast import forecast_from_posterior
from lidjax.evals.rates.posterior import sample_posterior
from lidjax.evals.rates.quadrature import COARSE_GRID, count_rows

CELLS = ((100, 1000), (316, 3000), (100, 10_000), (1000, 10_000), (1, 5), (2, 5), (5, 50))
PROBLEMS = 128
LOG_ODDS = np.arange(-30, 8, 0.05)
MISSES = -np.logaddexp(0, LOG_ODDS)


def power_law(a, b):
    """Rates whose -log pass@k is as close to a k^-b as that of any distribution, by non-negative least squares."""
    from scipy import optimize

    k = np.exp(np.linspace(0, np.log(3e5), 60))
    x = LOG_ODDS[::4]
    solved = -np.expm1(-k[:, None] * np.logaddexp(0, x))
    rough = 4 * np.diff(np.eye(len(x)), 3, axis=0)
    rows = np.vstack([30 * solved, rough, np.full((1, len(x)), 100.0)])
    weights, _ = optimize.nnls(
        rows, np.concatenate([30 * np.exp(-a * k**-b), np.zeros(len(rough)), [100.0]]), maxiter=20_000
    )
    cumulative = np.cumsum(weights) / weights.sum()
    return lambda rng, size: special.expit(
        np.interp(rng.random(size), cumulative, x) + rng.uniform(-0.1, 0.1, size)
    )


def of_density(log_density):
    """Rates with a log density of x = logit p."""
    mass = np.exp(log_density - log_density.max())
    cumulative = np.cumsum(mass) / mass.sum()
    return lambda rng, size: special.expit(np.interp(rng.random(size), cumulative, LOG_ODDS))


def atoms(rates, shares=None):
    return lambda rng, size: rng.choice(rates, size, p=shares)


def with_zero(share, rates):
    return lambda rng, size: rates(rng, size) * (rng.random(size) >= share)


def beta(a, b):
    return lambda rng, size: rng.beta(a, b, size)


def kumaraswamy(a, b):
    return lambda rng, size: (1 - (1 - rng.random(size)) ** (1 / b)) ** (1 / a)


def skewed(mode, width, shape):
    z = (LOG_ODDS - mode) / width
    return of_density(-0.5 * z**2 + special.log_ndtr(shape * z))


def bumps(share, one, two):
    def rates(rng, size):
        return special.expit(
            np.where(rng.random(size) < share, rng.normal(*one, size), rng.normal(*two, size))
        )

    return rates


FAMILIES = {
    "development": {
        "power law 5.5 .26": lambda: power_law(5.5, 0.26),
        "power law 4 .4": lambda: power_law(4.0, 0.4),
        "beta .3 6": lambda: beta(0.3, 6),
        "beta .1 1": lambda: beta(0.1, 1),
        "beta 1.5 20": lambda: beta(1.5, 20),
        "kumaraswamy .4 3": lambda: kumaraswamy(0.4, 3),
        "log-odds normal -4 2": lambda: of_density(-0.5 * ((LOG_ODDS + 4) / 2) ** 2),
        "skewed -3 3 -4": lambda: skewed(-3, 3, -4),
        "two bumps .5": lambda: bumps(0.5, (-7, 0.8), (-1, 1)),
        "30 % zero + beta .6 2": lambda: with_zero(0.3, beta(0.6, 2)),
        "atoms .0008 .02 .5": lambda: atoms([0.0008, 0.02, 0.5]),
        "all .0007": lambda: atoms([0.0007]),
        "all .2": lambda: atoms([0.2]),
        "U beta .25 .2": lambda: beta(0.25, 0.2),
        "U beta .5 .3": lambda: beta(0.5, 0.3),
    },
    "kept": {
        "power law 5 .3": lambda: power_law(5.0, 0.3),
        "power law 3.3 .46": lambda: power_law(3.3, 0.46),
        "beta .5 15": lambda: beta(0.5, 15),
        "beta .15 .6": lambda: beta(0.15, 0.6),
        "beta 2 30": lambda: beta(2, 30),
        "kumaraswamy .25 2": lambda: kumaraswamy(0.25, 2),
        "log-odds normal -6 3": lambda: of_density(-0.5 * ((LOG_ODDS + 6) / 3) ** 2),
        "log-odds normal -3 1": lambda: of_density(-0.5 * ((LOG_ODDS + 3) / 1) ** 2),
        "skewed -6 3 3": lambda: skewed(-6, 3, 3),
        "two bumps .3": lambda: bumps(0.3, (-8, 1), (-2, 1.5)),
        "20 % zero + beta .4 5": lambda: with_zero(0.2, beta(0.4, 5)),
        "50 % zero + log-odds normal": lambda: with_zero(0.5, of_density(-0.5 * ((LOG_ODDS + 2) / 1.5) ** 2)),
        "atoms .003 .1": lambda: atoms([0.003, 0.1], [0.4, 0.6]),
        "all .002": lambda: atoms([0.002]),
        "all .35": lambda: atoms([0.35]),
        "U beta .15 .15": lambda: beta(0.15, 0.15),
        "U beta .6 .4": lambda: beta(0.6, 0.4),
    },
}


def chao_forecast(n, c, target):
    """Chao's lower bound for the unseen, extrapolated: problems unsolved so far are as hard as f1 and f2 say."""
    attempts = int(n.min())
    once, twice = int(np.sum(c == 1)), int(np.sum(c == 2))
    solved, unsolved = int(np.sum(c > 0)), int(np.sum(c == 0))
    if not once:
        return solved / len(n)
    unseen = (attempts - 1) / attempts * (once**2 / (2 * twice) if twice else once * (once - 1) / 2)
    unseen = min(unseen, unsolved)
    if unseen <= 0:
        return solved / len(n)
    rate = once / (attempts * unseen + once)
    return (solved + unseen * (1 - (1 - rate) ** (target - attempts))) / len(n)


def one_forecast(rates, n, k, seed, baselines):
    """{method: (prediction, lower, upper)} and the truth."""
    rng = np.random.default_rng(seed)
    p = rates(rng, PROBLEMS)
    c = rng.binomial(n, p)
    truth = float(np.mean((c + rng.binomial(k - n, p)) > 0))
    counts = check_counts(np.full(PROBLEMS, n), c)
    rows = count_rows(*counts, COARSE_GRID)
    started = time.process_time()
    posterior = sample_posterior(rows, seed=seed)
    found = forecast_from_posterior(rng, posterior, rows, *counts, k, level=0.9)
    spent = time.process_time() - started
    answers = {"default": (float(found.prediction[0]), float(found.lower[0]), float(found.upper[0]))}
    if baselines:
        for name, baseline in BASELINES.items():
            answers[name] = (baseline(*counts, k), np.nan, np.nan)
        answers["chao"] = (chao_forecast(*counts, k), np.nan, np.nan)
    names = [
        (member.name, round(member.probability, 2))
        for member in posterior.members
        if member.probability > 0.05
    ]
    return answers, truth, spent, names, posterior.effective_sample_size


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--families", choices=tuple(FAMILIES), default="development")
    parser.add_argument("--only", default="", help="families whose name contains this")
    parser.add_argument("--cells", type=int, nargs="*", default=list(range(len(CELLS))))
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--baselines", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--json", default="")
    options = parser.parse_args()
    lines = []
    for family, make in FAMILIES[options.families].items():
        if options.only not in family:
            continue
        rates = make()
        for cell in options.cells:
            n, k = CELLS[cell]
            errors, inside, widths, spent, sizes = {}, [], [], [], []
            for repeat in range(options.repeats):
                seed = options.first_seed + repeat
                answers, truth, seconds, names, size = one_forecast(rates, n, k, seed, options.baselines)
                spent.append(seconds)
                sizes.append(size)
                for name, (value, low, high) in answers.items():
                    errors.setdefault(name, []).append(value - truth)
                    if name == "default":
                        inside.append(low <= truth <= high)
                        widths.append(high - low)
                if options.verbose:
                    print(
                        "   ",
                        seed,
                        f"{truth:.3f}",
                        [round(v, 3) for v in answers["default"]],
                        names,
                        round(size),
                    )
            error = {
                name: float(np.nanmean(np.abs(e))) if np.isfinite(e).any() else None
                for name, e in errors.items()
            }
            bias = float(np.mean(errors["default"]))
            line = {
                "family": family,
                "n": n,
                "k": k,
                "error": error,
                "bias": bias,
                "cover": float(np.mean(inside)),
            }
            line |= {
                "width": float(np.mean(widths)),
                "seconds": float(np.mean(spent)),
                "repeats": options.repeats,
            }
            lines.append(line)
            shown = " ".join("  -- " if e is None else f"{e:.3f}" for e in error.values())
            others = [e for name, e in error.items() if name != "default" and e is not None]
            ratio = error["default"] / max(min(others), 1e-9) if others else np.nan
            print(
                f"{family:24s}{n:5d}→{k:<6d} {shown}  ratio {ratio:5.2f} bias {bias:+.3f} cover {line['cover']:.2f} "
                f"width {line['width']:.3f} {line['seconds']:.2f}s ess {min(sizes):.0f}",
                flush=True,
            )
    if options.json:
        with open(options.json, "w") as file:
            json.dump(lines, file)


if __name__ == "__main__":
    main()
