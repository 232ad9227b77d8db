"""Teachers side by side, and students as evaluation logs: all that the experiment takes from `lidjax.evals`."""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import numpy as np
import xarray as xr
from jaxtyping import Float

from lidjax.distill.dispersion import HillIndex, agreement_counts, measure_spread, spread_indices
from lidjax.distill.status import StudentStatus
from lidjax.evals.rates.posterior import sample_posterior
from lidjax.evals.rates.quadrature import COARSE_GRID, count_rows
from lidjax.evals.table import EvalData, Group
from lidjax.evals.tail_index import TailIndexEstimate, estimate_tail_indices
from lidjax.evals.training import TrainingSeries, fit_training_series

DISAGREEMENT_QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
"""Over questions, in a report."""


class TeacherReport(NamedTuple):
    """How often a teacher is right, how far it disagrees with itself, and the tail indices of that."""

    name: str
    questions: int
    """Number of questions."""
    draws: int
    """Answers to each question."""
    right: float
    """Share of the answers that are right; NaN if the right answers are not known."""
    no_number: float
    """Share of the answers that contain no number."""
    unanimous: float
    """Share of the questions to which all answers are the same number."""
    disagreement: tuple[float, ...]
    """Chance that two answers to a question differ: the 10, 25, 50, 75 and 90 % quantiles over questions."""
    spread_tail: list[HillIndex]
    """Tail index of the relative spread of the answers, at several shares of the questions."""
    agreement_tail: list[TailIndexEstimate]
    """Index near 0 of the chance that two answers agree, by estimator."""


def report_teacher(
    name: str,
    answers: Float[np.ndarray, "q m"],
    truth: Float[np.ndarray, " q"] | None = None,
    *,
    level: float = 0.95,
    replicates: int = 200,
) -> TeacherReport:
    """How often a teacher is right, how far it disagrees with itself, and the tail indices of that.

    Args:
        name: What to call the teacher.
        answers: m ≥ 2 answers to each of q questions, as numbers; NaN for an answer without a number. See
            `read_repeated_answers`.
        truth: The right answers, if they are known.
        level: Coverage of the intervals, between 0 and 1.
        replicates: Replicates of the bootstraps over questions.

    Returns:
        A `TeacherReport`.

    References:
        The model's precision τ and its tail index β/2, Def. 3.1. Hill (1975) for the tail of the spread; the
        estimators of the agreement are those of `lidjax fit`.

    Example:
        >>> import numpy as np
        >>> from lidjax.distill import report_teacher
        >>> answers = np.array([[1.0, 1, 1, 1], [2, 2, 3, 2], [4, 5, 6, np.nan]] * 4)
        >>> report = report_teacher("made up", answers, np.array([1.0, 2.0, 4.0] * 4), replicates=20)
        >>> report.questions, report.draws, round(report.right, 3), round(report.unanimous, 3)
        (12, 4, 0.667, 0.333)
    """
    measured = measure_spread(answers)
    n, c = agreement_counts(answers)
    return TeacherReport(
        name=name,
        questions=answers.shape[0],
        draws=answers.shape[1],
        right=float("nan") if truth is None else float(np.mean(answers == truth[:, None])),
        no_number=float(np.mean(~np.isfinite(answers))),
        unanimous=float(np.mean(measured.disagreement == 0)),
        disagreement=tuple(np.quantile(measured.disagreement, DISAGREEMENT_QUANTILES).tolist()),
        spread_tail=spread_indices(measured.spread, level=level, replicates=replicates),
        agreement_tail=estimate_tail_indices(n, c, level=level, replicates=replicates),
    )


def counts_as_evals(data: xr.Dataset, target: str) -> EvalData:
    """The counts of one target as evaluation logs: a group for each N, a problem for each question and seed."""
    of_target = data.sel(target=target)
    groups: list[Group] = []
    for n in of_target["n"].values.tolist():
        of_n = of_target.sel(n=n)
        counts = [
            (
                f"question {question}, seed {seed}",
                of_n["attempts"].values[i, question],
                of_n["correct"].values[i, question],
            )
            for i, seed in enumerate(of_n["seed"].values.tolist())
            if of_n["status"].values[i] == StudentStatus.OK
            for question in range(of_n.sizes["question"])
            if of_n["attempts"].values[i, question] > 0
        ]
        if counts:
            problems, attempts, correct = zip(*counts, strict=True)
            attempts, correct = (np.array(x, dtype=np.int64) for x in (attempts, correct))
            groups.append(Group(f"N = {n}", {"training_size": float(n)}, problems, attempts, correct))
    return EvalData(tuple(groups), "lidjax distill")


def training_of(data: xr.Dataset, target: str) -> list[TrainingSeries]:
    """The training axis of the experiment, as `lidjax fit --training` has it.

    Args:
        data: Results of `run_distillation` or `open_distillation`.
        target: `truth`, `teacher` or `fresh`; see `run_distillation`.

    Returns:
        The tail index of the default model against N, with its standard error and the fit of Eq. 20: one series, or
        none with fewer than two N that have enough right attempts.

    References:
        Eq. 20.

    Example:
        >>> import numpy as np, xarray as xr
        >>> from lidjax.distill import training_of
        >>> correct = np.random.default_rng(0).binomial(16, 0.3, (2, 1, 1, 30))  # over n, seed, target, question
        >>> axes = ("n", "seed", "target", "question")
        >>> data = xr.Dataset(
        ...     {"correct": (axes, correct), "attempts": (axes, np.full_like(correct, 16)),
        ...      "status": (("n", "seed"), np.zeros((2, 1), int))},
        ...     coords={"n": [10, 100], "seed": [0], "target": ["truth"]})
        >>> [series.sizes.tolist() for series in training_of(data, "truth")]
        [[10.0, 100.0]]
    """
    groups = counts_as_evals(data, target).groups
    with jax.enable_x64(True):
        posteriors = [sample_posterior(count_rows(group.n, group.c, COARSE_GRID)) for group in groups]
        return fit_training_series(groups, posteriors, "training_size") if len(groups) > 1 else []


def counts_csv(data: xr.Dataset) -> str:
    """The counts of all students as a table that `lidjax fit` reads.

    Args:
        data: Results of `run_distillation` or `open_distillation`.

    Returns:
        CSV with the columns problem, n, c, training_size and target. `lidjax fit` takes it with
        `--group training_size target --training training_size`.

    Example:
        >>> import numpy as np, xarray as xr
        >>> from lidjax.distill import counts_csv
        >>> axes = ("n", "seed", "target", "question")
        >>> data = xr.Dataset(
        ...     {"correct": (axes, np.full((1, 1, 1, 1), 3)), "attempts": (axes, np.full((1, 1, 1, 1), 16)),
        ...      "status": (("n", "seed"), np.zeros((1, 1), int))},
        ...     coords={"n": [10], "seed": [0], "target": ["truth"]})
        >>> print(counts_csv(data), end="")
        problem,n,c,training_size,target
        "question 0, seed 0",16,3,10,truth
    """
    lines = ["problem,n,c,training_size,target"]
    for target in data["target"].values.tolist():
        for group in counts_as_evals(data, target).groups:
            fields: Mapping[str, object] = group.fields
            lines += [
                f'"{problem}",{n},{c},{fields["training_size"]:.0f},{target}'
                for problem, n, c in zip(group.problems, group.n.tolist(), group.c.tolist(), strict=True)
            ]
    return "\n".join(lines) + "\n"
