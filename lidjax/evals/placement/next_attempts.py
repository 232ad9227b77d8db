"""Which problems should get the next attempts, and how much narrower the forecast is expected to become.

What is to be known is the mean pass@k of the problems at hand, the mean of f_i = 1 - (1-p_i)^k. Its variance has two
parts: that of each f_i given the population of problems, v_i, and that of the population, which all problems share. Let
z be the standardised mean over problems of E[f_i | population], and a_i the covariance of E[f_i | population] with it.
With m_i attempts at problem i, of which g_i(m_i) = E Var E[f_i | outcome, population] is the share of v_i that they
explain, and b_i(m_i) the precision that they add to z (1/(1+b) is the variance of z after them alone), the sum of the
f_i has afterwards the expected variance

    J = Σ (v_i - g_i) + A²/B,      A = Σ a_i (1 - g_i/v_i),      B = 1 + Σ b_i,

exactly so where all is normal. At a given λ = A/B more of g_i and b_i lowers J by g_i (1 + 2 λ a_i/v_i) + λ² b_i, a sum
over problems. So for each λ the attempts are divided by taking the steepest pieces of the concave hulls of these gains
first; λ is moved until it is the one that results, and the division with the smallest J is kept.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Float, Int
from scipy.special import betaln, logit, xlog1py, xlogy

from lidjax.errors import InputError
from lidjax.evals.arguments import check_counts, whole_numbers
from lidjax.evals.curve import Counts
from lidjax.evals.rates.draws import draw_densities, draw_problem_rates
from lidjax.evals.rates.posterior import Posterior, sample_posterior
from lidjax.evals.rates.quadrature import COARSE_GRID, CountRows, LogitGrid, count_rows
from lidjax.evals.table import MOST_ATTEMPTS

DRAWS = 400  # posterior draws of the rates
POINTS = 100  # rates that stand for the posterior of one problem
POPULATIONS = 200  # posterior draws of the population
MOST_WEIGHTS = 1 << 20  # of populations x rows x points; with more rows there are fewer populations
FEWEST_POPULATIONS = 16
SINGLE_COUNTS = (
    8  # heuristic: future counts below it are summed one by one, above it in blocks that grow by a quarter
)
BLOCK_GROWTH = 1.25
SIZE_STEP = 1.8  # heuristic: the numbers of attempts at which gains are computed grow by this factor
ROWS_AT_ONCE = 32  # for memory
STEPS = 8  # of the search for λ
TINY = 1e-300

Gains = Float[np.ndarray, "u m"]
Sizes = Int[np.ndarray, " m"]
RowValues = Float[np.ndarray, " u"]


class Worth(NamedTuple):
    """What attempts at a problem with each of the U distinct counts are expected to tell."""

    sizes: Sizes
    """Numbers of attempts (M,) of the gains."""
    explained: Gains
    """g: expected fall of the variance of f given the population (U, M)."""
    precision: Gains
    """b: precision that is added to the standardised population mean (U, M)."""
    variance: RowValues
    """v: variance of f given the population (U,)."""
    loading: RowValues
    """a: covariance of E[f | population] with the standardised population mean (U,)."""


class NextAttempts(NamedTuple):
    """A number of further attempts, divided among the P problems of a group so that they tell most about its pass@k.

    The standard deviations are those of the mean pass@k of these problems. Those after the attempts are expectations;
    both the uncertainty of each problem and that of the population of problems count.

    Example:
        >>> import lidjax.evals
        >>> found = lidjax.evals.next_attempts([20, 20, 20], [0, 2, 20], 100, attempts=30)
        >>> int(found.attempts.sum()), int(found.attempts[2])  # a problem that is always solved gets none
        (30, 0)
    """

    attempts: Int[np.ndarray, " p"]
    """Further attempts at each problem (P,), in the order of the problems."""
    gain: Float[np.ndarray, " p"]
    """Expected decrease of the variance of the mean pass@k by the attempts at each problem (P,)."""
    k: int
    """The k of the pass@k."""
    sd: float
    """Standard deviation of the mean pass@k now."""
    sd_placed: float
    """Expected standard deviation after these attempts."""
    sd_uniform: float
    """Expected standard deviation after the same number of attempts, spread evenly."""

    @property
    def order(self) -> Int[np.ndarray, " p"]:
        """Positions of the problems (P,): most attempts first, and of equally many the larger gain."""
        return np.lexsort((-self.gain, -self.attempts))

    @property
    def total(self) -> int:
        """Number of attempts that were divided."""
        return int(self.attempts.sum())


def next_attempts(
    n: ArrayLike | Sequence[int],
    c: ArrayLike | Sequence[int],
    k: int,
    *,
    attempts: int,
    at_most: ArrayLike | Sequence[int] | None = None,
    seed: int = 0,
) -> NextAttempts:
    """Divide further attempts among problems so that their mean pass@k becomes known best.

    Counts that were collected in this way depend on their own outcomes: c/n and the unbiased pass@k are biased
    afterwards, the likelihood is not. `fit_evals` and `forecast_pass_at_k` use likelihoods only where they find such
    sampling, or where `read_evals` was told of it (`adaptive=True`). The computation is in float64, whatever the
    session's setting.

    Args:
        n: Number of attempts at each problem so far, whole numbers (P,) of 1 or more.
        c: Number of correct answers to each problem, whole numbers (P,) from 0 to `n`.
        k: The k of the pass@k that is to be known, 1 or more.
        attempts: Number of further attempts to divide, 1 or more.
        at_most: Largest number of further attempts at each problem, whole numbers (P,) of 0 or more; None for no limit.
        seed: Seed of the posterior sample.

    Returns:
        The attempts at each problem (P,), and the standard deviation of the mean pass@k now, after these attempts and
        after as many that are spread evenly. Fewer are divided where `at_most` permits no more.

    Raises:
        InputError: If counts are not whole numbers with 0 ≤ c ≤ n, or another argument is out of its range.

    References:
        Derived for this project; `tests/evals/placement/test_next_attempts.py` compares it with direct quadrature, and
        shows that likelihoods remain right afterwards.

    Example:
        >>> import lidjax.evals
        >>> found = lidjax.evals.next_attempts([20, 20, 20, 20], [0, 0, 3, 20], 100, attempts=40)
        >>> found.attempts[0] > found.attempts[2] >= found.attempts[3]
        np.True_
        >>> bool(found.sd_placed <= found.sd_uniform <= found.sd)
        True
    """
    tried, correct = check_counts(n, c)
    for name, value in (("k", k), ("attempts", attempts)):
        if not 1 <= value <= MOST_ATTEMPTS or value != int(value):
            raise InputError(f"{name} = {value}: must be a whole number from 1 to 2^53")
    limit = None
    if at_most is not None:
        limit = whole_numbers("at_most", at_most)
        if limit.shape != tried.shape or (limit < 0).any():
            raise InputError(
                f"at_most has shape {limit.shape}: one number of 0 or more for each of {len(tried)} problems"
            )
    with jax.enable_x64(True):
        rows = count_rows(tried, correct, COARSE_GRID)
        posterior = sample_posterior(rows, seed=seed)
        return place_attempts(
            np.random.default_rng(seed), posterior, rows, int(k), int(attempts), at_most=limit
        )


def place_attempts(
    rng: np.random.Generator,
    posterior: Posterior,
    rows: CountRows,
    k: int,
    attempts: int,
    *,
    at_most: Counts | None = None,
) -> NextAttempts:
    """Divide `attempts` among the problems of one group, whose posterior is known.

    Problems with the same counts have the same posterior, so that rates are drawn for the U distinct counts alone.
    """
    count = len(rows.n)
    populations = max(FEWEST_POPULATIONS, min(POPULATIONS, MOST_WEIGHTS // (POINTS * count)))
    densities = draw_densities(rng, posterior, populations)
    rates = draw_problem_rates(rng, posterior, rows._replace(index=np.arange(count)), DRAWS)
    points = np.sort(rates, axis=0)[((np.arange(POINTS) + 0.5) * DRAWS / POINTS).astype(np.int64)].T
    even = spread_evenly(len(rows.index), attempts)
    worth = worth_of_attempts(
        points,
        population_weights(points, densities, rows),
        rows.multiplicity,
        k,
        size_grid(max(attempts, int(even.max()))),
    )
    limit = np.full(len(rows.index), attempts) if at_most is None else np.minimum(at_most, attempts)
    placed, gain, variances = divide_attempts(worth, rows.index, attempts, even=even, limit=limit)
    square = len(rows.index) ** 2
    return NextAttempts(placed, gain / square, k, *(float(np.sqrt(value / square)) for value in variances))


def population_weights(
    points: Float[np.ndarray, "u q"],
    densities: Float[np.ndarray, "s g"],
    rows: CountRows,
    grid: LogitGrid = COARSE_GRID,
) -> Float[np.ndarray, "u s q"]:
    """Posterior weights of the points of each row under each of S populations.

    The points are draws from the mean of these posteriors, so the weight of a point is the ratio of the densities.
    """
    evidence = np.maximum(densities @ rows.likelihood.T, TINY)  # (S, U)
    nodes, x = np.asarray(grid.nodes), logit(points)
    weights = np.empty((len(points), len(densities), points.shape[1]))
    for row, place in enumerate(x):
        right = np.clip(np.searchsorted(nodes, place), 1, len(nodes) - 1)
        share = np.clip((place - nodes[right - 1]) / (nodes[right] - nodes[right - 1]), 0.0, 1.0)
        there = densities[:, right - 1] * (1 - share) + densities[:, right] * share
        posterior = there / evidence[:, row, None]
        posterior = posterior / np.maximum(posterior.mean(axis=0), TINY)
        weights[row] = posterior / np.maximum(posterior.sum(axis=1, keepdims=True), TINY)
    return weights


def worth_of_attempts(
    points: Float[np.ndarray, "u q"],
    weights: Float[np.ndarray, "u s q"],
    multiplicity: RowValues,
    k: int,
    sizes: Sizes,
) -> Worth:
    """What attempts at each row tell, from points of its posterior and their weights under each population."""
    solved = -np.expm1(k * np.log1p(-points))
    mean = np.einsum("usq,uq->us", weights, solved)
    variance = np.maximum(np.einsum("usq,uq->us", weights, solved**2) - mean**2, 0.0).mean(axis=1)
    population = multiplicity @ (mean - mean.mean(axis=1, keepdims=True))  # (S,)
    spread = float(population.std())
    standard = population / max(spread, TINY)
    loading = (mean * standard).mean(axis=1)
    explained, told = np.zeros((2, len(points), len(sizes)))
    for j, size in enumerate(sizes.tolist()):
        counts, lengths = future_counts(size)
        log_choose = -betaln(size - counts + 1, counts + 1) - np.log1p(size) + np.log(lengths)
        for start in range(0, len(points), ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            p = points[part, :, None]
            chance = np.exp(log_choose + xlogy(counts, p) + xlog1py(size - counts, -p))
            chance /= np.maximum(
                chance.sum(axis=2, keepdims=True), TINY
            )  # blocks of counts sum up to 1 nearly
            mass = np.matmul(weights[part], chance)  # (u, S, outcomes)
            moment = np.matmul(weights[part] * solved[part, None, :], chance)
            square = np.sum(moment**2 / np.maximum(mass, TINY), axis=2)
            explained[part, j] = (square - mean[part] ** 2).mean(axis=1)
            toward = np.einsum("uso,s->uo", mass, standard) / len(standard)
            told[part, j] = np.sum(toward**2 / np.maximum(mass.mean(axis=1), TINY), axis=1)
    told = np.clip(told, 0.0, 0.99)
    return Worth(
        sizes, np.clip(explained, 0.0, variance[:, None]), told / (1 - told), variance, loading * (spread > 0)
    )


def divide_attempts(
    worth: Worth, index: Int[np.ndarray, " p"], attempts: int, *, even: Counts, limit: Counts
) -> tuple[Counts, Float[np.ndarray, " p"], tuple[float, float, float]]:
    """The best division of `attempts` among problems whose rows are `index`, each at most `limit`.

    Returns the division, what the attempts at each problem gain, and the variance of the sum of the f_i now, after the
    division, and after the division `even`.
    """
    none = np.zeros_like(even)
    now, slope = expected_variance(worth, index, none)
    after_even, _ = expected_variance(worth, index, even)
    best, best_variance = (even, after_even) if np.all(even <= limit) else (none, now)
    for _ in range(STEPS):
        placed = fill_steepest(gains_at(worth, slope), worth.sizes, index, limit, attempts)
        variance, found = expected_variance(worth, index, placed)
        if variance < best_variance:
            best, best_variance = placed, variance
        slope = np.sqrt(slope * max(found, 0.0)) if found > 0 else 0.5 * slope
    _, slope = expected_variance(worth, index, best)
    gain = interpolate(gains_at(worth, slope), worth.sizes, index, best)
    return best, gain, (now, best_variance, after_even)


def gains_at(worth: Worth, slope: float) -> Gains:
    """What attempts at each row lower J by, at λ = `slope`."""
    shared = 1 + 2 * slope * worth.loading / np.maximum(worth.variance, TINY)
    return worth.explained * np.maximum(shared, 0.0)[:, None] + slope**2 * worth.precision


def expected_variance(worth: Worth, index: Int[np.ndarray, " p"], division: Counts) -> tuple[float, float]:
    """(J, λ) after a division of attempts."""
    explained = interpolate(worth.explained, worth.sizes, index, division)
    variance, loading = worth.variance[index], worth.loading[index]
    shared = float(np.sum(loading * (1 - explained / np.maximum(variance, TINY))))
    precision = 1 + float(np.sum(interpolate(worth.precision, worth.sizes, index, division)))
    return float(np.sum(variance - explained)) + shared**2 / precision, shared / precision


def spread_evenly(problems: int, attempts: int) -> Counts:
    """`attempts` divided evenly; the first problems get one more where it does not come out even."""
    return attempts // problems + (np.arange(problems) < attempts % problems).astype(np.int64)


def size_grid(largest: int) -> Sizes:
    """Numbers of attempts at which gains are computed: from 0 to `largest`, growing by SIZE_STEP."""
    steps = int(np.ceil(np.log(largest) / np.log(SIZE_STEP)))
    return np.unique(np.append(np.rint(SIZE_STEP ** np.arange(steps)), [0, largest]).astype(np.int64))


def future_counts(attempts: int) -> tuple[Int[np.ndarray, " o"], Float[np.ndarray, " o"]]:
    """Counts of correct answers among `attempts` to sum over, and how many counts each of them stands for.

    Small counts stand for themselves, larger ones for the block around them; so do counts of wrong answers.
    """
    growing = np.round(SINGLE_COUNTS * BLOCK_GROWTH ** np.arange(180)).astype(np.int64)
    lower = np.unique(np.concatenate([np.arange(SINGLE_COUNTS), growing]))
    lower = lower[lower <= (attempts + 1) // 2]
    edges = np.unique(np.concatenate([lower, attempts + 1 - lower]))
    return (edges[:-1] + edges[1:] - 1) // 2, np.diff(edges).astype(float)


def concave_hull(sizes: Sizes, gains: Float[np.ndarray, " m"]) -> Int[np.ndarray, " h"]:
    """Positions of the corners of the smallest concave function above the gains, from no attempts on."""
    corners: list[int] = []
    for j in range(len(sizes)):
        while len(corners) >= 2:
            first, last = corners[-2], corners[-1]
            if (gains[last] - gains[first]) * (sizes[j] - sizes[last]) > (gains[j] - gains[last]) * (
                sizes[last] - sizes[first]
            ):
                break
            corners.pop()
        corners.append(j)
    return np.array(corners)


def fill_steepest(
    gains: Gains, sizes: Sizes, index: Int[np.ndarray, " p"], limit: Counts, attempts: int
) -> Counts:
    """Divide `attempts`: the steepest pieces of the concave hulls first. `limit` bounds those at each problem."""
    pieces: list[np.ndarray] = []  # (row, slope, start, length) of the pieces of each hull
    for row in range(len(gains)):
        corners = concave_hull(sizes, gains[row])
        start, length = sizes[corners[:-1]], np.diff(sizes[corners])
        slope = np.diff(gains[row, corners]) / length
        pieces.append(np.stack([np.full(len(slope), row), slope, start, length]))
    piece_row, piece_slope, piece_start, piece_length = np.concatenate(pieces, axis=1)
    members = np.argsort(index, kind="stable")
    sizes_of_rows = np.bincount(index, minlength=len(gains))
    first = np.cumsum(sizes_of_rows) - sizes_of_rows
    repeats = sizes_of_rows[piece_row.astype(np.int64)]
    piece = np.repeat(np.arange(len(repeats)), repeats)
    within = np.arange(len(piece)) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    owner = members[first[piece_row.astype(np.int64)][piece] + within]
    length = np.clip(
        limit[owner] - piece_start[piece].astype(np.int64), 0, piece_length[piece].astype(np.int64)
    )
    slope = piece_slope[piece]
    placed = np.zeros(len(index), dtype=np.int64)
    if length.sum() <= attempts:
        np.add.at(placed, owner, length)
        return placed
    order = np.argsort(-slope, kind="stable")
    last = slope[order[np.searchsorted(np.cumsum(length[order]), attempts)]]  # of the piece that does not fit
    steeper, tied = slope > last, np.flatnonzero((slope == last) & (length > 0))
    np.add.at(placed, owner[steeper], length[steeper])
    share_evenly(placed, owner[tied], length[tied], attempts - int(length[steeper].sum()))
    return placed


def share_evenly(
    placed: Counts, owner: Int[np.ndarray, " t"], room: Int[np.ndarray, " t"], left: int
) -> None:
    """Add `left` attempts to the problems `owner`, as evenly as the room of each permits."""
    order = np.argsort(room, kind="stable")
    for position, piece in enumerate(order):
        given = min(int(room[piece]), -(-left // (len(order) - position)))
        placed[owner[piece]] += given
        left -= given


def interpolate(
    gains: Gains, sizes: Sizes, index: Int[np.ndarray, " p"], division: Counts
) -> Float[np.ndarray, " p"]:
    """Gain of each problem at its number of attempts, on a straight line between the nearest computed ones."""
    upper = np.clip(np.searchsorted(sizes, division), 1, len(sizes) - 1)
    low, high = sizes[upper - 1], sizes[upper]
    share = (division - low) / (high - low)
    return (1 - share) * gains[index, upper - 1] + share * gains[index, upper]
