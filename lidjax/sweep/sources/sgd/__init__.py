"""Cells of heads trained by SGD on streams of LID data."""

from lidjax.sweep.kinds import Kind
from lidjax.sweep.sources.sgd import results
from lidjax.sweep.sources.sgd.source import SCHEMA, SgdSource
from lidjax.sweep.sources.sgd.spec import SgdSpec

KIND = Kind(
    name="sgd",
    table="sgd",
    title="heads trained by SGD on the LID model",
    spec=SgdSpec,
    source=SgdSource,
    schema=SCHEMA,
    summarise=results.summarise,
    tables=results.tables,
    overview=results.overview,
    figures=results.figures,
    along=("steps",),
)
