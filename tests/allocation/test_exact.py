"""The optimum against every split there is, its asymptotics, and what is said about it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.allocation_twin import SPECTRA, Setting, all_whole_splits, fine_grid, random_settings, whole_line

from lidjax import power_law_spectrum, power_law_teacher
from lidjax.allocation import allocate
from lidjax.allocation.budget import Budget, BudgetLine
from lidjax.allocation.losses import ExactLosses, LossParameters, total_loss
from lidjax.errors import InputError

DIM = SPECTRA[1][0]
MODES = {"eigenvalues": power_law_spectrum(*SPECTRA[1]), "theta": power_law_teacher(DIM)}
MODEL = {**MODES, "beta": 2.5, "sigma_eta": 0.1, "delta": 0.05, "ridge": 1e-9}


def allocate_all(settings: list[Setting]):
    """(loss, n, k) of each setting, one call a spectrum."""
    out = np.full((len(settings), 3), np.nan)
    for spectrum in range(len(SPECTRA)):
        mine = [i for i, x in enumerate(settings) if x.spectrum == spectrum]
        if mine:
            eigenvalues, theta = settings[mine[0]].modes
            columns = {
                name: np.array([getattr(settings[i], name) for i in mine]) for name in Setting._fields[1:-1]
            }
            found = allocate(**columns, eigenvalues=eigenvalues, theta=theta, rules=())
            out[mine] = np.stack([found.loss, found.n, found.k], axis=1)
    return out


def compare(settings, twin):
    """Relative excess of the loss found over the twin's least."""
    excess = []
    for setting, (loss, n, k) in zip(settings, allocate_all(settings), strict=True):
        least, *where = twin(setting)
        excess.append(loss / least - 1)
        assert np.isfinite(loss), (setting, (n, k), where)
    return np.array(excess)


def test_few_counts_against_every_whole_split():
    """Every (N, k) that the budget allows, most of them far from using it up. The tables are good to 1e-6."""
    settings = [
        x._replace(spectrum=1) for x in random_settings(5, 40, "few") if x.budget / x.cost_train < 1000
    ]
    assert len(settings) > 10
    assert np.abs(compare(settings, all_whole_splits)).max() < 2e-6


def test_many_counts_against_a_fine_grid():
    """2048 real splits: whole counts cost up to about 1/N and 1/k, and the grid is no better than its resolution."""
    settings = [x._replace(spectrum=1) for x in random_settings(6, 3, "many")]
    excess = compare(settings, fine_grid)
    assert excess.max() < 2e-3
    assert excess.min() > -1e-3
    assert np.median(np.abs(excess)) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("size", "count", "twin", "above", "below"),
    [
        ("few", 400, all_whole_splits, 2e-6, 2e-6),
        ("some", 300, whole_line, 1e-6, 1e-6),
        ("many", 300, fine_grid, 5e-3, 2e-3),
    ],
)
def test_1000_random_settings(size, count, twin, above, below):
    excess = compare(random_settings({"few": 1, "many": 2, "some": 3}[size], count, size), twin)
    assert excess.max() < above
    assert excess.min() > -below


def test_two_valleys_around_n_equal_d():
    """With a small ridge L_gen has a peak at N = d. Where the budget ends just beyond it, the better valley wins."""
    budgets = np.arange(20, 61, 4)
    found = allocate(budgets, cost_train=1, cost_infer=0.1, weight=100.0, rules=(), **MODEL)
    settings = [Setting(1, float(c), 1.0, 0.1, 1, 100.0, 2.5, 0.1, 0.05, 1e-9) for c in budgets]
    for i, setting in enumerate(settings):
        least, n, _ = whole_line(setting)
        assert found.loss[i] == pytest.approx(least, rel=1e-6)
        assert found.n[i] == n
    below, beyond = found.n < DIM, found.n > DIM
    assert below[: DIM - 20].any()
    assert beyond[-1]
    jump = np.flatnonzero(beyond)[0]
    assert below[:jump].all()
    assert found.n[jump] - found.n[jump - 1] > 6  # from one valley to the other: nobody stops at the peak
    assert budgets[jump] > DIM + 5  # and money for more than d instances is left unused for a while


def test_large_budgets_follow_the_closed_form():
    """As C grows training takes nearly all of it (β > 1), and k grows as C^(2/(β+1)).

    With C - Ñ ≪ C, Eq. 25 at γ = 1 is R P_N c_N/C² = P̃ β k^-(β+1)/c_k, with P_N = σ² E[1/τ] d and P̃ of Eq. 15.
    """
    from scipy.special import gamma

    beta, budgets, ck = 2.5, np.array([1e9, 1e12, 1e15]), 0.25
    found = allocate(budgets, cost_train=1, cost_infer=ck, weight=3.0, **{**MODEL, "ridge": 0.0})
    c_delta = np.sqrt(2 / np.pi) * 0.5
    prefactor = 2 * gamma(beta) / (gamma(beta / 2) * c_delta**beta)
    p_n = 0.1**2 * 2 / (beta - 2) * DIM
    expected = (prefactor * beta * budgets**2 / (3.0 * p_n * ck)) ** (1 / (beta + 1))
    off = np.array(found.k, float) / expected - 1
    np.testing.assert_allclose(off, 0, atol=3e-3)
    assert abs(off[2]) < 1e-4 + abs(off[0])
    for rule in ("eq24", "quasi_static", "constant_beta"):
        assert np.all(found.regret[rule] < 1e-4)
    assert np.all(found.regret["saturated"] > 1e4)
    assert set(found.kind) == {"interior"}


