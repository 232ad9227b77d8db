"""Cells of the LID model whose difficulty depends on the features."""

from lidjax.sweep.kinds import Kind
from lidjax.sweep.sources import lid_results
from lidjax.sweep.sources.correlated import results
from lidjax.sweep.sources.correlated.source import SCHEMA, CorrelatedSource
from lidjax.sweep.sources.correlated.spec import CorrelatedSpec

KIND = Kind(
    name="correlated",
    table="correlated",
    title="the LID model with difficulty that depends on the features",
    spec=CorrelatedSpec,
    source=CorrelatedSource,
    schema=SCHEMA,
    summarise=results.summarise,
    tables=results.tables,
    overview=lid_results.overview,
    facets=lid_results.facets,
    figures=lid_results.figures,
    derived=lid_results.derived,
)
