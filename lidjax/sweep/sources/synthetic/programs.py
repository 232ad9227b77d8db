"""Programs of a synthetic tile: L_gen of its training sets, then L_inf(k) given L_gen.

There are two programs because L_inf(k) depends on a training set through L_gen alone: the first does not depend on δ
and k, the second not on N, α and the ridge.
"""

import functools
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from lidjax.generalization import CellMethod
from lidjax.generalization.cells import draw_lgen
from lidjax.generalization.choice import Numbers
from lidjax.model import power_law_spectrum, power_law_teacher
from lidjax.passk import (
    draw_failure,
    instance_failure,
    log_miss_probability,
    model_draw_success,
    realised_gap,
    sample_instances,
)
from lidjax.passk.instances import InstanceSample
from lidjax.ridge import DECOMPOSE_FROM
from lidjax.sweep.batch import vmap_axes
from lidjax.sweep.compiler import Effort
from lidjax.sweep.devices import TileSharding, on_mesh, part_lengths
from lidjax.sweep.sources.synthetic.spec import Model

Lengths = tuple[tuple[str, int], ...]

TRACES: Counter[tuple[Any, ...]] = Counter()
"""Number of traces of each program: more than one is a defect."""


class TrainingSize(NamedTuple):
    """N as a number, and as the two 32-bit words a key is folded with."""

    value: Any
    words: Any


def cell_keys(root: jax.Array, dim: int, size: TrainingSize, seed: ArrayLike) -> jax.Array:
    """Keys (training set, test instances) of a cell, from its own values: (dim, N, seed).

    They do not depend on the other axes, so cells that differ only in β, α, ridge, σ_η or δ share their random numbers:
    differences between them have a smaller variance than between independent draws, and one design serves them all.
    Where α, the ridge or the noise asks for another kernel of L_gen, what they share is the label noise (see
    `sample_lgen`).
    """
    key = jax.random.fold_in(root, dim)
    key = jax.random.fold_in(jax.random.fold_in(key, size.words[0]), size.words[1])
    return jax.random.split(jax.random.fold_in(key, seed))


@functools.lru_cache(maxsize=64)
def lgen_program(
    dim: int,
    method: CellMethod,
    model: Model,
    lengths: Lengths,
    sharding: TileSharding | None = None,
    effort: Effort = "quick",
) -> Callable[..., jax.Array]:
    """Jitted `(axes, root) -> L_gen` over the axes of `lengths`.

    Whatever varies over a grid is an argument, so that a session compiles one program for each shape.
    """

    loops: tuple[str, ...] = ()
    if jax.default_backend() == "cpu":
        if method == "krylov":  # vmapped cells would wait for the slowest, and copy their rows at each step
            loops = ("alpha", "ridge", "n", "seed")
        elif method != "scalar" and dim >= 128:
            # the matrices of 48 training sets do not fit the cache together: 1.4 times the time at d = 512
            loops = ("n", "seed")
    solver = "eigh" if dict(lengths)["ridge"] >= DECOMPOSE_FROM else "cholesky"

    def tile(axes: Mapping[str, Any], root: jax.Array) -> jax.Array:
        TRACES["lgen", dim, method, lengths] += 1

        def cell(args: Mapping[str, Any]) -> jax.Array:
            alpha = args["alpha"]
            numbers = Numbers(
                n=args["n"].value,
                eigenvalues=power_law_spectrum(dim, alpha),
                theta=power_law_teacher(dim, jnp.asarray(model.teacher_decay, alpha.dtype)),
                beta=args["beta"],
                sigma_eta=args["sigma_eta"],
                ridge=args["ridge"],
            )
            key = cell_keys(root, dim, args["n"], args["seed"])[0]
            return draw_lgen(key, method, numbers, difficulty=model.difficulty, solver=solver)

        return vmap_axes(cell, part_lengths(dict(lengths), sharding), loops=loops)(axes)

    return on_mesh(tile, sharding, (None,), tuple(name for name, _ in lengths), effort)


def proposal_success(
    key: jax.Array, sample: InstanceSample, model: Model, *, delta: ArrayLike, sigma_eta: ArrayLike
) -> jax.Array:
    """Success of one proposal ŷ + ξ against the instance's realised target m + η (App. B.4)."""
    gap = realised_gap(key, sample.bias, sample.tau, sigma_eta=sigma_eta)
    own = sigma_eta / jnp.sqrt(sample.tau)
    scale = own if model.proposal.startswith("matched") else jnp.broadcast_to(sigma_eta, own.shape)
    if model.proposal in ("matched", "normal"):
        return model_draw_success(gap, delta=delta, scale=scale)
    df = jnp.asarray(model.proposal_df, gap.dtype)
    return model_draw_success(gap, delta=delta, scale=scale, proposal="student_t", df=df)


@functools.lru_cache(maxsize=64)
def sampled_failure_program(
    dim: int,
    model: Model,
    lengths: Lengths,
    sharding: TileSharding | None = None,
    effort: Effort = "quick",
) -> Callable[..., tuple[jax.Array, jax.Array]]:
    """Jitted `(axes, lgen, k, root) -> (L_inf(k), effective sample size)`.

    By test instances, plain draws (Sec. 4.2) or proposals (App. B.4). `lgen` has the axes of `lengths` without delta.
    """

    def tile(
        axes: Mapping[str, Any], lgen: jax.Array, k: jax.Array, root: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        TRACES["failure", dim, model.failure, lengths] += 1

        def cell(args: Mapping[str, Any], lgen: jax.Array) -> tuple[jax.Array, jax.Array]:
            key = cell_keys(root, dim, args["n"], args["seed"])[1]
            tail = {name: args[name] for name in ("beta", "delta", "sigma_eta")}
            shared: dict[str, Any] = {"num_instances": model.num_instances, "difficulty": model.difficulty}
            if model.failure == "draws":
                share = draw_failure(key, k, lgen, **tail, **shared)
                return share, share * model.num_instances  # every term is 0 or 1
            instance_key, target_key = jax.random.split(key)
            sample = sample_instances(instance_key, lgen, beta=tail.pop("beta"), **shared)
            if model.failure == "proposals":
                found = instance_failure(k, success=proposal_success(target_key, sample, model, **tail))
            else:
                found = instance_failure(k, log_miss=log_miss_probability(sample.bias, sample.tau, **tail))
            return found.failure, found.effective_sample_size

        carried = tuple(name != "delta" for name, _ in lengths)
        return vmap_axes(cell, part_lengths(dict(lengths), sharding), carried=carried)(axes, lgen)

    names = tuple(name for name, _ in lengths)
    without_delta = tuple(name for name in names if name != "delta")
    return on_mesh(tile, sharding, (without_delta, None, None), names, effort)
