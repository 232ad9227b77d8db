"""The grid of a LID model with a verifier that errs as tiles."""

import functools
import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lidjax.difficulty import Difficulty
from lidjax.passk import FailureCurve, eval_curve
from lidjax.runs.schema import CellValues, Schema, Variable
from lidjax.sweep.compiler import compiler_options
from lidjax.sweep.cost import Cost
from lidjax.sweep.devices import TileSharding
from lidjax.sweep.sources.synthetic.source import AXES as MODEL_AXES
from lidjax.sweep.sources.synthetic.source import RANDOM_STREAMS, SyntheticSource
from lidjax.sweep.sources.synthetic.source import SCHEMA as MODEL_SCHEMA
from lidjax.sweep.sources.verifiers.spec import VerifierSpec
from lidjax.verifiers import verified_pass_at_k
from lidjax.verifiers.curve import VerifiedCurve, build_verified_curve

AXES = (*MODEL_AXES, "sensitivity", "false_accept")
OUTSIDE = "L_gen is finite, but β, δ/σ_η or k is outside the range of the quadrature"
SCHEMA = Schema(
    variables=(
        next(v for v in MODEL_SCHEMA.variables if v.name == "lgen"),
        Variable(
            "failure",
            "probability that the first accepted of at most k attempts is wrong, or none is accepted",
            dims=("k",),
            not_finite=OUTSIDE,
        ),
        Variable(
            "wrong",
            "probability that the first accepted of at most k is wrong",
            dims=("k",),
            not_finite=OUTSIDE,
        ),
        Variable("limit", "failure without end of attempts: 1 - ceiling", not_finite=OUTSIDE),
    ),
    labels={
        **MODEL_SCHEMA.labels,
        "sensitivity": ("a, probability that a right answer is accepted", "1"),
        "false_accept": ("f, probability that a wrong answer is accepted", "1"),
    },
)
DECADES = 4
"""Of v = L_gen/σ² in one table. The ranges are fixed, so that a cell's numbers do not depend on the grid."""
TOLERANCE = 1e-7
SMALLEST, LARGEST = 1e-12, 1e8
"""Of v: below, the bias adds nothing that is left after rounding; above, no attempt succeeds, to four digits."""
PER_NODE = 12.0
"""Evaluations that one node of a table counts as."""


