"""The program of a tile with τ and x correlated: training sets are simulated, test instances drawn and weighted.

With z the whitened features and s = z₁ or the normal score of ‖z‖² ~ χ²_d, the score of τ is t = ρ s + √(1-ρ²) ε. In
the second form s and the direction of z, which are independent, are drawn, and ‖z‖² follows from s. Given the weight
error e, with w = Λ^(1/2) e and L_gen = ‖w‖², the bias B = xᵀe of a test instance is

    direction   ρ t w₁ + √(L_gen - ρ² w₁²) h, with h independent of t
    norm        √L_gen h, where ‖z‖² = h² + c and c ~ χ² with d - 1 degrees of freedom

with normal h, so that no test features have to be drawn.
"""

import functools
import math
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import gammaln, logsumexp, ndtri
from jax.scipy.stats import norm

from lidjax.model import power_law_spectrum, power_law_teacher
from lidjax.passk import instance_failure, log_miss_probability
from lidjax.ridge import ridge_fit
from lidjax.sweep.batch import vmap_axes
from lidjax.sweep.compiler import Effort
from lidjax.sweep.devices import TileSharding, on_mesh, part_lengths
from lidjax.sweep.sources.correlated.scores import Norms, Quantiles, quantile_at, score_at
from lidjax.sweep.sources.correlated.spec import Correlated
from lidjax.sweep.sources.synthetic.programs import Lengths, TrainingSize, cell_keys

SHARES = (0.2, 0.5, 0.15, 0.15)
"""Parts of the mixture that test instances are drawn from: the model, small τ, and two with large biases and large τ. A
heuristic; any positive shares give an unbiased mean, and no weight exceeds the inverse of the first."""
BIASED = 2
"""The first of the parts with large biases."""
LOWEST_SCORE = -14.0


class Prior(NamedTuple):
    """β, and the quantiles of its prior."""

    beta: Any
    table: Quantiles


TRACES: Counter[tuple[Any, ...]] = Counter()
"""Number of traces of each program: more than one is a defect."""


