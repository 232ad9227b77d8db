"""`lidjax features cifar10h`, the sweep, its report and its figures, as a user types them, on made-up data."""

import json

import numpy as np
import pytest
from helpers.formula_weights import formula_weights
from helpers.made_up_tfds import made_up_rows, write_tfds

import lidjax
from lidjax import open_results
from lidjax.cli import main
from lidjax.cli.render.output import to_json
from lidjax.features import diagnostics_report

pytest.importorskip("tensorflow_datasets", reason="the extra cifar10h is not installed")
safetensors_numpy = pytest.importorskip("safetensors.numpy", reason="the extra cifar10h is not installed")

SPEC = """
[features]
path = "features.npz"
num_validation = 40
labels_per_split = 2
[grid]
n = [20, 50, 90, 150]
ridge = 1
delta = [0.05, 0.5]
scale = 4
seed = { range = [0, 6] }
k = { logspace = [1, 1000, 10] }
[fit]
window = [1, 100]
from_n = 20
"""
COUNT = 200


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A data set, weights, a feature file with features that know something, and a spec."""
    folder = tmp_path_factory.mktemp("cifar10h")
    rows = made_up_rows(COUNT)
    write_tfds(folder / "tfds", rows)
    write_tfds(folder / "few", rows[:6])
    safetensors_numpy.save_file(formula_weights(), folder / "weights.safetensors")
    rng = np.random.default_rng(3)
    soft = np.array([row["soft_label"] for row in rows], float)
    mean = soft @ np.arange(10)
    variance = np.sum(soft * (np.arange(10) - mean[:, None]) ** 2, axis=1)
    noise = rng.normal(size=(COUNT, 8))
    features = np.column_stack([mean, np.sqrt(variance), noise])  # linear in the mean, aware of the variance
    np.savez(folder / "features.npz", features=features, mean=mean, variance=variance)
    (folder / "small.toml").write_text(SPEC)
    return folder


@pytest.fixture(autouse=True)
def _in_that_folder(folder, monkeypatch):
    monkeypatch.chdir(folder)


def make(*options):
    return main(["features", "cifar10h", "--weights", "weights.safetensors", *options])


def test_from_images_to_a_feature_file_with_its_provenance(folder, capsys):
    assert make("--data-dir", "few", "--out", "made.npz", "--batch", "2", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    with np.load("made.npz", allow_pickle=False) as file:
        assert file["features"].shape == (6, 512)
        assert file["id"].tolist() == [f"test_{i:05d}" for i in range(6)]
        provenance = json.loads(str(file["provenance"]))
        rows = made_up_rows(COUNT)[:6]
        np.testing.assert_allclose(file["mean"], [np.mean(row["human_labels"]) for row in rows], rtol=1e-6)
        np.testing.assert_allclose(file["variance"], [np.var(row["human_labels"]) for row in rows], rtol=1e-4)
    assert provenance == facts["provenance"]
    assert provenance["data"] == {"name": "cifar10_h", "version": "1.0.0", "split": "test", "images": 6}
    assert len(provenance["weights"]["sha256"]) == 64
    assert "bilinear" in provenance["preprocessing"]
    assert [p.name for p in folder.glob(".made.npz*")] == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--data-dir", "nowhere", "--out", "x.npz"], "no cifar10_h/1.0.0"),
        (["--data-dir", "few", "--out", "x.npy"], "a feature file is an .npz"),
        (["--data-dir", "few", "--out", "nowhere/x.npz"], "cannot be written"),
        (["--data-dir", "few", "--out", "x.npz", "--weights", "small.toml"], "not a safetensors file"),
    ],
)
def test_bad_input_is_one_message_and_exit_code_2(options, words, capsys):
    assert make(*options) == 2
    error = capsys.readouterr().err
    assert words in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    "arguments",
    [
        ["features"],
        ["features", "fly"],
        ["features", "cifar10h"],
        ["features", "cifar10h", "--out", "x.npz", "--batch", "0"],
    ],
)
def test_a_wrong_call_exits_with_2(arguments):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2


def test_run_report_and_figures(folder, capsys):
    assert main(["run", "small.toml", "--no-plot"]) == 0
    capsys.readouterr()
    windows = ["--window", "1", "100", "--window", "10", "1000"]
    assert main(["features", "report", "runs/small", *windows, "--delta", "0.5", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["at"] == {"scale": 4.0, "delta": 0.5, "ridge": 1.0}
    assert report["difficulty"]["unanimous"] == pytest.approx(67 / 200)
    assert report["difficulty"]["independence"]["all"]["p_value"] <= 0.01  # √v is a feature
    assert [row["window"] for row in report["windows"]] == [[1, 100], [10, 1000]]
    assert {(row["delta"], tuple(row["window"])) for row in report["grid"]} == {
        (d, w) for d in (0.05, 0.5) for w in ((1.0, 100.0), (10.0, 1000.0))
    }
    for row in report["shares"]:
        parts = [row[f"{part}_{group}"] for part in ("own", "bias") for group in ("unanimous", "ambiguous")]
        assert sum(parts) == pytest.approx(1, abs=1e-9)
    _shares_are_of_the_stored_cells(report, "runs/small", delta=0.5)
    windows = [(1.0, 100.0), (10.0, 1000.0)]
    from_python = diagnostics_report(open_results("runs/small"), at={"delta": 0.5}, windows=windows)
    assert report == {
        "command": "features report",
        "version": lidjax.__version__,
        **json.loads(to_json(from_python)),
    }

    assert main(["features", "report", "runs/small", "--window", "1", "100"]) == 0
    printed = capsys.readouterr().out
    for words in ("tail of v", "deterministic equivalent", "β_eff over the grid", "bias, v > 0"):
        assert words in printed

    assert main(["plot", "runs/small", "--figure", "cifar10h", "--data-dir", "tfds"]) == 0
    names = [line.rsplit("/", 1)[-1] for line in capsys.readouterr().out.split()]
    assert names == ["cifar10h.pdf", "cifar10h.png", "examples.pdf", "examples.png"]


def _shares_are_of_the_stored_cells(report, store, *, delta):
    import xarray as xr

    data = xr.open_zarr(f"{store}/results.zarr", consolidated=False)
    last = report["shares"][-1]
    cells = data["failure"].sel(delta=delta, n=last["n"]).sel(k=last["k"], method="nearest")
    assert last["failure"] == pytest.approx(cells.mean().item(), rel=1e-9)


def test_a_report_on_shuffled_features_and_what_it_refuses(folder, capsys):
    shuffled = ["--out", "runs/other", "--features.pairing", "shuffled"]
    assert main(["run", "small.toml", "--no-plot", *shuffled]) == 0
    capsys.readouterr()
    assert main(["features", "report", "runs/other", "--window", "1", "100", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (
        report["difficulty"]["independence"]["all"]["p_value"] > 0.01
    )  # √v is a feature, of another instance
    _shares_are_of_the_stored_cells(report, "runs/other", delta=0.05)

    arrays = dict(np.load("features.npz"))
    np.savez("changed.npz", **arrays | {"mean": arrays["mean"] + 1})
    for arguments, words in (
        (
            ["features", "report", "runs/other", "--features", "changed.npz"],
            "made from a feature file with SHA-256",
        ),
        (
            ["features", "report", "runs/other", "--delta", "0.3"],
            "delta = 0.3 is not in this sweep; allowed: 0.05, 0.5",
        ),
        (["features", "report", "nowhere"], "no results there"),
        (
            ["features", "report", "runs/other", "--window", "100", "10"],
            "must be two numbers with 0 < k1 < k2",
        ),
        (["plot", "runs/other", "--figure", "cifar10h"], "give the data set with --data-dir"),
        (["plot", "runs/other", "runs/other", "--figure", "cifar10h", "--data-dir", "x"], "takes one STORE"),
    ):
        assert main(arguments) == 2
        assert words in capsys.readouterr().err
