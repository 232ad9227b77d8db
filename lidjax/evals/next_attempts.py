"""Which problems should get the next attempts, and how much narrower the forecast is expected to become.

What is to be known is the mean pass@k of the problems at hand, f = mean_i f_i with f_i = 1 - (1-p_i)^k. Given the
population, its variance is the sum of the variances of the f_i over P². Another m attempts at problem i are expected to
lower it by g_i(m)/P², where g_i(m) = Var E[f_i | outcome of the m attempts]. The attempts go where they lower it most:
each g_i is replaced by its concave hull over m, and the steepest pieces are taken first until the attempts are used up,
which is the best division for these hulls.

The rates come from posterior draws of the rates alone, so every model that can be drawn from can be used.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Float, Int
from scipy.special import betaln, xlog1py, xlogy

from lidjax.errors import InputError
from lidjax.evals.arguments import check_counts, whole_numbers
from lidjax.evals.curve import MANY_PROBLEMS, Counts
from lidjax.evals.rates.draws import draw_problem_rates
from lidjax.evals.rates.posterior import Posterior, sample_posterior
from lidjax.evals.rates.quadrature import COARSE_GRID, CountRows, count_rows
from lidjax.evals.table import MOST_ATTEMPTS

DRAWS = 400  # posterior draws of the rates
POINTS = 100  # rates that stand for the posterior of one problem
SINGLE_COUNTS = (
    16  # heuristic: future counts below it are summed one by one, above it in blocks that grow by a fifth
)
SIZE_STEP = 1.5  # heuristic: the numbers of attempts at which the gain is computed grow by this factor
ROWS_AT_ONCE = 64  # for memory

Gains = Float[np.ndarray, "u m"]
Sizes = Int[np.ndarray, " m"]


class NextAttempts(NamedTuple):
    """A number of further attempts, divided among the P problems of a group so that they tell most about its pass@k.

    The standard deviations are those of the mean pass@k of these problems. Those after the attempts are expectations;
    they leave out what the attempts tell about the population, and so are a little too large.

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
        Derived for this project (`lidjax/evals/next_attempts.py`); `tests/evals/test_next_attempts.py` compares it with
        direct quadrature, and shows that likelihoods remain right afterwards.

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

    Problems with the same counts have the same posterior, so that of many such problems a few are drawn for all.
    """
    copies = np.minimum(rows.multiplicity.astype(np.int64), max(1, MANY_PROBLEMS // len(rows.n)))
    drawn_rows = np.repeat(np.arange(len(rows.n)), copies)
    rates = draw_problem_rates(rng, posterior, rows._replace(index=drawn_rows), DRAWS)
    return divide_attempts(
        rates,
        drawn_rows,
        rows.index,
        k,
        attempts,
        even=spread_evenly(len(rows.index), attempts),
        at_most=at_most,
    )


def divide_attempts(
    rates: Float[np.ndarray, "s r"],
    drawn_rows: Int[np.ndarray, " r"],
    index: Int[np.ndarray, " p"],
    k: int,
    attempts: int,
    *,
    even: Counts,
    at_most: Counts | None = None,
) -> NextAttempts:
    """The division of `attempts` from S posterior draws of the rates of R problems that stand for all P.

    `drawn_rows` says which of the U distinct counts each of the R problems has, `index` which each of the P has. `even`
    is the division that is compared with.
    """
    problems, count = len(index), int(drawn_rows.max()) + 1
    copies, multiplicity = np.bincount(drawn_rows), np.bincount(index, minlength=count)
    solved = -np.expm1(k * np.log1p(-rates))
    points = np.stack([row_points(rates[:, drawn_rows == row]) for row in range(count)])
    values = -np.expm1(k * np.log1p(-points))
    sizes = size_grid(max(attempts, int(even.max())))
    gains = expected_gains(points, values, sizes)
    variance = values.var(axis=1)
    within = float(multiplicity @ variance) / problems**2
    # of the variance of the mean over draws, the rest is the uncertainty of the population
    mean = solved @ (multiplicity / copies)[drawn_rows] / problems
    noise = float(np.sum(multiplicity**2 * variance / copies)) / problems**2
    population = max(float(mean.var()) - noise, 0.0)

    limit = np.full(problems, attempts) if at_most is None else np.minimum(at_most, attempts)
    placed = fill_steepest(gains, sizes, index, limit, attempts)
    each = [interpolate_gains(gains, sizes, index, division) / problems**2 for division in (placed, even)]
    after = [float(np.sqrt(population + max(within - float(gain.sum()), 0.0))) for gain in each]
    return NextAttempts(placed, each[0], k, float(np.sqrt(population + within)), *after)


def spread_evenly(problems: int, attempts: int) -> Counts:
    """`attempts` divided evenly; the first problems get one more where it does not come out even."""
    return attempts // problems + (np.arange(problems) < attempts % problems).astype(np.int64)


def row_points(rates: Float[np.ndarray, "s r"]) -> Float[np.ndarray, " q"]:
    """POINTS rates that stand for all draws of one row: those in the middle of equal parts of them, in order."""
    ordered = np.sort(rates, axis=None)
    middle = (np.arange(POINTS) + 0.5) * len(ordered) / POINTS
    return ordered[middle.astype(np.int64)]


def size_grid(largest: int) -> Sizes:
    """Numbers of attempts at which gains are computed: from 0 to `largest`, growing by SIZE_STEP."""
    steps = int(np.ceil(np.log(largest) / np.log(SIZE_STEP)))
    return np.unique(np.append(np.rint(SIZE_STEP ** np.arange(steps)), [0, largest]).astype(np.int64))


def expected_gains(points: Float[np.ndarray, "u q"], values: Float[np.ndarray, "u q"], sizes: Sizes) -> Gains:
    """g(m) = Var E[f | outcome of m attempts] for each row and number of attempts m, in [0, Var f]."""
    centred = values - values.mean(axis=1, keepdims=True)
    gains = np.zeros((len(points), len(sizes)))
    for j, size in enumerate(sizes.tolist()):
        counts, lengths = future_counts(size)
        log_choose = -betaln(size - counts + 1, counts + 1) - np.log1p(size) + np.log(lengths)
        for start in range(0, len(points), ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            p = points[part, :, None]
            chance = np.exp(log_choose + xlogy(counts, p) + xlog1py(size - counts, -p))
            chance /= np.maximum(
                chance.sum(axis=2, keepdims=True), 1e-300
            )  # blocks of counts sum up to 1 nearly
            mass = chance.mean(axis=1)
            moment = np.einsum("uq,uqo->uo", centred[part], chance) / POINTS
            gains[part, j] = np.sum(moment**2 / np.maximum(mass, 1e-300), axis=1)
    return np.minimum(gains, values.var(axis=1, keepdims=True))


def future_counts(attempts: int) -> tuple[Int[np.ndarray, " o"], Float[np.ndarray, " o"]]:
    """Counts of correct answers among `attempts` to sum over, and how many counts each of them stands for.

    Small counts stand for themselves, larger ones for the block around them; so do counts of wrong answers.
    """
    growing = np.round(SINGLE_COUNTS * 1.2 ** np.arange(220)).astype(np.int64)
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


def interpolate_gains(
    gains: Gains, sizes: Sizes, index: Int[np.ndarray, " p"], division: Counts
) -> Float[np.ndarray, " p"]:
    """Gain of each problem at its number of attempts, between the computed ones by a straight line."""
    upper = np.clip(np.searchsorted(sizes, division), 1, len(sizes) - 1)
    low, high = sizes[upper - 1], sizes[upper]
    share = (division - low) / (high - low)
    return (1 - share) * gains[index, upper - 1] + share * gains[index, upper]
