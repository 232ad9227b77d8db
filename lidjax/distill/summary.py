"""From counts to what is reported: L_inf(k; N), the greedy loss, β_eff(N) with intervals, Eq. 20, and what LID says.

Intervals come from one bootstrap that draws questions and seeds anew together: both are samples. With three seeds the
second part is rough, and on the low side.
"""

from typing import NamedTuple

import jax
import numpy as np
import xarray as xr
from jaxtyping import Float

from lidjax.distill.status import StudentStatus
from lidjax.errors import InputError
from lidjax.fitting import effective_exponent, fit_saturation
from lidjax.passk import failure_from_counts

SATURATION = ("beta", "delta", "c", "nu")
READINGS = ("rise", "early", "late", "bend", "last", "gamma_slope")
"""`rise` β_eff(largest N) - β_eff(smallest); `early`, `late` slopes of β_eff on log10 N over the lower and upper half
of the sizes, `bend` late - early (below 0 where it saturates); `last` the step from the last size but one;
`gamma_slope` slope of log β_eff on log L_gen: -1 in Eq. 18, -1/2 for the Gamma prior far out."""
LEVEL = (0.025, 0.5, 0.975)
CURVE_POINTS = 24


class Resampled(NamedTuple):
    """The means over questions and seeds: first of the data, then of the replicates."""

    failure: Float[np.ndarray, "r t n k"]
    greedy: Float[np.ndarray, "r t n"]
    losses: dict[str, Float[np.ndarray, "r n"]]


def summarise_distillation(
    data: xr.Dataset,
    *,
    window: tuple[float, float] | None = None,
    replicates: int | None = None,
    seed: int = 0,
) -> xr.Dataset:
    """Summary over questions and seeds, from the Dataset of `run_distillation`.

    Over (target, n): `failure` (also over k), `greedy_loss`, `beta_eff`, each with `_low` and `_high` (95 %), and
    `beta_eff_seed` (also over seed). Over n: `lgen`, `train_loss`, `heldout_loss`. Over target: `saturation` and
    `saturation_se` (Eq. 20, along `parameter`), `identifiable`, `fit_status`; along `quantile`, `reading` (see
    READINGS), `teacher_beta_eff` (what a student that had become its teacher would show) and `passk_slope`, the slope
    of log(-log L_inf(k)) on log L_gen at three k: -1 where L_inf(k; N) = k^-γ(N) with γ ∝ 1/L_gen. A student that
    failed is left out.
    """
    settings = data.attrs["spec"]["fit"]
    low, high = window or settings["window"]
    count: int = settings["replicates"] if replicates is None else replicates
    k = curve_points(data)
    inside = (k >= low) & (k <= high)
    if inside.sum() < 3:
        raise InputError(
            f"fit.window = {[low, high]}: holds {inside.sum()} values of k (from 1 to {k.max():g}); a slope wants 3"
        )
    with jax.enable_x64(True):
        return _summarise(data, k, (low, high), count, seed)


def curve_points(data: xr.Dataset) -> np.ndarray:
    """Values of k from 1 to the attempts of a student, log-spaced and whole."""
    most = int(data["attempts"].isel(target=0).max())
    return np.unique(np.rint(np.geomspace(1, max(most, 2), CURVE_POINTS)))


def failures(data: xr.Dataset, k: np.ndarray) -> Float[np.ndarray, "n s t q k"]:
    """Unbiased (1-p)^k of each question; NaN where its target has no number, or fewer attempts than k."""
    n, c = (data[name].values[..., None] for name in ("attempts", "correct"))
    possible = (n >= np.maximum(k, 1)) & (data["status"].values == StudentStatus.OK)[:, :, None, None, None]
    values = failure_from_counts(np.maximum(n, k), np.where(possible, c, 0), k)
    return np.where(possible, values, np.nan)