def test_ends_slope_as_differences_do():
    """dL_tot/d(N c_N) at N = 1 and k = 1 against differences of the losses themselves."""
    found = allocate(
        np.array([50.0, 500.0]), cost_train=2, cost_infer=0.5, weight=0.7, queries=3, rules=(), **MODEL
    )
    with jax.enable_x64(True):
        losses = ExactLosses(np.asarray(MODES["eigenvalues"]), np.asarray(MODES["theta"]), "gamma")
        model = LossParameters(0.04, 1e-9, 2.5, 0.05, 0.1)
        for i, total in enumerate((50.0, 500.0)):
            for money, end in ((2.0, "slope_at_n1"), (total - 1.5, "slope_at_k1")):
                near = money + np.array([-1e-5, 1e-5])
                values = losses.values(np.log(near / 2), np.log((total - near) / 1.5), model)
                loss = np.exp(total_loss(np.log(0.7), values).log)
                expected = (loss[1] - loss[0]) / 2e-5
                assert getattr(found, end)[i] == pytest.approx(expected, rel=1e-5, abs=1e-10)


def test_the_kind_is_what_the_slopes_say():
    """Where L_tot falls or rises all along the line, the optimum is an end; a heavy weight trains, none samples."""
    sample = allocate(8.0, cost_train=1, cost_infer=1, weight=0.0, rules=(), **MODEL)
    quiet = {**MODEL, "sigma_eta": 1e-3, "delta": 5e-4}
    train = allocate(8.0, cost_train=1, cost_infer=1, weight=1e5, rules=(), **quiet)
    noisy = allocate(8.0, cost_train=1, cost_infer=1, weight=1e5, rules=(), **MODEL)
    both = allocate(1e4, cost_train=1, cost_infer=1, weight=1.0, rules=(), **quiet)
    beyond = allocate(1e4, cost_train=1, cost_infer=1, weight=1.0, rules=(), **MODEL)
    assert (sample.kind, sample.n, sample.k) == ("all_inference", 1, 7)
    assert sample.slope_at_n1 > 0
    assert (train.kind, train.n, train.k) == ("all_training", 7, 1)
    assert train.slope_at_k1 < 0
    assert (
        noisy.kind == "all_inference"
    )  # where seven noisy labels are worse than one, no weight makes training pay
    assert both.kind == "interior"
    assert both.slope_at_n1 < 0 < both.slope_at_k1
    assert beyond.kind == "interior"
    assert (
        beyond.slope_at_n1 > 0
    )  # the second noisy label hurts, the thousandth does not: ends do not tell all
    least = allocate(2, cost_train=1, cost_infer=1, weight=1.0, rules=(), **MODEL)
    assert (least.n, least.k) == (1, 1)


def test_the_flat_range_is_within_one_percent_and_no_wider():
    found = allocate(3000, cost_train=1, cost_infer=1, weight=10.0, rules=(), **MODEL)
    losses = ExactLosses(np.asarray(MODES["eigenvalues"]), np.asarray(MODES["theta"]), "gamma")
    model = LossParameters(0.04, 1e-9, 2.5, 0.05, 0.1)
    n = np.array([found.n_low * 0.99, found.n_low * 1.002, found.n_high * 0.998, found.n_high * 1.01])
    total = np.exp(total_loss(np.log(10.0), losses.values(np.log(n), np.log(3000 - n), model)).log)
    assert np.all(total[1:3] < 1.01 * found.loss)
    assert np.all(total[[0, 3]] > 1.01 * found.loss)


def test_queries_are_dearer_attempts():
    """Q questions at c_k are one at Q c_k. More of them leave fewer attempts each."""
    queries = np.array([1, 30, 1000])
    asked = allocate(1e5, cost_train=1, cost_infer=0.01, weight=1.0, queries=queries, rules=(), **MODEL)
    priced = allocate(1e5, cost_train=1, cost_infer=0.01 * queries, weight=1.0, rules=(), **MODEL)
    np.testing.assert_array_equal(asked.n, priced.n)
    np.testing.assert_array_equal(asked.k, priced.k)
    assert np.all(np.diff(asked.k) < 0)
    assert np.all(np.diff(asked.n) < 0)
    assert np.all(np.diff(asked.k * queries) > 0)  # and still a larger share of the money


