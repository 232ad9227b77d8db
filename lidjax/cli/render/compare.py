"""What `lidjax compare` prints: who is better at which k, the differences, and where the curves cross."""

from collections.abc import Sequence

import numpy as np

from lidjax.cli.render.output import Table, print_json, print_lines, print_paths, print_table, print_warning
from lidjax.evals import Difference, PairedComparison

RARE = 0.005  # a pattern of fewer draws is not printed


def print_comparison(
    found: PairedComparison, notes: Sequence[str], *, figures: list[str], as_json: bool
) -> None:
    """Print the results of `lidjax compare`."""
    if as_json:
        print_json("compare", {"notes": list(notes), **found.to_dict(), "figures": figures})
        return
    print_lines(notes)
    for finding in found.findings:
        print_warning(f"{finding.group}: {finding.message}")
    print_table(comparison_tables(found)[0])
    print_lines(answer_lines(found))
    print_paths(figures)


def comparison_tables(found: PairedComparison) -> list[Table]:
    """The comparison at the targets; for files, every k of every difference."""
    first, second = found.names
    differences = {(one.method, one.scope): one.band for one in found.differences}
    records = [
        {
            "method": method,
            "scope": scope,
            "k": int(k),
            **{name: float(values[i]) for name, values in band._asdict().items()},
        }
        for (method, scope), band in differences.items()
        for i, k in enumerate(found.k)
    ]
    columns = ("k", "A", "B", "A - B", "these problems", "new problems", "new, bootstrap", "A better")
    made = min(int(group.n.min()) for group in found.groups)
    rows: list[tuple[str, ...]] = []
    for i, k in enumerate(found.k.tolist()):
        if k not in found.targets:
            continue
        spans = [
            f"{one.band.band_lower[i]:+.3f} to {one.band.band_upper[i]:+.3f}" for one in found.differences
        ]
        if len(spans) < 3 or np.isnan(found.differences[-1].band.value[i]):
            spans = [*spans[:2], f"beyond n = {made:,}" if len(spans) == 3 else "biased"]
        rows.append(
            (
                f"{k:,}",
                *(f"{curve.value[i]:.4f}" for curve in found.curves),
                f"{found.differences[0].band.value[i]:+.4f}",
                *spans,
                f"{found.first_better[i]:.1%}",
            )
        )
    problems = len(found.groups[0].problems)
    title = (
        f"{found.metric} on {problems} problems of A, {first}, and B, {second}; "
        f"{found.level:.0%} bands, which hold the whole curve"
    )
    table = Table("comparison", columns, rows, records, title)
    return [table]


def answer_lines(found: PairedComparison) -> list[str]:
    """Who is better at which k, and where the curves cross, in sentences."""
    lines = [f"for {one.scope} ({one.method}): {verdict_sentence(found, one)}" for one in found.differences]
    return [*lines, crossing_sentence(found), *left_aside_lines(found)]


def verdict_sentence(found: PairedComparison, difference: Difference) -> str:
    """The ranges of k at which one model is known to be better."""
    parts = found.verdict(difference)
    known = found.k[np.isfinite(difference.band.value)]
    if not len(known):
        return "no k within the attempts made"
    if not parts:
        return f"no k up to {known[-1]:,} at which one of the two is known to be better"
    said = [
        f"{name} is better at k = {low:,}" + (f" to {high:,}" if high > low else "")
        for name, low, high in parts
    ]
    whole = len(parts) == 1 and parts[0][1:] == (int(known[0]), int(known[-1]))
    return "; ".join(said) + ("" if whole else f"; at other k up to {known[-1]:,} it is not known")


def crossing_sentence(found: PairedComparison) -> str:
    """Where the curves cross, with probabilities."""
    first, second = found.names
    cross = found.crossings
    patterns = [
        (cross.first_throughout, f"{first} is better at every k"),
        (cross.second_throughout, f"{second} is better at every k"),
        (cross.first_then_second, f"{first} is better at small k and {second} at large k"),
        (cross.second_then_first, f"{second} is better at small k and {first} at large k"),
        (cross.several, "they cross more than once"),
        (cross.equal, "they do not differ"),
    ]
    said = [
        f"{words} with probability {chance:.0%}"
        for chance, words in sorted(patterns, reverse=True)
        if chance > RARE
    ]
    text = f"curves from k = {found.k[0]:,} to {found.k[-1]:,} on these problems: " + "; ".join(said)
    if max(cross.first_then_second, cross.second_then_first) > RARE:
        text += f". Where they cross once so, it is at k = {cross.k:,.3g} ({cross.lower:,.3g} to {cross.upper:,.3g})"
    return text


def left_aside_lines(found: PairedComparison) -> list[str]:
    """Problems that only one of the models has."""
    return [
        f"{count} problems of {name} are left aside: the other has no attempts at them"
        for name, count in zip(found.names, found.left_aside, strict=True)
        if count
    ]
