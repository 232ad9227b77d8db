"""A sweep as a job for `runs.session`: what its store holds, and how its grid is cut into tiles."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from lidjax.runs.location import Location
from lidjax.runs.manifest import Contents
from lidjax.runs.provenance import circumstances
from lidjax.runs.schema import Schema
from lidjax.runs.session import Extension
from lidjax.sweep.kinds import kind_of_spec
from lidjax.sweep.plan import Plan, check_resources, make_plan
from lidjax.sweep.source import Source
from lidjax.sweep.spec import Spec
from lidjax.sweep.spec_file import identity_of, spec_to_dict


class SweepJob:
    """The cells of a spec."""

    def __init__(self, spec: Spec, source: Source):
        self.spec, self.source = spec, source
        self.identity: dict[str, Any] = identity_of(spec) | dict(source.identity())

    @property
    def name(self) -> str:
        """The name of the spec."""
        return self.spec.name

    @property
    def axes(self) -> dict[str, np.ndarray]:
        """The cell axes of the source."""
        return self.source.axes

    @axes.setter
    def axes(self, axes: dict[str, np.ndarray]) -> None:
        self.source.axes = axes

    @property
    def schema(self) -> Schema:
        return self.source.schema

    def contents(self, tile: Mapping[str, int]) -> Contents:
        made_by = {"spec": spec_to_dict(self.spec), "kind": kind_of_spec(self.spec).name, **circumstances()}
        return Contents(
            axes=self.source.axes,
            dims=self.source.dims,
            tile=tile,
            coordinates=self.source.coordinates(),
            identity=self.identity,
            provenance=made_by | dict(self.source.facts()),
        )

    def cut(self, *, tile: Mapping[str, int] | None = None, extension: Extension | None = None) -> Plan:
        return make_plan(self.source, self.spec.run, tile=tile, extension=extension)

    def check_resources(self, grid: Plan, location: Location | None) -> None:
        check_resources(grid, location)
