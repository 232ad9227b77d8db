"""From a spec to counts: teacher, students, verification. What is in the store already is not done again."""

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax

from lidjax.distill.backend import Backend
from lidjax.distill.checkpoint import Checkpoints
from lidjax.distill.job import KIND, SCHEMA, TARGETS, DistillJob, check_extension
from lidjax.distill.questions import has_questions, questions_are_damaged, write_questions
from lidjax.distill.spec import DistillSpec, EmbeddedSpec, load_distill_spec
from lidjax.distill.verify import student_values
from lidjax.errors import InputError
from lidjax.progress import Progress, Steps, no_progress
from lidjax.runs.interrupt import StopRequest
from lidjax.runs.location import Location, open_location
from lidjax.runs.manifest import as_json

if TYPE_CHECKING:
    import xarray as xr

COUNTS = "counts.csv"
"""The table of counts that `lidjax distill` writes beside the store; it goes when a run starts anew."""


def run_distillation(
    spec_or_path: DistillSpec | str | Path,
    *,
    out: str | Path | None = None,
    resume: bool = True,
    progress: Progress = no_progress,
    stop: StopRequest | None = None,
) -> "xr.Dataset":
    """Run the teacher-student experiment of a spec, or resume it, and return its counts.

    With `out`, counts are written student by student to `out/results.zarr`, and trained weights to `out/work`. A run
    that was interrupted is resumed and, on the same device, ends with the same numbers; a student whose counts are
    damaged is computed again. If the spec has more students than the store, only the new ones are trained, and the
    others keep every bit. Embedded models can be extended by any N below the largest: the problems that the teacher is
    trained on depend on the largest N and on the seeds. Hugging Face models can be extended by any N and seed. The
    function prints nothing and installs no signal handler.

    Args:
        spec_or_path: A spec, or the path of a TOML file.
        out: Folder, or any URL that fsspec knows, for the results; without it they stay in memory.
        resume: False starts anew: the store, the trained weights and the table of counts in `out` are removed.
        progress: Shows the progress of every stage, such as `lidjax.show_progress`; by default nothing is shown.
        stop: Request that ends the run after the current step: a part of a training, a batch of teacher answers, or a
            student. See `lidjax.stop_on_signals`.

    Returns:
        A Dataset with, over (n, seed, target, question), `attempts`, `correct`, and `greedy`, the chance that the
        greedy answer is right; over (n, seed) `train_loss`, `heldout_loss`, `lgen` (nats an answer) and `status` (see
        `StudentStatus`); over the questions `truth`, `teacher_target` and `teacher_answer` (NaN for an answer without
        a number). The targets are `truth`, attempts against the right answer; `teacher`, attempts against one answer
        of the teacher; `fresh`, the greedy answer against fresh answers of the teacher. Spec and provenance are in
        `attrs`.

    Raises:
        InputError: If the spec, a file or the location cannot be used, if another run is using the location, or if its
            store belongs to another spec. A student whose training diverges raises nothing; its code is in `status`.
        Stopped: If `stop` asked for it; completed steps are kept.

    References:
        The paper's maths teacher-student experiment: targets of Sec. 4.2 and App. B.4, results of Sec. 5.

    Example:
        >>> import lidjax
        >>> from lidjax.distill import distill_spec_from_dict
        >>> network = {"width": 8, "layers": 1, "heads": 1, "steps": 5, "batch": 4, "rows": 50}
        >>> spec = distill_spec_from_dict({
        ...     "embedded": {"teacher": network, "student": network},
        ...     "problems": {"steps": 1, "operand": 5, "distractors": 0},
        ...     "lora": {"rank": 1, "steps": 2, "batch": 2},
        ...     "grid": {"n": 4, "seed": 0},
        ...     "evaluation": {"questions": 3, "attempts": 8, "teacher_attempts": 4},
        ...     "fit": {"window": [1, 8]},
        ... })
        >>> data = lidjax.run_distillation(spec)
        >>> dict(data.correct.sizes)
        {'n': 1, 'seed': 1, 'target': 3, 'question': 3}
        >>> bool((data.correct <= data.attempts).all())
        True
    """
    from lidjax.runs.session import open_session, remove_figures

    spec = load_distill_spec(spec_or_path) if isinstance(spec_or_path, str | Path) else spec_or_path
    location = open_location(out) if out is not None else None
    stop = stop or StopRequest()
    progress = _stoppable(progress, stop)
    job = DistillJob(spec)
    if location is not None and resume and location.has_store():
        check_extension(job, location)
    with (
        jax.enable_x64(False),  # models are float32: the same numbers whatever the session's setting
        open_session(job, location, resume, None) as session,
    ):
        store = session.store
        checkpoints = _open_checkpoints(job, location, session.is_new)
        has_tables = has_questions(store) and not questions_are_damaged(store)
        tiles = session.pending_tiles()
        if len(tiles) or not has_tables:
            if location is not None:
                remove_figures(location)
                location.remove(COUNTS)
            backend = open_backend(spec, checkpoints)
            teacher = backend.teacher(progress)
            session.check()
            if not has_tables:
                write_questions(store, backend.questions, backend.truth, teacher)
            labels = [store.labels_of(tile) for tile in tiles]
            tile_of = {(int(at["n"]), int(at["seed"])): tile for at, tile in zip(labels, tiles, strict=True)}
            students = backend.students(list(tile_of), progress) if tile_of else ()
            for student in students:
                session.check()
                store.write(tile_of[student.n, student.seed], student_values(student, backend.truth, teacher))
                stop.check()
        return store.dataset()


