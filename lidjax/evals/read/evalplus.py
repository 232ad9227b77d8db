"""EvalPlus results: `eval_results.json`, a document with the attempts at each problem under `eval`.

Each attempt has two verdicts: `base`, on the tests of the original benchmark, and `plus`, on those and further ones. A
solution that fails a base test has not passed plus, whatever the further tests say: so the leaderboard counts. The
layout of 2023 has lists of [status, details] under `base` and `plus`, with statuses "success" and "failed".
"""

from collections.abc import Mapping
from typing import Any

from lidjax.errors import InputError, check_choice
from lidjax.evals.attempt_details import AttemptDetail
from lidjax.evals.read.reader import FileStart, Reader, ReadOptions
from lidjax.evals.read.stream import open_json
from lidjax.evals.read.text import plain_name
from lidjax.evals.table import EvalData, Tally

PASSED = ("pass", "success")
TESTS = ("base", "plus")


def matches(start: FileStart) -> bool:
    """A document with attempts under `eval`."""
    attempts = None if start.record is None else start.record.get("eval")
    if not isinstance(attempts, dict) or not attempts:
        return False
    first = next(iter(attempts.values()))
    if isinstance(first, dict):
        return "base" in first or "nfiles" in first
    return (
        isinstance(first, list) and bool(first) and isinstance(first[0], dict) and "base_status" in first[0]
    )


def read(start: FileStart, options: ReadOptions) -> EvalData:
    """Counts from one results file. `options.scorer` is "base" or "plus"; by default "plus", where it was run."""
    path = start.path
    if options.scorer is not None:
        check_choice(f"{path}: --scorer", options.scorer, TESTS)
    tallies = {tests: Tally(READER.name) for tests in TESTS}
    has_plus = False
    problems = 0
    with open_json(path) as stream:
        for key in stream.members():
            if key != "eval":
                stream.value()
                continue
            for problem in stream.members():
                problems += 1
                where = f"{path}, {problem}"
                for base, plus in statuses(stream.value(), where):
                    tallies["base"].add_attempts({}, problem, [verdict(base)], "no status of the base tests")
                    both = None if plus is None else verdict(base) and verdict(plus)
                    # the base tests are a verifier that accepts some of the solutions that the plus tests refuse
                    detail = AttemptDetail(accepted=verdict(base))
                    tallies["plus"].add_attempts({}, problem, [both], "no status of the plus tests", [detail])
                    has_plus = has_plus or plus is not None
    if not problems:
        raise InputError(f"{path}: no problems under 'eval'")
    tests = options.scorer or ("plus" if has_plus else "base")
    if tests == "plus" and not has_plus:
        raise InputError(f"{path}: the plus tests were not run; count the base tests with --scorer base")
    other = "base" if tests == "plus" else "plus"
    what = "base and plus tests, as the leaderboard counts" if tests == "plus" else "base tests alone"
    hint = f"; --scorer {other} counts the other" if has_plus else ""
    tallies[tests].notes.append(f"{plain_name(path)}: an attempt is correct if it passed the {what}{hint}")
    return tallies[tests].finish()


def statuses(attempts: Any, where: str) -> list[tuple[str | None, str | None]]:
    """The statuses (base, plus) of the attempts at one problem; None where the tests were not run."""
    try:
        if isinstance(attempts, Mapping):
            base, plus = attempts["base"], attempts.get("plus") or []
            later = [status[0] for status in plus] or [None] * len(base)
            return list(zip([status[0] for status in base], later, strict=True))
        return [(attempt["base_status"], attempt.get("plus_status")) for attempt in attempts]
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise InputError(
            f"{where}: attempts need 'base_status' and 'plus_status', or lists 'base' and 'plus'"
        ) from error


def verdict(status: str | None) -> bool | None:
    """Whether a status is that of a passed test."""
    return None if status is None else status in PASSED


READER = Reader("EvalPlus", (".json",), matches, read, "eval_results.json, of 2023 or later")
