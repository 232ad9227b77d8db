"""From counts to what is reported: L_inf(k; N), the greedy loss, β_eff(N), the fit of Eq. 20, and trends over N.

Intervals come from one bootstrap that draws questions and seeds anew together, because both are samples. With three
seeds the part that comes from the seeds is rough, and too small.
"""

from typing import NamedTuple

import jax
import numpy as np
import xarray as xr
from jaxtyping import Float

from lidjax.distill.spec import DistillSpec
from lidjax.distill.status import StudentStatus
from lidjax.errors import InputError
from lidjax.fitting import SaturationFit, effective_exponent, fit_saturation
from lidjax.passk import failure_from_counts
from lidjax.passk.instances import MIN_EFFECTIVE_SAMPLE_SIZE

SATURATION_PARAMETERS = SaturationFit._fields[:4]
"""The parameters of Eq. 20 by name: beta, delta, c, nu."""
TRENDS = ("rise", "early", "late", "bend", "last", "gamma_slope")
"""Trends over N. `rise`: β_eff at the largest N minus β_eff at the smallest. `early` and `late`: slopes of β_eff on
log10 N over the lower and the upper half of the sizes. `bend`: late - early, below 0 where β_eff saturates. `last`: the
step from the last size but one to the last. `gamma_slope`: slope of log β_eff on log L_gen, which is -1 in Eq. 18, and
-1/2 for the Gamma prior in the far tail."""
QUANTILES = (0.025, 0.5, 0.975)
"""What `quantile` stands for in results: the ends of a 95 % interval, with the estimate from the data between them."""
POINTS_IN_K = 24
"""Log-spaced values of k; those that round to the same whole number are one."""
MIN_POINTS_IN_WINDOW = 3


class ReplicateMeans(NamedTuple):
    """Means over questions and seeds. The first entry is that of the data, the others are bootstrap replicates."""

    failure: Float[np.ndarray, "r t n k"]
    """L_inf(k; N) for each target."""
    greedy_loss: Float[np.ndarray, "r t n"]
    """Chance that the greedy answer is wrong, for each target."""
    losses: dict[str, Float[np.ndarray, "r n"]]
    """`lgen`, `train_loss` and `heldout_loss`, which are means over seeds alone."""


def summarise_distillation(
    data: xr.Dataset,
    *,
    window: tuple[float, float] | None = None,
    replicates: int | None = None,
    seed: int = 0,
) -> xr.Dataset:
    """Summary of the teacher-student experiment over questions and seeds. A student that failed is left out.

    Args:
        data: Results of `run_distillation` or `open_distillation`.
        window: k1 and k2 of Eq. 55; those of the spec by default.
        replicates: Replicates of the bootstrap over questions and seeds; those of the spec by default.
        seed: Seed of the bootstrap, an integer ≥ 0.

    Returns:
        A Dataset with the attributes of `data` and `window`. Over (target, n): `failure` (L_inf(k; N), also over k),
        `greedy_loss` and `beta_eff` (Eq. 55), and over n `lgen`, `train_loss`, `heldout_loss` in nats an answer, each
        with the ends `_low` and `_high` of a 95 % interval; `beta_eff_seed`, also over seed. `effective_sample_size`,
        over (target, n, k), is the number of questions on which L_inf(k; N) rests; `low_ess` marks where these are
        fewer than 30, and `beta_eff_low_ess` where that is so in the window of β_eff. Over target:
        `saturation` and `saturation_se`, the fit of Eq. 20 along `parameter`, with `identifiable` and `fit_status`.
        Over target and `quantile`: `reading`, trends over N along `quantity` (rise, early, late, bend, last,
        gamma_slope); `teacher_beta_eff`, the β_eff of a student that has become its teacher; `passk_slope`, the slope
        of log(-log L_inf(k)) on log L_gen at three `at_k`, which is -1 where L_inf = k^-γ with γ ∝ 1/L_gen (Eq. 18).

    Raises:
        InputError: If no student has results, or the window contains fewer than three values of k.

    References:
        Eqs. 18, 20 and 55. The trends and their intervals are derived for this project.

    Example:
        >>> import numpy as np, xarray as xr
        >>> from lidjax.distill import summarise_distillation
        >>> n, questions = [10, 100, 1000], 40
        >>> chance = np.linspace(0.01, 0.6, questions) * np.array([0.2, 0.5, 1.0])[:, None]
        >>> correct = np.rint(chance * 64).astype(int)[:, None, None, :]  # over n, seed, target, question
        >>> over_n = {name: (("n", "seed"), np.array([[3.0], [2.0], [1.0]]))
        ...           for name in ("lgen", "train_loss", "heldout_loss")}
        >>> axes = ("n", "seed", "target", "question")
        >>> data = xr.Dataset(
        ...     {"correct": (axes, correct), "attempts": (axes, np.full_like(correct, 64)),
        ...      "greedy": (axes, 1.0 * (correct > 16)), "status": (("n", "seed"), np.zeros((3, 1), int)),
        ...      "truth": ("question", np.ones(questions)), **over_n,
        ...      "teacher_answer": (("question", "draw"), np.ones((questions, 64)))},
        ...     coords={"n": n, "seed": [0], "target": ["truth"]},
        ...     attrs={"spec": {"fit": {"window": [2, 32], "replicates": 20}}})
        >>> summary = summarise_distillation(data)
        >>> beta_eff = summary.beta_eff.sel(target="truth").values
        >>> bool((np.diff(beta_eff) > 0).all())
        True
    """
    settings = data.attrs["spec"]["fit"]
    low, high = window or settings["window"]
    count: int = settings["replicates"] if replicates is None else replicates
    if not (data["status"].values == StudentStatus.OK).any():
        raise InputError("no student has results yet, or the training of all diverged: nothing to summarise")
    k = values_of_k(data)
    _check_window((low, high), k)
    with jax.enable_x64(True):
        return _summarise(data, k, (low, high), count, seed)


