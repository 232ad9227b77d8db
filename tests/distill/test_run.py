"""A run from spec to counts: interrupted, stopped, damaged, extended, refused, started anew, in folders and at URLs."""

import shutil

import numpy as np
import pytest
import xarray as xr
import zarr
from helpers.distillation import (
    Interrupted,
    assert_same_students,
    chunk_of,
    damage,
    grid,
    interrupt_in,
    record,
    spec_table,
)

from lidjax import InputError, StopRequest
from lidjax.distill import distill_spec_from_dict, open_distillation, run_distillation, summarise_distillation
from lidjax.distill import run as run_module
from lidjax.distill.checkpoint import Checkpoints
from lidjax.runs import Stopped, open_location
from lidjax.runs.lock import RunLock
from lidjax.status import OK

COUNT = iter(range(1000))
QUESTION_TABLES = ("truth", "teacher_target", "teacher_answer")


@pytest.fixture
def copy(whole, tmp_path):
    """A copy of the finished run, to be changed."""
    return shutil.copytree(whole[1], tmp_path / "copy")


@pytest.fixture
def url():
    pytest.importorskip("fsspec", reason="stores at URLs need fsspec")
    return f"memory://distill{next(COUNT)}/run"


def spec_with(**changes):
    return distill_spec_from_dict(spec_table(name="tiny", **changes))


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


def test_a_run_that_was_interrupted_ends_with_the_same_numbers(spec_file, whole, tmp_path):
    for name, after in (("teacher", 7), ("teacher answers", 1), ("adapters", 3), ("students", 4)):
        with pytest.raises(Interrupted):
            run_distillation(spec_file, out=tmp_path, progress=interrupt_in(name, after))
    seen = {}
    data = run_distillation(spec_file, out=tmp_path, progress=record(seen))
    assert seen["students"] == (6, 4)
    assert seen["teacher"][0] == seen["teacher answers"][0] == seen["adapters"][0] == 0
    for name in ("correct", "greedy", "train_loss", "lgen", "teacher_answer"):
        np.testing.assert_array_equal(data[name], whole[0][name])


@pytest.mark.parametrize(
    ("stage", "step", "done"), [("teacher", 7, {"teacher": 7}), ("students", 3, {"students": 3})]
)
def test_a_request_to_stop_ends_the_run_after_the_current_step(spec_file, whole, tmp_path, stage, step, done):
    stop = StopRequest()

    def progress(name, steps, *, done=0):
        for count, item in enumerate(steps):
            yield item
            if (name, count + 1) == (stage, step):
                stop.request()  # while the step is under way, as a signal would

    with pytest.raises(Stopped):
        run_distillation(spec_file, out=tmp_path, progress=progress, stop=stop)
    trained = int((open_distillation(tmp_path)["status"] == OK).sum())
    assert trained == done.get("students", 0)
    seen = {}
    data = run_distillation(spec_file, out=tmp_path, progress=record(seen))
    assert {name: seen[name][1] for name in done} == done
    assert_same_students(data, whole[0])


def test_a_student_that_is_being_computed_is_kept_when_the_run_is_stopped(spec_file, copy, monkeypatch):
    shutil.rmtree(copy / "results.zarr" / "status" / "c")  # all students are pending
    stop, values_of = StopRequest(), run_module.student_values

    def request_and_go_on(*args):
        stop.request()
        return values_of(*args)

    monkeypatch.setattr(run_module, "student_values", request_and_go_on)
    with pytest.raises(Stopped):
        run_distillation(spec_file, out=copy, stop=stop)
    assert int((open_distillation(copy)["status"] == OK).sum()) == 1


@pytest.mark.parametrize(
    ("name", "has_work"), [("correct", True), ("greedy", True), ("status", True), ("correct", False)]
)
def test_a_damaged_student_is_computed_again_alone(spec_file, whole, copy, name, has_work):
    damage(chunk_of(copy, name, 1, 0, *([] if name == "status" else [0, 0])))
    if not has_work:
        shutil.rmtree(copy / "work")
    with pytest.raises(InputError, match="1 chunks are damaged"):
        open_distillation(copy)
    seen = {}
    data = run_distillation(spec_file, out=copy, progress=record(seen))
    assert seen["students"] == (1, 9)
    assert (seen["adapters"][0] == 0) == has_work
    assert_same_students(data, whole[0])
    assert_same_students(open_distillation(copy), whole[0])


@pytest.mark.parametrize("name", ["correct", "attempts"])
def test_a_lost_chunk_is_not_read_as_zeros(copy, name):
    chunk_of(copy, name, 1, 0, 0, 0).unlink()
    with pytest.raises(InputError, match="1 chunks are damaged"):
        open_distillation(copy)


@pytest.mark.parametrize("name", ["n", "question"])
def test_a_damaged_coordinate_is_found(copy, name):
    chunk_of(copy, name, 0).unlink()
    with pytest.raises(InputError, match=f"{name} of the store does not agree with its manifest"):
        open_distillation(copy)


