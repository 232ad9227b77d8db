"""The experiment from spec to figures on a very small spec: counts, resume, diverging students, the command."""

import json

import numpy as np
import pytest
import xarray as xr

from lidjax import InputError
from lidjax.cli import main
from lidjax.distill.run import run_distillation
from lidjax.distill.spec import EmbeddedSpec, HuggingFaceSpec, distill_spec_from_dict, load_distill_spec
from lidjax.distill.summary import summarise_distillation
from lidjax.passk import failure_from_counts

SPEC = """
[problems]
steps = 1
operand = 9
distractors = 0
[embedded.teacher]
width = 16
layers = 1
heads = 2
steps = 60
rows = 400
batch = 16
[embedded.student]
width = 16
layers = 1
heads = 2
steps = 60
rows = 400
batch = 16
[lora]
rank = 2
steps = 10
batch = 4
[grid]
n = [2, 4, 8, 16, 32]
seed = [0, 1]
[evaluation]
questions = 12
attempts = 16
teacher_attempts = 20
[fit]
window = [1, 16]
replicates = 20
"""


@pytest.fixture(scope="module")
def spec_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("spec") / "tiny.toml"
    path.write_text(SPEC)
    return path


@pytest.fixture(scope="module")
def whole(spec_file, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "out"
    return run_distillation(spec_file, out=out), out


def test_counts_are_those_of_the_answers(whole):
    data, out = whole
    assert (data["status"] == 0).all()
    assert data["correct"].dims == ("n", "seed", "target", "question")
    assert (data["attempts"].sel(target="truth") == 16).all()
    assert (data["attempts"].sel(target="fresh") == 20).all()
    assert (data["correct"] <= data["attempts"]).all()
    # against fresh answers the greedy answer's chance is the share of the teacher's that equal it
    np.testing.assert_allclose(
        data["greedy"].sel(target="fresh") * 20, data["correct"].sel(target="fresh"), atol=1e-12
    )
    again = xr.open_zarr(out / "results.zarr", consolidated=False)
    np.testing.assert_array_equal(again["correct"], data["correct"])


def test_a_run_that_was_cut_ends_with_the_same_numbers(spec_file, whole, tmp_path):
    class Stop(Exception):
        pass

    def stop_in(name, after):
        def track(stage, steps, *, done=0):
            for count, step in enumerate(steps):
                if stage == name and count == after:
                    raise Stop
                yield step

        return progress

    for name, after in (("teacher", 7), ("adapters", 3), ("students", 4)):
        with pytest.raises(Stop):
            run_distillation(spec_file, out=tmp_path, progress=stop_in(name, after))
    seen = {}

    def track(stage, steps, *, done=0):
        seen[stage] = len(steps), done
        return steps

    data = run_distillation(spec_file, out=tmp_path, progress=progress)
    assert seen["students"] == (6, 4)
    assert seen["teacher"][0] == seen["adapters"][0] == 0
    for name in ("correct", "greedy", "train_loss", "lgen", "teacher_answer"):
        np.testing.assert_array_equal(data[name], whole[0][name])


def test_a_student_that_diverges_has_a_status_and_the_summary_leaves_it_out(whole):
    data = whole[0].copy(deep=True)
    data["status"][0, 1] = 1
    data["correct"][0, 1] = 0
    data["attempts"][0, 1] = 0
    data["lgen"][0, 1] = np.nan
    found = summarise_distillation(data)
    alone = data.isel(n=0, seed=0).sel(target="truth")
    expected = failure_from_counts(alone["attempts"].values, alone["correct"].values, 4).mean()
    assert found["failure"].sel(target="truth", k=4).values[0] == pytest.approx(expected, rel=1e-12)
    assert np.isfinite(found["lgen"]).all()


def test_training_that_diverges_marks_every_student(spec_file):
    table = {**_table(), "lora": {"rank": 2, "steps": 10, "batch": 4, "learning_rate": 1e38}}
    data = run_distillation(distill_spec_from_dict(table))
    assert (data["status"] == 1).all()


def _table():
    import tomllib

    return tomllib.loads(SPEC)


def test_the_summary_is_the_mean_of_the_unbiased_estimates(whole):
    data, _ = whole
    found = summarise_distillation(data)
    part = data.sel(target="truth").isel(n=2)
    for k in (1, 16):
        expected = failure_from_counts(part["attempts"].values, part["correct"].values, k).mean()
        assert found["failure"].sel(target="truth", k=k).values[2] == pytest.approx(expected, rel=1e-12)
    assert (found["greedy_loss_low"] <= found["greedy_loss_high"]).all()
    greedy = 1 - data["greedy"].mean(["seed", "question"]).transpose("target", "n")
    np.testing.assert_allclose(found["greedy_loss"].sel(target="truth"), greedy.sel(target="truth"))


def test_the_command_prints_draws_and_writes_counts_that_fit_reads(spec_file, whole, capsys):
    out = str(whole[1])
    assert main(["distill", str(spec_file), "--out", out, "--quiet", "--json"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    found = json.loads(printed.out)
    assert set(found["targets"]) == {"truth", "teacher", "fresh"}
    assert [row["n"] for row in found["targets"]["truth"]["rows"]] == [2, 4, 8, 16, 32]
    assert found["teachers"][0]["questions"] == 12
    assert {p.name for p in (whole[1] / "figures").iterdir()} == {"distill.pdf", "distill.png"}
    from lidjax.evals import read_evals

    groups = read_evals([whole[1] / "counts.csv"], group=["training_size", "target"]).groups
    assert len(groups) == 15
    assert main(["distill", str(spec_file), "--out", out, "--no-plot", "--lora.rank", "3"]) == 2
    assert "lora.rank: the store has 2, the spec 3" in capsys.readouterr().err


def test_starting_anew_makes_everything_again(spec_file, whole, tmp_path):
    first = run_distillation(spec_file, out=tmp_path)
    (tmp_path / "counts.csv").write_text("")
    seen = {}

    def track(stage, steps, *, done=0):
        seen[stage] = done
        return steps

    again = run_distillation(spec_file, out=tmp_path, resume=False, progress=progress)
    assert set(seen.values()) == {0}
    np.testing.assert_array_equal(again["correct"], first["correct"])
    np.testing.assert_array_equal(again["correct"], whole[0]["correct"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"lora": {"rnak": 2}}, "did you mean 'lora.rank'"),
        ({"embedded": {"base_steps": 3}}, "embedded.base_steps = 3"),
        ({"fit": {"window": [1, 64]}}, "within evaluation.attempts = 16"),
        ({"huggingface": {}}, "exactly one of"),
        ({"problems": {"solution": "step"}}, "did you mean 'steps'"),
        ({"grid": {"n": [4, 4]}}, "stands there twice"),
    ],
)
def test_a_wrong_spec_says_what_is_wrong(change, words):
    with pytest.raises(InputError, match=words):
        distill_spec_from_dict(_table() | change)


def test_the_specs_of_the_repository_are_read():
    from pathlib import Path

    sweeps = Path(__file__).resolve().parents[2] / "sweeps"
    for name in ("distill", "distill_quick"):
        assert isinstance(load_distill_spec(sweeps / f"{name}.toml"), EmbeddedSpec)
    spec = distill_spec_from_dict({"huggingface": {}, "grid": {"n": {"logspace": [10, 6309, 8]}}})
    assert isinstance(spec, HuggingFaceSpec)
    assert spec.grid.n[0] == 10
    assert (spec.grid.n[-1], spec.lora.rank) == (6309, 8)
    assert spec.huggingface.teacher == "google/flan-t5-xl"
