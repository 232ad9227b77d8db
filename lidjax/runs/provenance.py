"""What made a store: versions, device and commit, kept inside it."""

import platform
import subprocess
from pathlib import Path
from typing import Any

import jax
import numpy as np


def circumstances() -> dict[str, Any]:
    """Versions, device and commit of this process."""
    import xarray
    import zarr

    from lidjax import __version__

    packages = {"lidjax": __version__, "jax": jax.__version__, "numpy": np.__version__}
    packages |= {"xarray": xarray.__version__, "zarr": zarr.__version__, "python": platform.python_version()}
    return {"versions": packages, "device": describe_device(), "git_commit": git_commit()}


def describe_device() -> str:
    """Kind and number of the devices that JAX uses."""
    devices = jax.devices()
    return f"{len(devices)} x {devices[0].device_kind} ({devices[0].platform})"


def git_commit() -> str:
    """Commit of the checkout that the package is imported from, with `+dirty` if it has changes; else `unknown`."""
    here = Path(__file__).resolve().parents[2]
    if not (here / ".git").exists():
        return "unknown"
    try:
        run = ["git", "-C", str(here)]
        head = subprocess.run(
            [*run, "rev-parse", "HEAD"], capture_output=True, text=True, timeout=10, check=True
        )
        changed = subprocess.run(
            [*run, "status", "--porcelain", "-uno"], capture_output=True, text=True, timeout=10
        )
        return head.stdout.strip() + ("+dirty" if changed.stdout.strip() else "")
    except (OSError, subprocess.SubprocessError):
        return "unknown"
