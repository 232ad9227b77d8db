"""What made a store: the spec, versions, device and commit, kept inside it."""

import platform
import subprocess
from pathlib import Path
from typing import Any

import jax
import numpy as np

from lidjax.sweep.plan import describe_device
from lidjax.sweep.spec import FeaturesSpec, FrontierSpec, Spec
from lidjax.sweep.spec_file import spec_to_dict


def provenance_of(spec: Spec) -> dict[str, Any]:
    kind = {FeaturesSpec: "features", FrontierSpec: "frontier"}.get(type(spec), "synthetic")
    return {"spec": spec_to_dict(spec), "kind": kind, **circumstances()}


def circumstances() -> dict[str, Any]:
    """Versions, device and commit of this process."""
    import xarray
    import zarr

    from lidjax import __version__

    packages = {"lidjax": __version__, "jax": jax.__version__, "numpy": np.__version__}
    packages |= {"xarray": xarray.__version__, "zarr": zarr.__version__, "python": platform.python_version()}
    return {"versions": packages, "device": describe_device(), "git_commit": git_commit()}


def git_commit() -> str:
    """Commit of the package's own checkout; `unknown` for an installed copy, `+dirty` where it is changed."""
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