def check_distill_fit(spec: DistillSpec) -> None:
    """Check that the window of a spec contains values of k, before anything is computed.

    Args:
        spec: The spec of an experiment.

    Returns:
        None.

    Raises:
        InputError: If it contains fewer than three; k goes from 1 to `evaluation.attempts`.

    Example:
        >>> import lidjax
        >>> from lidjax.distill import check_distill_fit
        >>> attempts = {"questions": 3, "attempts": 8, "teacher_attempts": 4}
        >>> table = {"embedded": {}, "grid": {"n": 4, "seed": 0}, "evaluation": attempts, "fit": {"window": [1, 8]}}
        >>> check_distill_fit(lidjax.distill_spec_from_dict(table))
    """
    _check_window(spec.fit.window, k_up_to(spec.evaluation.attempts))


def _check_window(window: tuple[float, float], k: Float[np.ndarray, " k"]) -> None:
    low, high = window
    inside = (k >= low) & (k <= high)
    if inside.sum() < MIN_POINTS_IN_WINDOW:
        raise InputError(
            f"fit.window = {[low, high]}: contains {inside.sum()} values of k (they go from 1 to {k.max():g}); a slope "
            f"needs at least {MIN_POINTS_IN_WINDOW}"
        )


def values_of_k(data: xr.Dataset) -> Float[np.ndarray, " k"]:
    """Whole, log-spaced values of k from 1 to the number of a student's attempts."""
    return k_up_to(int(data["attempts"].isel(target=0).max()))


def k_up_to(most: int) -> Float[np.ndarray, " k"]:
    """Whole, log-spaced values of k from 1 to `most`."""
    return np.unique(np.rint(np.geomspace(1, max(most, 2), POINTS_IN_K)))


def question_failures(data: xr.Dataset, k: Float[np.ndarray, " k"]) -> Float[np.ndarray, "n s t q k"]:
    """Unbiased estimates of (1-p)^k for each question.

    NaN if its target has no number, if it has fewer attempts than k, or if the student failed.
    """
    n, c = (data[name].values[..., None] for name in ("attempts", "correct"))
    possible = (n >= np.maximum(k, 1)) & (data["status"].values == StudentStatus.OK)[:, :, None, None, None]
    values = failure_from_counts(np.maximum(n, k), np.where(possible, c, 0), k)
    return np.where(possible, values, np.nan)


def question_sample_sizes(data: xr.Dataset, k: Float[np.ndarray, " k"]) -> Float[np.ndarray, "t n k"]:
    """Number of questions on which L_inf(k; N) rests: Kish's (Σ c)² / Σ c² of their means c over seeds.

    All seeds are asked the same questions, so they do not add to it.
    """
    values = question_failures(data, k)
    known = np.isfinite(values)
    asked = known.sum(axis=1)
    terms = np.where(known, values, 0.0).sum(axis=1) / np.maximum(asked, 1)  # over n, target, question, k
    squares = np.sum(terms**2, axis=2)
    return (np.sum(terms, axis=2) ** 2 / np.where(squares > 0, squares, 1.0)).swapaxes(0, 1)


