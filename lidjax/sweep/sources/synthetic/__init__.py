"""Cells of the LID model (Def. 3.1)."""

from lidjax.sweep.kinds import Kind
from lidjax.sweep.sources import lid_results
from lidjax.sweep.sources.synthetic.source import SCHEMA, SyntheticSource
from lidjax.sweep.sources.synthetic.spec import SyntheticSpec

KIND = Kind(
    name="synthetic",
    table="model",
    title="the LID model",
    spec=SyntheticSpec,
    source=SyntheticSource,
    schema=SCHEMA,
    summarise=lid_results.summarise,
    tables=lid_results.tables,
    overview=lid_results.overview,
    facets=lid_results.facets,
    figures=lid_results.figures,
    comparisons=lid_results.COMPARISONS,
    derived=lid_results.derived,
)