class VerifierSource:
    """L_gen as a sweep with [model] has it, and what a verifier makes of the attempts."""

    schema = SCHEMA
    shardable = ()
    halving_order = ("n", "seed", "alpha", "ridge", "beta", "sigma_eta", "delta")

    def __init__(self, spec: VerifierSpec):
        self.spec = spec
        self.model = SyntheticSource(spec.synthetic())
        rates = {name: np.asarray(getattr(spec.verifier, name)) for name in AXES[len(MODEL_AXES) :]}
        self.axes = self.model.axes | rates
        self.k = self.model.k
        # one axis of the verifier at a time would compute L_gen again
        self.fixed_tile = self.model.fixed_tile | {name: len(values) for name, values in rates.items()}
        self._tables: dict[tuple[float, ...], VerifiedCurve | None] = {}

    @property
    def dims(self) -> dict[str, np.ndarray]:
        return {"k": self.k}

    def identity(self) -> dict[str, str]:
        return {"random_streams": RANDOM_STREAMS}

    def coordinates(self) -> dict[str, tuple[str, np.ndarray]]:
        return {}

    def facts(self) -> dict[str, float]:
        return {}

    def warnings(self) -> list[str]:
        if max(self.spec.verifier.false_accept) < min(self.spec.verifier.sensitivity):
            return []
        return [
            "verifier.false_accept reaches verifier.sensitivity: there acceptance says nothing, or misleads"
        ]

    def tile_cost(self, shape: Mapping[str, int]) -> Cost:
        cells = math.prod(shape[name] for name in AXES)
        model = self.model.tile_cost({name: shape[name] for name in MODEL_AXES})
        return model + Cost(evaluations=2.0 * len(self.k), bytes=4 * 8 * (len(self.k) + 1)) * cells

    def total_cost(self) -> Cost:
        shared = ("beta", "sigma_eta", "delta", "sensitivity", "false_accept")
        tables = 2 * math.prod(len(self.axes[name]) for name in shared)
        nodes = 320 * 640 * (len(self.k) + 1)
        return self.model.total_cost() + Cost(evaluations=PER_NODE * nodes) * tables

    def evaluate(self, coords: Mapping[str, np.ndarray], sharding: TileSharding | None = None) -> CellValues:
        """One tile: L_gen of its training sets, then every verifier from tables over the bias."""
        lgen = self.model.lgen({name: coords[name] for name in MODEL_AXES}, sharding)
        shape = [len(coords[name]) for name in AXES]
        found = {
            "failure": np.full([*shape, len(self.k)], np.nan),
            "wrong": np.full([*shape, len(self.k)], np.nan),
            "limit": np.full(shape, np.nan),
        }
        names = ("beta", "sigma_eta", "delta", "sensitivity", "false_accept")
        for at in np.ndindex(*(len(coords[name]) for name in names)):
            beta, sigma, delta, a, f = (coords[name][i].item() for name, i in zip(names, at, strict=True))
            v = lgen[at[0], :, :, at[1]] / sigma**2  # (alpha, ridge, n, seed)
            failure, wrong = self._curves(v.ravel(), beta, delta / sigma, a, f)
            cell = (at[0], slice(None), 0, slice(None), at[1], at[2], slice(None), slice(None), at[3], at[4])
            found["failure"][cell] = failure[:, :-1].reshape(*v.shape, -1)
            found["wrong"][cell] = wrong[:, :-1].reshape(*v.shape, -1)
            found["limit"][cell] = failure[:, -1].reshape(v.shape)
        own = lgen.reshape(*lgen.shape[:2], 1, *lgen.shape[2:4], 1, *lgen.shape[4:], 1, 1)
        return {"lgen": np.broadcast_to(own, shape), **found}

    def _curves(
        self, v: np.ndarray, beta: float, eps: float, a: float, f: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Failure and accepted wrong answers of shape (v, k + 1), the last for k = ∞; NaN where v is."""
        found = np.full((2, v.size, len(self.k) + 1), np.nan)
        inside = np.flatnonzero((v >= 0) & np.isfinite(v))
        bounded = np.clip(v[inside], SMALLEST, LARGEST * (1 - 1e-12))
        block = np.floor(np.log10(bounded) / DECADES).astype(int)
        with jax.enable_x64(True):
            for index in np.unique(block).tolist():
                mine = block == index
                found[:, inside[mine]] = self._block(index, bounded[mine], beta, eps, a, f)
        return found[0], found[1]

    def _block(self, index: int, v: np.ndarray, beta: float, eps: float, a: float, f: float) -> np.ndarray:
        key = (beta, eps, a, f, float(index))
        if key not in self._tables:
            low = index * DECADES * math.log(10)
            ends = low, low + DECADES * math.log(10)
            numbers = (*ends, self.k, beta, eps, a, f)
            table: VerifiedCurve = _builder()(*numbers, difficulty=self.spec.verifier.difficulty)
            self._tables[key] = table if table.failure.error < TOLERANCE else None
        table_or_none = self._tables[key]
        if table_or_none is not None:
            return np.stack([_evaluate(part, v) for part in table_or_none])
        # No table is good enough (δ/σ and β both large): the integral itself.
        exact = verified_pass_at_k(
            np.append(self.k, np.inf),
            v,
            beta=beta,
            delta=eps,
            sigma_eta=1.0,
            sensitivity=a,
            false_accept=f,
            difficulty=self.spec.verifier.difficulty,
        )
        return np.stack([np.asarray(exact.failure), np.asarray(exact.wrong)])


@functools.cache
def _builder() -> Any:
    """`build_verified_curve` jitted; a function, because the options depend on the device."""
    options = compiler_options("quick")
    return jax.jit(_build, static_argnames="difficulty", compiler_options=options)


def _build(
    low: jax.Array,
    high: jax.Array,
    k: jax.Array,
    beta: jax.Array,
    eps: jax.Array,
    a: jax.Array,
    f: jax.Array,
    difficulty: Difficulty,
) -> VerifiedCurve:
    return build_verified_curve(low, high, k, beta, eps, a, f, difficulty)


@functools.cache
def _evaluator() -> Any:
    return jax.jit(jax.vmap(eval_curve, (None, 0)), compiler_options=compiler_options("quick"))


def _evaluate(table: FailureCurve, v: np.ndarray) -> np.ndarray:
    """The table at each v, in chunks of one length, so that the evaluation is compiled once."""
    size = 256
    padded = np.pad(v, (0, -v.size % size), mode="edge").reshape(-1, size)
    return np.concatenate([np.asarray(_evaluator()(table, jnp.asarray(part))) for part in padded])[: v.size]
