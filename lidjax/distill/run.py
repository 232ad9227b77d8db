"""From a spec to counts: teacher, students, verification. What is in the store already is not done again."""

from pathlib import Path
from typing import TYPE_CHECKING

import jax
import numpy as np

from lidjax.distill.checkpoint import Checkpoints
from lidjax.distill.job import SCHEMA, TARGETS, DistillJob
from lidjax.distill.route import Route
from lidjax.distill.spec import DistillSpec, EmbeddedSpec, load_distill_spec
from lidjax.distill.verify import student_values
from lidjax.errors import InputError
from lidjax.runs.interrupt import StopRequest
from lidjax.runs.location import open_location
from lidjax.runs.progress import Progress, no_progress

if TYPE_CHECKING:
    import xarray as xr

    from lidjax.runs.store import Store


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
    that was interrupted is resumed and ends with the same numbers. If the spec has more students than the store, only
    the new ones are trained: for models of the Hugging Face route any N and seed can be added, for embedded models any
    N up to the largest (the problems that the teacher may not see depend on the largest N and on the seeds). The
    function prints nothing and installs no signal handler.

    Args:
        spec_or_path: A spec, or the path of a TOML file.
        out: Folder, or any URL that fsspec knows, for the results; without it they stay in memory.
        resume: False starts anew.
        progress: Shows the progress of every stage, such as `lidjax.show_progress`; by default nothing is shown.
        stop: Request that ends the run after the current student; see `lidjax.stop_on_signals`.

    Returns:
        A Dataset with, over (n, seed, target, question), `attempts`, `correct`, and `greedy`, the chance that the
        greedy answer is right; over (n, seed) `train_loss`, `heldout_loss`, `lgen` (nats an answer) and `status`; over
        the questions `truth`, `teacher_target` and `teacher_answer`. Targets are those of `lidjax.distill.verify`.

    Raises:
        InputError: If the spec, a file or the location cannot be used. A student whose training diverges raises
            nothing; its code is in `status`.
        Stopped: If `stop` asked for it; completed students are kept.

    References:
        The paper's maths teacher-student experiment (Sec. 5 of the published version).

    Example:
        >>> import lidjax
        >>> network = {"width": 8, "layers": 1, "heads": 1, "steps": 5, "batch": 4, "rows": 50}
        >>> spec = lidjax.distill_spec_from_dict({
        ...     "embedded": {"teacher": network, "student": network},
        ...     "problems": {"steps": 1, "operand": 5, "distractors": 0},
        ...     "lora": {"rank": 1, "steps": 2, "batch": 2},
        ...     "grid": {"n": 4, "seed": 0},
        ...     "evaluation": {"questions": 3, "attempts": 8, "teacher_attempts": 4},
        ...     "fit": {"window": [1, 8]},
        ... })
        >>> dict(lidjax.run_distillation(spec).correct.sizes)
        {'n': 1, 'seed': 1, 'target': 3, 'question': 3}
    """
    from lidjax.runs.session import open_session

    spec = spec_or_path if not isinstance(spec_or_path, str | Path) else load_distill_spec(spec_or_path)
    location = open_location(out) if out is not None else None
    stop = stop or StopRequest()
    with (
        jax.enable_x64(False),  # models are float32: the same numbers whatever the session's setting
        open_session(DistillJob(spec), location, resume, None) as session,
    ):
        checkpoints = Checkpoints(location)
        if session.is_new:
            checkpoints.clear()
        tiles = session.pending_tiles()
        students = [session.store.labels_of(tile) for tile in tiles]
        if students:
            route = open_route(spec, checkpoints)
            teacher = route.teacher(progress)
            _write_questions(session.store, route, teacher.target, teacher.answers)
            pairs = [(int(student["n"]), int(student["seed"])) for student in students]
            by_pair = dict(zip(pairs, tiles, strict=True))
            for student in route.students(pairs, progress):
                session.check()
                session.store.write(
                    by_pair[student.n, student.seed], student_values(student, route.truth, teacher)
                )
                stop.check()
        return session.store.dataset()


def _write_questions(store: "Store", route: Route, target: np.ndarray, answers: np.ndarray) -> None:
    """What belongs to the questions and not to a student."""
    store.group.attrs["questions"] = list(route.questions)
    store.write_table("truth", ("question",), route.truth, "the right answer")
    store.write_table(
        "teacher_target",
        ("question",),
        target,
        "the teacher's one answer that `teacher` is compared with; NaN where it gave no number",
    )
    store.write_table(
        "teacher_answer", ("question", "draw"), answers, "answers that the teacher sampled; NaN for no number"
    )


def open_distillation(location: str | Path) -> "xr.Dataset":
    """The results of `run_distillation` or `lidjax distill`, from its output folder or URL, or the store inside it.

    Args:
        location: Folder, URL, or the `results.zarr` in it.

    Returns:
        A labelled Dataset; see `run_distillation`.

    Raises:
        InputError: If there are no such results, or a chunk is damaged.

    Example:
        >>> import lidjax
        >>> try:
        ...     lidjax.open_distillation("nowhere")
        ... except lidjax.InputError as error:
        ...     print(str(error).split(";")[0])
        nowhere: no results there
    """
    from lidjax.runs.store import Store

    place = open_location(location)
    if not place.has_store():
        raise InputError(
            f"{location}: no results there; `lidjax distill SPEC.toml --out {location}` makes them"
        )
    store = Store.open(place.zarr_store(), SCHEMA, place.store_name)
    if not str(store.manifest.get("kind")).startswith("distill"):
        raise InputError(
            f"{location}: the results of a sweep; lidjax.open_results and `lidjax show` read them"
        )
    store.require_undamaged(str(location))
    data = store.dataset()
    return data if "target" in data.coords else data.assign_coords(target=list(TARGETS))


def student_failures(data: "xr.Dataset") -> dict[str, int]:
    """Why students have no result: a message for people, and how many students it concerns. Empty if all are done.

    Args:
        data: Results of `run_distillation` or `open_distillation`.

    Returns:
        Message to number of students.

    Example:
        >>> import numpy as np, xarray as xr
        >>> from lidjax.distill import student_failures
        >>> student_failures(xr.Dataset({"status": ("seed", np.array([0, 0], np.int8))}))
        {}
    """
    return SCHEMA.failures(data["status"].values)


def open_route(spec: DistillSpec, checkpoints: Checkpoints) -> Route:
    """The route that a spec takes. Reads questions, trains nothing."""
    if isinstance(spec, EmbeddedSpec):
        from lidjax.distill.embedded import EmbeddedRoute

        return EmbeddedRoute(spec, checkpoints)
    from lidjax.distill.huggingface import HuggingFaceRoute

    return HuggingFaceRoute(spec, checkpoints)
