"""From a spec to counts in a store: teacher, students, verification; what is done already is not done again."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax

from lidjax.distill.route import Route, Track, untracked
from lidjax.distill.spec import DistillSpec, EmbeddedSpec, law_of, load_distill_spec
from lidjax.errors import InputError
from lidjax.runs.location import LocalPlace
from lidjax.runs.lock import RunLock
from lidjax.runs.provenance import circumstances
from lidjax.sweep.spec_file import spec_to_dict

if TYPE_CHECKING:
    import xarray as xr

    from lidjax.distill.store import DistillStore


def run_distillation(
    spec_or_path: DistillSpec | str | Path,
    *,
    out: str | Path | None = None,
    resume: bool = True,
    track: Track = untracked,
) -> "xr.Dataset":
    """Run the teacher-student experiment of a spec and return its counts.

    With `out`, counts go to `out/results.zarr` student by student and trained weights to `out/work`; an interrupted
    run goes on where it was and ends with the same numbers. `resume=False` starts anew. Without `out` all
    stays in memory.

    The Dataset has, over (n, seed, target, question), `attempts` and `correct`, and `greedy`, the chance that the
    greedy answer is right; over (n, seed) `train_loss`, `heldout_loss`, `lgen` and `status` (see
    `distill.status`); over the questions `truth`, `teacher_target` and `teacher_answer`. Targets are named in
    `distill.store.verify`.

    Raises InputError for a spec, file or folder that cannot be used; a student whose training diverges raises nothing
    and carries its code in `status`.
    """
    spec = spec_or_path if not isinstance(spec_or_path, str | Path) else load_distill_spec(spec_or_path)
    folder = Path(out) if out is not None else None
    with (
        jax.enable_x64(False),  # models are float32: the same numbers whatever the session's setting
        held(folder),
    ):
        store = _open_store(spec, folder, resume)
        waiting = store.waiting()
        if waiting:
            route = open_route(spec, folder / "work" if folder else None)
            teacher = route.teacher(track)
            store.write_teacher(route.questions, route.truth, teacher)
            for student in route.students(waiting, track):
                store.write_student(student, route.truth, teacher)
    return store.dataset()


@contextmanager
def held(out: Path | None) -> Iterator[None]:
    """The output folder, made if need be and locked: a second run on it is refused while this one lives."""
    if out is None:
        yield
        return
    place = LocalPlace(out)
    place.prepare()
    lock = RunLock(place, None)
    lock.acquire()
    try:
        yield
    finally:
        lock.release()


def open_route(spec: DistillSpec, work: Path | None) -> Route:
    """The route a spec takes; reads questions, trains nothing."""
    if isinstance(spec, EmbeddedSpec):
        from lidjax.distill.embedded import EmbeddedRoute

        return EmbeddedRoute(spec, work)
    from lidjax.distill.huggingface import HuggingFaceRoute

    return HuggingFaceRoute(spec, work)


def _open_store(spec: DistillSpec, out: Path | None, resume: bool) -> "DistillStore":
    from zarr.storage import MemoryStore

    from lidjax.distill.store import DistillStore, remove, results_path

    location: Any = MemoryStore() if out is None else results_path(out)
    if out is not None and location.exists():
        if resume:
            store = DistillStore.open(location)
            try:
                store.check_law(law_of(spec))
            except InputError as error:
                raise InputError(
                    f"{location}: {error}\nname another --out, or start anew with --no-resume"
                ) from None
            return store
        remove(out)
    kind = "embedded" if isinstance(spec, EmbeddedSpec) else "huggingface"
    return DistillStore.create(
        location,
        n=spec.grid.n,
        seed=spec.grid.seed,
        questions=spec.evaluation.questions,
        law=law_of(spec),
        provenance={"spec": spec_to_dict(spec), "kind": f"distill {kind}", **circumstances()},
    )
