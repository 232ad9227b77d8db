"""Small sweeps for the tests of the engine."""

import numpy as np
import pytest

from helpers.numpy_source import NumpySource
from lidjax.sweep import (
    Features,
    FeaturesGrid,
    FeaturesSpec,
    Fit,
    Model,
    Run,
    SyntheticGrid,
    SyntheticSpec,
)
from lidjax.sweep import run as run_module

K = tuple(np.geomspace(1, 1000, 13).tolist())
"""13 values, as in other tests that run sweeps: tables of L_inf(k) are one program for one number of k."""


@pytest.fixture
def small_spec() -> SyntheticSpec:
    """Both sides of d, two β, several seeds: 24 cells. The ridge is large enough to matter: no scalar law."""
    return SyntheticSpec(
        name="small",
        model=Model(failure="quadrature"),
        grid=SyntheticGrid(
            n=(4, 7, 20, 100),
            k=K,
            beta=(2.5, 5.0),
            dim=(8,),
            sigma_eta=(0.1,),
            delta=(0.05,),
            ridge=(1e-2,),
            seed=(0, 1, 5),
        ),
        fit=Fit(window=(5.0, 500.0)),
        run=Run(root_key=3),
    )


@pytest.fixture
def feature_file(tmp_path):
    """120 made-up instances of 6 features with a linear mean, as a feature file."""
    rng = np.random.default_rng(11)
    features = rng.normal(size=(120, 6))
    mean = features @ rng.normal(size=6)
    path = tmp_path / "features.npz"
    np.savez(path, features=features, mean=mean, variance=rng.gamma(1.0, 0.05, size=120))
    return path


@pytest.fixture
def feature_spec(feature_file) -> FeaturesSpec:
    """Three splits of two label draws over both sides of d."""
    return FeaturesSpec(
        name="made-up",
        features=Features(path=str(feature_file), num_validation=40, labels_per_split=2),
        grid=FeaturesGrid(
            n=(4, 10, 40, 80),
            k=(1.0, 10.0, 100.0, 1000.0),
            ridge=(1e-3,),
            delta=(0.05,),
            scale=(2.0,),
            seed=tuple(range(6)),
        ),
        fit=Fit(window=(1.0, 1000.0)),
    )


@pytest.fixture
def sources(monkeypatch):
    """Runs compute plain NumPy cells; every source that they open, in order."""
    opened = []

    def open_source(spec):
        opened.append(NumpySource(spec))
        return opened[-1]

    monkeypatch.setattr(run_module, "open_source", open_source)
    return opened
