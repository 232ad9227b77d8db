"""What the tests of this folder share."""

import jax
import pytest


def walk(jaxpr):
    for equation in getattr(jaxpr, "jaxpr", jaxpr).eqns:
        yield equation
        for leaf in jax.tree.leaves(equation.params, is_leaf=lambda leaf: hasattr(leaf, "eqns")):
            if hasattr(leaf, "eqns") or hasattr(leaf, "jaxpr"):
                yield from walk(leaf)


@pytest.fixture
def equations():
    """All equations of a jaxpr, those of loops and inner functions included."""
    return walk
