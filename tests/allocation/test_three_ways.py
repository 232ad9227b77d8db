"""Width, data and attempts together: the optimum against every whole N and k at every width."""

from functools import partial

import numpy as np
import pytest
from helpers.allocation_twin import SPECTRA, Setting, all_whole_splits, stopped_line

from lidjax import deterministic_lgen, power_law_spectrum, power_law_teacher
from lidjax.allocation import WIDTH_RULES, allocate, three_way_map
from lidjax.errors import InputError

DIM = SPECTRA[1][0]
MODES = {"eigenvalues": power_law_spectrum(*SPECTRA[1]), "theta": power_law_teacher(DIM)}
MODEL = {**MODES, "beta": 2.5, "sigma_eta": 0.1, "delta": 0.05, "ridge": 1e-4}
WIDTHS = [2, 5, 12, 29, 80]


def least_over_widths(setting: Setting, widths: list[int], twin):
    """The least L_tot over every width that can be paid, and every whole N and k there."""
    out = []
    for p in widths:
        narrow = setting._replace(
            cost_train=setting.cost_train * p, cost_infer=setting.cost_infer * p, width=p
        )
        if narrow.budget >= narrow.cost_train + narrow.queries * narrow.cost_infer:
            out.append((*twin(narrow), p))
    return min(out)


def found_for(setting: Setting, widths: list[int], **options):
    columns = {name: getattr(setting, name) for name in Setting._fields[1:-1]}
    return allocate(**columns, **MODES, width=widths, **options)


def settings(seed: int, count: int) -> list[Setting]:
    """Budgets for up to some hundred instances and attempts at the smallest width."""
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(count):
        budget = float(f"{10 ** rng.uniform(2.3, 3.3):.4g}")
        infer = float(f"{budget / 2 / 10 ** rng.uniform(0.3, 2.2):.4g}")
        sigma = 10 ** rng.uniform(-2, 0)
        queries, weight = int(rng.choice([1, 20])), 10 ** rng.uniform(-1, 3)
        delta = sigma * 10 ** rng.uniform(-1, 0)
        train = float(f"{10 ** rng.uniform(-0.5, 0.5):.3g}")
        infer = float(f"{infer / queries:.4g}")
        out.append(Setting(1, budget, train, infer, queries, weight, rng.uniform(2.1, 5), sigma, delta, 1e-4))
    return out


@pytest.mark.parametrize("stop", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_against_every_whole_plan(stop):
    twin = stopped_line if stop else all_whole_splits
    for setting in settings(3, 1):
        least, n, k, width = least_over_widths(setting, WIDTHS, twin)
        found = found_for(setting, WIDTHS, stop_at_success=stop, rules=())
        assert found.loss == pytest.approx(least, rel=2e-5)
        assert (found.width, found.n) == (width, n)
        assert found.k == k or k > 1e5


@pytest.mark.slow
@pytest.mark.parametrize("stop", [False, True])
def test_random_settings(stop):
    twin = partial(stopped_line, most=4000) if stop else all_whole_splits  # every N
    widths = [2, 4, 8, 15, 29, 30, 31, 80, 200]
    for setting in settings(4, 8):
        least = least_over_widths(setting, widths, twin)[0]
        found = found_for(setting, widths, stop_at_success=stop)
        assert found.loss == pytest.approx(least, rel=5e-5), setting
        assert all(regret >= 0 for regret in found.regret.values())


def test_chinchilla_first_sample_later():
    """The rule's N and P are those of least L_gen at its training compute, by every width and N; and it loses."""
    budget, queries = 4000, 10
    found = allocate(
        budget,
        cost_train=1,
        cost_infer=1,
        queries=queries,
        weight=1.0,
        width=WIDTHS,
        stop_at_success=True,
        **MODEL,
    )
    rules = found.rules
    assert set(rules) == set(WIDTH_RULES) == set(found.regret)
    for rule, money in (("chinchilla_first", None), ("chinchilla_half", budget / 2)):
        sizes = [
            int((budget - queries * p if money is None else min(money, budget - queries * p)) // p)
            for p in WIDTHS
        ]
        noise = 0.1**2 * 2 / (2.5 - 2)
        lgen = deterministic_lgen(
            np.array(sizes), width=np.array(WIDTHS), noise_variance=noise, ridge=1e-4, **MODES
        )
        best = int(np.argmin(lgen))
        assert (rules[rule].width, rules[rule].n) == (WIDTHS[best], sizes[best])
    assert 0 <= rules["chinchilla_best"].regret <= rules["chinchilla_half"].regret
    for split in rules.values():
        assert split.loss == pytest.approx(found.loss * (1 + split.regret))
        assert split.n * split.width + queries * split.width <= budget


def test_one_wide_model_is_the_model_of_all_features():
    """At P → ∞ with costs that are P times smaller it is `allocate` without a width."""
    money = {"weight": 10.0, "rules": ()}
    wide = allocate(3000, cost_train=1e-12, cost_infer=1e-12, width=10**12, **money, **MODEL)
    plain = allocate(3000, cost_train=1, cost_infer=1, **money, **MODEL)
    assert (wide.n, wide.k) == (plain.n, plain.k)
    assert wide.loss == pytest.approx(plain.loss, rel=1e-6)
    assert plain.width is None


def test_the_map_is_allocate():
    budgets, queries = np.geomspace(1e3, 1e6, 4), np.array([1.0, 100.0])
    widths = np.array([3, 6, 12, 20, 29, 40, 60, 90, 180])
    question = {"cost_train": 1, "cost_infer": 1, "weight": 3.0}
    found = three_way_map(budgets, queries, width=widths, **question, **MODEL)
    for i, j in ((3, 1),):
        plan = allocate(
            budgets[i], queries=queries[j], width=widths, rules=(), stop_at_success=True, **question, **MODEL
        )
        assert found.loss[i, j] == pytest.approx(plan.loss, rel=0.05)
        assert found.width[i, j] == pytest.approx(plan.width, rel=0.5)  # the optimum is flat
        spent = found.width * (found.n + found.queries * found.expected_attempts)
        np.testing.assert_allclose(spent, np.broadcast_to(budgets[:, None], spent.shape), rtol=1e-6)
    assert np.all(np.diff(found.loss, axis=0) < 0)
    assert set(found.next_buy.ravel()) <= {"model", "data", "attempts"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"width": [4, 2.5]}, r"width\[1\] = 2\.5: must be a whole number"),
        ({"width": [0]}, r"width\[0\] = 0: must be a whole number"),
        ({"width": [[2]]}, "width must be a list of whole numbers"),
        ({"rules": ["eq24"]}, "rule 'eq24' is not known"),
        ({"queries": 0.2}, r"queries=0\.2 must be at least 1"),
        ({"budget": 3.0}, r"budget=3\.0 pays for no model: 4 is the least"),
    ],
)
def test_bad_input_is_named(options, words):
    given = {
        "budget": 1e3,
        "cost_train": 1,
        "cost_infer": 1,
        "weight": 1.0,
        "width": WIDTHS,
        **MODEL,
        **options,
    }
    with pytest.raises(InputError, match=words):
        allocate(**given)
    if "rules" not in options:
        given["budget"] = [given["budget"] / 2, given["budget"]]
        given["queries"] = np.atleast_1d(given.get("queries", 1))
        with pytest.raises(InputError):
            three_way_map(**given)
