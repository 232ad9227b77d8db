"""How many programs JAX has compiled in this process, as its own monitoring reports it."""

import functools
from typing import Any

LOWERED, COMPILED = (
    "/jax/core/compile/jaxpr_to_mlir_module_duration",
    "/jax/core/compile/backend_compile_duration",
)
"""Events at the beginning and at the end of a compilation."""


class Programs:
    """Counts of programs whose compilation began and ended since the first call of `watch_programs`."""

    def __init__(self) -> None:
        self.begun = 0
        self.compiled = 0

    def on_event(self, event: str, duration_secs: float, **_: Any) -> None:
        """Listener of JAX's monitoring."""
        self.begun += event == LOWERED
        self.compiled += event == COMPILED

    def describe(self, since: int) -> str:
        """What is being compiled, after `since` programs were; "" if none is or was."""
        done = self.compiled - since
        if self.begun > self.compiled:
            return f"compiling program {done + 1}"
        return f"{done} programs compiled" if done else ""


@functools.cache
def watch_programs() -> Programs:
    """The counts of this process; the first call begins to count."""
    import jax

    programs = Programs()
    jax.monitoring.register_event_duration_secs_listener(programs.on_event)
    return programs