def resample(data: xr.Dataset, k: np.ndarray, replicates: int, seed: int) -> Resampled:
    """Means of the data and of bootstrap replicates over questions and seeds together."""
    rng = np.random.default_rng(seed)
    questions, seeds = data.sizes["question"], data.sizes["seed"]
    by_question = np.ones((replicates + 1, questions))
    by_question[1:] = rng.multinomial(questions, np.full(questions, 1 / questions), replicates)
    by_seed = np.ones((replicates + 1, seeds))
    by_seed[1:] = rng.multinomial(seeds, np.full(seeds, 1 / seeds), replicates)

    def mean(values):  # (n, s, t, q, ...) → (r, n, t, ...)
        known = np.isfinite(values)
        filled = np.where(known, values, 0.0)
        total, weight = (np.einsum("rs,rq,nstq...->rnt...", by_seed, by_question, x, optimize=True)
                         for x in (filled, known.astype(float)))  # fmt: skip
        return np.where(weight > 0, total / np.where(weight > 0, weight, 1), np.nan).swapaxes(1, 2)

    ok = data["status"].values == StudentStatus.OK
    unknown = (data["attempts"].values == 0) | ~ok[:, :, None, None]
    losses = {}
    for name in ("lgen", "train_loss", "heldout_loss"):
        values = np.where(ok, data[name].values, np.nan)
        known = np.isfinite(values).astype(float)
        weight = np.maximum(by_seed @ known.T, 1e-300)
        losses[name] = np.where(by_seed @ known.T > 0, by_seed @ np.nan_to_num(values).T / weight, np.nan)
    return Resampled(
        mean(failures(data, k)), mean(np.where(unknown, np.nan, 1 - data["greedy"].values)), losses
    )


def _summarise(data: xr.Dataset, k: np.ndarray, window, replicates: int, seed: int) -> xr.Dataset:
    drawn = resample(data, k, replicates, seed)
    single = [resample(data.isel(seed=[i]), k, 0, 0).failure for i in range(data.sizes["seed"])]
    slopes = np.asarray(
        effective_exponent(k, np.concatenate([drawn.failure, *single]), window=window).beta_eff
    )
    beta, by_seed = slopes[: replicates + 1], slopes[replicates + 1 :]
    out = xr.Dataset(
        coords={name: data[name] for name in ("n", "seed", "target")} | {"k": k}, attrs=dict(data.attrs)
    )
    out.attrs["window"] = list(window)
    axes = ("target", "n")
    for name, values, dims in (
        ("failure", drawn.failure, (*axes, "k")),
        ("greedy_loss", drawn.greedy, axes),
        ("beta_eff", beta, axes),
        *((name, values, ("n",)) for name, values in drawn.losses.items()),
    ):
        low, _, high = quantiles(values[1:])
        out[name] = (dims, values[0])
        out[f"{name}_low"], out[f"{name}_high"] = (dims, low), (dims, high)
    out["beta_eff_seed"] = (("seed", *axes), by_seed)
    out = out.assign_coords(quantity=list(READINGS), quantile=list(LEVEL), parameter=list(SATURATION))
    readings = read(beta, data["n"].values, drawn.losses["lgen"])
    out["reading"] = (("target", "quantity", "quantile"), with_point(readings))
    chosen = np.unique(np.searchsorted(k, [1, np.sqrt(k[-1]), k[-1]]))
    out = out.assign_coords(at_k=k[chosen])
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = np.log(-np.log(drawn.failure[..., chosen]))  # (r, t, n, chosen)
    log_lgen = log_positive(drawn.losses["lgen"])[:, None, None, :]
    found = np.moveaxis(slope(log_lgen, np.moveaxis(depth, -1, 2)), 0, -1)  # (t, chosen, r)
    out["passk_slope"] = (("target", "at_k", "quantile"), with_point(np.moveaxis(found, -1, 0)))
    out["teacher_beta_eff"] = (("target", "quantile"), teacher_exponents(data, k, window, replicates, seed))
    errors = np.nanstd(beta[1:], axis=0)
    fit = fit_saturation(data["n"].values.astype(float), beta[0], standard_error=errors)
    for name, suffix in (("saturation", ""), ("saturation_se", "_se")):
        values = np.stack([np.asarray(getattr(fit, f"{p}{suffix}")) for p in SATURATION], axis=-1)
        out[name] = (("target", "parameter"), values)
    out["identifiable"] = (("target", "parameter"), np.asarray(fit.identifiable))
    out["fit_status"] = (("target",), np.asarray(fit.status))
    return out