def replicate_means(
    data: xr.Dataset, k: Float[np.ndarray, " k"], replicates: int, seed: int
) -> ReplicateMeans:
    """Means over questions and seeds, of the data and of bootstrap replicates that draw both anew together."""
    rng = np.random.default_rng(seed)
    questions, seeds = data.sizes["question"], data.sizes["seed"]
    by_question = np.ones((replicates + 1, questions))
    by_question[1:] = rng.multinomial(questions, np.full(questions, 1 / questions), replicates)
    by_seed = np.ones((replicates + 1, seeds))
    by_seed[1:] = rng.multinomial(seeds, np.full(seeds, 1 / seeds), replicates)

    def mean(values: Float[np.ndarray, "n s t q *k"]) -> Float[np.ndarray, "r t n *k"]:
        known = np.isfinite(values)
        filled = np.where(known, values, 0.0)
        total, weight = (np.einsum("rs,rq,nstq...->rnt...", by_seed, by_question, x, optimize=True)
                         for x in (filled, known.astype(float)))  # fmt: skip
        return np.where(weight > 0, total / np.where(weight > 0, weight, 1), np.nan).swapaxes(1, 2)

    ok = data["status"].values == StudentStatus.OK
    unknown = (data["attempts"].values == 0) | ~ok[:, :, None, None]
    losses: dict[str, np.ndarray] = {}
    for name in ("lgen", "train_loss", "heldout_loss"):
        values = np.where(ok, data[name].values, np.nan)
        known = np.isfinite(values).astype(float)
        weight = np.maximum(by_seed @ known.T, 1e-300)
        losses[name] = np.where(by_seed @ known.T > 0, by_seed @ np.nan_to_num(values).T / weight, np.nan)
    return ReplicateMeans(
        failure=mean(question_failures(data, k)),
        greedy_loss=mean(np.where(unknown, np.nan, 1 - data["greedy"].values)),
        losses=losses,
    )


def _summarise(
    data: xr.Dataset, k: np.ndarray, window: tuple[float, float], replicates: int, seed: int
) -> xr.Dataset:
    means = replicate_means(data, k, replicates, seed)
    of_seeds = [replicate_means(data.isel(seed=[i]), k, 0, 0).failure for i in range(data.sizes["seed"])]
    exponents = np.asarray(
        effective_exponent(k, np.concatenate([means.failure, *of_seeds]), window=window).beta_eff
    )
    beta_eff, of_seeds = exponents[: replicates + 1], exponents[replicates + 1 :]
    out = xr.Dataset(
        coords={name: data[name] for name in ("n", "seed", "target")} | {"k": k}, attrs=dict(data.attrs)
    )
    out.attrs["window"] = list(window)
    out = out.assign_coords(quantile=list(QUANTILES))
    axes = ("target", "n")
    for name, values, dims in (
        ("failure", means.failure, (*axes, "k")),
        ("greedy_loss", means.greedy_loss, axes),
        ("beta_eff", beta_eff, axes),
        *((name, values, ("n",)) for name, values in means.losses.items()),
    ):
        low, _, high = replicate_quantiles(values[1:])
        out[name] = (dims, values[0])
        out[f"{name}_low"], out[f"{name}_high"] = (dims, low), (dims, high)
    sizes = question_sample_sizes(data, k)
    low_ess = ~(sizes >= MIN_EFFECTIVE_SAMPLE_SIZE) & np.isfinite(means.failure[0])
    out["effective_sample_size"] = ((*axes, "k"), sizes)
    out["low_ess"] = ((*axes, "k"), low_ess)
    inside = (k >= window[0]) & (k <= window[1])
    out["beta_eff_low_ess"] = (axes, low_ess[..., inside].any(axis=-1))
    out["beta_eff_seed"] = (("seed", *axes), of_seeds)
    trends = trends_over_n(beta_eff, data["n"].values, means.losses["lgen"])
    out = out.assign_coords(quantity=list(TRENDS))
    out["reading"] = (("target", "quantity", "quantile"), estimate_in_interval(trends))
    chosen = np.unique(np.searchsorted(k, [1, np.sqrt(k[-1]), k[-1]]))
    out = out.assign_coords(at_k=k[chosen])
    slopes = passk_slopes(means.failure[..., chosen], means.losses["lgen"])
    out["passk_slope"] = (("target", "at_k", "quantile"), estimate_in_interval(slopes))
    out["teacher_beta_eff"] = (("target", "quantile"), teacher_exponents(data, k, window, replicates, seed))
    return _with_saturation(out, np.nanstd(beta_eff[1:], axis=0))


