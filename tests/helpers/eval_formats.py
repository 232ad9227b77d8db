"""The same attempts written in every format that is read, each as the program it belongs to writes it."""

import csv
import gzip
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from helpers.eval_logs import write_lines

Attempts = dict[str, list[bool | None]]
"""Verdicts on the attempts at each problem, in order; None where there is no verdict."""


def count(attempts: Attempts) -> dict[str, tuple[int, int]]:
    """(n, c) of each problem with a verdict: the definition, counted by hand."""
    known = {problem: [v for v in verdicts if v is not None] for problem, verdicts in attempts.items()}
    return {problem: (len(verdicts), verdicts.count(True)) for problem, verdicts in known.items() if verdicts}


def write_csv(path: Path, rows: list[dict[str, Any]], delimiter: str = ",") -> Path:
    with open(path, "w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_json(path: Path, value: Any, **options: Any) -> Path:
    path.write_text(json.dumps(value, **options))
    return path


def write_parquet(path: Path, rows: list[dict[str, Any]]) -> Path:
    import pyarrow as pa
    import pyarrow.parquet

    pyarrow.parquet.write_table(pa.Table.from_pylist(rows), path)
    return path


def compress(path: Path) -> Path:
    """The file as .gz."""
    packed = path.with_name(path.name + ".gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    return packed


def count_rows(attempts: Attempts) -> list[dict[str, Any]]:
    return [{"problem": problem, "n": n, "c": c} for problem, (n, c) in count(attempts).items()]


def attempt_rows(
    attempts: Attempts, verdict: Callable[[bool | None], Any] = lambda v: v
) -> list[dict[str, Any]]:
    longest = max(map(len, attempts.values()))  # interleaved, as batches of one attempt at each problem are
    return [
        {"task_id": problem, "attempt": i, "passed": verdict(verdicts[i])}
        for i in range(longest)
        for problem, verdicts in attempts.items()
        if i < len(verdicts)
    ]


def wide_rows(attempts: Attempts) -> list[dict[str, Any]]:
    longest = max(map(len, attempts.values()))
    return [
        {
            "problem": problem,
            **{f"run_{i + 1}": word(v) for i, v in enumerate([*verdicts, *[None] * longest][:longest])},
        }
        for problem, verdicts in attempts.items()
    ]


def word(verdict: bool | None) -> str:
    return "" if verdict is None else str(verdict)


def number(verdict: bool | None) -> int | None:
    return None if verdict is None else int(verdict)


def list_records(attempts: Attempts, key: str) -> list[dict[str, Any]]:
    return [
        {"question_id": problem, "prompt": "?", "completions": ["x"] * len(verdicts), key: verdicts}
        for problem, verdicts in attempts.items()
    ]


def status(verdict: bool | None) -> str | None:
    return {True: "pass", False: "fail", None: None}[verdict]


def evalplus(path: Path, attempts: Attempts) -> Path:
    def attempt(problem: str, verdict: bool | None, index: int) -> dict[str, Any]:
        # a wrong attempt fails the base tests, or the plus tests only
        base = "fail" if verdict is False and index % 2 else status(verdict) and "pass"
        plus = {True: "pass", False: "fail" if base == "pass" else "pass", None: None}[verdict]
        return {
            "task_id": problem,
            "solution": "x",
            "base_status": base,
            "plus_status": plus,
            "base_fail_tests": [],
        }

    document = {
        "date": "2024-06-01 12:00",
        "hash": "0",
        "eval": {p: [attempt(p, v, i) for i, v in enumerate(vs)] for p, vs in attempts.items()},
        "pass_at_k": {"base": {}, "plus": {}},
    }
    return write_json(path, document)


def evalplus_2023(path: Path, attempts: Attempts) -> Path:
    def result(verdict: bool | None) -> list[Any]:
        return [{True: "success", False: "failed", None: None}[verdict], [True]]

    document = {
        "date": "2023-06-01 12:00",
        "hash": "0",
        "eval": {
            p: {"nfiles": len(vs), "base": [result(v) for v in vs], "plus": [result(v) for v in vs]}
            for p, vs in attempts.items()
        },
    }
    return write_json(path, document, indent=1)


def bigcode(path: Path, attempts: Attempts) -> Path:
    return write_json(
        path,
        {
            p: [[i, {"task_id": 0, "passed": v, "result": "", "completion_id": i}] for i, v in enumerate(vs)]
            for p, vs in attempts.items()
        },
    )


def multipl_e(folder: Path, attempts: Attempts) -> Path:
    folder.mkdir()
    for problem, verdicts in attempts.items():
        results = [
            {
                "program": "x",
                "timestamp": 0,
                "stdout": "",
                "stderr": "",
                "exit_code": 0 if verdict else 1,
                "status": {True: "OK", False: "Exception", None: None}[verdict],
            }
            for verdict in verdicts
        ]
        document = {"name": problem, "language": "lua", "prompt": "x", "tests": "x", "results": results}
        compress(write_json(folder / f"{problem}.results.json", document))
    return folder


def seeds(attempts: Attempts) -> list[dict[str, bool | None]]:
    """The verdicts of each seed: problems with fewer attempts are missing from the later ones."""
    longest = max(map(len, attempts.values()))
    return [{p: vs[i] for p, vs in attempts.items() if i < len(vs)} for i in range(longest)]


def nemo_skills(folder: Path, attempts: Attempts) -> Path:
    folder.mkdir()
    for index, verdicts in enumerate(seeds(attempts)):
        lines = [
            {
                "id": problem,
                "problem": f"The text of {problem}.",
                "expected_answer": "1",
                "generation": "x",
                "predicted_answer": "1",
                "symbolic_correct": verdict,
            }
            for problem, verdict in verdicts.items()
        ]
        write_lines(folder / f"output-rs{index}.jsonl", *lines)
    write_json(folder / "metrics.json", {"all": {"pass@1": 0.5}})
    return folder


def swe_bench(folder: Path, attempts: Attempts) -> Path:
    folder.mkdir()
    for index, verdicts in enumerate(seeds(attempts)):
        ids = {kind: [p for p, v in verdicts.items() if v is kind] for kind in (True, False, None)}
        report = {
            "total_instances": len(verdicts),
            "submitted_ids": list(verdicts),
            "completed_ids": ids[True] + ids[False][1:],
            "resolved_ids": ids[True],
            "unresolved_ids": ids[False][1:],
            "empty_patch_ids": ids[False][:1],
            "error_ids": ids[None],
            "schema_version": 2,
        }
        write_json(folder / f"org__model.run{index}.json", report, indent=4)
    return folder


def trials(path: Path, attempts: Attempts) -> Path:
    results = [
        {"id": "0", "trial_name": f"{row['task_id']}.{row['attempt']}", "task_id": row["task_id"]}
        | {"is_resolved": row["passed"], "failure_mode": "unset"}
        for row in attempt_rows(attempts)
    ]
    return write_json(path, {"id": "0", "results": results, "n_resolved": 0, "accuracy": 0.0}, indent=2)


def inspect_eval(path: Path, attempts: Attempts) -> Path:
    samples = inspect_samples(attempts)
    header = {"version": 2, "status": "success", "eval": {"task": "t", "model": "m"}}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("_journal/start.json", json.dumps(header))
        for sample in samples:
            archive.writestr(f"samples/{sample['id']}_epoch_{sample['epoch']}.json", json.dumps(sample))
        archive.writestr("header.json", json.dumps(header))
    return path


def inspect_json(path: Path, attempts: Attempts) -> Path:
    samples = inspect_samples(attempts)
    return write_json(
        path,
        {"version": 2, "status": "success", "eval": {"task": "t", "model": "m"}, "samples": samples},
        indent=1,
    )


def inspect_samples(attempts: Attempts) -> list[dict[str, Any]]:
    values = {True: "C", False: "I", None: float("nan")}
    return [
        {"id": problem, "epoch": i + 1, "scores": {"match": {"value": values[verdict], "answer": "x"}}}
        for problem, verdicts in attempts.items()
        for i, verdict in enumerate(verdicts)
    ]


def harness(path: Path, attempts: Attempts) -> Path:
    """The first answer of each document decides its metric; attempts without a verdict are not written."""
    lines = []
    for problem, verdicts in attempts.items():
        known = [v for v in verdicts if v is not None]
        if known:
            texts = [f"so #### {7 if v else 8}" for v in known]
            lines.append(
                {
                    "doc_id": problem,
                    "target": "1 + 6\n#### 7",
                    "resps": [texts],
                    "filtered_resps": texts[:1],
                    "filter": "strict-match",
                    "exact_match": float(known[0]),
                }
            )
    return write_lines(path, *lines)


def lighteval(path: Path, attempts: Attempts) -> Path:
    """Every problem has as many answers as the metric's name says."""
    rows = [
        {
            "full_prompt": "x",
            "predictions": ["x"] * n,
            "gold": ["1"],
            "metrics": {f"math_pass@1:{n}_samples": c / n},
            "specifics": {"extracted_predictions": ["1"]},
        }
        for n, c in count(attempts).values()
    ]
    return write_parquet(path, rows)


def yaml_lists(path: Path, attempts: Attempts) -> Path:
    import yaml

    path.write_text(yaml.safe_dump({p: {"is_corrects": vs} for p, vs in attempts.items()}, sort_keys=False))
    return path


WRITERS: dict[str, Callable[[Path, Attempts], Path]] = {
    "counts.csv": lambda path, a: write_csv(path, count_rows(a)),
    "semicolons.csv": lambda path, a: write_csv(path, count_rows(a), ";"),
    "counts.jsonl": lambda path, a: write_lines(path, *count_rows(a)),
    "totals.jsonl": lambda path, a: write_lines(
        path, *({"task_id": row["problem"], "total": row["n"], "passed": row["c"]} for row in count_rows(a))
    ),
    "counts.json": lambda path, a: write_json(path, count_rows(a), indent=1),
    "counts.parquet": lambda path, a: write_parquet(path, count_rows(a)),
    "accuracy.csv": lambda path, a: write_csv(
        path, [{"problem": r["problem"], "n": r["n"], "accuracy": r["c"] / r["n"]} for r in count_rows(a)]
    ),
    "attempts.csv": lambda path, a: write_csv(path, attempt_rows(a, word)),
    "attempts.csv.gz": lambda path, a: compress(write_csv(path.with_suffix(""), attempt_rows(a, number))),
    "attempts.jsonl": lambda path, a: write_lines(path, *attempt_rows(a)),
    "attempts.json": lambda path, a: write_json(path, attempt_rows(a, number)),
    "attempts.parquet": lambda path, a: write_parquet(path, attempt_rows(a)),
    "wide.csv": lambda path, a: write_csv(path, wide_rows(a)),
    "lists.jsonl": lambda path, a: write_lines(path, *list_records(a, "is_corrects")),
    "graded.json": lambda path, a: write_json(path, list_records(a, "graded_list"), indent=1),
    "unusual.jsonl": lambda path, a: write_lines(path, *list_records(a, "marks_of_the_judge")),
    "rewards.jsonl": lambda path, a: write_lines(
        path,
        *(
            {"task_id": p, "results": [{"reward": number(v), "seed": i} for i, v in enumerate(vs)]}
            for p, vs in a.items()
        ),
    ),
    "mapping.json": lambda path, a: write_json(path, a, indent=1),
    "lists.parquet": lambda path, a: write_parquet(path, list_records(a, "score")),
    "lists.yaml": yaml_lists,
    "eval_results.json": evalplus,
    "old_eval_results.json": evalplus_2023,
    "logs.json": bigcode,
    "multipl-e": multipl_e,
    "nemo": nemo_skills,
    "swe": swe_bench,
    "results.json": trials,
    "log.eval": inspect_eval,
    "log.json": inspect_json,
    "samples_t.jsonl": harness,
    "details_t_2025-01-01T00-00-00.parquet": lighteval,
}
"""By the name of the file or folder, what writes it."""

EQUAL_ATTEMPTS = ("details_t_2025-01-01T00-00-00.parquet",)
"""Files that have the same number of attempts at all problems, and number the problems."""
