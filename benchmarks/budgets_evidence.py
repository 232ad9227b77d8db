"""What stopping at the first success, and a free width, change about the best split of a budget.

Compared by exact losses, with β = 2.5, δ = σ_η/2, R = 1 and costs of 1. On the model of Figure 1 (d = 128, σ_η = 1e-3):
budgets that pay for all k attempts with budgets that pay for those that are made, and what the paper's rules lose in
each. On a model with more directions than any width resolves (d = 1024, σ_η = 0.03): width, data and attempts
together, and what "Chinchilla first, sample later" loses. docs/stop_at_success.md and docs/three_ways.md have the
results.

    python benchmarks/budgets_evidence.py stop
    python benchmarks/budgets_evidence.py currencies --figures FOLDER     Figure 2 and the phase map, both ways
    python benchmarks/budgets_evidence.py width                           and width-paid, where all k are paid
    python benchmarks/budgets_evidence.py map --figures FOLDER
"""

import argparse
import time
from pathlib import Path

import numpy as np

import lidjax
from lidjax.allocation import phase_map, surface_exact, three_way_map
from lidjax.figures import allocation_figure, phase_figure, three_way_figure


def model(dim, sigma, ridge):
    """Arguments of `allocate` that describe a model with λ_j = j^-2 and equal coefficients of the teacher."""
    return {
        "eigenvalues": np.asarray(lidjax.power_law_spectrum(dim, 1.0), float),
        "theta": np.asarray(lidjax.power_law_teacher(dim), float),
        "beta": 2.5,
        "sigma_eta": sigma,
        "delta": sigma / 2,
        "ridge": ridge,
    }


MODEL = model(128, 1e-3, 1e-9)
WIDE = model(1024, 0.03, 1e-6)
COSTS = {"cost_train": 1, "cost_infer": 1}
BUDGETS = np.array([98, 300, 1000, 2990, 9350, 1e5, 1e8])
WIDTHS = np.unique(np.geomspace(2, 4096, 40).astype(int))
PLANS = ((1e5, 1), (1e5, 1e3), (1e7, 1), (1e7, 1e4), (1e9, 1), (1e9, 1e4), (1e9, 1e6))


def count(k):
    """A number of attempts in few characters."""
    return "infinite" if np.isinf(float(k)) else f"{float(k):.4g}"


def stopping():
    """Before and after, and the rules in both currencies."""
    both = {
        stop: lidjax.allocate(BUDGETS, weight=1.0, stop_at_success=stop, **COSTS, **MODEL)
        for stop in (False, True)
    }
    print("| budget | N | k | L_tot | N, stopping | k, stopping | E[attempts] | L_tot, stopping |")
    for i, budget in enumerate(BUDGETS):
        paid, stopped = both[False], both[True]
        print(
            f"| {budget:g} | {paid.n[i]} | {paid.k[i]} | {paid.loss[i]:.2e} | {stopped.n[i]} | {count(stopped.k[i])} "
            f"| {stopped.expected_attempts[i]:.2f} | {stopped.loss[i]:.2e} |"
        )
    for stop, found in both.items():
        print("regret of the rules,", "stopping" if stop else "all k paid")
        for i, budget in enumerate(BUDGETS):
            print(f"| {budget:g} |", " | ".join(f"{found.regret[rule][i]:.2g}" for rule in found.regret), "|")
        print(" ".join(found.regret))


def currencies(figures):
    """Figure 2 and the phase map, where all k are paid and where attempts stop."""
    for stop in (False, True):
        suffix = "_stopping" if stop else ""
        surface = surface_exact(
            1000, weight=np.geomspace(1e-3, 1e6, 60), stop_at_success=stop, **COSTS, **MODEL
        )
        lidjax.save_figure(
            allocation_figure(surface, name="Figure 1's model"), figures, f"allocation{suffix}"
        )
        budgets, weights = np.geomspace(8, 1e5, 20), np.geomspace(1e-8, 1e8, 20)
        found = phase_map(budgets, weight=weights, stop_at_success=stop, **COSTS, **MODEL)
        print(
            "stopping" if stop else "all paid",
            {k: int((found.kind == k).sum()) for k in np.unique(found.kind)},
        )
        title = "stop at success" if stop else "all k paid"
        figure = phase_figure(budgets, weights, found.kind, found.training_share, title=title)
        lidjax.save_figure(figure, figures, f"phase{suffix}")


def widths(stop):
    """The best plans, and what Chinchilla's lose."""
    rules = ("chinchilla_first", "chinchilla_half", "chinchilla_best")
    print("stopping at success" if stop else "all k paid")
    print("| C | Q | P | N | N/P | k | E[attempts] | training share | L_tot | first | half | best share |")
    for budget, queries in PLANS:
        plan = lidjax.allocate(
            budget, queries=queries, weight=1.0, width=WIDTHS, stop_at_success=stop, **COSTS, **WIDE
        )
        share = plan.n * plan.width / budget
        print(
            f"| {budget:g} | {queries:g} | {plan.width} | {plan.n} | {plan.n / plan.width:.3g} | {count(plan.k)} "
            f"| {plan.expected_attempts:.3g} | {share:.2f} | {plan.loss:.2e} | "
            + " | ".join(f"{plan.regret[rule]:.2g}" for rule in rules)
            + " |",
            flush=True,
        )


def three_ways(figures):
    """The map over budgets and queries."""
    start = time.perf_counter()
    budgets, queries = np.geomspace(1e4, 1e10, 25), np.geomspace(1, 1e6, 19)
    found = three_way_map(budgets, queries, weight=1.0, width=WIDTHS, **COSTS, **WIDE)
    print(f"map of {found.loss.size} plans: {time.perf_counter() - start:.1f} s")
    print({buy: int((found.next_buy == buy).sum()) for buy in np.unique(found.next_buy)})
    ratio = found.n / found.width / (found.chinchilla_n / found.chinchilla_width)
    for j in (0, 6, 12, 18):
        print(f"Q = {queries[j]:g}: N/P over Chinchilla's", " ".join(f"{x:.3g}" for x in ratio[::4, j]))
    if figures is not None:
        lidjax.save_figure(three_way_figure(found, name="d = 1024, stop at success"), figures, "three_ways")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["stop", "currencies", "width", "width-paid", "map"])
    parser.add_argument("--figures", type=Path, help="folder for the figures")
    args = parser.parse_args()
    run = {
        "stop": stopping,
        "currencies": lambda: currencies(args.figures),
        "width": lambda: widths(stop=True),
        "width-paid": lambda: widths(stop=False),
        "map": lambda: three_ways(args.figures),
    }
    run[args.what]()
