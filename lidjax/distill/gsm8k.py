"""GSM8K questions with their answers, from a local `jsonl` file or from the hub."""

import json
from pathlib import Path
from typing import NamedTuple

from lidjax.distill.answers import parse_answer
from lidjax.errors import InputError

HUB = "openai/gsm8k"


class Question(NamedTuple):
    """A question, its published solution, and the number after ####."""

    question: str
    solution: str
    answer: float


def read_gsm8k(source: str, split: str) -> list[Question]:
    """Questions of `source`: a `jsonl` file with `question` and `answer` on each line, or "hub".

    "hub" downloads `split`, which is train or test, of openai/gsm8k. Raises InputError if the questions cannot be read.
    """
    path = hub_file(split) if source == "hub" else Path(source).expanduser()
    try:
        if path.suffix == ".parquet":
            import pyarrow.parquet as pq

            rows = pq.read_table(path, columns=["question", "answer"]).to_pylist()
        else:
            rows = [
                json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()
            ]
    except FileNotFoundError:
        raise InputError(
            f"{source}: no such file; name a jsonl file of GSM8K, or `hub` to download it"
        ) from None
    except (OSError, ValueError) as error:
        raise InputError(f"{source}: cannot be read as jsonl: {error}") from None
    questions: list[Question] = []
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict) or not {"question", "answer"} <= row.keys():
            raise InputError(
                f"{source}, line {number}: must have `question` and `answer`; it is {str(row)[:80]}"
            )
        value = parse_answer(row["answer"])
        if value is None:
            raise InputError(f"{source}, line {number}: no number in the answer {row['answer'][-80:]!r}")
        questions.append(Question(row["question"], row["answer"], float(value)))
    return questions


def hub_file(split: str) -> Path:
    """The local file of one split, downloaded if need be. Raises InputError if that cannot be done."""
    try:
        from huggingface_hub import hf_hub_download
    except ImportError:
        raise InputError("`hub` needs the package huggingface_hub: pip install 'lidjax[distill]'") from None
    try:
        return Path(hf_hub_download(HUB, f"main/{split}-00000-of-00001.parquet", repo_type="dataset"))
    except Exception as error:  # the hub's errors have no common base across its versions
        raise InputError(
            f"{HUB} cannot be downloaded ({error}); name a local jsonl file instead of `hub`"
        ) from None
