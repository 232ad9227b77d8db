"""The first accepted attempt over the population of test instances, by quadrature over bias and precision.

With B ~ N(0, V) and τ from the prior, every field of `Acceptance` is the mean of its value at S = s(B, τ). The nodes
are those of S, whatever the verifier: a trapezoid rule in y(τ) (see `passk.quadrature`), and at each τ a Gauss-Legendre
rule in a = |B|√τ/σ. There log S falls like -(a - h)²/2 on the right of h = δ√τ/σ, and log(1 - S) on its left; so the
rule is even in a coordinate t with a - h = t (1 + t²/4)^(-1/4), which is ±√(2|t|) for large t. Left of the grid of y,
and before and beyond the grid of a, the fields are constant or a power, and what is there is summed in closed form.
"""

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import erf, logsumexp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from lidjax.arrays import MEASURED_LOSS, POSITIVE, TAIL_INDEX, checked, checked_floats
from lidjax.difficulty import Difficulty, check_difficulty
from lidjax.passk.population import log_bias_free
from lidjax.passk.quadrature import coordinate_of, log_prior, uniform_nodes
from lidjax.passk.success import log_half_normal, log_success_and_miss, log_two_sided_tail
from lidjax.verifiers.acceptance import ATTEMPTS, PROBABILITY, Acceptance, log_first_accepted
from lidjax.verifiers.selection import even_coordinate, evenly_spaced

PRECISION_NODES = 416
BIAS_NODES = 320
_LEGENDRE = np.polynomial.legendre.leggauss(BIAS_NODES)
_DEPTH = 40.0
_LEFT = 22.0  # in log τ/2: there S k is below e^-22, and with it what the fields vary
_ENDLESS = 1e12  # the k whose nodes serve k = infinity: q = S a + f settles where S is of the order of f
_SMALLEST_V = 1e-12  # below it the bias changes nothing that is left after rounding


class SuccessNodes(NamedTuple):
    """Nodes of the single-trial success over the population, with the logarithms of their weights."""

    log_success: Float[Array, "y a"]
    log_miss: Float[Array, "y a"]
    log_weight: Float[Array, "y a"]
    left_constant: Float[Array, ""]
    """Factor of the first row for what lies left of it, of a field that does not vary there."""
    left_rising: Float[Array, ""]
    """The same of a field that is ∝ S there."""


def success_nodes(
    k: Float[Array, ""],
    v: Float[Array, ""],
    beta: Float[Array, ""],
    eps: Float[Array, ""],
    difficulty: Difficulty,
) -> SuccessNodes:
    """Nodes that serve every verifier and every number of attempts up to k; v = L_gen/σ², eps = δ/σ."""
    v = jnp.maximum(v, _SMALLEST_V)
    fixed_k, fixed_beta, fixed_eps = jax.lax.stop_gradient((k, beta, eps))
    budget = _DEPTH - log_bias_free(fixed_k, fixed_beta, fixed_eps, difficulty)
    low = -2 * (jnp.maximum(jnp.log(fixed_k * fixed_eps), 0) + _LEFT)
    if difficulty == "gamma":
        high = coordinate_of(2 * jnp.log(jnp.sqrt(fixed_beta / 2) + jnp.sqrt(budget)), difficulty)
    else:
        high = jnp.log1p(2 * budget) + _DEPTH
    y, step = uniform_nodes(low, high, PRECISION_NODES)
    log_tau, log_f = log_prior(y, beta, difficulty)
    h, root = eps * jnp.exp(log_tau / 2), jnp.sqrt(v) * jnp.exp(log_tau / 2)

    fixed_h, fixed_root = jax.lax.stop_gradient((h, root))
    one = jnp.ones_like(fixed_k)
    last = jnp.minimum(
        fixed_h + jnp.sqrt(2 * (jnp.log(fixed_k) + _DEPTH + 4)), fixed_root * jnp.sqrt(2 * budget)
    )
    first = jnp.maximum(fixed_h - math.sqrt(2 * (_DEPTH + 4)), 0)
    first = jnp.where(first < last, first, 0)
    ends = [jnp.sign(a - fixed_h) * even_coordinate(jnp.abs(a - fixed_h), one) for a in (first, last)]
    nodes, weights = (jnp.asarray(x, h.dtype) for x in _LEGENDRE)
    half = (ends[1] - ends[0])[:, None] / 2
    t = ends[0][:, None] + half * (1 + nodes[None, :])
    shift, slope = evenly_spaced(t, one)
    # the first and last column stand for all a before and beyond
    a = jnp.concatenate([first[:, None], jnp.maximum(fixed_h[:, None] + shift, 0), last[:, None]], axis=1)
    inside = log_half_normal(a[:, 1:-1] / root[:, None]) - jnp.log(root)[:, None]
    inside = inside + jnp.log(half * slope * weights[None, :])
    before = erf(first / root / math.sqrt(2))
    log_before = jnp.where(before > 0, jnp.log(jnp.where(before > 0, before, 1)), -jnp.inf)
    columns = [log_before[:, None], inside, log_two_sided_tail(last / root)[:, None]]
    log_weight = jnp.concatenate(columns, axis=1) + (log_f + jnp.log(step))[:, None]
    log_s, log_miss = log_success_and_miss(a, jnp.broadcast_to(h[:, None], a.shape))
    return SuccessNodes(
        log_s, log_miss, log_weight, 1 / jnp.expm1(beta / 2 * step), 1 / jnp.expm1((beta + 1) / 2 * step)
    )


