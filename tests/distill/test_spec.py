"""Specs: what is refused and how it is said, and those of the repository."""

from pathlib import Path

import pytest
from helpers.distillation import spec_table

from lidjax import InputError
from lidjax.distill import EmbeddedSpec, HuggingFaceSpec, distill_spec_from_dict, load_distill_spec

SWEEPS = Path(__file__).resolve().parents[2] / "sweeps"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"lora": {"rnak": 2}}, "did you mean 'lora.rank'"),
        ({"lora": {"rank": 0}}, "lora.rank = 0: must be at least 1"),
        ({"lora": {"alpha": 0}}, "lora.alpha = 0.0: must be greater than 0"),
        ({"embedded": {"base_steps": 3}}, "embedded.base_steps = 3"),
        (
            {"embedded": {"student": {"heads": 5}}},
            "embedded.student.heads = 5: must be a divisor of width = 64",
        ),
        ({"embedded": {"teacher": {"rows": 0}}}, "embedded.teacher.rows = 0: must be at least 1"),
        ({"fit": {"window": [1, 64]}}, "within evaluation.attempts = 16"),
        ({"huggingface": {}}, "exactly one of"),
        ({"problems": {"solution": "step"}}, "did you mean 'steps'"),
        ({"grid": {"n": [4, 4]}}, "contains a value twice"),
    ],
)
def test_a_wrong_spec_says_what_is_wrong(change, words):
    with pytest.raises(InputError, match=words):
        distill_spec_from_dict(spec_table(**change))


def test_the_same_values_are_refused_for_both_backends():
    for backend in ("embedded", "huggingface"):
        for change, words in (
            ({"lora": {"rank": 0}}, "lora.rank = 0: must be at least 1"),
            ({"evaluation": {"attempts": 64}}, "within evaluation.attempts = 64"),
            ({"name": "a/b"}, "name = 'a/b'"),
        ):
            with pytest.raises(InputError, match=words):
                distill_spec_from_dict({backend: {}, "grid": {"n": 4}, **change})


def test_the_specs_of_the_repository_are_read():
    for name in ("distill", "distill_quick"):
        assert isinstance(load_distill_spec(SWEEPS / f"{name}.toml"), EmbeddedSpec)
    spec = distill_spec_from_dict({"huggingface": {}, "grid": {"n": {"logspace": [10, 6309, 8]}}})
    assert isinstance(spec, HuggingFaceSpec)
    assert spec.grid.n[0] == 10
    assert (spec.grid.n[-1], spec.lora.rank) == (6309, 8)
    assert spec.huggingface.teacher == "google/flan-t5-xl"


def test_files_beside_a_spec_are_named_relative_to_it(tmp_path):
    (tmp_path / "train.jsonl").write_text("")
    path = tmp_path / "mine.toml"
    path.write_text('[huggingface]\ntrain = "train.jsonl"\nteacher = "some/model"\n[grid]\nn = [4]\n')
    spec = load_distill_spec(path)
    assert isinstance(spec, HuggingFaceSpec)
    assert spec.huggingface.train == str((tmp_path / "train.jsonl").resolve())
    assert spec.huggingface.teacher == "some/model"
    path.write_text("[huggingface]\nteach = 1\n[grid]\nn = 4\n")
    with pytest.raises(InputError, match=r"mine\.toml: key 'huggingface\.teach' is not known"):
        load_distill_spec(path)
