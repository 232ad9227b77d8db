"""Plans of runs that have a store already: what remains, and what would be refused."""

import dataclasses

import pytest
from helpers.numpy_source import spec_of

import lidjax
from lidjax.sweep import plan as plan_module

SPEC = spec_of(n=(10, 20), seed=(0, 1, 2, 3))


class Interrupted(Exception):
    pass


def break_off(stage, steps, *, done=0):
    for index, step in enumerate(steps):
        if index == 3:
            raise Interrupted
        yield step


@pytest.fixture
def part(sources, tmp_path):
    """A store in which three of eight tiles are computed."""
    with pytest.raises(Interrupted):
        lidjax.run_sweep(small_tiles(SPEC), out=tmp_path / "out", progress=break_off)
    return tmp_path / "out"


def small_tiles(spec):
    return dataclasses.replace(spec, run=dataclasses.replace(spec.run, tile_seconds=1e-9))


def grown(**axes):
    return small_tiles(dataclasses.replace(SPEC, grid=dataclasses.replace(SPEC.grid, **axes)))


def contents(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_what_remains_is_planned_and_nothing_is_written(part):
    before = contents(part)
    whole, rest = lidjax.plan_sweep(small_tiles(SPEC)), lidjax.plan_sweep(SPEC, out=part)
    assert (whole.stored, whole.tiles_to_run) == (None, None)
    assert rest.tile == whole.tile  # the store's, whatever the spec says now
    assert (rest.stored.computed, rest.stored.remaining, rest.stored.refused) == (3, 5, None)
    assert rest.tiles_to_run == 5
    assert rest.seconds == pytest.approx(whole.seconds * 5 / 8)
    assert contents(part) == before


def test_new_grid_values_remain_whatever_the_store_has(part):
    plan = lidjax.plan_sweep(grown(seed=(0, 1, 2, 3, 4, 5)), out=part)
    assert (plan.stored.computed, plan.stored.remaining) == (3, 9)
    lidjax.run_sweep(grown(seed=(0, 1, 2, 3, 4, 5)), out=part)
    plan = lidjax.plan_sweep(grown(seed=(0, 1, 2, 3, 4, 5)), out=part)
    assert (plan.stored.remaining, plan.tiles_to_run, plan.seconds, plan.compile_seconds) == (0, 0, 0.0, 0.0)


def test_what_a_run_would_refuse_is_said_with_the_difference(part):
    plan = lidjax.plan_sweep(grown(n=(10,)), out=part)
    assert "grid.n: the store has [10, 20], the spec [10]" in plan.stored.refused
    assert plan.stored.remaining == 4
    with pytest.raises(lidjax.InputError) as error:
        lidjax.run_sweep(grown(n=(10,)), out=part)
    assert str(error.value) == plan.stored.refused  # in the same words


def test_space_is_asked_for_what_is_added_only(part, monkeypatch):
    plan = lidjax.plan_sweep(SPEC, out=part)
    monkeypatch.setattr("lidjax.runs.location.LocalFolder.free_bytes", lambda self: plan.store_bytes * 0.7)
    plan_module.check_resources(plan, lidjax.runs.open_location(part))
    with pytest.raises(lidjax.InputError, match="takes up to"):
        plan_module.check_resources(dataclasses.replace(plan, stored=None), lidjax.runs.open_location(part))