def log_accepted_mean(
    nodes: SuccessNodes, k: Float[Array, ""], sensitivity: Float[Array, ""], false_accept: Float[Array, ""]
) -> Acceptance:
    """Logarithms of the fields of `Acceptance`, each a mean over the population."""
    shape = nodes.log_success.shape
    found = log_first_accepted(
        nodes.log_success,
        nodes.log_miss,
        *(jnp.broadcast_to(x, shape) for x in (k, sensitivity, false_accept)),
    )

    def mean(field: Array, left: Array) -> Array:
        rows = logsumexp(field + nodes.log_weight, axis=1)
        return logsumexp(rows.at[0].add(jnp.log1p(left)))

    constant, rising = nodes.left_constant, nodes.left_rising
    return Acceptance(
        mean(found.right, rising),
        mean(found.wrong, constant),
        mean(found.none, constant),
        mean(found.failure, constant),
        mean(found.attempts, constant),
    )


@functools.partial(jax.jit, static_argnames="difficulty")
def _over_cells(
    k: Array, v: Array, beta: Array, eps: Array, a: Array, f: Array, difficulty: Difficulty
) -> Acceptance:
    most = jnp.max(jnp.where(k < jnp.inf, k, _ENDLESS))

    def cell(args: tuple[Array, ...]) -> Acceptance:
        v, beta, eps, a, f = args
        nodes = success_nodes(most, v, beta, eps, difficulty)
        return jax.lax.map(lambda k: log_accepted_mean(nodes, k, a, f), k)

    return jax.lax.map(jax.checkpoint(cell), (v, beta, eps, a, f))


def verified_pass_at_k(
    k: ArrayLike,
    lgen: ArrayLike,
    *,
    beta: ArrayLike,
    delta: ArrayLike,
    sigma_eta: ArrayLike,
    sensitivity: ArrayLike = 1.0,
    false_accept: ArrayLike = 0.0,
    difficulty: Difficulty = "gamma",
    log: bool = False,
) -> Acceptance:
    """What the first accepted of at most k attempts is worth over test instances, with a verifier that errs.

    With sensitivity 1 and false acceptance 0 its failure is `pass_at_k_failure`. In float64 the relative error of every
    field is below 1e-9 for δ/σ_η up to 1 and 1e-6 up to 3, at β from 0.5 to 6, L_gen/σ_η² up to 30 and k up to 1e12.
    The nodes of one set of parameters serve every k: 10 ms of one core a value. It may be called under `jit` and
    `vmap`, and its first derivatives in every argument but an infinite k are exact.

    Args:
        k: most attempts (k,), or one number; real, at least 1. Infinity is the limit, the ceiling of the population.
        lgen: L_gen ≥ 0 of the predictor, in squared units of the labels. NaN gives NaN.
        beta: tail index β of the prior on the precision, 0.01 to 100; accuracy stated for 0.5 to 6.
        delta: tolerance δ > 0: an attempt within δ of the prediction is right.
        sigma_eta: noise scale σ_η > 0.
        sensitivity: probability a that the verifier accepts a right answer, 0 to 1.
        false_accept: probability f that it accepts a wrong one, 0 to 1. All but k broadcast.
        difficulty: prior on the precision τ, "gamma" (Eq. 1) or "power" (bounded).
        log: return the logarithm of every field.

    Returns:
        `Acceptance` with fields of the broadcast shape of all but k, and an axis of k behind unless k is one number.

    Raises:
        InputError: if an argument is out of its range, if shapes do not broadcast, or if `difficulty` is not known. A
            traced argument that is not allowed gives NaN.

    References:
        Eq. 13, with Assumption 4.1 relaxed; Stroebl, Kapoor and Narayanan, arXiv:2411.17501. Compared with
        `pass_at_k_failure`, with integrals over `success_distribution` and with simulation in
        tests/verifiers/test_population.py.

    Example:
        >>> import lidjax
        >>> model = {"beta": 2.5, "delta": 0.5, "sigma_eta": 1.0}
        >>> found = lidjax.verified_pass_at_k([1, 100], 0.1, **model, sensitivity=0.9, false_accept=0.02)
        >>> [round(float(x), 4) for x in found.failure]
        [0.6804, 0.0522]
    """
    check_difficulty(difficulty)
    lgen, beta, delta, sigma_eta, sensitivity, false_accept = checked_floats(
        lgen=(lgen, MEASURED_LOSS),
        beta=(beta, TAIL_INDEX),
        delta=(delta, POSITIVE),
        sigma_eta=(sigma_eta, POSITIVE),
        sensitivity=(sensitivity, PROBABILITY),
        false_accept=(false_accept, PROBABILITY),
    )
    k = checked("k", k, ATTEMPTS, dtype=lgen.dtype)
    flat = [x.reshape(-1) for x in (lgen / sigma_eta**2, beta, delta / sigma_eta, sensitivity, false_accept)]
    found = _over_cells(k.reshape(-1), *flat, difficulty)
    shape = (*lgen.shape, *k.shape)
    failed = jnp.isnan(lgen).reshape(-1, 1)
    fields = (jnp.where(failed, jnp.nan, x).reshape(shape) for x in found)
    return Acceptance(*(x if log else jnp.exp(x) for x in fields))
