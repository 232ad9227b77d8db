"""The program of a tile of random-feature models: L_gen over every axis, one QR decomposition for each seed."""

import functools
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from lidjax.generalization.random_features import (
    FeatureMap,
    narrow_map,
    noise_rms,
    random_features_quadratic,
    wide_map,
)
from lidjax.model import power_law_spectrum, power_law_teacher
from lidjax.sweep.compiler import Effort
from lidjax.sweep.devices import TileSharding, on_mesh, part_lengths
from lidjax.sweep.sources.random_features.spec import RandomFeatures
from lidjax.sweep.sources.synthetic.programs import Lengths, TrainingSize, cell_keys

ORDER = ("seed", "alpha", "n", "width", "beta", "sigma_eta", "ridge")
"""Axes from the outermost on: what is inside shares the work of what is outside."""
NOT_A_SIZE = 2**32 - 1
"""What the key of F is folded with in place of the upper word of N, which is below 2³¹."""

TRACES: Counter[tuple[Any, ...]] = Counter()
"""Number of traces of each program: more than one is a defect."""


def map_key(root: jax.Array, dim: int, seed: jax.Array) -> jax.Array:
    """Key of F, from the cell's own values: (dim, seed). It is the same for every N and every P."""
    return jax.random.fold_in(jax.random.fold_in(jax.random.fold_in(root, dim), jnp.uint32(NOT_A_SIZE)), seed)


@functools.lru_cache(maxsize=64)
def lgen_program(
    dim: int,
    most: int,
    narrow: bool,
    model: RandomFeatures,
    lengths: Lengths,
    sharding: TileSharding | None = None,
    effort: Effort = "quick",
) -> Callable[..., jax.Array]:
    """Jitted `(axes, root) -> L_gen` over the axes of `lengths`, which are those of `ORDER` in another order.

    All P are on one side of d: below it (`narrow`) up to `most`, or d and above.
    """
    # on a CPU one training set after the other: matrices of one fit its cache, of all do not
    over: Callable[..., Any] = _loop if jax.default_backend() == "cpu" else jax.vmap
    names = tuple(name for name, _ in lengths)

    def tile(axes: Mapping[str, Any], root: jax.Array) -> jax.Array:
        TRACES[dim, most, narrow, lengths] += 1

        def of_seed(seed: jax.Array) -> jax.Array:
            key = map_key(root, dim, seed)

            def of_spectrum(alpha: jax.Array) -> jax.Array:
                decay = jnp.asarray(model.teacher_decay, alpha.dtype)
                eigenvalues, theta = power_law_spectrum(dim, alpha), power_law_teacher(dim, decay)

                def features_of(width: jax.Array) -> FeatureMap:
                    if narrow:
                        return narrow_map(key, width, eigenvalues=eigenvalues, theta=theta, most=most)
                    return wide_map(key, width, eigenvalues=eigenvalues, theta=theta)

                features = jax.vmap(features_of)(axes["width"])
                return over(lambda size: of_size(size, seed, features))(axes["n"])

            return jax.vmap(of_spectrum)(axes["alpha"])

        def of_size(size: TrainingSize, seed: jax.Array, features: FeatureMap) -> jax.Array:
            design_key, noise_key = jax.random.split(cell_keys(root, dim, size, seed)[0])

            def of_width(features: FeatureMap) -> jax.Array:
                def solve(ridge: jax.Array) -> Any:
                    return random_features_quadratic(design_key, size.value, features, ridge, dim)

                quadratic = jax.vmap(solve)(axes["ridge"])

                def noisy(beta: jax.Array, sigma_eta: jax.Array) -> jax.Array:
                    rms = noise_rms(
                        noise_key,
                        size.value,
                        features.missed,
                        beta=beta,
                        sigma_eta=sigma_eta,
                        difficulty=model.difficulty,
                    )
                    return jax.vmap(lambda one: one.lgen(rms))(quadratic) + features.missed

                over_sigma = jax.vmap(noisy, (None, 0))
                return jax.vmap(over_sigma, (0, None))(axes["beta"], axes["sigma_eta"])

            return jax.vmap(of_width)(features)

        lgen = over(of_seed)(axes["seed"])
        assert lgen.shape == tuple(part_lengths(dict(lengths), sharding)[name] for name in ORDER)
        return jnp.transpose(lgen, [ORDER.index(name) for name in names])

    return on_mesh(tile, sharding, (None,), names, effort)


def _loop(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda values: jax.lax.map(function, values)
