"""What the backend of Hugging Face models keeps and resumes, with a language model of plain Python in their place."""

import hashlib
import json
import sys
import types

import numpy as np
import pytest
from helpers.distillation import Interrupted, assert_same_students, interrupt_in, record

from lidjax import InputError
from lidjax.distill import distill_spec_from_dict, open_distillation, run_distillation
from lidjax.runs import open_location

BATCH = 8
"""Not a divisor of the 6 held-out questions: one batch has questions of both kinds."""


class PlainModel:
    """Answers that depend on the question, the seed and the adapter alone; an adapter is what it was trained on."""

    def __init__(self, name, settings):
        self.name, self.adapter = name, ""

    def _number(self, *parts):
        text = repr((self.name, self.adapter, *parts))
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4])

    def sample(self, questions, *, draws, temperature, seed):
        return [[f"#### {self._number(q, seed, draw) % 4}" for draw in range(draws)] for q in questions]

    def loss(self, questions, answers, *, temperature=1.0):
        return self._number(*questions, *answers, temperature) / 2**32

    def adapt(self, questions, answers, lora, *, seed):
        self.adapter = repr((questions, answers, seed))
        return True

    def save_adapter(self, folder):
        (folder / "adapter.txt").write_text(self.adapter)

    def drop_adapter(self):
        self.adapter = ""


@pytest.fixture(autouse=True)
def _plain_model(monkeypatch):
    module = types.ModuleType("lidjax.distill.hf_models")
    module.LanguageModel = PlainModel
    monkeypatch.setitem(sys.modules, module.__name__, module)


@pytest.fixture
def spec_of(tmp_path):
    """A spec for some N and seeds, on twelve training and six held-out questions."""
    for split, start, count in (("train", 0, 12), ("test", 50, 6)):
        rows = [{"question": f"{i}?", "answer": f"#### {i % 4}"} for i in range(start, start + count)]
        (tmp_path / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def build(n=(3, 8), seed=(0, 1), **huggingface):
        files = {split: str(tmp_path / f"{split}.jsonl") for split in ("train", "test")}
        return distill_spec_from_dict(
            {
                "huggingface": {**files, "generate_batch": BATCH, **huggingface},
                "grid": {"n": list(n), "seed": list(seed)},
                "evaluation": {"questions": 6, "attempts": 8, "teacher_attempts": 6},
                "fit": {"window": [1, 8]},
            }
        )

    return build


@pytest.mark.parametrize(("stage", "after"), [("teacher answers", 1), ("students", 2)])
@pytest.mark.parametrize("scheme", ["folder", "memory"])
def test_an_interrupted_run_ends_with_the_same_numbers(spec_of, tmp_path, stage, after, scheme):
    whole = run_distillation(spec_of())
    assert len(np.unique(whole["correct"])) > 2
    out = tmp_path / "out" if scheme == "folder" else f"memory://plain/{stage.replace(' ', '-')}"
    with pytest.raises(Interrupted):
        run_distillation(spec_of(), out=out, progress=interrupt_in(stage, after))
    seen = {}
    resumed = run_distillation(spec_of(), out=out, progress=record(seen))
    assert seen[stage][1] == after
    assert_same_students(resumed, whole)
    kept = open_location(out).names("work/adapter_n3_seed0/")
    assert kept == ["work/adapter_n3_seed0/adapter.txt"]


def test_a_batch_of_the_teacher_is_kept_whole_or_not_at_all(spec_of, tmp_path, monkeypatch):
    """If a part of a batch were kept, a resumed run would form other batches, with other seeds."""
    whole = run_distillation(spec_of())
    sample = PlainModel.sample

    def fail_on_training_questions(self, questions, **settings):
        if questions[0].rstrip("?") in map(str, range(12)):
            raise Interrupted
        return sample(self, questions, **settings)

    with monkeypatch.context() as patch:
        patch.setattr(PlainModel, "sample", fail_on_training_questions)
        with pytest.raises(Interrupted):
            run_distillation(spec_of(), out=tmp_path / "out")
    assert_same_students(run_distillation(spec_of(), out=tmp_path / "out"), whole)


def test_any_n_and_seed_can_be_added_and_old_students_stay(spec_of, tmp_path):
    whole = run_distillation(spec_of(), out=tmp_path / "out").load()
    seen = {}
    more = run_distillation(
        spec_of(n=(3, 5, 8, 12), seed=(0, 1, 2)), out=tmp_path / "out", progress=record(seen)
    )
    assert seen["students"] == (8, 4)
    assert_same_students(more.sel(n=whole["n"], seed=whole["seed"]), whole)
    np.testing.assert_array_equal(more["teacher_answer"], whole["teacher_answer"])
    assert (open_distillation(tmp_path / "out")["status"] == 0).all()


def test_device_and_batch_size_do_not_make_another_experiment(spec_of, tmp_path):
    run_distillation(spec_of(), out=tmp_path / "out")
    run_distillation(spec_of(device="cpu", generate_batch=3), out=tmp_path / "out")
    with pytest.raises(
        InputError, match=r"huggingface\.student: the store has flan-t5-small, the spec other"
    ):
        run_distillation(spec_of(student="some/other"), out=tmp_path / "out")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"n": (13,)}, r"grid\.n = 13: .*train\.jsonl has 12 questions"),
        ({"test": "TRAIN"}, "of the held-out questions are among the training questions"),
        ({"train": "/nowhere.jsonl"}, "no such file; name a jsonl file"),
    ],
)
def test_questions_that_cannot_be_used_are_refused(spec_of, tmp_path, change, words):
    change = {k: str(tmp_path / "train.jsonl") if v == "TRAIN" else v for k, v in change.items()}
    with pytest.raises(InputError, match=words):
        run_distillation(spec_of(**change))


def test_lines_that_are_no_questions_are_named(spec_of, tmp_path):
    spec = spec_of()
    (tmp_path / "test.jsonl").write_text('{"question": "1?", "answer": "#### 1"}\n{"question": "2?"}\n')
    with pytest.raises(InputError, match=r"test\.jsonl, line 2: must have `question` and `answer`"):
        run_distillation(spec)
