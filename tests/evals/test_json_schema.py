"""The schema of `lidjax fit --json`: the one in the docs is made from the types, and real output follows it."""

import copy
import json
from pathlib import Path

import pytest
from helpers.eval_logs import write_training_table
from helpers.json_schema import errors

import lidjax
from lidjax.cli import main
from lidjax.evals import fit_schema

DOCS = Path(lidjax.__file__).parents[1] / "docs"


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """What `lidjax fit --json` prints, with everything that can be asked for."""
    folder = tmp_path_factory.mktemp("schema")
    table = write_training_table(folder / "counts.csv")
    out = folder / "out.json"
    with pytest.MonkeyPatch.context() as patch, out.open("w") as stream:
        patch.setattr("sys.stdout", stream)
        command = ["fit", table, "--training", "tokens", "--target", "10", "1e5", "--json"]
        assert main([*command, "--metrics", "g-pass", "attempts"]) == 0
    return json.loads(out.read_text())


def test_the_documented_schema_is_that_of_the_types():
    assert json.loads((DOCS / "fit.schema.json").read_text()) == fit_schema()


def test_every_field_is_described():
    schema = fit_schema()
    for name, part in {"": schema, **schema["$defs"]}.items():
        for field, value in part["properties"].items():
            assert value["description"], f"{name}.{field}"


def test_output_follows_the_schema(printed):
    schema = fit_schema()
    assert errors(printed, schema, schema) == []
    (first, *_) = printed["groups"]
    assert len(first["per_problem"]) == first["problems"]
    assert sum(problem["n"] for problem in first["per_problem"]) == first["attempts"]
    for row in first["pass_at_k"]:
        assert row["latent_lower"] <= row["latent"] <= row["latent_upper"]
        assert row["new_problems_lower"] <= row["new_problems"] <= row["new_problems_upper"]


def test_posterior_means_of_problems_average_to_the_forecast(printed):
    """The mean over problems is the mean of the draws, and the forecast is their median."""
    for group in printed["groups"]:
        for i, row in enumerate(group["pass_at_k"]):
            mean = sum(problem["pass_at_k"][i] for problem in group["per_problem"]) / group["problems"]
            assert abs(mean - row["latent"]) < 0.02
        by_counts = {}
        for problem in group["per_problem"]:
            means = (problem["rate"], *problem["pass_at_k"])
            assert by_counts.setdefault((problem["n"], problem["c"]), means) == means


def damage_text(data):
    data["groups"][0]["pass_at_k"][0]["latent"] = "0.3"


def damage_field(data):
    del data["groups"][0]["answer"]["sentence"]


def damage_extra(data):
    data["groups"][0]["per_problem"][0]["colour"] = "red"


def damage_null(data):
    data["groups"][0]["pass_at_k"][0]["latent"] = None


@pytest.mark.parametrize("damage", [damage_text, damage_field, damage_extra, damage_null])
def test_what_does_not_follow_it_is_found(printed, damage):
    data = copy.deepcopy(printed)
    damage(data)
    assert len(errors(data, fit_schema(), fit_schema())) == 1
