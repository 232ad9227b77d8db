"""The two losses as Sec. 4.3 approximates them, by power laws in N and k (Eq. 22, Eq. 23).

The paper's rules are conditions on these power laws. They are fitted to the exact losses or to the curves of a sweep.
"""

import math
from collections.abc import Sequence

import jax
import numpy as np
import numpy.typing as npt

from lidjax.allocation.budget import FloatArray
from lidjax.allocation.curves import SweepCurves
from lidjax.allocation.losses import ExactLosses, LossParameters
from lidjax.errors import InputError
from lidjax.fitting import effective_exponent

SPACING = 1 / 32  # of the sizes in log N at which the exact exponent is taken; more of them lie around N = d


class PowerLaws:
    """L_gen = P_N N^-γ, and L_inf = P̃(N) k^-β_eff(N) with both functions of N interpolated by PCHIP.

    Outside the sizes given, β_eff and P̃ keep their values at the nearest size.

    Args:
        log_n: log of increasing sizes N, (m,).
        beta_eff: β_eff at these sizes, (m,).
        log_prefactors: ln P̃ at these sizes, (m,).
        gamma: γ.
        log_p_n: ln P_N.
        beta: β_eff of a well-trained model.
        log_prefactor: ln P̃ of a well-trained model.
    """

    def __init__(
        self,
        log_n: npt.ArrayLike,
        beta_eff: npt.ArrayLike,
        log_prefactors: npt.ArrayLike,
        *,
        gamma: float,
        log_p_n: float,
        beta: float,
        log_prefactor: float,
    ):
        from scipy.interpolate import PchipInterpolator  # slow to import

        log_n = np.asarray(log_n, float)
        self.ends = float(log_n[0]), float(log_n[-1])
        self._beta_eff = PchipInterpolator(log_n, np.asarray(beta_eff, float))
        self._log_prefactor = PchipInterpolator(log_n, np.asarray(log_prefactors, float))
        self.gamma, self.log_p_n = float(gamma), float(log_p_n)
        self.beta, self.log_prefactor = float(beta), float(log_prefactor)

    def exponent(self, log_n: FloatArray) -> tuple[np.ndarray, np.ndarray]:
        """β_eff and its derivative in log N."""
        inside, is_inside = self._clipped(log_n)
        return self._beta_eff(inside), np.where(is_inside, self._beta_eff(inside, 1), 0.0)

    def prefactor(self, log_n: FloatArray) -> tuple[np.ndarray, np.ndarray]:
        """ln P̃ and its derivative in log N."""
        inside, is_inside = self._clipped(log_n)
        return self._log_prefactor(inside), np.where(is_inside, self._log_prefactor(inside, 1), 0.0)

    def _clipped(self, log_n: FloatArray) -> tuple[np.ndarray, np.ndarray]:
        """`log_n` clipped to the sizes given, and where that changed nothing."""
        inside = np.clip(log_n, *self.ends)
        return inside, np.asarray(inside == log_n)


def exact_power_laws(
    losses: ExactLosses, parameters: LossParameters, largest: Sequence[int], window: tuple[float, float]
) -> dict[int, PowerLaws]:
    """β_eff(N) and P̃(N) of the exact L_inf up to each of the `largest` N, by lines through the ends of `window`.

    The sizes do not depend on which N are asked for together: power laws up to one N are the same, whatever the others.

    L_gen is Eq. 10 for N ≫ d, that is γ = 1 and P_N = σ_η² E[1/τ] d. β and P̃ of a well-trained model are those at
    L_gen = 0.
    """
    away = np.geomspace(0.25, max(losses.dim / 2, 1), 16)
    near = np.log(np.concatenate([losses.dim + away, losses.dim - away[away < losses.dim - 1]]))
    spaced = np.arange(2 + math.ceil(math.log(max(largest)) / SPACING)) * SPACING
    log_n = np.unique(np.concatenate([spaced, near[near < spaced[-1]]]))
    log_k = np.log(np.array(window))
    low, high = (losses.values(log_n, x, parameters).log_failure for x in log_k)
    beta_eff = (low - high) / (log_k[1] - log_k[0])
    free = losses.without_bias(log_k, parameters)
    beta = float(free[0] - free[1]) / (log_k[1] - log_k[0])

    def up_to(n: int) -> PowerLaws:
        end = 1 + int(
            np.searchsorted(log_n, max(math.log(n), SPACING))
        )  # the first size beyond N is the last
        return PowerLaws(
            log_n[:end],
            beta_eff[:end],
            (low + beta_eff * log_k[0])[:end],
            gamma=1.0,
            log_p_n=math.log(parameters.noise_variance * losses.dim),
            beta=beta,
            log_prefactor=float(free[0]) + beta * log_k[0],
        )

    return {n: up_to(n) for n in largest}


def sweep_power_laws(curves: SweepCurves, log_lgen: np.ndarray, log_failure: np.ndarray) -> PowerLaws:
    """Power laws of a sweep's curves log L_gen (n,) and log L_inf (n, k).

    β_eff(N) and P̃(N) are regressions over the window, smoothed over log N. L_gen's power law is fitted where N > 1.5 d.
    The largest N counts as well trained.

    Raises:
        InputError: The window holds fewer than three of the sweep's k.
    """
    from scipy.interpolate import make_smoothing_spline  # slow to import

    with jax.enable_x64(True):
        slopes = effective_exponent(np.exp(curves.log_k), log_failure, window=curves.window, log=True)
    beta_eff, intercept = np.asarray(slopes.beta_eff), np.asarray(slopes.log_intercept)
    if not np.isfinite(beta_eff).all():
        low, high = curves.window
        raise InputError(
            f"window={low:g} to {high:g} holds fewer than 3 of the store's k: β_eff cannot be measured"
        )
    fine = np.linspace(curves.log_n[0], curves.log_n[-1], 400)
    smooth_beta, smooth_intercept = (
        make_smoothing_spline(curves.log_n, values)(fine) for values in (beta_eff, intercept)
    )
    tail = np.exp(curves.log_n) > 1.5 * curves.dim
    tail = tail if tail.sum() >= 3 else np.ones_like(tail)
    slope, level = np.polyfit(curves.log_n[tail], log_lgen[tail], 1)
    return PowerLaws(
        fine,
        smooth_beta,
        smooth_intercept,
        gamma=-slope,
        log_p_n=level,
        beta=beta_eff[-1],
        log_prefactor=float(intercept[-1]),
    )
