"""What the columns of a table mean: found by their usual names, or named by the user."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lidjax.errors import InputError, check_choice, unknown_name
from lidjax.evals.read.details import CHOSEN, DetailKeys, find_keys
from lidjax.evals.read.reader import ReadOptions
from lidjax.evals.read.text import UnknownFormat
from lidjax.evals.read.verdicts import ANSWER_KEYS, LONGEST_NAME, PROBLEM_KEYS, VERDICT_KEYS
from lidjax.evals.table import Tally

N_COLUMNS = (
    "n",
    "num_samples",
    "num_attempts",
    "attempts",
    "total",
    "n_samples",
    "n_attempts",
    "num_trials",
    "n_trials",
    "trials",
    "samples",
    "runs",
    "num_runs",
    "n_runs",
    "num_completions",
    "num_generations",
)
C_COLUMNS = (
    "c",
    "num_correct",
    "correct",
    "n_correct",
    "successes",
    "num_successes",
    "num_passed",
    "n_passed",
    "passed",
    "passes",
    "resolved",
    "solved",
    "success",
)
ACCURACY_COLUMNS = ("accuracy", "acc", "success_rate", "pass_rate", "solve_rate", "pass@1", "mean_accuracy")
ATTEMPT_COLUMNS = ("attempt", "attempt_id", "attempt_idx", "run", "trial", "epoch", "repeat", "sample_idx")
CHOICES = ("problem", "n", "c", "accuracy", "correct", "attempt", *CHOSEN)
"""What --columns can name a column for."""
LEFT_ASIDE_COLUMNS = ("left_aside", "left_aside_reason")  # of `write_counts`
GROUP_COLUMNS = (
    "benchmark",
    "dataset",
    "task",
    "model",
    "model_name",
    "model_id",
    "model_name_or_path",
    "agent",
    "policy",
    "llm",
    "checkpoint",
    "step",
    "params",
    "parameters",
    "tokens",
    "train_size",
    "temperature",
    "prompt",
    "split",
    "language",
    "folder",
    "file",
)
MODEL_COLUMNS = ("model", "model_name", "model_id", "model_name_or_path", "agent", "policy", "llm")
WIDE_PASS = re.compile(r"pass[@_ -]?(?:at_?)?k?=?(\d+)", re.IGNORECASE)
LONG_PASS = re.compile(r"pass[@_ -]?(?:at_?)?k", re.IGNORECASE)
WIDE_ATTEMPT = re.compile(r"(|[a-z]+[a-z_]*?)[ _-]?(\d+)", re.IGNORECASE)
WIDE_STEMS = (
    "run",
    "attempt",
    "trial",
    "seed",
    "epoch",
    "rollout",
    "sample",
    "repeat",
    "try",
    "correct",
    "is_correct",
    "passed",
    "score",
    "reward",
    "result",
    "",
)
SURELY_ATTEMPTS = re.compile("(run|attempt|trial|seed|epoch|rollout|sample|repeat|try)", re.IGNORECASE)


class Columns(NamedTuple):
    """What the columns of a table are for."""

    problem: str
    """Column of the problem's name."""
    n: str | None
    """Column of the number of attempts; None where each attempt has a row or a column of its own."""
    c: str | None
    """Column of the number of correct answers."""
    accuracy: str | None
    """Column of c/n, where there is no column of c."""
    verdicts: tuple[str, ...]
    """Columns of verdicts: one where each attempt has a row, more where it has a column."""
    others: tuple[str, ...]
    """Further columns that could be the verdict, and must not contradict it."""
    attempt: str | None
    """Column that numbers the attempts."""
    answer: str | None
    """Column of the text of the answer."""
    details: DetailKeys
    """Columns of the extracted answer, of the tokens, and of a verifier's verdict, where each attempt has a row."""
    group: dict[str, str]
    """Columns that define groups, by the name of the field."""
    wide: dict[str, int]
    """Columns of published pass@K, with their K."""
    long: str | None
    """Column of published pass@k whose k is in the column `k`."""
    k: str | None
    """Column of k, where rows are repeated for several k."""