def _stoppable(progress: Progress, stop: StopRequest) -> Progress:
    """`progress`, checking before each step whether the run was asked to stop."""

    def steps_until_stop(stage: str, steps: Steps[Any], *, done: int = 0) -> Generator[Any]:
        for step in progress(stage, steps, done=done):
            stop.check()
            yield step

    return steps_until_stop


def _open_checkpoints(job: DistillJob, location: Location | None, is_new: bool) -> Checkpoints:
    """The intermediate results of the run.

    Those of another spec are removed: a run that was killed while it started anew may have left them.
    """
    checkpoints = Checkpoints(location)
    made_by = {key: value for key, value in as_json(job.identity).items() if key != "grid"}
    if is_new or checkpoints.read_json("identity") != made_by:
        checkpoints.clear()
        if location is not None:
            location.remove(COUNTS)
        checkpoints.write_json("identity", made_by)
    return checkpoints


def open_distillation(location: str | Path) -> "xr.Dataset":
    """The results of `run_distillation` or `lidjax distill`, from their folder or URL, or from the store inside it.

    Args:
        location: Folder, URL, or the `results.zarr` in it.

    Returns:
        A labelled Dataset; see `run_distillation`. Students that are not trained yet have status -1.

    Raises:
        InputError: If there are no such results, or a chunk is damaged.

    Example:
        >>> import lidjax
        >>> from lidjax.distill import open_distillation
        >>> try:
        ...     open_distillation("nowhere")
        ... except lidjax.InputError as error:
        ...     print(str(error).split(";")[0])
        nowhere: no results there
    """
    from lidjax.runs.store import Store

    folder = open_location(location)
    if not folder.has_store():
        raise InputError(
            f"{location}: no results there; `lidjax distill SPEC.toml --out {location}` makes them"
        )
    store = Store.open(folder.zarr_store(), SCHEMA, folder.store_name)
    if not str(store.manifest.get("kind")).startswith(KIND):
        raise InputError(
            f"{location}: the results of a sweep; lidjax.open_results and `lidjax show` read them"
        )
    store.require_undamaged(str(location))
    if has_questions(store) and questions_are_damaged(store):
        raise InputError(
            f"{location}: the answers of the teacher are damaged; run the command that made them again"
        )
    data = store.dataset()
    return data if "target" in data.coords else data.assign_coords(target=list(TARGETS))


def student_failures(data: "xr.Dataset") -> dict[str, int]:
    """Why students have no result: a message for people, and how many students it concerns. Empty if all have one.

    Args:
        data: Results of `run_distillation` or `open_distillation`.

    Returns:
        Message to number of students.

    Example:
        >>> import numpy as np, xarray as xr
        >>> from lidjax.distill import student_failures
        >>> student_failures(xr.Dataset({"status": ("seed", np.array([0, 0, -1], np.int8))}))
        {'not computed yet; run the same command again to complete them': 1}
    """
    return SCHEMA.failures(data["status"].values)


def open_backend(spec: DistillSpec, checkpoints: Checkpoints) -> Backend:
    """The backend that a spec is for. Reads questions, trains nothing."""
    if isinstance(spec, EmbeddedSpec):
        from lidjax.distill.embedded import EmbeddedBackend

        return EmbeddedBackend(spec, checkpoints)
    from lidjax.distill.huggingface import HuggingFaceBackend

    return HuggingFaceBackend(spec, checkpoints)