@pytest.mark.parametrize("name", QUESTION_TABLES)
@pytest.mark.parametrize("harm", [damage, lambda path: path.unlink()], ids=["flipped", "lost"])
def test_damaged_answers_of_the_teacher_are_found_and_mended(spec_file, whole, copy, name, harm):
    harm(chunk_of(copy, name, 0, *([0] if name == "teacher_answer" else [])))
    with pytest.raises(InputError, match="answers of the teacher are damaged"):
        open_distillation(copy)
    seen = {}
    data = run_distillation(spec_file, out=copy, progress=record(seen))
    assert "students" not in seen
    for table in QUESTION_TABLES:
        np.testing.assert_array_equal(data[table], whole[0][table])
    open_distillation(copy)


def test_a_run_killed_while_it_writes_the_teachers_answers_writes_them_again(spec_file, whole, copy):
    """The attribute with the texts is missing until the tables are complete; the table was created and is empty."""
    group = zarr.open_group(copy / "results.zarr")
    del group.attrs["questions"]
    chunk_of(copy, "truth", 0).unlink()
    assert open_distillation(copy)["status"].size == 10
    data = run_distillation(spec_file, out=copy)
    np.testing.assert_array_equal(data["truth"], whole[0]["truth"])
    assert data.attrs["questions"] == whole[0].attrs["questions"]


def test_damaged_weights_are_trained_again(spec_file, whole, copy):
    damage(copy / "work" / "adapters.npz", at=1000)  # in the numbers of an array
    damage(chunk_of(copy, "correct", 0, 0, 0, 0))
    seen = {}
    data = run_distillation(spec_file, out=copy, progress=record(seen))
    assert seen["adapters"][1] == 0
    assert_same_students(data, whole[0])


def test_a_store_at_a_url_is_interrupted_resumed_and_started_anew(spec_file, whole, url):
    with pytest.raises(Interrupted):
        run_distillation(spec_file, out=url, progress=interrupt_in("students", 4))
    assert int((open_distillation(url)["status"] == OK).sum()) == 4
    seen = {}
    data = run_distillation(spec_file, out=url, progress=record(seen))
    assert seen["students"] == (6, 4)
    assert_same_students(data, whole[0])
    assert_same_students(open_distillation(f"{url}/results.zarr"), whole[0])
    location = open_location(url)
    assert "work/adapters.npz" in location.names("work/")
    assert not location.names(".lock")
    location.write("work/foreign.npz", b"of an earlier run")
    with pytest.raises(Interrupted):
        run_distillation(spec_file, out=url, resume=False, progress=interrupt_in("teacher", 1))
    assert "work/foreign.npz" not in location.names("work/")
    assert "work/teacher.npz" in location.names("work/")
    assert (open_distillation(url)["status"] != OK).all()


def test_more_n_below_the_largest_trains_the_new_students_alone(spec_file, whole, copy):
    """The old students keep every bit, an interrupted extension ends as an uninterrupted one, and after it a damaged
    student of either group is computed again with its own bits."""
    more = spec_with(grid=grid(n=(2, 4, 6, 8, 16, 24, 32)))
    interrupted = shutil.copytree(copy, copy.parent / "interrupted")
    seen = {}
    data = run_distillation(more, out=copy, progress=record(seen)).load()
    assert data["n"].values.tolist() == [2, 4, 6, 8, 16, 24, 32]
    assert seen["students"] == (4, 10)
    assert seen["teacher"][0] == seen["teacher answers"][0] == seen["student base"][0] == 0
    assert "adapters" not in seen
    assert seen["adapters 1"][1] == 0
    assert_same_students(data.sel(n=whole[0]["n"]), whole[0])
    assert (data["status"] == OK).all()
    assert not np.array_equal(data["correct"].sel(n=6), data["correct"].sel(n=8))

    with pytest.raises(Interrupted):
        run_distillation(more, out=interrupted, progress=interrupt_in("students", 1))
    assert_same_students(run_distillation(more, out=interrupted), data)

    for position in (0, 5):  # in the order of the store: N = 2, and the first new one, N = 6
        damage(chunk_of(copy, "correct", position, 1, 0, 0))
    assert_same_students(run_distillation(more, out=copy), data)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"n": (2, 64)}, "up to 32 and seeds 0, 1, the spec N up to 64 and seeds 0, 1"),
        ({"n": (2, 16)}, "the spec N up to 16"),
        ({"seed": (0, 1, 2)}, "the spec N up to 32 and seeds 0, 1, 2"),
    ],
)
def test_a_larger_n_or_other_seeds_of_embedded_models_are_refused_in_words(whole, copy, changes, said):
    with pytest.raises(InputError) as error:
        run_distillation(spec_with(grid=grid(**changes)), out=copy)
    message = str(error.value)
    assert "can be extended by more N below the largest, but not by a larger N or other seeds" in message
    assert said in message
    assert "name another --out, or start anew with --no-resume" in message
    assert_same_students(open_distillation(copy), whole[0])


