"""Results of the experiment on disk: counts of right answers, question by question, for each (N, seed).

A Zarr group like a sweep's. `status` is written last and says what is done; a chunk is one student.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr

from lidjax.distill.route import Student, TeacherAnswers
from lidjax.distill.status import StudentStatus
from lidjax.errors import InputError
from lidjax.runs.manifest import check_law

FORMAT = "lidjax distill 1"
TARGETS = ("truth", "teacher", "fresh")

DESCRIPTIONS = {
    "n": "N, teacher answers a student was trained on",
    "seed": "training set, start of the adapters and stream of samples",
    "target": "what an attempt is held against",
    "question": "held-out question",
    "draw": "answer the teacher drew",
    "attempts": "n, attempts at a question; 0 where its target has no number",
    "correct": "c, attempts that were right",
    "greedy": "chance that the greedy answer is right",
    "train_loss": "cross-entropy of the training answers, nats an answer",
    "heldout_loss": "cross-entropy of the teacher's answers to held-out questions, nats an answer",
    "lgen": "heldout_loss above the teacher's own: KL(teacher, student), nats an answer",
    "status": "status code of the student",
    "truth": "the right answer",
    "teacher_target": "the teacher's one answer that `teacher` is held against; NaN where it gave no number",
    "teacher_answer": "answers the teacher sampled; NaN where it gave no number",
}


class DistillStore:
    """The store of one experiment."""

    def __init__(self, group: zarr.Group):
        self.group = group

    @classmethod
    def create(
        cls, location: Any, *, n, seed, questions: int, law: Mapping[str, Any], provenance: Mapping[str, Any]
    ) -> "DistillStore":
        """An empty store with every student pending."""
        group = zarr.open_group(location, mode="w")
        coordinates = {"n": np.asarray(n, np.int64), "seed": np.asarray(seed, np.int64)}
        for name, values in coordinates.items():
            array = _array(group, name, values.shape, values.shape, values.dtype, 0, (name,))
            array[:] = values
        cells, one = (len(n), len(seed)), (1, 1)
        counts, axes = (len(TARGETS), questions), ("n", "seed", "target", "question")
        for name, dtype in (("attempts", "int32"), ("correct", "int32"), ("greedy", "float64")):
            _array(group, name, cells + counts, one + counts, dtype, 0, axes)
        for name in ("train_loss", "heldout_loss", "lgen"):
            _array(group, name, cells, one, "float64", np.nan, ("n", "seed"))
        _array(group, "status", cells, one, "int8", int(StudentStatus.PENDING), ("n", "seed"))
        # written last: a folder without it is not taken for a store
        group.attrs.update({"format": FORMAT, "law": dict(law), **provenance})
        return cls(group)

    @classmethod
    def open(cls, location: Any) -> "DistillStore":
        """An existing store; InputError if there is none at `location`, or one of another format."""
        try:
            group = zarr.open_group(location, mode="r+")
        except (FileNotFoundError, ValueError, KeyError, OSError) as error:
            raise InputError(
                f"{location}: not a store of `lidjax distill` ({type(error).__name__})"
            ) from None
        if group.attrs.get("format") != FORMAT:
            raise InputError(f"{location}: not a store of format {FORMAT!r}: {group.attrs.get('format')!r}")
        return cls(group)

    def check_law(self, law: Mapping[str, Any]) -> None:
        """Raise InputError, showing every difference, unless the store was made for this law."""
        check_law({"law": self.group.attrs["law"], "axes": ()}, law)

    def pending(self) -> np.ndarray:
        """Boolean (n, seed): students not trained yet."""
        return np.asarray(self.group["status"][...]) == StudentStatus.PENDING  # type: ignore[index]

    def waiting(self) -> list[tuple[int, int]]:
        """The (N, seed) not done yet, smaller N first."""
        n, seed = (np.asarray(self.group[name][...]) for name in ("n", "seed"))  # type: ignore[index]
        return [(int(n[i]), int(seed[j])) for i, j in np.argwhere(self.pending())]

    def write_teacher(self, questions: list[str], truth, teacher: TeacherAnswers) -> None:
        """What belongs to the questions and not to a student. Writing it again changes nothing."""
        self.group.attrs["questions"] = list(questions)
        for name, values in (
            ("truth", truth),
            ("teacher_target", teacher.target),
            ("teacher_answer", teacher.answers),
        ):
            axes = ("question", "draw")[: values.ndim]
            if name not in self.group:
                _array(self.group, name, values.shape, values.shape, "float64", np.nan, axes)
            self.group[name][...] = values  # type: ignore[index]

    def write_student(self, student: Student, truth, teacher: TeacherAnswers) -> None:
        """Verify one student's answers against every target and write its counts, status last."""
        n, seed = (np.asarray(self.group[name][...]).tolist() for name in ("n", "seed"))  # type: ignore[index]
        at = (n.index(student.n), seed.index(student.seed))
        if student.status == StudentStatus.OK:
            attempts, correct, greedy = verify(student, truth, teacher)
            for name, values in (("attempts", attempts), ("correct", correct), ("greedy", greedy)):
                self.group[name][at] = values  # type: ignore[index]
        for name in ("train_loss", "heldout_loss", "lgen"):
            self.group[name][at] = getattr(student, name)  # type: ignore[index]
        self.group["status"][at] = int(student.status)  # type: ignore[index]

    def dataset(self) -> xr.Dataset:
        data = xr.open_zarr(self.group.store, consolidated=False, chunks=None)
        data = data.assign_coords(target=list(TARGETS))
        for name, text in DESCRIPTIONS.items():
            if name in data.variables:
                data[name].attrs["long_name"] = text
        return data


