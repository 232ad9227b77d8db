"""What `lidjax features cifar10h` and `lidjax features report` print."""

import json
import math
from pathlib import Path
from typing import Any

from lidjax.cli.render.output import Table, print_lines, print_table, printable
from lidjax.features import MadeFeatures

VERDICT = {
    True: "every ξ is above 0: the tail may be a power law",
    False: "not a power law: the tail ends (ξ < 0), or its index depends on where the tail begins",
    None: "these tails do not decide whether this is a power law",
}
EXPONENTS = ("beta_eff", "beta_eff_low", "beta_eff_high")
SHARES = ("own_ambiguous", "own_unanimous", "bias_ambiguous", "bias_unanimous")


def print_made(made: MadeFeatures, out: Path) -> None:
    """What a feature file was made of, in three lines."""
    print(
        f"{made.images:,} images in {made.seconds:.0f} s ({made.images_per_second:.0f} a second) → {out}\n"
        f"variance of the human labels: mean {made.mean_variance:.3f}; 0 (everybody agrees) for "
        f"{made.unanimous:.1%}\nmade from {json.dumps(made.provenance['weights'])}"
    )


def print_report(report: dict[str, Any], spec: dict[str, Any]) -> None:
    """Every diagnostic of a sweep as a table or a line."""
    at = ", ".join(f"{name} = {value:g}" for name, value in report["at"].items())
    print_lines([f"{spec['name']}: {at}"])
    if report["provenance"]:
        made = json.loads(report["provenance"])
        print_lines(
            [
                f"features: {made['data']['name']} {made['data']['version']}, {made['backbone']}, weights "
                f"{made['weights']['source']} (SHA-256 {made['weights']['sha256'][:12]}…)"
            ]
        )
    _print_difficulty(report["difficulty"])
    _print_lgen(report["lgen"])
    _print_exponents(report["windows"], spec["fit"]["published"])
    _print_shares(report["shares"])
    if len(report["grid"]) > len(report["windows"]):  # the sweep has more than one setting
        _print_grid(report["grid"])


def _print_difficulty(facts: dict[str, Any]) -> None:
    quantiles = ", ".join(f"{float(q):.0%} {v:.3g}" for q, v in facts["quantiles"].items())
    difficulty = (
        f"label variance v of {facts['instances']:,} instances: 0 for {facts['unanimous']:.1%}, mean "
        f"{facts['mean']:.3f}, quantiles {quantiles}"
    )
    print_lines([difficulty])
    rows = [
        (
            f"{tail['fraction']:.0%}",
            f"{tail['threshold']:.3g}",
            f"{tail['beta']:.2f} ({tail['beta_low']:.2f}, {tail['beta_high']:.2f})",
            f"{tail['xi']:.2f} ({tail['xi_low']:.2f}, {tail['xi_high']:.2f})",
        )
        for tail in facts["tails"]
    ]
    notes = [VERDICT[facts["regularly_varying"]]]
    notes += [
        f"v and features, {name} ({test['instances']:,}): held-out rank correlation "
        f"{test['correlation']:.3f}; 95 % of {test['permutations']} permutations are below "
        f"{test['null_95']:.3f}; p = {test['p_value']:.3g}"
        for name, test in facts["independence"].items()
    ]
    columns = ("largest", "above", "β by Hill (95 %)", "ξ (95 %)")
    print_table(Table("tail", columns, rows, facts["tails"], "tail of v", notes))


def _print_lgen(rows: list[dict[str, Any]]) -> None:
    columns = ("N", "measured ± se", "equivalent", "ratio")
    shown = [
        (
            f"{row['n']:,}",
            f"{row['measured']:.4f} ± {row['error']:.4f}",
            f"{row['equivalent']:.4f}",
            f"{row['ratio']:.3f}",
        )
        for row in rows
    ]
    print_table(Table("lgen", columns, shown, rows, "L_gen and its deterministic equivalent"))


def _print_exponents(rows: list[dict[str, Any]], published: list[float]) -> None:
    title = "β_eff(N) by window of k, ± the larger side of its interval"
    title += f"; published {' → '.join(f'{x:g}' for x in published)}" if published else ""
    columns = ("N", *(f"{_short(row['window'][0])}-{_short(row['window'][1])}" for row in rows))
    shown = [
        (f"{n:,}", *(_with_margin(*(row[name][i] for name in EXPONENTS)) for row in rows))
        for i, n in enumerate(rows[0]["n"] if rows else [])
    ]
    margin = " " * len(printable(" ±0.000"))
    shown.append(("perfect head", *(f"{row['perfect_head']:.3f}{margin}" for row in rows)))
    print_table(Table("beta_eff", columns, shown, rows, title))


def _with_margin(value: float, low: float, high: float) -> str:
    return f"{value:.3f} ±{max(value - low, high - value):.3f}"


def _short(k: float) -> str:
    return f"{k:.3g}" if k < 1000 else f"{k:.0f}" if k < 10_000 else f"1e{math.log10(k):.3g}"


def _print_shares(rows: list[dict[str, Any]]) -> None:
    largest = max((row[f"{name}_se"] for row in rows for name in SHARES), default=0.0)
    shown = [
        (
            f"{row['n']:,}",
            _short(row["k"]),
            f"{row['failure']:.3f}",
            *(f"{100 * row[name]:.1f}" for name in SHARES),
        )
        for row in rows
    ]
    print_table(
        Table(
            "shares",
            ("N", "k", "L_inf", "own, v > 0", "own, v = 0", "bias, v > 0", "bias, v = 0"),
            shown,
            rows,
            "shares of L_inf(k; N) in %: own, what a perfect head would leave; bias, what this head's error adds\n"
            f"(standard errors over splits up to {100 * largest:.1f})",
            keys=2,
        )
    )


def _print_grid(rows: list[dict[str, Any]]) -> None:
    shown = [
        (
            *(f"{row[name]:.3g}" for name in ("scale", "delta", "ridge")),
            f"{_short(row['window'][0])}-{_short(row['window'][1])}",
            f"{row['first']:.3f}",
            f"{row['lowest']:.3f} ({row['lowest_at']:,})",
            _with_margin(row["last"], *row["last_interval"]),
            f"{row['last_failure']:.3f}",
        )
        for row in rows
    ]
    columns = ("s", "δ", "ridge", "window", "first N", "lowest (N)", "last N", "L_inf")
    print_table(Table("grid", columns, shown, rows, "β_eff over the grid; L_inf at the last k and N", keys=4))