def assign_columns(row: Mapping[str, Any], path: Path, options: ReadOptions, tally: Tally) -> Columns:
    """What each column is for; a note names those that are skipped."""
    header = list(row)
    lower = {name.strip().lower(): name for name in reversed(header)}
    chosen = dict(options.columns or {})
    for wanted, name in chosen.items():
        if name not in header:
            raise unknown_name(f"{path}: column", name, header)
        check_choice("--columns", wanted, CHOICES)

    def find(wanted: str, usual: Iterable[str]) -> str | None:
        if wanted in chosen:
            return chosen[wanted]
        return next((lower[name] for name in usual if name in lower), None)

    problem = chosen.get("problem") or problem_column(row, lower)
    n, c = find("n", N_COLUMNS), find("c", C_COLUMNS)
    accuracy = None if c else find("accuracy", ACCURACY_COLUMNS)
    wide_attempts = attempt_columns(header, options.scorer, path)
    verdict = chosen.get("correct") or verdict_column(header, lower, options.scorer)
    if "correct" in chosen or (options.scorer and verdict == options.scorer):
        n = None
    given = (options.scorer, chosen.get("correct"))
    by_attempt = n is None and "c" not in chosen and "accuracy" not in chosen
    verdicts: tuple[str, ...] = ()
    if by_attempt:
        wide_wins = (
            len(wide_attempts) > 1 and SURELY_ATTEMPTS.match(wide_attempts[0]) and verdict not in given
        )
        verdicts = wide_attempts if wide_wins or not verdict else (verdict,)
    wanted = {"problem": problem}
    if not verdicts:
        wanted |= {"n": n, "c": c or accuracy}
    missing = [f"{name!r}" for name, column in wanted.items() if column is None]
    if missing or problem is None:
        hints = [f"--columns {name}=NAME" for name, column in wanted.items() if column is None]
        also = ", or --columns correct=NAME where a row is one attempt" if "n" in wanted and n is None else ""
        raise UnknownFormat(
            f"{path}: no column for {' and '.join(missing)}; the columns are {', '.join(header)}. "
            f"Choose with {' '.join(hints)}{also}"
        )
    if verdicts:
        c = accuracy = None
    others = tuple(
        lower[name]
        for name in VERDICT_KEYS
        if len(verdicts) == 1 and name in lower and lower[name] not in verdicts
    )
    if options.scorer or "correct" in chosen:
        others = ()
    attempt = find("attempt", ATTEMPT_COLUMNS) if len(verdicts) == 1 else None
    one_each = len(verdicts) == 1  # a row is one attempt
    answer = next((lower[name] for name in ANSWER_KEYS if name in lower), None) if one_each else None
    details = find_keys(row, chosen) if one_each else DetailKeys()
    lost = [name for name in CHOSEN if name in chosen and not one_each]
    if lost:
        raise InputError(f"{path}: --columns {lost[0]}= is for tables with a row for each attempt")
    others = tuple(name for name in others if name != details.verifier)
    used = {problem, n, c, accuracy, attempt, answer, *details, *verdicts, *others}
    group = find_groups(row, path, options.group, {name for name in used if name})
    wide = {
        name: int(match[1])
        for name in header
        if n is not None and name not in used and (match := WIDE_PASS.fullmatch(name.strip()))
    }
    value = next((name for name in header if n is not None and LONG_PASS.fullmatch(name.strip())), None)
    k = lower.get("k") if n is not None else None
    long = value if value and k else None
    used |= {*group.values(), *wide, long, k, *(lower.get(name) for name in LEFT_ASIDE_COLUMNS)}
    skipped = [name for name in header if name and name not in used]
    if skipped:
        tally.notes.append(f"{path.name}: columns left aside: {', '.join(skipped)} (--group uses them)")
    return Columns(problem, n, c, accuracy, verdicts, others, attempt, answer, details, group, wide, long, k)


def problem_column(row: Mapping[str, Any], lower: Mapping[str, str]) -> str | None:
    """The column of the problem's name; one that holds the text of the problem only where there is no other."""
    known = [lower[name] for name in PROBLEM_KEYS if name in lower and is_scalar(row[lower[name]])]
    short = [name for name in known if len(str(row[name])) <= LONGEST_NAME]
    return next(iter([*short, *known]), None)


def verdict_column(header: list[str], lower: Mapping[str, str], scorer: str | None) -> str | None:
    """The column of the verdict on one attempt: that of --scorer, else the usual one."""
    if scorer in header:
        return scorer
    return next((lower[name] for name in VERDICT_KEYS if name in lower), None)


def attempt_columns(header: list[str], scorer: str | None, path: Path) -> tuple[str, ...]:
    """The columns that hold one attempt each, such as run_1, run_2."""
    stems: dict[str, list[tuple[int, str]]] = {}
    for name in header:
        match = WIDE_ATTEMPT.fullmatch(name.strip())
        if match and match[1].lower().rstrip("_") in WIDE_STEMS:
            stems.setdefault(match[1].lower().rstrip("_"), []).append((int(match[2]), name))
    found = {
        stem: columns for stem, columns in stems.items() if len(columns) > 1 or stem in ("run", "attempt")
    }
    if scorer in found:
        found = {scorer: found[scorer]}
    if len(found) > 1:
        raise UnknownFormat(
            f"{path}: columns {' and '.join(f'{stem}_…' for stem in found)} could each hold the attempts; choose with "
            f"--scorer; allowed: {', '.join(found)}"
        )
    for columns in found.values():
        return tuple(name for _, name in sorted(columns))
    return ()


def find_groups(
    row: Mapping[str, Any], path: Path, group: Sequence[str] | None, used: set[str]
) -> dict[str, str]:
    """Columns that define groups, by the name of the field: those the user gave, else the usual ones."""
    if group is not None:
        by_lower = {name.strip().lower(): name for name in row}
        found: dict[str, str] = {}
        for name in group:
            column = name if name in row else by_lower.get(name.lower(), name)
            check_choice(f"{path}: column of --group", column, row)
            found[name] = column
        return found
    columns = {
        name.strip().lower(): name
        for name in row
        if name.strip().lower() in GROUP_COLUMNS
        and name not in used
        and is_scalar(row[name])
        and len(str(row[name])) <= LONGEST_NAME
    }
    model = next((name for name in MODEL_COLUMNS if name in columns), None)
    return {("model" if name == model else name): column for name, column in columns.items()}


def is_scalar(value: Any) -> bool:
    """Whether a value is text or a number."""
    return value is None or isinstance(value, str | int | float)