def teacher_exponents(data: xr.Dataset, k: np.ndarray, window, replicates: int, seed: int) -> np.ndarray:
    """β_eff of the teacher's own samples for each target, with its interval over questions: (t, 3).

    NaN for `fresh`, which asks for a greedy answer, and where the teacher has too few draws for the window.
    """
    answers = data["teacher_answer"].values
    found = np.full((data.sizes["target"], len(LEVEL)), np.nan)
    k = k[k <= answers.shape[1]]
    weights = np.random.default_rng(seed).multinomial(
        len(answers), np.full(len(answers), 1 / len(answers)), replicates
    )
    weights = np.concatenate([np.ones((1, len(answers))), weights])
    for t, name in enumerate(data["target"].values.tolist()):
        if name == "fresh" or k[-1] < window[1]:
            continue
        target = data[{"truth": "truth", "teacher": "teacher_target"}[name]].values
        known = np.isfinite(target)
        correct = np.sum(answers == target[:, None], axis=1)
        curves = failure_from_counts(answers.shape[1], correct[:, None], k[None, :])
        mean = (
            weights[:, known]
            @ curves[known]
            / np.maximum(weights[:, known].sum(axis=1, keepdims=True), 1e-300)
        )
        found[t] = with_point(np.asarray(effective_exponent(k, mean, window=window).beta_eff))
    return found


def read(beta: Float[np.ndarray, "r t n"], n: np.ndarray, lgen: Float[np.ndarray, "r n"]) -> np.ndarray:
    """READINGS of each replicate: (r, t, quantity)."""
    x = np.broadcast_to(np.log10(n.astype(float)), beta.shape)
    half = (len(n) + 1) // 2
    early, late = slope(x[..., :half], beta[..., :half]), slope(x[..., -half:], beta[..., -half:])
    gamma = slope(np.broadcast_to(log_positive(lgen)[:, None], beta.shape), log_positive(beta))
    last = beta[..., -1] - beta[..., max(0, len(n) - 2)]
    return np.stack([beta[..., -1] - beta[..., 0], early, late, late - early, last, gamma], axis=-1)


def with_point(values: np.ndarray) -> np.ndarray:
    """(r, ...) → (..., 3): the ends of the interval, and between them the estimate from the data themselves."""
    low, _, high = quantiles(values[1:])
    return np.stack([low, values[0], high], axis=-1)


def quantiles(values: np.ndarray) -> np.ndarray:
    """LEVEL along the first axis, without replicates that have none; NaN where none has."""
    known = np.isfinite(values).any(axis=0)
    filled = np.where(known, values, 0.0)
    return np.where(known, np.nanquantile(filled, LEVEL, axis=0), np.nan)


def slope(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Least-squares slope along the last axis over the finite points; NaN with fewer than two."""
    x, y = np.broadcast_arrays(x, y)
    known = np.isfinite(x) & np.isfinite(y)
    count = np.maximum(known.sum(axis=-1, keepdims=True), 1)
    x, y = (np.where(known, z, 0.0) for z in (x, y))
    dx = np.where(known, x - x.sum(axis=-1, keepdims=True) / count, 0.0)
    spread = np.sum(dx * dx, axis=-1)
    enough = (known.sum(axis=-1) >= 2) & (spread > 0)
    return np.where(enough, np.sum(dx * y, axis=-1) / np.where(enough, spread, 1.0), np.nan)


def log_positive(values: np.ndarray) -> np.ndarray:
    return np.where(values > 0, np.log(np.where(values > 0, values, 1.0)), np.nan)
