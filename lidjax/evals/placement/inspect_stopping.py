"""An early-stopping manager for Inspect (the extra `inspect`): sampling ends when pass@K is known.

Inspect runs a task's samples for a number of epochs, and asks the manager before each whether to leave it out. An epoch
of a sample is an attempt at a problem.
"""

# pyright: reportUnknownParameterType=false
# (Inspect is an extra: where it is not installed, none of its types are known)

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lidjax.errors import InputError
from lidjax.evals.arguments import check_level
from lidjax.evals.placement.sequential import SequentialSampling
from lidjax.evals.read.inspect_log import choose_score, score_verdict, scores_of

if TYPE_CHECKING:
    from inspect_ai.dataset import Sample  # pyright: ignore[reportMissingImports]
    from inspect_ai.log import EvalSpec  # pyright: ignore[reportMissingImports]
    from inspect_ai.scorer import SampleScore  # pyright: ignore[reportMissingImports]
    from inspect_ai.util import EarlyStop  # pyright: ignore[reportMissingImports]

ELSEWHERE = "attempts at other problems tell more about pass@K"


class PassAtKStopping:
    """Ends the sampling of an Inspect task once the interval of the mean pass@K of its samples is narrow enough.

    Until then each attempt is made where it tells most, and the epochs of other samples are left out; with
    `place=False` all samples get the same number. Give the task as many epochs as a sample may get at most. The log
    says that a manager was at work, and `read_evals` then has only methods used that stay right.

    Args:
        k: The K of pass@K that is to be known, 1 or more. It may be larger than the number of epochs.
        width: Width of the interval that is narrow enough, between 0 and 1.
        level: Probability that the interval should hold pass@K, 0.5 ≤ level < 1.
        first: Attempts at each sample before anything is decided, 1 or more.
        place: Whether attempts go where they tell most.
        scorer: The name of the score that counts where a sample has several, as for `read_evals`.
        threshold: For scores between 0 and 1: a score of at least this is correct.
        seed: Seed of the posterior samples.

    Raises:
        InputError: If an argument is out of its range.

    Example:
        >>> from lidjax.evals import PassAtKStopping
        >>> stopping = PassAtKStopping(k=100, width=0.1)  # Task(..., epochs=200, early_stopping=stopping)
        >>> stopping.name
        'lidjax pass@100 to a width of 0.1'
    """

    def __init__(
        self,
        k: int,
        width: float,
        *,
        level: float = 0.9,
        first: int = 4,
        place: bool = True,
        scorer: str | None = None,
        threshold: float | None = None,
        seed: int = 0,
    ) -> None:
        check_level(level)
        self._options: dict[str, Any] = {
            "k": k,
            "width": width,
            "level": level,
            "first": first,
            "place": place,
            "seed": seed,
        }
        SequentialSampling(
            problems=1, most=1, **self._options
        )  # wrong arguments are errors before a task runs
        self._scorer, self._threshold = scorer, threshold
        self._state: SequentialSampling | None = None
        self._position: dict[str | int, int] = {}
        self._epochs = 0

    @property
    def name(self) -> str:
        """Name of the manager in Inspect's logs."""
        return f"lidjax pass@{self._options['k']} to a width of {self._options['width']:g}"

    async def start_task(self, task: "EvalSpec", samples: "Sequence[Sample]", epochs: int) -> str:
        """Called by Inspect when a task begins; returns the name of the manager."""
        import anyio  # pyright: ignore[reportMissingImports] - Inspect needs it too

        if self._state is not None:
            raise InputError("this PassAtKStopping is in use: give every task and model a manager of its own")
        self._position = {sample.id: i for i, sample in enumerate(samples)}
        self._state = SequentialSampling(problems=len(samples), most=epochs, **self._options)
        self._epochs, self._lock = epochs, anyio.Lock()
        return self.name

    async def schedule_sample(self, id: str | int, epoch: int) -> "EarlyStop | None":
        """Called by Inspect before an epoch of a sample; returns a reason where it is to be left out."""
        import anyio.to_thread  # pyright: ignore[reportMissingImports]
        from inspect_ai.util import EarlyStop  # pyright: ignore[reportMissingImports]

        state, problem = self._running(), self._position[id]
        async with self._lock:  # several samples ask at once, and only one of them plans
            state.limit(problem, self._epochs - epoch + 1)
            if state.needs_plan:
                await anyio.to_thread.run_sync(state.plan)
            taken = state.take(problem)
            state.limit(problem, self._epochs - epoch)
        if taken:
            return None
        return EarlyStop(id=id, epoch=epoch, reason=self._reason())

    async def complete_sample(self, id: str | int, epoch: int, scores: "Mapping[str, SampleScore]") -> None:
        """Called by Inspect when an epoch of a sample has its scores."""
        state, where = self._running(), f"sample {id!r}, epoch {epoch}"
        values = {name: {"value": score.score.value} for name, score in scores.items()}
        value = choose_score(scores_of({"scores": values}), self._scorer, where)
        verdict = None if value is None else score_verdict(value, self._threshold, where)
        if verdict is not None:
            state.record(self._position[id], verdict)

    async def complete_task(self) -> dict[str, Any]:
        """Called by Inspect when the task ends; returns what the log keeps of the decision."""
        import anyio.to_thread  # pyright: ignore[reportMissingImports]

        state, self._state = self._running(), None
        found = await anyio.to_thread.run_sync(state.measure)
        said: dict[str, Any] = dict(self._options) | {"enough": state.enough}
        return said if found is None else said | {"pass_at_k": found._asdict()}

    def _running(self) -> SequentialSampling:
        if self._state is None:
            raise InputError("no task is running: start_task was not called")
        return self._state

    def _reason(self) -> str:
        state = self._running()
        found = state.knowledge
        if found is None or not state.enough:
            return ELSEWHERE
        return (
            f"pass@{state.k} is {found.value:.3f} ({found.lower:.3f} to {found.upper:.3f}, {state.level:.0%}), "
            "as narrow as was asked"
        )
