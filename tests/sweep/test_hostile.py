"""Specs from elsewhere are data: a message or a run, never a traceback, a partial store or a file outside."""

import json
import math

import pytest
from helpers.numpy_source import NumpySource
from hypothesis import example, given, settings
from hypothesis import strategies as st

import lidjax
from lidjax.cli import main
from lidjax.cli import run as run_command_module
from lidjax.runs import provenance
from lidjax.sweep import SyntheticSpec
from lidjax.sweep import run as run_module
from lidjax.sweep.run import open_source

GOOD = {
    "name": "x",
    "model": {"method": "auto", "failure": "quadrature", "num_instances": 10},
    "grid": {
        "n": [10, 20],
        "k": [1, 3, 10],
        "beta": [2.5],
        "alpha": [1.0],
        "sigma_eta": [0.1],
        "delta": [0.1],
        "dim": [8],
        "ridge": [1e-2],
        "seed": {"range": [0, 3]},
    },
    "run": {"root_key": 1, "dtype": "float64", "memory_gib": 1.0, "tile_seconds": 2.0},
    "fit": {"window": [1, 10]},
}

numbers = st.sampled_from(
    [
        0,
        1,
        -1,
        2,
        8,
        2.5,
        1e-300,
        1e300,
        -0.0,
        2**31,
        2**32,
        2**63,
        -(2**63),
        10**9,
        math.inf,
        -math.inf,
        math.nan,
    ]
)
texts = st.sampled_from(
    [
        "",
        ".",
        "..",
        "../x",
        "/etc/passwd",
        "~/x",
        "a/../../b",
        "x\n",
        "nul\x7f",
        "é",
        "x" * 300,
        "$(touch x)",
        "; rm",
        "%s",
        "{0}",
    ]
)
lists = st.lists(numbers | texts, max_size=3)
spacings = st.dictionaries(
    st.sampled_from(["logspace", "linspace", "range", "__class__"]),
    st.lists(numbers | st.integers(2, 30), min_size=1, max_size=4),
    max_size=2,
)
values = numbers | texts | lists | spacings | st.booleans()
places = st.sampled_from(
    [(table, key) for table, keys in GOOD.items() if isinstance(keys, dict) for key in keys]
    + [
        ("name",),
        ("grid",),
        ("model",),
        ("run", "x"),
        ("grid", "__init__"),
        ("features", "path"),
        ("frontier",),
        ("x",),
    ]
)


def toml(value):
    """A TOML value; JSON's strings are TOML's."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(k)} = {toml(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else {"inf": "inf", "-inf": "-inf"}.get(str(value), "nan")
    return json.dumps(value)


def changed(changes):
    table = {key: dict(value) if isinstance(value, dict) else value for key, value in GOOD.items()}
    for where, value in changes:
        if len(where) == 1:
            table[where[0]] = value
        elif isinstance(table.setdefault(where[0], {}), dict):
            table[where[0]][where[1]] = value
    return table


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.lists(st.tuples(places, values), min_size=1, max_size=2))
@example([(("grid", "seed"), {"range": [0, 10**18]})])
@example([(("grid", "n"), {"logspace": [1, 1e300, 3]})])
@example([(("grid", "dim"), 10**12)])
@example([(("grid", "n"), {"linspace": [1, 1e6, 1_000_000]}), (("grid", "seed"), {"range": [0, 10**6]})])
@example([(("name",), "../../elsewhere")])
def test_a_hostile_spec_gives_a_message_or_a_whole_run(tmp_path_factory, changes):
    check(tmp_path_factory, changes)


@pytest.mark.slow
@settings(max_examples=500, deadline=None, derandomize=True)
@given(st.lists(st.tuples(places, values), min_size=1, max_size=3))
def test_many_more_hostile_specs(tmp_path_factory, changes):
    check(tmp_path_factory, changes)


def check(tmp_path_factory, changes):
    folder = tmp_path_factory.mktemp("hostile")
    spec = folder / "spec.toml"
    spec.write_text(
        "\n".join(f"{json.dumps(key)} = {toml(value)}" for key, value in changed(changes).items())
    )

    def quick_source(spec):
        return NumpySource(spec) if isinstance(spec, SyntheticSpec) else open_source(spec)

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(run_module, "open_source", quick_source)
        patch.setattr(run_command_module, "print_summary", lambda *_, **__: None)
        patch.setattr(lidjax, "summarise", lambda data: data)
        patch.setattr(provenance, "git_commit", lambda: "unknown")  # two processes a store
        code = main(["run", str(spec), "--no-plot"])
    runs = folder / "runs"
    assert {path.name for path in folder.iterdir()} <= {"spec.toml", "runs"}
    assert not (folder.parent / "elsewhere").exists()
    if code == 2:
        assert not list(runs.rglob("results.zarr"))
    else:
        assert code in (0, 1)
        (store,) = runs.glob("*/results.zarr")
        assert (store / "status" / "c").exists()
