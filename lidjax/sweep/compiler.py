"""How much XLA optimises the programs of a sweep, and their compilation side by side.

A newcomer waits for compilation, a large sweep for the compiled code. On the CPU, XLA's default settings (level 3) take
twice as long to compile the programs of a tile as level 2 does, whose code is as fast. "quick" takes a quarter to a
half of the default; its code is up to 1.35 times slower (measured on quickstart and figure1, JAX 0.10, two cores).
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import jax

from lidjax.sweep.cost import Cost

Effort = Literal["quick", "thorough"]
"""How much the CPU compiler does: to be ready soon, or to compute fast."""
CPU_OPTIONS: dict[Effort, dict[str, str | bool]] = {
    "quick": {
        "xla_backend_optimization_level": "1",
        "xla_llvm_disable_expensive_passes": True,
        "xla_cpu_use_fusion_emitters": False,
    },
    "thorough": {
        "xla_backend_optimization_level": "2",
        "xla_llvm_disable_expensive_passes": False,
        "xla_cpu_use_fusion_emitters": True,
    },
}

MUCH_WORK = 20.0
"""Seconds of computing from which a sweep is worth optimising for: heuristic, about what optimising then gains."""


def effort_for(total: Cost) -> Effort:
    """The effort that a sweep with this much work deserves.

    It depends on the spec alone, not on the machine or on what is left to do: an interrupted sweep goes on with the
    same programs. Another effort may change the last bits of a number.
    """
    seconds = total.flops / 2e10 + total.draws * 3e-8 + total.evaluations * 1e-8
    return "quick" if seconds < MUCH_WORK else "thorough"


def compiler_options(effort: Effort) -> dict[str, str | bool] | None:
    """What `jax.jit` takes as `compiler_options`; on accelerators None, the defaults."""
    return CPU_OPTIONS[effort] if jax.default_backend() == "cpu" else None


def compile_together(lowered: Sequence[jax.stages.Lowered]) -> None:
    """Compile what `jitted.lower(...)` gave for several functions, in threads: compilation does not hold Python's lock.

    A call of the jitted function then finds its program compiled, because JAX keeps what was lowered for it.
    """
    with ThreadPoolExecutor(max(len(lowered), 1)) as pool:
        list(pool.map(lambda program: program.compile(), lowered))
