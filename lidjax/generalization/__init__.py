"""L_gen of a training set: simulated, drawn from its exact distribution, and its deterministic equivalent."""

from lidjax.generalization.cells import lgen_cell as lgen_cell
from lidjax.generalization.choice import CellMethod as CellMethod
from lidjax.generalization.choice import resolve_method as resolve_method
from lidjax.generalization.deterministic import deterministic_lgen as deterministic_lgen
from lidjax.generalization.sampling import sample_lgen as sample_lgen
