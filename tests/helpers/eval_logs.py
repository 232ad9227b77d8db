"""Made-up evaluation logs, and the counts in what was read of them."""

import json
from pathlib import Path

import numpy as np

from lidjax.evals import EvalData, Group


def write_lines(path: Path, *lines: str | dict) -> Path:
    """A text file with a line each; a dictionary is written as JSON."""
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return path


def counts_by_problem(data: EvalData) -> dict[str, dict[str, tuple[int, int]]]:
    """(n, c) of each problem of each group."""
    return {
        group.name: dict(
            zip(group.problems, zip(group.n.tolist(), group.c.tolist(), strict=True), strict=True)
        )
        for group in data.groups
    }


def make_group(name: str, n: int = 100, problems: int = 30, **fields: str | float) -> Group:
    """A group whose problems all have success rate 0.2."""
    c = np.random.default_rng(0).binomial(n, 0.2, problems)
    return Group(name, {"model": name, **fields}, tuple(map(str, range(problems))), np.full(problems, n), c)


def draw_counts(
    seed: int, a: float, b: float, problems: int = 128, n: int = 100
) -> tuple[np.ndarray, np.ndarray]:
    """(n, c) of problems with success rates Beta(a, b)."""
    rng = np.random.default_rng(seed)
    return np.full(problems, n), rng.binomial(n, rng.beta(a, b, problems))


def write_counts(path: Path, groups: dict[tuple[str, float], list[tuple[int, int]]]) -> str:
    """A table of counts as CSV: {(model, tokens): [(n, c) of each problem]}."""
    lines = [
        f"{model},{tokens},q{i},{n},{c}"
        for (model, tokens), counts in groups.items()
        for i, (n, c) in enumerate(counts)
    ]
    return str(write_lines(path, "model,tokens,problem,n,c", *lines))


def write_training_table(path: Path) -> str:
    """Four training sizes of one model, 30 problems, 2000 attempts; success grows with training."""
    rng = np.random.default_rng(0)
    groups = {}
    for step in range(4):
        rates = rng.beta(0.3 + 0.15 * step, 12, 30)
        groups[f"m{step}", 10 ** (9 + step / 2)] = [(2000, c) for c in rng.binomial(2000, rates)]
    return write_counts(path, groups)
