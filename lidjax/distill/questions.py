"""What a store keeps of the held-out questions besides the counts: their texts, right answers, and the teacher's."""

import numpy as np
import zarr

from lidjax.distill.backend import TeacherAnswers
from lidjax.runs.store import Store

TABLES = {
    "truth": (("question",), "the right answer"),
    "teacher_target": (
        ("question",),
        "the teacher's one answer that `teacher` is compared with; NaN where it gave no number",
    ),
    "teacher_answer": (("question", "draw"), "answers that the teacher sampled; NaN for no number"),
}
"""Name of each table to its dimensions and its description."""
TEXTS = "questions"
"""The attribute with the texts. It is written last, and so says that the tables are complete."""


def write_questions(store: Store, questions: list[str], truth: np.ndarray, teacher: TeacherAnswers) -> None:
    """Write what belongs to the questions and not to a student."""
    store.group.attrs.pop(TEXTS, None)
    values = {"truth": truth, "teacher_target": teacher.target, "teacher_answer": teacher.answers}
    with zarr.config.set({"array.write_empty_chunks": True}):  # a missing chunk means damage
        for name, (dims, long_name) in TABLES.items():
            store.write_table(name, dims, values[name], long_name)
    store.group.attrs[TEXTS] = list(questions)
    store.consolidate()


def has_questions(store: Store) -> bool:
    """Whether the texts were written, and with them the tables."""
    return TEXTS in store.group.attrs


def questions_are_damaged(store: Store) -> bool:
    """Whether a table is missing, fails its checksum or cannot be read."""
    try:
        for name in TABLES:
            table = store.group[name]
            assert isinstance(table, zarr.Array)
            if table.nchunks_initialized < table.nchunks:
                return True
            np.asarray(table[...])
    except PermissionError:
        raise
    except Exception:  # every codec has its own exceptions; what cannot be read is damaged
        return True
    return False