def test_another_spec_is_refused_with_every_difference(copy):
    lora = {**spec_table()["lora"], "rank": 3}
    with pytest.raises(InputError) as error:
        run_distillation(spec_with(lora=lora, grid=grid(seed=(0, 1, 2))), out=copy)
    assert "lora.rank: the store has 2, the spec 3" in str(error.value)
    assert "grid.seed" not in str(error.value)  # allowed by itself
    assert "seeds: the store has [0, 1], the spec [0, 1, 2]" in str(error.value)


def test_a_second_run_is_refused_while_the_first_lives(spec_file, tmp_path):
    lock = RunLock(open_location(tmp_path), None)
    lock.acquire()
    with pytest.raises(InputError, match="another run is using this store"):
        run_distillation(spec_file, out=tmp_path)
    lock.release()
    with pytest.raises(Interrupted):
        run_distillation(spec_file, out=tmp_path, progress=interrupt_in("teacher", 0))


def test_starting_anew_makes_everything_again(spec_file, whole, copy):
    for name in ("counts.csv", "work/foreign.npz"):
        (copy / name).write_text("of an earlier run")
    seen = {}
    again = run_distillation(spec_file, out=copy, resume=False, progress=record(seen))
    assert {done for _, done in seen.values()} == {0}
    assert not (copy / "counts.csv").exists()
    assert not (copy / "work" / "foreign.npz").exists()
    assert_same_students(again, whole[0])


def test_work_that_another_spec_left_is_not_used(copy, monkeypatch):
    """A run of another spec is killed between the new store and the removal of the old weights."""

    def killed(self):
        raise Interrupted

    other = spec_with(lora={**spec_table()["lora"], "learning_rate": 1e-2})
    with pytest.raises(InputError, match="--no-resume starts the same run anew and does not replace another"):
        run_distillation(other, out=copy, resume=False)
    shutil.rmtree(copy / "results.zarr")  # as the message says
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "clear", killed)
        with pytest.raises(Interrupted):
            run_distillation(other, out=copy, resume=False)
    assert (copy / "work" / "adapters.npz").exists()
    seen = {}

    def progress(stage, steps, *, done=0):
        seen[stage] = done
        raise Interrupted

    with pytest.raises(Interrupted):
        run_distillation(other, out=copy, progress=progress)
    assert seen == {"teacher": 0}
    assert not (copy / "work" / "adapters.npz").exists()


@pytest.fixture
def old_store(whole, tmp_path):
    """The finished run as version 0.1.0 would have stored it: no manifest, no checksums."""
    data, out = whole
    group = zarr.open_group(tmp_path / "old" / "results.zarr", mode="w", zarr_format=3)
    for name in (
        "n",
        "seed",
        *QUESTION_TABLES,
        "attempts",
        "correct",
        "greedy",
        "train_loss",
        "heldout_loss",
    ):
        group.create_array(name, data=data[name].values, dimension_names=list(data[name].dims))
    for name in ("lgen", "status"):
        group.create_array(name, data=data[name].values, dimension_names=list(data[name].dims))
    now = zarr.open_group(out / "results.zarr", mode="r").attrs.asdict()
    kept = ("spec", "kind", "versions", "device", "git_commit", "questions")
    group.attrs.update({"format": "lidjax distill 1", "law": now["identity"]} | {k: now[k] for k in kept})
    return tmp_path / "old"


def test_a_store_of_the_old_format_is_read_and_not_resumed(spec_file, whole, old_store):
    data = open_distillation(old_store)
    assert_same_students(data, whole[0])
    assert data["target"].values.tolist() == ["truth", "teacher", "fresh"]
    summary = summarise_distillation(data)
    xr.testing.assert_equal(summary, summarise_distillation(whole[0]))
    for spec in (spec_file, spec_with(grid=grid(n=(2, 64)))):
        with pytest.raises(InputError) as error:
            run_distillation(spec, out=old_store)
        assert "written by an older version ('lidjax distill 1')" in str(error.value)
        assert "name another --out, or start anew with --no-resume" in str(error.value)
    assert_same_students(open_distillation(old_store), whole[0])
    with pytest.raises(Interrupted):
        run_distillation(spec_file, out=old_store, resume=False, progress=interrupt_in("teacher", 0))
    assert (open_distillation(old_store)["status"] != OK).all()


def test_a_store_of_a_sweep_is_not_taken_for_one(copy):
    zarr.open_group(copy / "results.zarr").attrs["kind"] = "synthetic"
    with pytest.raises(InputError, match="results of a sweep"):
        open_distillation(copy)
    with pytest.raises(InputError, match="no results there; `lidjax distill"):
        open_distillation(copy / "nowhere")


def test_training_that_diverges_marks_every_student():
    data = run_distillation(spec_with(lora={"rank": 2, "steps": 10, "batch": 4, "learning_rate": 1e38}))
    assert (data["status"] == 1).all()
    with pytest.raises(InputError, match="no student has results"):
        summarise_distillation(data)
