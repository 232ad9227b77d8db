"""Cells of the LID model with a verifier that errs."""

from lidjax.sweep.kinds import Kind
from lidjax.sweep.sources.verifiers import results
from lidjax.sweep.sources.verifiers.source import SCHEMA, VerifierSource
from lidjax.sweep.sources.verifiers.spec import VerifierSpec

KIND = Kind(
    name="verifiers",
    table="verifier",
    title="the LID model with a verifier that errs",
    spec=VerifierSpec,
    source=VerifierSource,
    schema=SCHEMA,
    summarise=results.summarise,
    tables=results.tables,
    figures=results.figures,
    window_axis="",
    # the two rates are axes, whose values a store has; more of them extend it
    not_identity=("verifier.sensitivity", "verifier.false_accept", "verifier.cost"),
)
