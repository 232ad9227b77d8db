"""Sweeps on real features: labels, splits and refusals (the kernel's own tests are tests/test_features.py)."""

import dataclasses

import numpy as np
import pytest

from lidjax import run_sweep
from lidjax.errors import InputError
from lidjax.status import CellStatus


def edit(spec, table, **values):
    return dataclasses.replace(spec, **{table: dataclasses.replace(getattr(spec, table), **values)})


def test_a_sweep_on_features_is_labelled_and_complete(feature_spec):
    data = run_sweep(feature_spec)
    assert data["failure"].dims == ("ridge", "delta", "scale", "n", "seed", "k")
    assert data["lgen"].shape == (1, 1, 1, 4, 6)
    assert (data["status"] == CellStatus.OK).all()
    np.testing.assert_array_equal(data["split"], [0, 0, 1, 1, 2, 2])
    np.testing.assert_array_equal(data["label"], [0, 1, 0, 1, 0, 1])
    assert data.attrs["feature_dim"] == 6


def test_more_splits_change_no_old_one(feature_spec):
    few = run_sweep(edit(feature_spec, "grid", seed=(2, 3)))
    many = run_sweep(feature_spec)
    np.testing.assert_allclose(many["lgen"].sel(seed=[2, 3]), few["lgen"], rtol=1e-9)


def test_splits_and_labels_differ(feature_spec):
    lgen = run_sweep(feature_spec)["lgen"].sel(n=40).values.ravel()
    assert len(np.unique(lgen)) == 6


def test_loss_falls_with_training(feature_spec):
    lgen = run_sweep(feature_spec)["lgen"].mean("seed").values.ravel()
    assert lgen[-1] < lgen[1]  # N = 80 against N = 10, d = 6


def test_shuffled_features_know_nothing_and_keep_the_labels(feature_spec):
    own = run_sweep(feature_spec)
    shuffled = run_sweep(edit(feature_spec, "features", pairing="shuffled"))
    assert shuffled["lgen"].sel(n=80).mean() > 5 * own["lgen"].sel(n=80).mean()  # the mean was linear in them
    assert shuffled.attrs["noise_variance"] == own.attrs["noise_variance"]


@pytest.mark.parametrize(
    ("table", "values", "words"),
    [
        ("grid", {"n": (10, 81)}, "grid.n = 81: a split leaves 80"),
        ("features", {"num_validation": 120}, "features.num_validation = 120: must be below the 120 rows"),
        ("features", {"path": "/nowhere/x.npz"}, "/nowhere/x.npz: no such feature file"),
    ],
)
def test_what_does_not_fit_the_file_is_refused(feature_spec, table, values, words):
    with pytest.raises(InputError, match=words):
        run_sweep(edit(feature_spec, table, **values))


def test_a_changed_file_is_another_sweep(feature_spec, feature_file, tmp_path):
    run_sweep(feature_spec, out=tmp_path / "out")
    arrays = dict(np.load(feature_file))
    np.savez(feature_file, **arrays | {"mean": arrays["mean"] + 1})
    with pytest.raises(InputError, match="features_sha256"):
        run_sweep(feature_spec, out=tmp_path / "out")


def test_the_cifar10h_spec_runs_on_the_real_features(real_data):
    """A small part of `sweeps/cifar10h.toml`: β_eff grows from N = 2d to N = 8000, as published."""
    from lidjax import summarise
    from lidjax.sweep import Features, FeaturesGrid, FeaturesSpec, Fit

    path = real_data / "cifar10h" / "features_resnet18_quantised.npz"
    if not path.exists():
        pytest.skip(f"no feature file at {path}")
    spec = FeaturesSpec(
        features=Features(path=str(path), labels_per_split=2),
        grid=FeaturesGrid(
            n=(1024, 2048, 8000),
            k=tuple(np.geomspace(10, 3000, 8)),
            scale=(32.0,),
            ridge=(1e-3,),
            seed=(0, 1, 2, 3),
        ),
        fit=Fit(window=(30.0, 3000.0)),
    )
    beta_eff = summarise(run_sweep(spec))["beta_eff"].values.ravel()
    assert np.all(np.diff(beta_eff) > 0)
