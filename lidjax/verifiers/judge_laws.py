"""Laws of the best of k answers, chosen by a reward: the exponent, the amplitude, and when a finite k is best.

At a fixed distance u (in standard deviations s of an answer) between the judge's target and the mean of the answers,
the selected answer lies within E[x²] → π s² e^{u²}/k² of the judge's target. With u² of mean T/s², T = V + W,

    E[e^{u²}] = (1 - 2T/s²)^(-1/2),      E[u² e^{u²}] = (T/s²) (1 - 2T/s²)^(-3/2)      for T < s²/2,

and the answers are pulled from the judge's target towards the mean of the answers by E[x u] → -E[u² x²]. So the loss is

    W + (π s²/k²) (1 - 2T/s²)^(-3/2) (1 - (2V + 4W)/s²) + ...,

which approaches W from above where V + 2W < s²/2, and from below, with a finite k that is best, where V + 2W > s²/2.
For T > s²/2 the largest u decide: with W = 0 the loss falls like k^(-s²/V) up to logarithms.
"""

import math

import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float

from lidjax.arrays import NOT_NEGATIVE, POSITIVE, checked_floats, or_nan


def judged_exponent(lgen: ArrayLike, *, scale: ArrayLike) -> Float[Array, "..."]:
    """min{2, s²/L_gen}: the exponent of the best of k answers by a true reward, as k → ∞ at fixed N.

    It is the twin of min{β, γ} (Eq. 19): 2 belongs to the choice itself, s²/L_gen to the instances of large bias.
    At L_gen > s²/2 there are logarithms besides: measured slopes at k = 1e12 lie 2 to 20 % away.

    Args:
        lgen: L_gen > 0, variance of the bias. NaN gives NaN.
        scale: standard deviation s > 0 of an answer. The two broadcast.

    Returns:
        The exponent, of the broadcast shape.

    Raises:
        InputError: if an argument is out of its range, or if shapes do not broadcast. A traced argument that is not
            allowed gives NaN.

    References:
        Derived for this project; tests/verifiers/test_judge_laws.py compares it with `best_of_k_loss`.

    Example:
        >>> import lidjax
        >>> [float(x) for x in lidjax.judged_exponent([0.1, 0.5, 4.0], scale=1.0)]
        [2.0, 2.0, 0.25]
    """
    lgen, scale = checked_floats(lgen=(lgen, or_nan(POSITIVE)), scale=(scale, POSITIVE))
    return jnp.minimum(2.0, scale**2 / lgen)


def judged_amplitude(
    lgen: ArrayLike, *, scale: ArrayLike, reward_variance: ArrayLike = 0.0
) -> Float[Array, "..."]:
    """A in loss = W + A/k² + ..., the best of k answers by a reward whose own error has variance W.

    A = π s² (1 - 2(V+W)/s²)^(-3/2) (1 - (2V + 4W)/s²) with V = L_gen; with W = 0 it is π s² (1 - 2V/s²)^(-1/2).

    Args:
        lgen: L_gen > 0, variance of the bias. NaN gives NaN.
        scale: standard deviation s > 0 of an answer.
        reward_variance: W ≥ 0. The three broadcast.

    Returns:
        A, of the broadcast shape, in squared units of `scale`; negative where a finite k is best, NaN for
        V + W ≥ s²/2, where the loss is no such power.

    Raises:
        InputError: if an argument is out of its range, or if shapes do not broadcast. A traced argument that is not
            allowed gives NaN.

    References:
        Derived for this project; tests/verifiers/test_judge_laws.py compares it with `best_of_k_loss`.

    Example:
        >>> import lidjax
        >>> round(float(lidjax.judged_amplitude(0.25, scale=1.0)), 4)
        4.4429
    """
    v, w = _ratios(lgen, scale, reward_variance)
    rest = 1 - 2 * (v + w)
    power = rest > 0
    value = jnp.where(power, rest, 1) ** -1.5 * (1 - 2 * v - 4 * w)
    return jnp.where(power, math.pi * value * jnp.asarray(scale, v.dtype) ** 2, jnp.nan)


def judged_turns(
    lgen: ArrayLike, *, scale: ArrayLike, reward_variance: ArrayLike = 0.0
) -> Bool[Array, "..."]:
    """Whether a finite number of answers is best: the reward has an error, and L_gen + 2W > s²/2.

    Beyond the best k more answers make the loss larger, because the judge's own error is what they find. With a reward
    variance W > s²/4 that is so at every L_gen, however much one trains.

    Args:
        lgen: L_gen > 0, variance of the bias.
        scale: standard deviation s > 0 of an answer.
        reward_variance: W ≥ 0. The three broadcast.

    Returns:
        Booleans of the broadcast shape; False where W = 0.

    Raises:
        InputError: if an argument is out of its range, or if shapes do not broadcast.

    References:
        Derived for this project; tests/verifiers/test_judge_laws.py compares it with `best_of_k_loss`.

    Example:
        >>> import lidjax
        >>> [bool(x) for x in lidjax.judged_turns([0.1, 0.4], scale=1.0, reward_variance=0.1)]
        [False, True]
    """
    v, w = _ratios(lgen, scale, reward_variance)
    return (w > 0) & (v + 2 * w > 0.5)


def _ratios(lgen: ArrayLike, scale: ArrayLike, reward_variance: ArrayLike) -> tuple[Array, Array]:
    lgen, scale, reward_variance = checked_floats(
        lgen=(lgen, or_nan(POSITIVE)),
        scale=(scale, POSITIVE),
        reward_variance=(reward_variance, NOT_NEGATIVE),
    )
    return lgen / scale**2, reward_variance / scale**2