@functools.lru_cache(maxsize=64)
def cell_program(
    dim: int,
    n: int,
    model: Correlated,
    lengths: Lengths,
    sharding: TileSharding | None = None,
    effort: Effort = "quick",
) -> Callable[..., tuple[jax.Array, jax.Array, jax.Array]]:
    """Jitted `(axes, words of N, k, norms, root) -> (L_gen, L_inf(k), effective sample size)`.

    Results are over the axes of `lengths`. A value of the axis beta is a `Prior`.
    """
    # on a CPU one training set after the other: the arrays of one fit its cache, of all do not
    loops = ("seed",) if jax.default_backend() == "cpu" else ()

    def tile(
        axes: Mapping[str, Any], words: jax.Array, k: jax.Array, norms: Norms, root: jax.Array
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        TRACES[dim, n, model, lengths] += 1

        def cell(args: Mapping[str, Any]) -> tuple[jax.Array, jax.Array, jax.Array]:
            size = TrainingSize(n, words)
            train_key, test_key = cell_keys(root, dim, size, args["seed"])
            spectrum = power_law_spectrum(dim, args["alpha"])
            error = weight_error(train_key, n, spectrum, norms, model, args)
            whitened = jnp.sqrt(spectrum) * error
            found = instances_failure(test_key, k, whitened, norms, model, args)
            return jnp.sum(whitened**2), *found

        return vmap_axes(cell, part_lengths(dict(lengths), sharding), loops=loops)(axes)

    return on_mesh(tile, sharding, (None,) * 4, tuple(name for name, _ in lengths), effort)


def weight_error(
    key: jax.Array,
    n: int,
    spectrum: jax.Array,
    norms: Norms,
    model: Correlated,
    args: Mapping[str, Any],
) -> jax.Array:
    """θ̂ - θ* of one simulated training set of n instances."""
    (dim,) = spectrum.shape
    feature_key, norm_key, copula_key, noise_key = jax.random.split(key, 4)
    z = jax.random.normal(feature_key, (n, dim), spectrum.dtype)
    rho = args["correlation"]
    if model.form == "direction":
        score = z[:, 0]
    else:
        score = jax.random.normal(norm_key, (n,), z.dtype)
        norm_ratio = jnp.sqrt(2 * jnp.exp(quantile_at(score, norms.quantiles)) / jnp.sum(z**2, axis=1))
        z = z * norm_ratio[:, None]
    own = jax.random.normal(copula_key, (n,), z.dtype)
    log_tau = quantile_at(rho * score + jnp.sqrt(1 - rho**2) * own, args["beta"].table)
    noise = args["sigma_eta"] * jnp.exp(-log_tau / 2) * jax.random.normal(noise_key, (n,), z.dtype)
    x = z * jnp.sqrt(spectrum)[None, :]
    theta = power_law_teacher(dim, jnp.zeros_like(rho))
    return ridge_fit(x, jnp.matmul(x, theta, precision="highest") + noise, args["ridge"]) - theta


def instances_failure(
    key: jax.Array,
    k: jax.Array,
    whitened: jax.Array,
    norms: Norms,
    model: Correlated,
    args: Mapping[str, Any],
) -> tuple[jax.Array, jax.Array]:
    """L_inf(k) and its effective sample size, given w = Λ^(1/2) e.

    At large k the mean depends on rare instances, with small τ or with a large bias. Of these more are drawn, from a
    mixture, and weighted by the density of the model over that of the mixture. Small τ are drawn through t, and the
    rest given t; in the form "norm" large biases are drawn through h and c, and t given the norm through ε.
    """
    (dim,) = whitened.shape
    rho, own = args["correlation"], jnp.sqrt(1 - args["correlation"] ** 2)
    choice_key, normal_key, square_key = jax.random.split(key, 3)
    count, log_share = model.num_instances, jnp.log(jnp.asarray(SHARES, k.dtype))
    choice = jax.random.categorical(choice_key, log_share, shape=(count,))
    mean, spread, stretch = _mixture(jnp.max(k), model, args)
    first, second, third = jax.random.normal(normal_key, (3, count), k.dtype)
    first, h = mean[choice] + spread[choice] * first, stretch[choice] * second
    lgen = jnp.sum(whitened**2)
    if model.form == "direction":
        t = tilted = first
        of_across = jnp.zeros(count, k.dtype)
        bias = rho * t * whitened[0] + jnp.sqrt(lgen - rho**2 * whitened[0] ** 2) * h
    else:
        across = jnp.zeros(count, k.dtype)
        if dim > 1:
            across = 2 * jax.random.gamma(square_key, (dim - 1) / 2, (count,), k.dtype)
        shrink = _shrink(dim, rho)
        across = jnp.where(choice == len(SHARES) - 1, shrink * across, across)
        through_h = choice >= BIASED
        square = h**2 + across
        score = jnp.where(through_h, score_at(jnp.log(square / 2), norms), rho * first + own * third)
        t = jnp.where(through_h, rho * score + own * first, first)
        rescale = 2 * jnp.exp(quantile_at(score, norms.quantiles)) / square
        h = jnp.where(through_h, h, h * jnp.sqrt(rescale))
        across = jnp.where(through_h, across, across * rescale)
        of_across = -(dim - 1) / 2 * jnp.log(shrink) - across * (1 / shrink - 1) / 2
        tilted = jnp.where(
            (jnp.arange(len(SHARES)) >= BIASED)[:, None], (t - rho * score)[None] / own, t[None]
        )
        bias = jnp.sqrt(lgen) * h
    tilted = jnp.broadcast_to(tilted, (len(SHARES), count))
    log_ratio = norm.logpdf(tilted, mean[:, None], spread[:, None]) - norm.logpdf(tilted)
    log_ratio += norm.logpdf(h[None], scale=stretch[:, None]) - norm.logpdf(h)[None]
    log_ratio = log_ratio.at[-1].add(of_across)
    log_weight = -logsumexp(log_ratio + log_share[:, None], axis=0)
    tau = jnp.exp(quantile_at(t, args["beta"].table))
    log_miss = log_miss_probability(bias, tau, delta=args["delta"], sigma_eta=args["sigma_eta"])
    found = instance_failure(k, log_miss=log_miss, log_weight=log_weight)
    return found.failure, found.effective_sample_size


def _mixture(reach: jax.Array, model: Correlated, args: Mapping[str, Any]) -> tuple[jax.Array, ...]:
    """For each part of the mixture mean and standard deviation of t (or of ε), and the standard deviation of h.

    `far` is the distance of the score of the τ at which k = reach attempts fail without bias. A bias with a score
    farther out than that is rarer than such a τ.
    """
    scaled = math.sqrt(2 / math.pi) * reach * args["delta"] / args["sigma_eta"]
    beta = args["beta"].beta
    log_share = -beta * jnp.log(scaled)
    if model.difficulty == "gamma":
        log_share -= gammaln(beta / 2 + 1)  # for small τ
    share = jnp.exp(jnp.clip(log_share, -200.0, math.log(0.5)))
    far = -jnp.maximum(ndtri(share), LOWEST_SCORE)
    half, one = jnp.maximum(far / 2, 1.0), jnp.ones_like(far)
    easy = 1.5 * one
    if model.form == "norm":  # the ε that makes an instance easy although its norm is large
        easy = (1.5 - args["correlation"]) / jnp.sqrt(1 - args["correlation"] ** 2)
    mean = jnp.stack([0 * one, -far / 2, 0.5 * one, easy])
    spread = jnp.stack([one, half, 1.5 * one, jnp.maximum(easy / 2, 2.0)])
    return mean, spread, jnp.stack([one, one, (1 + half) / 2, half])


def _shrink(dim: int, rho: jax.Array) -> jax.Array:
    """What c is multiplied by in the last part: where large norms make hard instances, easy ones have a small c."""
    deviations = 2 * math.sqrt(2 / max(dim - 1, 1))
    return 1 - min(deviations, 0.6) * jnp.clip(-rho, 0.0, 1.0)
