"""Teachers side by side: how often right, how far they disagree with themselves, and the tail indices of that."""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import numpy as np
import xarray as xr
from jaxtyping import Float

from lidjax.distill.dispersion import HillIndex, agreement_counts, measure_spread, spread_indices
from lidjax.distill.status import StudentStatus
from lidjax.evals.rates.posterior import sample_posterior
from lidjax.evals.rates.prior import NO_PREFERENCE
from lidjax.evals.rates.quadrature import COARSE_GRID, count_rows
from lidjax.evals.table import EvalData, Group
from lidjax.evals.tail_index import TailIndexEstimate, estimate_tail_indices
from lidjax.evals.training import TrainingSeries, fit_training_series

DECILES = (0.1, 0.25, 0.5, 0.75, 0.9)


class TeacherReport(NamedTuple):
    """`right` is the share of draws that are, NaN where the truth is not known; `no_number` the share without one.
    `disagreement` holds DECILES over questions; `spread_tail` Hill's index of the relative spread; `agreement_tail` the
    index of P(two draws agree) near 0, by estimator."""

    name: str
    questions: int
    draws: int
    right: float
    no_number: float
    unanimous: float
    disagreement: tuple[float, ...]
    spread_tail: list[HillIndex]
    agreement_tail: list[TailIndexEstimate]


def report_teacher(
    name: str,
    answers: Float[np.ndarray, "q m"],
    truth: Float[np.ndarray, " q"] | None = None,
    *,
    level: float = 0.95,
    replicates: int = 200,
) -> TeacherReport:
    """Everything said of one teacher, from its repeated answers (q, m)."""
    measured = measure_spread(answers)
    n, c = agreement_counts(answers)
    return TeacherReport(
        name=name,
        questions=answers.shape[0],
        draws=answers.shape[1],
        right=float("nan") if truth is None else float(np.mean(answers == truth[:, None])),
        no_number=float(np.mean(~np.isfinite(answers))),
        unanimous=float(np.mean(measured.disagreement == 0)),
        disagreement=tuple(np.quantile(measured.disagreement, DECILES).tolist()),
        spread_tail=spread_indices(measured.spread, level=level, replicates=replicates),
        agreement_tail=estimate_tail_indices(n, c, level=level, replicates=replicates),
    )


def counts_as_evals(data: xr.Dataset, target: str) -> EvalData:
    """The counts of one target as evaluation logs: a group for each N, a problem for each question and seed."""
    part = data.sel(target=target)
    groups = []
    for n in part["n"].values.tolist():
        own = part.sel(n=n)
        rows = [
            (f"question {q}, seed {seed}", own["attempts"].values[s, q], own["correct"].values[s, q])
            for s, seed in enumerate(own["seed"].values.tolist())
            if own["status"].values[s] == StudentStatus.OK
            for q in range(own.sizes["question"])
            if own["attempts"].values[s, q] > 0
        ]
        if rows:
            problems, attempts, correct = zip(*rows, strict=True)
            attempts, correct = (np.array(x, dtype=np.int64) for x in (attempts, correct))
            groups.append(Group(f"N = {n}", {"training_size": float(n)}, problems, attempts, correct))
    return EvalData(tuple(groups), "lidjax distill")


def training_of(data: xr.Dataset, target: str) -> list[TrainingSeries]:
    """The training axis as `lidjax fit --training` has it: the default model's tail index against N, with Eq. 20."""
    groups = counts_as_evals(data, target).groups
    with jax.enable_x64(True):
        posteriors = [
            sample_posterior(count_rows(group.n, group.c, COARSE_GRID), prior=NO_PREFERENCE)
            for group in groups
        ]
        return fit_training_series(groups, posteriors, "training_size") if len(groups) > 1 else []


def counts_csv(data: xr.Dataset) -> str:
    """The same counts as text that `lidjax fit` reads, with --group training_size target --training training_size."""
    lines = ["problem,n,c,training_size,target"]
    for target in data["target"].values.tolist():
        for group in counts_as_evals(data, target).groups:
            size: Mapping[str, object] = group.fields
            lines += [
                f'"{problem}",{n},{c},{size["training_size"]:.0f},{target}'
                for problem, n, c in zip(group.problems, group.n.tolist(), group.c.tolist(), strict=True)
            ]
    return "\n".join(lines) + "\n"
