"""Specs: what is read, and that every error names the key and says what is allowed."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lidjax.errors import InputError
from lidjax.sweep import FeaturesSpec, SyntheticSpec
from lidjax.sweep.sources.frontier import FrontierGrid
from lidjax.sweep.sources.synthetic.spec import SyntheticGrid
from lidjax.sweep.spec_file import identity_of, load_spec, spec_from_dict, spec_to_dict

SWEEPS = Path(__file__).resolve().parents[2] / "sweeps"
GRID = {"n": [10, 100], "k": [1, 10, 100]}


def test_axes_may_be_numbers_lists_or_spacings():
    grid = {
        "n": {"logspace": [10, 1000, 3]},
        "k": {"logspace": [1, 1e4, 5]},
        "beta": {"linspace": [2, 3, 3]},
        "alpha": 0.5,
        "seed": {"range": [2, 5]},
    }
    spec = spec_from_dict({"model": {}, "grid": grid})
    assert isinstance(spec, SyntheticSpec)
    assert spec.grid.n == (10, 100, 1000)
    assert spec.grid.k == pytest.approx((1, 10, 100, 1000, 10_000))
    assert spec.grid.beta == (2.0, 2.5, 3.0)
    assert spec.grid.alpha == (0.5,)
    assert spec.grid.seed == (2, 3, 4)


def test_an_axis_in_python_may_be_a_number_or_an_array():
    grid = SyntheticGrid(n=64, k=np.array([1.0, 10.0]), beta=2.5, seed=[0, 1])
    assert grid == SyntheticGrid(n=(64,), k=(1.0, 10.0), beta=(2.5,), seed=(0, 1))
    assert FrontierGrid(samples=np.int64(10)).samples == (10,)
    with pytest.raises(InputError, match=r"grid.n = 0: must be at least 1"):
        SyntheticGrid(n=0, k=1)


def test_spaced_integers_are_rounded_and_made_unique():
    spec = spec_from_dict({"model": {}, "grid": GRID | {"n": {"logspace": [1, 10, 30]}}})
    assert spec.grid.n == tuple(range(1, 11))


BAD = [
    ({"grid": GRID}, ["none", "[model]", "[features]"]),
    ({"model": {}, "features": {"path": "x"}, "grid": GRID}, ["exactly one"]),
    ({"model": {}, "grid": {"k": [1]}}, ["grid.n is missing"]),
    ({"model": {}}, ["grid.n is missing"]),
    ({"model": {}, "grid": GRID | {"betta": 2.5}}, ["grid.betta", "did you mean 'grid.beta'"]),
    ({"modle": {}, "model": {}, "grid": GRID}, ["'modle'", "'model'"]),
    ({"model": {}, "grid": GRID | {"n": []}}, ["grid.n is empty"]),
    ({"model": {}, "grid": GRID | {"n": [0]}}, ["grid.n = 0", "at least 1"]),
    ({"model": {}, "grid": GRID | {"n": [-5]}}, ["grid.n = -5", "at least 1"]),
    ({"model": {}, "grid": GRID | {"n": [10.5]}}, ["grid.n = 10.5", "whole number"]),
    ({"model": {}, "grid": GRID | {"n": ["ten"]}}, ["grid.n = 'ten'", "number"]),
    ({"model": {}, "grid": GRID | {"n": [10, 10]}}, ["grid.n", "twice"]),
    ({"model": {}, "grid": GRID | {"n": True}}, ["grid.n = True"]),
    ({"model": {}, "grid": GRID | {"beta": 0}}, ["grid.beta = 0.0", "greater than 0"]),
    ({"model": {}, "grid": GRID | {"beta": -1}}, ["grid.beta = -1.0", "greater than 0"]),
    ({"model": {}, "grid": GRID | {"beta": float("nan")}}, ["grid.beta = nan", "finite"]),
    ({"model": {}, "grid": GRID | {"delta": 0}}, ["grid.delta = 0.0", "greater than 0"]),
    ({"model": {}, "grid": GRID | {"ridge": -1e-9}}, ["grid.ridge = -1e-09", "at least 0"]),
    ({"model": {}, "grid": GRID | {"alpha": -2}}, ["grid.alpha"]),
    ({"model": {}, "grid": GRID | {"n": {"logspace": [10, 1]}}}, ["grid.n", "[lo, hi, count]"]),
    ({"model": {}, "grid": GRID | {"n": {"logspace": [100, 10, 5]}}}, ["grid.n", "0 < lo < hi"]),
    ({"model": {}, "grid": GRID | {"n": {"steps": [1, 2, 3]}}}, ["grid.n", "logspace, linspace, range"]),
    ({"model": {"difficulty": "gama"}, "grid": GRID}, ["model.difficulty", "'gama'", "'gamma'"]),
    ({"model": {"num_instances": 0}, "grid": GRID}, ["model.num_instances = 0"]),
    ({"model": {}, "grid": GRID, "run": {"dtype": "float16"}}, ["run.dtype", "float16", "float32"]),
    ({"model": {}, "grid": GRID, "run": {"memory_gib": 0}}, ["run.memory_gib"]),
    ({"model": {}, "grid": GRID, "fit": {"window": [100, 10]}}, ["fit.window"]),
    ({"model": {}, "grid": GRID, "fit": {"window": [100]}}, ["fit.window", "2 numbers"]),
    ({"model": {}, "grid": GRID, "name": "../elsewhere"}, ["name = '../elsewhere'"]),
    ({"model": [], "grid": GRID}, ["model must be a table"]),
    ({"features": {}, "grid": GRID}, ["features.path"]),
    ({"features": {"path": "x"}, "grid": GRID | {"beta": 2.5}}, ["grid.beta", "not known"]),
    (
        {"features": {"path": "x", "labels_per_split": 4}, "grid": GRID | {"seed": [0, 1, 2]}},
        ["grid.seed", "labels_per_split = 4"],
    ),
]


@pytest.mark.parametrize(("table", "words"), BAD, ids=[" ".join(words)[:40] for _, words in BAD])
def test_bad_specs_say_what_is_wrong_and_what_is_allowed(table, words):
    with pytest.raises(InputError) as error:
        spec_from_dict(table)
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"[model", ["not valid TOML"]), (b"\xff\xfe", ["cannot be read"]), (None, ["no such file"])],
)
def test_unreadable_files_are_named(tmp_path, content, words):
    path = tmp_path / "spec.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as error:
        load_spec(path)
    assert str(path) in str(error.value)
    assert all(word in str(error.value) for word in words)


OF_SWEEPS = sorted(path for path in SWEEPS.glob("*.toml") if not path.stem.startswith("distill"))


def test_a_spec_of_another_command_is_sent_there():
    with pytest.raises(InputError, match="`lidjax distill` runs it"):
        load_spec(SWEEPS / "distill.toml")


@pytest.mark.parametrize("path", OF_SWEEPS, ids=lambda p: p.stem)
def test_the_specs_that_come_with_the_project_are_valid_and_survive_a_round_trip(path):
    spec = load_spec(path)
    assert spec_from_dict(spec_to_dict(spec)) == spec


def test_a_relative_feature_path_starts_at_the_spec(tmp_path):
    path = tmp_path / "spec.toml"
    path.write_text('[features]\npath = "data/x.npz"\n[grid]\nn = 10\nk = [1, 2]\n')
    spec = load_spec(path)
    assert isinstance(spec, FeaturesSpec)
    assert spec.features.path == str(tmp_path / "data" / "x.npz")


def test_the_law_leaves_out_what_changes_no_number(small_spec):
    same = dataclasses.replace(
        small_spec,
        name="other",
        fit=dataclasses.replace(small_spec.fit, window=(1.0, 2.0)),
        run=dataclasses.replace(small_spec.run, memory_gib=0.1),
    )
    other = dataclasses.replace(small_spec, run=dataclasses.replace(small_spec.run, root_key=4))
    assert identity_of(same) == identity_of(small_spec)
    assert identity_of(other) != identity_of(small_spec)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
keys = st.sampled_from(["n", "k", "beta", "dim", "seed", "alpha", "logspace", "range", "path", "window"])
tables = st.dictionaries(keys, json_values | st.dictionaries(keys, json_values, max_size=3), max_size=4)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.dictionaries(
        st.sampled_from(["model", "features", "grid", "run", "fit", "name"]), tables | json_values, max_size=5
    )
)
def test_hostile_tables_give_a_spec_or_an_input_error(table):
    try:
        spec = spec_from_dict(table)
    except InputError:
        return
    assert isinstance(spec, SyntheticSpec | FeaturesSpec)
