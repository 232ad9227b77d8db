"""The experiment as a job for `runs.session`: a cell is one student, and each student is a tile of its own."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from lidjax.distill.spec import DistillSpec, backend_name, identity_of
from lidjax.errors import InputError
from lidjax.runs.location import Location
from lidjax.runs.manifest import Contents, as_json
from lidjax.runs.provenance import circumstances
from lidjax.runs.schema import Schema, Variable
from lidjax.runs.session import Extension
from lidjax.runs.store import open_group
from lidjax.runs.tiles import TileGrid
from lidjax.sweep.spec_file import spec_to_dict

TARGETS = ("truth", "teacher", "fresh")
"""What an attempt is compared with; see `verify`."""
KIND = "distill"
"""How the kind of a store starts that holds results of this experiment; the backend follows."""

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
            dims=("target", "question"),
            dtype="int32",
            fill=0,
        ),
        Variable(
            "correct", "c, attempts that were right", dims=("target", "question"), dtype="int32", fill=0
        ),
        Variable(
            "greedy",
            "chance that the greedy answer is right",
            dims=("target", "question"),
            dtype="float64",
            fill=0,
        ),
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

    @property
    def name(self) -> str:
        """The name of the spec."""
        return self.spec.name

    def contents(self, tile: Mapping[str, int]) -> Contents:
        return Contents(
            axes=self.axes,
            dims={"target": np.array(TARGETS), "question": np.arange(self.spec.evaluation.questions)},
            tile=tile,
            coordinates={},
            identity=self.identity,
            provenance={
                "spec": spec_to_dict(self.spec),
                "kind": f"{KIND} {backend_name(self.spec)}",
                **circumstances(),
            },
        )

    def cut(self, *, tile: Mapping[str, int] | None = None, extension: Extension | None = None) -> TileGrid:
        return TileGrid({name: len(values) for name, values in self.axes.items()}, {"n": 1, "seed": 1})

    def check_resources(self, grid: TileGrid, location: Location | None) -> None:
        """Nothing to check: the results are counts of some questions."""


def check_extension(job: DistillJob, location: Location) -> None:
    """Raise InputError, saying why, if a store of embedded models would need other seeds or another largest N.

    It looks only at a store that agrees with the spec in everything else. Where more differs, `Store.check_identity`
    shows all the differences.
    """
    _, manifest = open_group(location.zarr_store(), location.store_name)
    stored: Any = manifest.get("identity")
    wanted: dict[str, Any] = as_json(job.identity)
    before = stored.get("problems_of_students") if isinstance(stored, dict) else None
    now = wanted.get("problems_of_students")
    if before is None or now is None or before == now:
        return
    if any(stored.get(key) != wanted[key] for key in wanted if key not in ("grid", "problems_of_students")):
        return
    raise InputError(
        f"{location.store_name}: embedded models can be extended by more N below the largest, but not by a larger N or "
        f"other seeds; the store has N up to {before['largest_n']} and {_seeds(before)}, the spec N up to "
        f"{now['largest_n']} and {_seeds(now)}. The teacher is trained on problems that no student is shown, and so "
        "depends on the largest N and on the seeds.\nname another --out, or start anew with --no-resume"
    )


def _seeds(problems: Mapping[str, Any]) -> str:
    return "seeds " + ", ".join(map(str, problems["seeds"]))