def _with_saturation(summary: xr.Dataset, standard_error: np.ndarray) -> xr.Dataset:
    """Add the fit of Eq. 20 to β_eff over n, for each target."""
    sizes, beta_eff = summary["n"].values.astype(float), summary["beta_eff"].values
    fit = fit_saturation(sizes, beta_eff, standard_error=standard_error)
    summary = summary.assign_coords(parameter=list(SATURATION_PARAMETERS))
    for name, suffix in (("saturation", ""), ("saturation_se", "_se")):
        values = [np.asarray(getattr(fit, f"{parameter}{suffix}")) for parameter in SATURATION_PARAMETERS]
        summary[name] = (("target", "parameter"), np.stack(values, axis=-1))
    summary["identifiable"] = (("target", "parameter"), np.asarray(fit.identifiable))
    summary["fit_status"] = (("target",), np.asarray(fit.status))
    return summary


def passk_slopes(
    failure: Float[np.ndarray, "r t n k"], lgen: Float[np.ndarray, "r n"]
) -> Float[np.ndarray, "r t k"]:
    """Slope of log(-log L_inf(k; N)) on log L_gen(N) over N."""
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = np.log(-np.log(failure))
    log_lgen = log_or_nan(lgen)[:, None, None, :]
    return least_squares_slope(log_lgen, np.moveaxis(depth, -1, 2))


def teacher_exponents(
    data: xr.Dataset, k: np.ndarray, window: tuple[float, float], replicates: int, seed: int
) -> Float[np.ndarray, "t 3"]:
    """β_eff of the teacher's own samples for each target, with its interval over questions; see QUANTILES.

    NaN for the target `fresh`, which asks for a greedy answer, and if the teacher has too few answers for the window.
    """
    answers = data["teacher_answer"].values
    found = np.full((data.sizes["target"], len(QUANTILES)), np.nan)
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
        failure = failure_from_counts(answers.shape[1], correct[:, None], k[None, :])
        mean = (
            weights[:, known]
            @ failure[known]
            / np.maximum(weights[:, known].sum(axis=1, keepdims=True), 1e-300)
        )
        found[t] = estimate_in_interval(np.asarray(effective_exponent(k, mean, window=window).beta_eff))
    return found


def trends_over_n(
    beta_eff: Float[np.ndarray, "r t n"], n: np.ndarray, lgen: Float[np.ndarray, "r n"]
) -> Float[np.ndarray, "r t trend"]:
    """TRENDS of each replicate."""
    log_n = np.broadcast_to(np.log10(n.astype(float)), beta_eff.shape)
    half = (len(n) + 1) // 2
    early = least_squares_slope(log_n[..., :half], beta_eff[..., :half])
    late = least_squares_slope(log_n[..., -half:], beta_eff[..., -half:])
    log_lgen = np.broadcast_to(log_or_nan(lgen)[:, None], beta_eff.shape)
    gamma_slope = least_squares_slope(log_lgen, log_or_nan(beta_eff))
    rise = beta_eff[..., -1] - beta_eff[..., 0]
    last = beta_eff[..., -1] - beta_eff[..., max(0, len(n) - 2)]
    return np.stack([rise, early, late, late - early, last, gamma_slope], axis=-1)


def estimate_in_interval(values: Float[np.ndarray, "r *axes"]) -> Float[np.ndarray, "*axes 3"]:
    """The estimate from the data, `values[0]`, between the ends of the interval from the replicates; see QUANTILES."""
    low, _, high = replicate_quantiles(values[1:])
    return np.stack([low, values[0], high], axis=-1)


def replicate_quantiles(values: Float[np.ndarray, "r *axes"]) -> Float[np.ndarray, "3 *axes"]:
    """QUANTILES over the replicates that are not NaN; NaN if all are."""
    known = np.isfinite(values).any(axis=0)
    filled = np.where(known, values, 0.0)
    return np.where(known, np.nanquantile(filled, QUANTILES, axis=0), np.nan)


def least_squares_slope(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Least-squares slope along the last axis over the finite points; NaN with fewer than two."""
    x, y = np.broadcast_arrays(x, y)
    known = np.isfinite(x) & np.isfinite(y)
    count = np.maximum(known.sum(axis=-1, keepdims=True), 1)
    x, y = (np.where(known, z, 0.0) for z in (x, y))
    dx = np.where(known, x - x.sum(axis=-1, keepdims=True) / count, 0.0)
    spread = np.sum(dx * dx, axis=-1)
    enough = (known.sum(axis=-1) >= 2) & (spread > 0)
    return np.where(enough, np.sum(dx * y, axis=-1) / np.where(enough, spread, 1.0), np.nan)


def log_or_nan(values: np.ndarray) -> np.ndarray:
    """log of the values above 0; NaN for the others."""
    return np.where(values > 0, np.log(np.where(values > 0, values, 1.0)), np.nan)