def test_a_batch_is_its_cells():
    budgets, weights, betas = (
        np.array([40.0, 4000.0])[:, None, None],
        np.array([0.1, 1e3])[:, None],
        [2.5, 5.0],
    )
    model = {**MODEL, "beta": np.array(betas)}
    batch = allocate(budgets, cost_train=1, cost_infer=0.2, weight=weights, **model)
    assert batch.n.shape == batch.regret["eq24"].shape == batch.rules["eq24"].n.shape == (2, 2, 2)
    one = allocate(4000.0, cost_train=1, cost_infer=0.2, weight=0.1, **{**MODEL, "beta": 5.0})
    for name in ("n", "k", "kind", "n_low", "n_high"):
        assert getattr(one, name) == getattr(batch, name)[1, 0, 1]
    assert one.loss == pytest.approx(batch.loss[1, 0, 1], rel=1e-12)
    assert isinstance(one.n, int)
    assert isinstance(one.k, int)
    assert isinstance(one.loss, float)
    assert isinstance(one.kind, str)
    for rule, regret in one.regret.items():
        assert regret == pytest.approx(batch.regret[rule][1, 0, 1], rel=1e-6, abs=1e-8)
        assert regret >= 0


def test_counts_beyond_floats_are_whole_and_paid():
    budget = 10**18 + 3
    found = allocate(budget, cost_train=7, cost_infer=3, weight=1.0, rules=(), **MODEL)
    assert found.n * 7 + found.k * 3 <= budget < found.n * 7 + (found.k + 1) * 3
    assert found.n > 2**53
    many = allocate([1e18], cost_train=1e6, cost_infer=1e-3, weight=0.0, rules=(), **MODEL)
    assert many.k[0] == Budget.checked(1e18, 1e6, 1e-3, 1).attempts(int(many.n[0]))
    assert many.k[0] > 2**63
    assert isinstance(many.k[0], int)  # Python's integers, for no other holds it


def test_float32_inputs_outside_x64_give_the_same_answer():
    reference = allocate(1e6, cost_train=1, cost_infer=0.1, weight=2.0, **MODEL)
    with jax.enable_x64(False):
        single = {name: jnp.asarray(value, jnp.float32) for name, value in MODEL.items()}
        found = allocate(np.float32(1e6), cost_train=1, cost_infer=np.float32(0.1), weight=2.0, **single)
    assert found.n == pytest.approx(reference.n, rel=1e-5)
    assert found.loss == pytest.approx(reference.loss, rel=1e-5)
    assert found.kind == reference.kind


def test_ridgeless_peak_is_a_wall():
    """At N = d without ridge L_gen is infinite; neighbours are not, and the search goes round it."""
    found = allocate(
        np.array([25.0, 33.0, 60.0, 1e3]),
        cost_train=1,
        cost_infer=0.5,
        weight=10.0,
        **{**MODEL, "ridge": 0.0},
    )
    assert np.all(np.isfinite(found.loss))
    assert not np.any(found.n == DIM)
    low, high = BudgetLine(Budget.checked(60.0, 1, 0.5, 1)).s_of_n(np.array([1.0, DIM]))
    assert low < high


BAD = {
    "beta": (2.0, "beta=2: label noise has a finite variance"),
    "sigma_eta": (0.0, "sigma_eta=0 must be greater than 0"),
    "delta": (-0.1, "delta=-0.1 must be greater than 0"),
    "ridge": (-1e-3, "ridge=-0.001 must be at least 0"),
    "weight": (-1.0, "weight=-1 must be at least 0"),
    "theta": (np.ones(3), r"eigenvalues and theta must be of one shape \(d,\), not \(30,\) and \(3,\)"),
    "eigenvalues": (-np.ones(DIM), "eigenvalues must be positive and finite; the smallest is -1"),
    "rules": (("eq42",), "rule 'eq42' is not known"),
    "window": ((100.0, 10.0), r"window = \[100, 10\]: must be"),
    "budget": (0.2, "budget=0.2 does not pay for one training instance"),
    "cost_infer": (-1, "cost_infer=-1 must be greater than 0"),
    "queries": (np.ones((2, 3)), "these do not broadcast: budget .*queries"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named(name):
    value, words = BAD[name]
    given = {"budget": 10.0, "cost_train": 1, "cost_infer": 0.1, "weight": 1.0, **MODEL, name: value}
    if name == "queries":
        given["budget"] = np.ones(5)
    with pytest.raises(InputError, match=words):
        allocate(**given)


def test_a_budget_has_the_same_answer_beside_others():
    """Rules too, whose power laws reach to the largest N that their own budget can pay."""
    question = {"cost_train": 1, "cost_infer": 1, "weight": 1.0, **MODEL}
    alone = allocate(2990.0, **question)
    for other in (98.0, 1e12):
        beside = allocate([2990.0, other], **question)
        assert beside.n[0] == alone.n
        for rule, regret in alone.regret.items():
            assert beside.regret[rule][0] == regret, rule
