"""Sampling until pass@K is known: the bookkeeping alone, and as Inspect's early-stopping manager on a mock model."""

import asyncio
import re

import numpy as np
import pytest

import lidjax
from lidjax.evals import PassAtKStopping, check_evals, fit_evals, read_evals
from lidjax.evals.placement.sequential import SequentialSampling

RATES = (0.0, 0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1.0, 1.0)


def sample(state, rates, seed=0):
    """Attempts in epochs, as Inspect makes them; returns the number of epochs."""
    rng = np.random.default_rng(seed)
    for epoch in range(state.remaining[0]):
        for i, rate in enumerate(rates):
            if state.needs_plan:
                state.plan()
            if state.take(i):
                state.record(i, rng.random() < rate)
        if state.enough:
            return epoch
    return epoch + 1


def test_sampling_ends_when_the_interval_is_as_narrow_as_asked():
    """And placed attempts are fewer than even ones, and go to problems that are neither clear nor hopeless."""
    made = {}
    for place in (True, False):
        state = SequentialSampling(problems=12, most=300, k=20, width=0.12, place=place)
        sample(state, RATES)
        assert state.enough
        found = state.measure()
        assert found.upper - found.lower <= 0.12
        made[place] = state.n
    assert made[True].sum() < made[False].sum()
    assert np.ptp(made[False]) <= 1
    assert made[True][10] < made[True][1]  # always solved against never solved


def test_no_problem_gets_more_than_it_may():
    state = SequentialSampling(problems=3, most=6, k=1000, width=0.01)
    assert sample(state, (0.0, 0.5, 1.0)) == 6
    assert not state.enough
    assert state.n.max() <= 6
    assert state.n.min() >= 4


def test_attempts_under_way_do_not_stop_the_plan():
    """All attempts are begun before one is complete: the first block is repeated, no posterior is computed."""
    state = SequentialSampling(problems=2, most=9, k=10, width=0.1, first=2)
    begun = 0
    for _ in range(9):
        for i in range(2):
            if state.needs_plan:
                state.plan()
            begun += state.take(i)
            state.limit(i, int(state.remaining[i]) - 1)
    assert begun == 18
    assert state.knowledge is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"width": 0}, "width = 0"),
        ({"k": 0}, "k = 0"),
        ({"first": 0}, "first = 0"),
        ({"level": 2}, "level 2"),
    ],
)
def test_wrong_arguments_are_refused_before_a_task_runs(arguments, message):
    with pytest.raises(lidjax.InputError, match=message):
        PassAtKStopping(**({"k": 10, "width": 0.1} | arguments))


def test_a_manager_serves_one_task_at_a_time():
    stopping = PassAtKStopping(k=10, width=0.1)
    with pytest.raises(lidjax.InputError, match="no task is running"):
        asyncio.run(stopping.complete_sample("a", 1, {}))


def run_task(tmp_path, **options):
    """Twelve questions whose right answers come with a known chance, on Inspect's mock model; the log's path."""
    inspect_ai = pytest.importorskip("inspect_ai", reason="needs Inspect: pip install 'lidjax[inspect]'")
    from inspect_ai.dataset import Sample
    from inspect_ai.model import ModelOutput, ModelUsage, get_model
    from inspect_ai.scorer import match
    from inspect_ai.solver import generate

    rng = np.random.default_rng(0)

    def answer(messages, tools, tool_choice, config):
        rate = float(re.search(r"rate ([\d.]+)", messages[-1].text)[1])
        output = ModelOutput.from_content("mockllm/model", "yes" if rng.random() < rate else "no")
        output.usage = ModelUsage()  # without it the mock model counts tokens, which needs a network
        return output

    task = inspect_ai.Task(
        dataset=[Sample(id=f"q{i}", input=f"rate {rate}", target="yes") for i, rate in enumerate(RATES)],
        solver=generate(),
        scorer=match(),
        epochs=80,
        **options,
    )
    (log,) = inspect_ai.eval(
        task,
        model=get_model("mockllm/model", custom_outputs=answer),
        log_dir=str(tmp_path),
        display="none",
        log_format="eval",
    )
    assert log.status == "success", log.error
    return log


@pytest.mark.filterwarnings("ignore")
def test_inspect_stops_when_it_is_known_and_the_log_says_so(tmp_path):
    log = run_task(tmp_path, early_stopping=PassAtKStopping(k=20, width=0.15))
    summary = log.results.early_stopping
    assert summary.manager == "lidjax pass@20 to a width of 0.15"
    assert summary.metadata["enough"] is True
    found = summary.metadata["pass_at_k"]
    assert found["upper"] - found["lower"] <= 0.15 + 0.03
    made = 12 * 80 - len(summary.early_stops)
    assert found["attempts"] == made < 500
    data = read_evals(log.location)
    (group,) = data.groups
    assert group.n.sum() == made
    assert group.n.min() >= 4
    assert group.placed_by == "early stopping by lidjax pass@20 to a width of 0.15"
    assert [finding.kind for finding in check_evals(data)] == ["adaptive_sampling"]
    (fit,) = fit_evals(data, targets=[2, 20], models=False, bootstrap="none")
    assert np.isnan(fit.unbiased).all()
    truth = np.mean([1 - (1 - rate) ** 20 for rate in RATES])
    assert fit.forecast.latent_lower[1] - 0.05 < truth < fit.forecast.latent_upper[1] + 0.05
