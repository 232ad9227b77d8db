"""The same attempts give the same counts in every format, and again from what `write_counts` wrote of them."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from helpers.eval_formats import EQUAL_ATTEMPTS, WRITERS, Attempts, count
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from lidjax.errors import InputError
from lidjax.evals import read_evals, write_counts

VERDICTS = st.lists(st.sampled_from([True, False, None]), min_size=1, max_size=4)


def is_told(name: str, attempts: Attempts) -> bool:
    """Whether the file can be understood without an option: there is a verdict, and its format shows where.

    A marking of texts can be checked only where some first answer is correct, and a list under an unusual key is one of
    verdicts only if it holds some.
    """
    known = [[v for v in verdicts if v is not None] for verdicts in attempts.values()]
    if name == "samples_t.jsonl":
        return any(verdicts and verdicts[0] for verdicts in known)
    return any(known) and (name not in ("unusual.jsonl", "mapping.json") or all(known))


def read_counts(path: Path) -> dict[str, tuple[int, int]]:
    (group,) = read_evals(path, pool_files=True).groups
    return dict(zip(group.problems, zip(group.n.tolist(), group.c.tolist(), strict=True), strict=True))


@pytest.mark.parametrize("name", WRITERS)
@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(attempts=st.dictionaries(st.sampled_from(["p1", "p-2", "q/3", "4"]), VERDICTS, min_size=1))
def test_every_format_gives_the_same_counts(name, attempts):
    if name.endswith(("yaml", "parquet")):
        pytest.importorskip("yaml" if name.endswith("yaml") else "pyarrow", reason="extra `evals`")
    if name == "multipl-e":
        attempts = {problem.replace("/", "-"): verdicts for problem, verdicts in attempts.items()}
    if name in EQUAL_ATTEMPTS:
        attempts = {
            str(i): [bool(v) for v in (verdicts * 4)[:4]] for i, verdicts in enumerate(attempts.values())
        }
    assume(is_told(name, attempts))
    with tempfile.TemporaryDirectory() as folder:
        path = WRITERS[name](Path(folder) / name, attempts)
        assert read_counts(path) == count(attempts)
        data = read_evals(path, pool_files=True)
        again = read_evals(write_counts(data, Path(folder) / "again.csv"))
        assert [(g.fields, g.problems, g.n.tolist(), g.c.tolist()) for g in again.groups] == [
            (g.fields, g.problems, g.n.tolist(), g.c.tolist()) for g in data.groups
        ]


def test_all_formats_have_a_writer():
    from lidjax.evals.read.files import READERS

    attempts: Attempts = {"p1": [True, False], "p2": [False, True]}
    found = set()
    for name, write in WRITERS.items():
        with tempfile.TemporaryDirectory() as folder:
            try:
                found.add(read_evals(write(Path(folder) / name, attempts), pool_files=True).format)
            except ModuleNotFoundError:
                pytest.skip("extra `evals`")
    tables = {"csv", "jsonl", "json", "parquet"}
    assert found - tables == {reader.name for reader in READERS} - {"table"}
    assert tables < found


def test_left_aside_and_counted_attempts_add_up():
    attempts: Attempts = {"p": [True, None, False], "q": [None, None], "r": [False]}
    for name in ("attempts.csv", "lists.jsonl", "log.json", "eval_results.json", "logs.json"):
        with tempfile.TemporaryDirectory() as folder:
            data = read_evals(WRITERS[name](Path(folder) / name, attempts))
        assert sum(value.count for value in data.left_aside) == 3
        assert int(np.sum(data.groups[0].n)) == 3
        assert any("3 of 6 attempts" in note and "1 problems: q" in note for note in data.notes), name


def test_a_file_with_no_verdict_at_all_is_refused(tmp_path):
    path = WRITERS["attempts.jsonl"](tmp_path / "a.jsonl", {"p": [None, None]})
    with pytest.raises(InputError, match="none of the 2 attempts has a verdict"):
        read_evals(path)
