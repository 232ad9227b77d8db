"""Compilation side by side: a call finds what was compiled before it, and large sweeps ask for more optimisation."""

import jax
import numpy as np
import pytest

from lidjax.cli.main import QUICK_COMPILATION
from lidjax.sweep.compiler import CPU_OPTIONS, compile_together, compiler_options, effort_for
from lidjax.sweep.cost import Cost

COMPILATIONS = "/jax/core/compile/backend_compile_duration"


@pytest.fixture
def compilations():
    """Names of what is compiled while the test runs."""
    seen: list[str] = []

    def listen(event, duration, **about):
        if event == COMPILATIONS:
            seen.append(about.get("fun_name", ""))

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield seen
    unregister = getattr(jax.monitoring, "unregister_event_duration_listener", None)
    if unregister:  # in newer versions of JAX; elsewhere the listener goes on counting for nobody
        unregister(listen)


def test_calls_find_the_programs_that_were_compiled_for_them(compilations):
    def double(x):
        return 2 * x

    def triple(x):
        return 3 * x

    x = np.arange(5.0)
    programs = [jax.jit(f, compiler_options=compiler_options("quick")) for f in (double, triple)]
    compile_together([program.lower(x) for program in programs])
    ready = len(compilations)
    assert ready == 2
    np.testing.assert_array_equal(programs[0](x), 2 * x)
    np.testing.assert_array_equal(programs[1](x), 3 * x)
    assert len(compilations) == ready
    programs[0](np.arange(6.0))  # another shape is another program
    assert len(compilations) == ready + 1


def test_effort_follows_the_work_of_the_whole_sweep():
    assert effort_for(Cost(flops=1e9, draws=1e6, evaluations=1e7)) == "quick"
    assert effort_for(Cost(flops=1e13)) == "thorough"
    assert compiler_options("thorough") == CPU_OPTIONS["thorough"]


def test_the_command_line_asks_for_the_same_quick_options():
    """It sets them as flags before JAX is imported, so it cannot read them where JAX is."""
    flags = [f"--{name}={str(value).lower()}" for name, value in CPU_OPTIONS["quick"].items()]
    assert QUICK_COMPILATION.split() == flags
