"""Cells of a model that is linear in P random features of the latent ones: training in N, P and k."""

from lidjax.sweep.kinds import Kind
from lidjax.sweep.sources.random_features import results
from lidjax.sweep.sources.random_features.source import SCHEMA, RandomFeaturesSource
from lidjax.sweep.sources.random_features.spec import RandomFeaturesSpec

KIND = Kind(
    name="random_features",
    table="random_features",
    title="random features of the LID model",
    spec=RandomFeaturesSpec,
    source=RandomFeaturesSource,
    schema=SCHEMA,
    summarise=results.summarise,
    tables=results.tables,
    figures=results.figures,
    along=("n", "width"),
)