def verify(student: Student, truth, teacher: TeacherAnswers) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(n, c, greedy), each (target, question).

    truth     the student's attempts against the right answer
    teacher   the student's attempts against one realised answer of the teacher (App. B.4)
    fresh     the student's greedy answer against fresh answers of the teacher, one a trial (Sec. 4.2)
    """
    attempts, correct, greedy = [], [], []
    for target in (truth, teacher.target):
        known = np.isfinite(target)
        attempts.append(np.where(known, student.sampled.shape[1], 0))
        correct.append(np.sum(student.sampled == target[:, None], axis=1))
        greedy.append((student.greedy == target).astype(np.float64))
    matches = np.sum(teacher.answers == student.greedy[:, None], axis=1)
    draws = teacher.answers.shape[1]
    attempts.append(np.full(len(matches), draws))
    correct.append(matches)
    greedy.append(matches / draws)
    return np.stack(attempts), np.stack(correct), np.stack(greedy)


def results_path(out: Path) -> Path:
    """Where the store lies in an output folder; takes either."""
    return out if out.name == "results.zarr" else out / "results.zarr"


def open_distill(location: str | Path) -> xr.Dataset:
    """The results of `lidjax distill`, from its output folder or the store inside it."""
    path = results_path(Path(location))
    if not path.exists():
        raise InputError(
            f"{location}: no results there; `lidjax distill SPEC.toml --out {location}` makes them"
        )
    return DistillStore.open(path).dataset()


def remove(out: Path) -> None:
    """What a run left in its output folder, its figures apart, and nothing else."""
    DistillStore.open(results_path(out))
    shutil.rmtree(results_path(out))
    shutil.rmtree(out / "work", ignore_errors=True)
    (out / "counts.csv").unlink(missing_ok=True)


def _array(group, name: str, shape, chunks, dtype, fill, axes) -> Any:
    return group.create_array(
        name,
        shape=shape,
        chunks=chunks,
        dtype=dtype,
        fill_value=fill,
        dimension_names=list(axes),
        attributes={"long_name": DESCRIPTIONS[name]},
    )
