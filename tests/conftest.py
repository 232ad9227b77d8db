"""Strict numerics for every test: float64, no silent broadcasting of ranks, no silent dtype promotion.

Nearly all the time of the tests is compilation. They leave out what costs the compiler most, and share what it made:
between the processes of a run, those that tests start included, and with the next run.
"""

import ctypes
import gc
import os
from pathlib import Path

os.environ.setdefault(
    "XLA_FLAGS",
    # without its newer code generator for loops XLA compiles in half the time; level 0 would halve that once
    # more, but its code is three times slower, and tests that compute lose more than the others gain
    "--xla_backend_optimization_level=1 --xla_llvm_disable_expensive_passes=true"
    " --xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1",
)
os.environ.setdefault(
    "JAX_COMPILATION_CACHE_DIR", str(Path(__file__).resolve().parents[1] / ".pytest_cache" / "xla")
)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # its threads spin while they wait, beside a worker a core

import jax
import pytest

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")

pytest_plugins = ["helpers.sweep_fixtures"]

REAL_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real data that may not be redistributed; tests that want it skip where it is absent."""
    if not REAL_DATA.is_dir():
        pytest.skip(f"real data are not at {REAL_DATA} (they may not be redistributed)")
    return REAL_DATA


def pytest_collection_finish():
    """Modules and tests live until the end: the garbage collector need not look at them again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


MOST_MEMORY = 2 << 30
"""Bytes beyond which a process forgets its compiled programs: heuristic, and half of what they came to unbounded."""


@pytest.fixture(scope="module", autouse=True)
def _forget_programs():
    """Compiled programs live as long as the process, 25 MB each where they are large."""
    yield
    pages = Path("/proc/self/statm")  # Linux; elsewhere nothing is forgotten
    if pages.exists() and int(pages.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") > MOST_MEMORY:
        jax.clear_caches()
        gc.collect()
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc keeps what is freed
        if trim:
            trim(0)
