"""What cells cost, in the units that a plan counts in."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """Work and memory of some cells. Work is counted in the three things that kernels spend their time on."""

    flops: float = 0.0
    """Floating-point operations of matrix products and factorisations."""
    draws: float = 0.0
    """Random numbers."""
    evaluations: float = 0.0
    """Elementwise transcendental functions, chiefly (1-s)^k."""
    bytes: float = 0.0
    """Memory for intermediate values and results held at once."""

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(*(getattr(self, f) + getattr(other, f) for f in self.__dataclass_fields__))

    def __mul__(self, count: float) -> "Cost":
        return Cost(*(getattr(self, f) * count for f in self.__dataclass_fields__))
