"""The experiment as a job for `runs.session`: a cell is one student, and each student is a tile of its own."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from lidjax.distill.spec import DistillSpec, EmbeddedSpec, identity_of
from lidjax.runs.location import Location
from lidjax.runs.manifest import Contents
from lidjax.runs.provenance import circumstances
from lidjax.runs.schema import Schema, Variable
from lidjax.runs.session import Extension
from lidjax.runs.tiles import TileGrid
from lidjax.sweep.spec_file import spec_to_dict

TARGETS = ("truth", "teacher", "fresh")
"""What an attempt is compared with; see `verify`."""
QUESTIONS = ("target", "question")

SCHEMA = Schema(
    variables=(
        Variable(
            "train_loss",
            "cross-entropy of the training answers",
            units="nats an answer",
            dtype="float64",
            not_finite="training diverged (loss or adapters are not finite); a smaller lora.learning_rate helps",
        ),
        Variable(
            "heldout_loss",
            "cross-entropy of the teacher's answers to held-out questions",
            units="nats an answer",
            dtype="float64",
        ),
        Variable(
            "lgen",
            "heldout_loss above the teacher's own: KL(teacher, student)",
            units="nats an answer",
            dtype="float64",
        ),
        Variable(
            "attempts",
            "n, attempts at a question; 0 where its target has no number",
            dims=QUESTIONS,
            dtype="int32",
            fill=0,
        ),
        Variable("correct", "c, attempts that were right", dims=QUESTIONS, dtype="int32", fill=0),
        Variable("greedy", "chance that the greedy answer is right", dims=QUESTIONS, dtype="float64", fill=0),
    ),
    labels={
        "n": ("N, teacher answers that a student was trained on", "1"),
        "seed": ("training set, start of the adapters and stream of samples", "1"),
        "target": ("what an attempt is compared with", "1"),
        "question": ("held-out question", "1"),
    },
    checked=("train_loss",),
)


class DistillJob:
    """The students of a spec."""

    schema = SCHEMA

    def __init__(self, spec: DistillSpec):
        self.spec = spec
        self.axes = {name: np.asarray(getattr(spec.grid, name), np.int64) for name in ("n", "seed")}
        self.identity: dict[str, Any] = identity_of(spec)

    def contents(self, tile: Mapping[str, int]) -> Contents:
        route = "embedded" if isinstance(self.spec, EmbeddedSpec) else "huggingface"
        return Contents(
            axes=self.axes,
            dims={"target": np.array(TARGETS), "question": np.arange(self.spec.evaluation.questions)},
            tile=tile,
            coordinates={},
            identity=self.identity,
            provenance={"spec": spec_to_dict(self.spec), "kind": f"distill {route}", **circumstances()},
        )

    def cut(self, *, tile: Mapping[str, int] | None = None, extension: Extension | None = None) -> TileGrid:
        return TileGrid({name: len(values) for name, values in self.axes.items()}, {"n": 1, "seed": 1})

    def check_resources(self, grid: TileGrid, location: Location | None) -> None:
        """Nothing to check: the results are counts of some questions."""
